"""Training several seeds together, resumable after a kill."""

from mconn.training.config import Optimiser, TrainConfig
from mconn.training.train import Trained, train

__all__ = ["Optimiser", "TrainConfig", "Trained", "train"]
