"""Exponents of power laws, such as of what is measured against the width."""

from typing import NamedTuple

import numpy as np

from mconn.experiment import Frame


class Slope(NamedTuple):
    """A power law's exponent, from a line through logarithms.

    Attributes:
        value: of means over seeds.
        low: the lowest of single seeds.
        high: the highest.
    """

    value: float
    low: float
    high: float

    @property
    def interval(self) -> str:
        """As a claim shows it."""
        return f"[{self.low:.2f}, {self.high:.2f}] over seeds"


def slope_of(table: Frame, column: str) -> Slope:
    """How a column depends on the width; the table has a row per width and seed."""
    wide = table.pivot(index="width", columns="seed", values=column)
    each = exponent(wide.index, wide)
    return Slope(float(exponent(wide.index, wide.mean(axis=1))), each.min(), each.max())


def exponent(places: np.ndarray, values: Frame) -> np.ndarray:
    """The slope of log values against log places, of every column."""
    return np.polyfit(np.log(places), np.log(values), 1)[0]
