"""The start for groups that stretch: align the shortest representatives of both orbits first.

Factors and invertible matrices of two networks may differ by orders of magnitude, and then units
look alike or not for no reason but their scale. In the shortest parameters of its orbit
(`mconn.symmetry.canonical`) a network is determined up to orthogonal maps, so that two of them are
aligned by permutations, signs and orthogonal matrices alone. With c_a, c_b the elements that lead
to the representatives and h that which aligns them, the start is c_a^-1 h c_b.
"""

from dataclasses import replace

import numpy as np

from mconn import symmetry as groups
from mconn.align.position import STRETCHING, Leaves
from mconn.symmetry import Element, Group
from mconn.symmetry.elements import relative


def compact(group: Group) -> Group:
    """The subgroup of the elements that keep norms."""
    generators = tuple(
        replace(generator, kind="orthogonal") if generator.kind == "general linear" else generator
        for generator in group.generators
        if generator.kind != "scaling"
    )
    return replace(group, generators=generators)


def stretches(group: Group) -> bool:
    """Whether some generator does not keep norms."""
    return any(generator.kind in STRETCHING for generator in group.generators)


def shortest(group: Group, leaves: Leaves) -> tuple[Element, Leaves]:
    """The element that leads to the shortest parameters, and these."""
    element = groups.canonical_element(group, dict(leaves))
    moved = groups.act(group, element, dict(leaves))
    return element, {name: np.asarray(leaf) for name, leaf in moved.items()}


def between(group: Group, first: Element, aligned: Element, second: Element) -> Element:
    """The element c_a^-1 h c_b, for h of the compact subgroup."""
    lifted = groups.lift(group, aligned)
    return relative(group, first, groups.compose(group, lifted, second))
