"""The weights that are aligned, and the groups that are discovered for their networks."""

import functools
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.alignment.git_rebasin import Permutations, Specification
from benchmarks.alignment.networks import FAMILIES
from mconn import symmetry
from mconn.errors import DataError, SymmetryError
from mconn.symmetry import Group

REFERENCE = Path(__file__).parents[3] / "shared" / "bench" / "align_cases.py"


class Case(NamedTuple):
    """Two networks, and which axes are permuted together.

    ``truth`` is the permutation that undoes the planted one; None for independent networks.
    """

    name: str
    family: str
    specification: Specification
    a: Mapping[str, np.ndarray]
    b: Mapping[str, np.ndarray]
    truth: Permutations | None


@functools.cache
def reference() -> ModuleType:
    """The module that draws the cases and scores what is found.

    Raises:
        DataError: if it is not there.
    """
    if not REFERENCE.exists():
        raise DataError(
            "the weights of this benchmark are drawn by ../shared/bench/align_cases.py, beside the "
            "repository, which this machine does not have"
        )
    description = importlib.util.spec_from_file_location("align_cases", REFERENCE)
    assert description is not None
    assert description.loader is not None
    module = importlib.util.module_from_spec(description)
    description.loader.exec_module(module)
    return module


def make(name: str, family: str) -> Case:
    """Draw a case; ``family`` is ``random`` or ``planted``."""
    specification, _, a, b, truth = reference().make(name, family)
    return Case(name, family, specification, a, b, truth)


def score(case: Case, permutations: Permutations) -> tuple[float, float | None]:
    """The inner product in float64, and the fraction of units put back where one was planted."""
    result = reference().score(case.specification, permutations, case.a, case.b, case.truth)
    return result["inner"], result.get("recovered")


def discover(case: Case) -> Group:
    """The permutations of a case's network, from its function."""
    apply, inputs = next(FAMILIES[kind] for kind in FAMILIES if case.name.startswith(kind))
    return symmetry.permutations(
        symmetry.discover(apply, case.a, jax.ShapeDtypeStruct(inputs, jnp.float32))
    )


def names_in_specification(case: Case, group: Group) -> dict[str, str]:
    """For every discovered generator the permutation of the specification that it is.

    Raises:
        SymmetryError: if the two do not permute the same axes together.
    """
    pairs = {
        (found, named)
        for leaf, axes in symmetry.to_specification(group).items()
        for found, named in zip(axes, case.specification[leaf], strict=True)
    } - {(None, None)}
    names = {found: named for found, named in pairs if found is not None and named is not None}
    if not len(pairs) == len(names) == len(set(names.values())):
        raise SymmetryError(
            f"the group that was discovered for {case.name} permutes other axes together than the "
            "reference's specification: compare Group.describe() with it"
        )
    return names
