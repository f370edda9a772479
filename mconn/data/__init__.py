"""Real data sets as host arrays: images standardised, a validation split held out on request."""

from mconn.data.dataset import DataConfig, Dataset, Split
from mconn.data.load import load

__all__ = ["DataConfig", "Dataset", "Split", "load"]
