"""Subspaces of features that stand for an attribute, chosen by the examples' labels."""

import abc
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from mconn.errors import ConfigError, DataError


class Attribute(abc.ABC):
    """Codes of examples: a column per dimension of the attribute; hashable.

    Attributes:
        name: what the subspace is called.
    """

    name: str

    @abc.abstractmethod
    def __call__(self, labels: Int[np.ndarray, "n"]) -> Float[np.ndarray, "n k"]:
        """The codes, each column with the mean 0 over the examples."""


@dataclass(frozen=True)
class Classes(Attribute):
    """All differences between classes: the subspace that their means span."""

    name: str = "classes"

    def __call__(self, labels: Int[np.ndarray, "n"]) -> Float[np.ndarray, "n k"]:
        """One column per class but the last, 1 for its members, less the mean.

        Raises:
            DataError: if there are fewer than two classes.
        """
        classes = np.unique(labels)
        if len(classes) < 2:
            raise DataError(f"all labels are {classes}: an attribute needs two classes")
        codes = (labels[:, None] == classes[:-1]).astype(np.float64)
        return codes - codes.mean(axis=0)


@dataclass(frozen=True)
class Contrast(Attribute):
    """One direction: some classes against some others, such as even against odd digits.

    Attributes:
        name: what the direction is called.
        positive: classes at +1.
        negative: classes at -1; the rest has no part in it.
    """

    name: str
    positive: tuple[int, ...]
    negative: tuple[int, ...]

    def __post_init__(self) -> None:
        both = set(self.positive) & set(self.negative)
        if both or not self.positive or not self.negative:
            raise ConfigError(
                f"the contrast '{self.name}' needs classes on both sides, and none on both: it has "
                f"{self.positive} against {self.negative}"
            )

    def __call__(self, labels: Int[np.ndarray, "n"]) -> Float[np.ndarray, "n 1"]:
        """1 over the number of positive examples, -1 over that of negative ones, 0.

        Raises:
            DataError: if a side has no example.
        """
        sides = [np.isin(labels, side) for side in (self.positive, self.negative)]
        if not all(side.any() for side in sides):
            raise DataError(
                f"no example is on one side of the contrast '{self.name}': take more examples"
            )
        code = sides[0] / sides[0].sum() - sides[1] / sides[1].sum()
        return code[:, None].astype(np.float64)


def directions(
    features: Float[np.ndarray, "n units"], codes: Float[np.ndarray, "n k"]
) -> Float[np.ndarray, "units k"]:
    """Directions among the units along which the features change with the attribute's codes."""
    return features.T.astype(np.float64) @ codes
