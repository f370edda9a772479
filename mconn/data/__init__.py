"""Real data sets as host arrays: images standardised, a validation split held out on request."""

from mconn.data.dataset import DataConfig, Dataset, Images, Name, Normalisation, Split, find_folder
from mconn.data.load import SHAPES, load

__all__ = [
    "SHAPES",
    "DataConfig",
    "Dataset",
    "Images",
    "Name",
    "Normalisation",
    "Split",
    "find_folder",
    "load",
]
