"""Training several seeds together, resumable after a kill."""

from mconn.training.config import Optimiser, TrainConfig
from mconn.training.observer import Observed, Observer
from mconn.training.train import Trained, train

__all__ = ["Observed", "Observer", "Optimiser", "TrainConfig", "Trained", "train"]
