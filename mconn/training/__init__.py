"""Training several seeds together, resumable after a kill."""

from mconn.training.config import Optimiser, TrainConfig, learning_rate, transformation
from mconn.training.program import Program, build
from mconn.training.train import Observed, Observer, Trained, train

__all__ = [
    "Observed",
    "Observer",
    "Optimiser",
    "Program",
    "TrainConfig",
    "Trained",
    "build",
    "learning_rate",
    "train",
    "transformation",
]
