"""The stages that studies share: train the seeds, align them, sweep the paths between them.

Train -- every seed of a training config, together
Align -- every seed moved onto every earlier one
Connect -- a curve fitted between every two seeds
Watch -- every seed trained, with features and barriers tracked meanwhile
Sweep -- losses along the line or the curve of every pair, and its barriers
"""

from mconn.experiment.stages.align import Align as Align
from mconn.experiment.stages.connect import Connect as Connect
from mconn.experiment.stages.sweep import Sweep as Sweep
from mconn.experiment.stages.train import Train as Train
from mconn.experiment.stages.watch import Watch as Watch

__all__ = ["Align", "Connect", "Sweep", "Train", "Watch"]
