"""Small Flax networks whose size, activation and normaliser are arguments."""

from mconn.models.cnn import CNN
from mconn.models.mlp import MLP

__all__ = ["CNN", "MLP"]
