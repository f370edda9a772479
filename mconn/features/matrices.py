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
    """Two matrices of features of the same examples, in single precision or wider.

    Raises:
        StructureError: if one is no matrix, or they have other numbers of rows.
        DataError: naming the one that is not finite, or does not vary.
    """
    first, second = checked(x, names[0]), checked(y, names[1])
    check_same_rows(first, second, names)
    return first, second


def checked(x: Any, name: str) -> Float[np.ndarray, "n p"]:
    """One matrix of features, in single precision or wider.

    Raises:
        StructureError: if it is no matrix.
        DataError: if it is not finite, or does not vary.
    """
    found = np.asarray(x)
    if found.ndim != 2:
        raise StructureError(
            f"the features {name} have the shape {found.shape}: pass a matrix, one row per "
            "example and one column per unit"
        )
    found = found.astype(np.promote_types(found.dtype, np.float32), copy=False)
    with np.errstate(over="ignore", invalid="ignore"):
        total = found.sum()
    # A finite sum proves all finite, in a quarter of the time.
    if not (np.isfinite(total) or np.isfinite(found).all()):
        raise DataError(f"the features {name} are not finite: look at the network's parameters")
    if len(found) < 2 or not any((found[rows] != found[0]).any() for rows in (-1, slice(1, None))):
        raise DataError(
            f"the features {name} are constant over {len(found)} examples: nothing can be like "
            "them; take more examples, or leave the layer out"
        )
    return found


def check_same_rows(x: np.ndarray, y: np.ndarray, names: tuple[str, str]) -> None:
    """Refuse matrices of other numbers of examples.

    Raises:
        StructureError: with both numbers.
    """
    if len(x) != len(y):
        raise StructureError(
            f"the features {names[0]} have {len(x)} rows and {names[1]} have {len(y)}: pass the "
            "same examples in the same order"
        )


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
