"""A permutation together with what its units can do by themselves.

Heads, groups and experts that are permuted have symmetries inside, and a unit that is permuted may
change its sign. Two of them are then alike if *some* element inside makes them alike: the matrix of
the assignment is the gain of the best inner solution for every pair, and a permutation and its
inner solutions are one step (Theus et al. 2025 for the heads of a transformer).
"""

from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from mconn.align.cost import Overlap
from mconn.align.overlap import between_copies, cross
from mconn.align.solve import solve
from mconn.align.solvers import assign
from mconn.symmetry import Generator, Group, Site

Step = tuple[Generator, np.ndarray]
"""A generator and the part by which it moves b."""


@runtime_checkable
class Seen(Protocol):
    """What two leaves look like to a generator while other generators are unknown."""

    def seen(
        self, generator: Generator, site: Site, unknown: frozenset[str]
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """The leaves of a and b at a site, or None where they tell nothing."""
        ...


def signs_of(group: Group, generator: Generator) -> Generator | None:
    """The generator of the signs of the same units."""
    for each in group.generators:
        if each.kind == "sign" and each.moved_by == generator.name:
            return each
    return None


def inside(group: Group, generator: Generator) -> list[Generator]:
    """The generators inside the copies that a permutation moves, one for the same units."""
    if generator.kind != "permutation" or generator.fibres:
        return []
    found = [
        each
        for each in group.generators
        if any(fibre.name == generator.name and fibre.moves for fibre in each.fibres)
    ]
    names = {each.name for each in found}
    return [each for each in found if each.moved_by not in names]


def pair_overlaps(
    generator: Generator, inner: Generator, position: Seen, unknown: frozenset[str]
) -> tuple[dict[int, np.ndarray], dict[int, np.ndarray]]:
    """Overlaps of the units inside every copy of a with those inside every copy of b.

    Returns:
        By power, shapes (copies, copies, *others, n, n); and those of b's copies with themselves,
        (copies, *others, n, n), for a general linear group.
    """
    crosses: dict[int, Any] = {}
    grams: dict[int, Any] = {}
    for site in inner.sites:
        leaves = position.seen(inner, site, unknown)
        if leaves is None:
            continue
        keeps_powers = inner.kind in ("general linear", "scaling", "rotation")
        power = site.power if keeps_powers else 1
        term = between_copies(inner, generator.name, site, *leaves)
        crosses[power] = crosses.get(power, 0) + term
        if inner.kind in ("general linear", "scaling"):
            own = between_copies(inner, generator.name, site, leaves[1], leaves[1])
            copies = np.arange(len(own))
            grams[power] = grams.get(power, 0) + own[copies, copies]
    return crosses, grams


def pair_gains(
    inner: Generator, crosses: dict[int, np.ndarray], grams: dict[int, np.ndarray]
) -> Float[np.ndarray, "copies copies"]:
    """What the best inner element brings for every pair of copies.

    For a general linear group it is the inner product of the two circuits, q_a^T k_a with
    q_b^T k_b, which no change of basis alters.
    """
    if inner.kind == "orthogonal":
        gains = np.linalg.svd(crosses[1], compute_uv=False).sum(axis=-1)
    elif inner.kind == "permutation":
        best = assign(crosses[1])
        gains = np.take_along_axis(crosses[1], best[..., None], axis=-1)[..., 0].sum(axis=-1)
    elif inner.kind == "general linear" and set(crosses) == {1, -1}:
        gains = (crosses[1] * crosses[-1]).sum(axis=(-1, -2))
    elif inner.kind == "sign":
        gains = np.abs(np.diagonal(crosses[1], axis1=-2, axis2=-1)).sum(axis=-1)
    else:
        gains = np.sum([np.trace(each, axis1=-2, axis2=-1) for each in crosses.values()], axis=0)
    return gains.reshape(*gains.shape[:2], -1).sum(axis=-1)


def overlap_of_copies(
    generator: Generator, inner: list[Generator], position: Seen, unknown: frozenset[str]
) -> Overlap:
    """The gain of every pair of copies."""
    total = np.zeros((generator.size, generator.size))
    for each in inner:
        crosses, grams = pair_overlaps(generator, each, position, unknown)
        if crosses:
            total += pair_gains(each, crosses, grams)
    covered = {(site.leaf, place) for each in inner for site in each.sites for place in site.fibres}
    for site in generator.sites:
        leaves = position.seen(generator, site, unknown)
        if (site.leaf, site.place) not in covered and leaves is not None:
            total += cross(generator, site, *leaves)
    return Overlap({1: total}, {})


def steps_inside(
    generator: Generator,
    part: np.ndarray,
    inner: list[Generator],
    position: Seen,
    unknown: frozenset[str],
) -> list[Step]:
    """The permutation of the copies, and then the best element inside each."""
    steps = [(generator, part)]
    copies = np.arange(generator.size)
    for each in inner:
        crosses, grams = pair_overlaps(generator, each, position, unknown)
        if not crosses:
            continue
        place = [fibre.name for fibre in each.fibres].index(generator.name)
        after = Overlap(
            {p: np.moveaxis(c[copies, part], 0, place) for p, c in crosses.items()},
            {p: np.moveaxis(g[part], 0, place) for p, g in grams.items()},
        )
        if each.kind == "scaling":
            after = Overlap(
                *(
                    {p: np.diagonal(x, axis1=-2, axis2=-1) for p, x in part_of.items()}
                    for part_of in (after.cross, after.gram)
                )
            )
        steps.append((each, solve(each, after)))
    return steps
