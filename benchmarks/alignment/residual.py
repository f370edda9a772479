"""Exactly permuted residual networks: does a system find the permutation again?

The identity start falls into poor local optima here (samuela/git-re-basin, issue 8).
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import numpy as np

from benchmarks.alignment import git_rebasin
from benchmarks.alignment.cases import Case, reference
from benchmarks.alignment.git_rebasin import Permutations
from mconn import align, symmetry
from mconn.symmetry import Group


@dataclass(frozen=True)
class Variant:
    """Sizes of a residual network: stream + in_i, then out_i, for every block.

    ``ends`` are the numbers of inputs and of outputs of the maps into the stream and out of it; 0
    for a network without these maps.
    """

    stream: int
    hidden: int
    blocks: int
    ends: int

    @property
    def name(self) -> str:
        """The sizes in words."""
        ends = f"{self.ends}-d ends" if self.ends else "no ends"
        return f"{self.stream}, {self.hidden}, {self.blocks}, {ends}"


VARIANTS = (
    Variant(30, 50, 1, 0),
    Variant(30, 50, 3, 0),
    Variant(30, 50, 3, 1),
    Variant(30, 50, 3, 10),
    Variant(64, 256, 6, 64),
)
NOISES = (0.0, 0.5)
"""Standard deviation of what is added to the copy, in units of each leaf's root mean square."""


@dataclass(frozen=True)
class Recoveries:
    """For every system in how many runs it put every unit back."""

    variant: Variant
    noise: float
    runs: int
    counts: dict[str, int]


def plant(variant: Variant, noise: float, seed: int) -> tuple[Case, Group]:
    """A network and its permuted copy."""
    specification: dict[str, tuple[str | None, str | None]] = {}
    shapes: dict[str, tuple[int, int]] = {}
    if variant.ends:
        specification["embed/kernel"] = (None, "stream")
        shapes["embed/kernel"] = (variant.ends, variant.stream)
    for i in range(variant.blocks):
        specification[f"in_{i}/kernel"] = ("stream", f"hidden_{i}")
        shapes[f"in_{i}/kernel"] = (variant.stream, variant.hidden)
        specification[f"out_{i}/kernel"] = (f"hidden_{i}", "stream")
        shapes[f"out_{i}/kernel"] = (variant.hidden, variant.stream)
    if variant.ends:
        specification["head/kernel"] = ("stream", None)
        shapes["head/kernel"] = (variant.stream, variant.ends)
    generator, cases = np.random.default_rng(seed), reference()
    a = cases.draw(shapes, generator)
    copy = {
        leaf: (
            value + noise * np.sqrt(np.mean(value**2)) * generator.standard_normal(value.shape)
        ).astype(np.float32)
        for leaf, value in a.items()
    }
    scramble = {
        name: generator.permutation(size)
        for name, size in cases.sizes(specification, shapes).items()
    }
    b = cases.permute(specification, scramble, copy)
    truth = {name: np.argsort(order) for name, order in scramble.items()}
    case = Case(variant.name, "planted", specification, a, b, truth)
    return case, symmetry.from_specification(specification, shapes)


def from_the_profile(case: Case, group: Group, seed: int) -> Permutations:
    """This library as it comes."""
    element = align.match(group, case.a, case.b).element
    return {name: np.asarray(part) for name, part in element.items()}


def from_the_identity(case: Case, group: Group, seed: int) -> Permutations:
    """This library from the networks as they are, in another order of visits every run."""
    key = jax.random.key(seed)
    element = align.match(group, case.a, case.b, start="identity", key=key).element
    return {name: np.asarray(part) for name, part in element.items()}


def plain(case: Case, group: Group, seed: int) -> Permutations:
    """The published algorithm."""
    generator = np.random.default_rng(seed)
    return git_rebasin.match(case.specification, case.a, case.b, generator)


SYSTEMS: dict[str, Callable[[Case, Group, int], Permutations]] = {
    "mconn": from_the_profile,
    "mconn, identity start": from_the_identity,
    "plain": plain,
}


def count_recoveries(variant: Variant, noise: float, runs: int) -> Recoveries:
    """In how many runs every system puts every unit back."""
    counts = dict.fromkeys(SYSTEMS, 0)
    for seed in range(runs):
        case, group = plant(variant, noise, seed)
        assert case.truth is not None
        for name, system in SYSTEMS.items():
            found = system(case, group, seed)
            counts[name] += all(
                np.array_equal(found[part], units) for part, units in case.truth.items()
            )
    return Recoveries(variant, noise, runs, counts)
