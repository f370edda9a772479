"""How well a law fits what was measured."""

from typing import Any

import numpy as np


def misfit(values: Any, *columns: Any) -> float:
    """The largest relative residual of the best fit by columns; one column alone has an offset."""
    offset = [np.ones(len(values))] * (len(columns) == 1)
    scaled = np.stack([*columns, *offset], axis=1) / np.asarray(values, float)[:, None]
    solution = np.linalg.lstsq(scaled, np.ones(len(scaled)), rcond=None)[0]
    return float(np.abs(scaled @ solution - 1).max())
