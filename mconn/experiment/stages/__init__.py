"""The stages that studies share: train the seeds, align them, sweep the paths between them.

Train -- every seed of a training config, together
Align -- every seed moved onto every earlier one
Sweep -- losses along the line of every pair, and its barriers
"""

from mconn.experiment.stages.align import Align as Align
from mconn.experiment.stages.sweep import Sweep as Sweep
from mconn.experiment.stages.train import Train as Train

__all__ = ["Align", "Sweep", "Train"]
