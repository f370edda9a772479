"""Checks of two matrices of features that are to be compared."""

import warnings
from typing import Any

import numpy as np
from jaxtyping import Float

from mconn.errors import DataError, StructureError


class FewExamplesWarning(UserWarning):
    """Features are compared on too few examples for their width to say much."""


def checked_pair(
    x: Any, y: Any, names: tuple[str, str] = ("x", "y")
) -> tuple[Float[np.ndarray, "n p"], Float[np.ndarray, "n q"]]:
    """Two matrices of features of the same examples, as given or in single precision.

    Raises:
        StructureError: if one is no matrix, or they have other numbers of rows.
        DataError: naming the one that is not finite, or does not vary.
    """
    found = tuple(np.asarray(each) for each in (x, y))
    for name, each in zip(names, found, strict=True):
        if each.ndim != 2:
            raise StructureError(
                f"the features {name} have the shape {each.shape}: pass a matrix, one row per "
                "example and one column per unit"
            )
        if not np.isfinite(each).all():
            raise DataError(f"the features {name} are not finite: look at the network's parameters")
        if len(each) < 2 or not (each != each[0]).any():
            raise DataError(
                f"the features {name} are constant over {len(each)} examples: nothing can be like "
                "them; take more examples, or leave the layer out"
            )
    if len(found[0]) != len(found[1]):
        raise StructureError(
            f"the features {names[0]} have {len(found[0])} rows and {names[1]} have "
            f"{len(found[1])}: pass the same examples in the same order"
        )
    return found[0], found[1]


def check_enough(examples: int, widths: int, what: str, *, refuse: bool = True) -> None:
    """Refuse, or warn of, fewer examples than dimensions: what is measured is then no property.

    Args:
        examples: the number of rows.
        widths: the dimensions that they must exceed.
        what: what is measured.
        refuse: raise, rather than warn.

    Raises:
        DataError: with the numbers, and how many examples it takes.
    """
    if examples > widths:
        return
    told = (
        f"{what} on {examples} examples of features with {widths} dimensions says nothing: any two "
        f"such networks look alike; take more than {widths} examples"
    )
    if refuse:
        raise DataError(told)
    warnings.warn(told, FewExamplesWarning, stacklevel=3)
