"""Losses along paths: values per example, and barriers with their intervals.

evaluate, evaluate_many -- every metric of every example at every point, in one compiled program
barrier -- a barrier of any kind of the literature, with a paired error and an interval
"""

from mconn.landscape.barrier import (
    KINDS as KINDS,
    Estimate as Estimate,
    barrier as barrier,
    barriers as barriers,
    below_chord as below_chord,
)
from mconn.landscape.evaluate import evaluate as evaluate, evaluate_many as evaluate_many
from mconn.landscape.metrics import Classification as Classification
from mconn.landscape.normalisers import (
    BatchNormStatistics as BatchNormStatistics,
    TrainingMode as TrainingMode,
)
from mconn.landscape.profile import Profile as Profile
from mconn.landscape.refresh import MixtureRefresh as MixtureRefresh

__all__ = [
    "KINDS",
    "BatchNormStatistics",
    "Classification",
    "Estimate",
    "MixtureRefresh",
    "Profile",
    "TrainingMode",
    "barrier",
    "barriers",
    "below_chord",
    "evaluate",
    "evaluate_many",
]
