"""The stages that studies share: train the seeds, align them, sweep the paths between them.

Train -- every seed of a training config, together
Align -- every seed moved onto every earlier one
Connect -- a curve fitted between every two seeds
Watch -- every seed trained, with features and barriers tracked meanwhile
Sweep -- losses along the line or the curve of every pair, and its barriers
"""

from mconn.experiment.stages.align import Align as Align, group_of as group_of
from mconn.experiment.stages.connect import (
    Connect as Connect,
    Family as Family,
    training_loss as training_loss,
)
from mconn.experiment.stages.normalisers import (
    has_statistics as has_statistics,
    recomputed as recomputed,
)
from mconn.experiment.stages.sweep import (
    BARRIERS as BARRIERS,
    Sweep as Sweep,
    point_rows as point_rows,
)
from mconn.experiment.stages.train import Train as Train
from mconn.experiment.stages.watch import Watch as Watch

__all__ = [
    "BARRIERS",
    "Align",
    "Connect",
    "Family",
    "Sweep",
    "Train",
    "Watch",
    "group_of",
    "has_statistics",
    "point_rows",
    "recomputed",
    "training_loss",
]
