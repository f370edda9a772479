"""Weight matching as it was published, in plain NumPy and SciPy.

Ainsworth, Hayase and Srinivasa, *Git Re-Basin*, ICLR 2023, algorithm 1, written from the paper: the
networks start as they are; every sweep visits the permutations in a new random order; for each,
the similarity of units is computed anew with every other axis of b permuted, and an assignment
solved; it ends when a sweep gains nothing.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

Specification = Mapping[str, Sequence[str | None]]
Weights = Mapping[str, Float[np.ndarray, "..."]]
Permutations = dict[str, Int[np.ndarray, "n"]]


def match(
    specification: Specification, a: Weights, b: Weights, generator: np.random.Generator
) -> Permutations:
    """The permutations that move ``b`` to ``a``; unit i of the result is unit ``p[i]`` of b.

    Args:
        specification: the permutation of every axis of every leaf, or None.
        a: the leaves that stay.
        b: the leaves that are moved.
        generator: draws the order of visits.
    """
    axes = axes_of(specification)
    found = {name: np.arange(a[where[0][0]].shape[where[0][1]]) for name, where in axes.items()}
    names = list(found)
    for _ in range(100):
        progress = False
        for i in generator.permutation(len(names)):
            name = names[i]
            units = np.arange(len(found[name]))
            similarity = np.zeros((len(units), len(units)), np.float32)
            for leaf, axis in axes[name]:
                other = moved(specification[leaf], found, b[leaf], except_axis=axis)
                similarity += similarity_along(axis, a[leaf], other)
            _, new = linear_sum_assignment(similarity, maximize=True)
            gain = similarity[units, new].sum() - similarity[units, found[name]].sum()
            progress = progress or gain > 1e-12
            found[name] = new
        if not progress:
            break
    return found


def axes_of(specification: Specification) -> dict[str, list[tuple[str, int]]]:
    """The leaves and axes of every permutation."""
    axes: dict[str, list[tuple[str, int]]] = {}
    for leaf, names in specification.items():
        for axis, name in enumerate(names):
            if name is not None:
                axes.setdefault(name, []).append((leaf, axis))
    return axes


def moved(
    names: Sequence[str | None],
    found: Permutations,
    leaf: Float[np.ndarray, "..."],
    except_axis: int,
) -> Float[np.ndarray, "..."]:
    """A leaf with every axis but one permuted."""
    for axis, name in enumerate(names):
        if name is not None and axis != except_axis:
            leaf = np.take(leaf, found[name], axis=axis)
    return leaf


def similarity_along(
    axis: int, a: Float[np.ndarray, "..."], b: Float[np.ndarray, "..."]
) -> Float[np.ndarray, "n n"]:
    """Inner products of the slices of a with those of b."""
    rows_a, rows_b = (np.moveaxis(leaf, axis, 0).reshape(leaf.shape[axis], -1) for leaf in (a, b))
    return rows_a @ rows_b.T
