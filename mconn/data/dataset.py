"""What a data set is, and which one is asked for."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import jax
import numpy as np
from jaxtyping import Num

from mconn.checks import check_choice
from mconn.errors import ConfigError

Name = Literal["digits", "fashion_mnist", "cifar10"]
Normalisation = Literal["unit", "channel"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Split:
    """Examples and their classes; a pytree, so that it is a batch for every kernel.

    Attributes:
        inputs: float32 of shape ``n height width channels``.
        labels: int32 of shape ``n``, from 0.
    """

    # Not annotated as arrays: a pytree holds whatever a transformation of JAX puts in it.
    inputs: Any
    labels: Any

    def __len__(self) -> int:
        return len(self.labels)

    def head(self, count: int) -> "Split":
        """The first examples."""
        return Split(self.inputs[:count], self.labels[:count])


@dataclass(frozen=True)
class Dataset:
    """A data set on the host, split for training, choosing and testing."""

    name: str
    train: Split
    validation: Split | None
    test: Split
    classes: int


@dataclass(frozen=True)
class Images:
    """A data set as it is stored: pixels from 0 to ``white``, before anything is held out."""

    train_pixels: Num[np.ndarray, "n height width channels"]
    train_labels: Num[np.ndarray, " n"]
    test_pixels: Num[np.ndarray, "m height width channels"]
    test_labels: Num[np.ndarray, " m"]
    white: int
    classes: int


@dataclass(frozen=True)
class DataConfig:
    """Which data set, and how it is prepared.

    Attributes:
        name: the data set.
        normalise: ``unit`` divides pixels by white, so they lie in [0, 1]; ``channel`` also
            subtracts the training split's mean of each channel and divides by its standard
            deviation.
        validation: how many training examples are held out, always the same ones.
        subset: how many of the remaining training examples are kept; None keeps them all.

    Raises:
        ConfigError: for an unknown name or a negative size.
    """

    name: Name
    normalise: Normalisation = "channel"
    validation: int = 0
    subset: int | None = None

    def __post_init__(self) -> None:
        check_choice("data set", self.name, get_args(Name))
        check_choice("normalisation", self.normalise, get_args(Normalisation))
        if self.validation < 0:
            raise ConfigError(f"validation is {self.validation}: hold out 0 examples or more")
        if self.subset is not None and self.subset < 1:
            raise ConfigError(f"subset is {self.subset}: keep at least 1 training example")
