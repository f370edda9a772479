"""Many minima: the minimum spanning tree of saddle losses, and what it says of pairs not joined.

A path from A to C through B is no higher than the higher of its two parts. So the losses of the
lowest paths form an ultrametric, L*(A, C) <= max(L*(A, B), L*(B, C)), and the paths of a spanning
tree with the least saddles bound those of all pairs (Draxler et al. 2018, section 3.4).
"""

import itertools

import numpy as np
from jaxtyping import Float

from mconn.errors import DataError


def spanning_tree(saddles: Float[np.ndarray, "n n"]) -> list[tuple[int, int]]:
    """The pairs of the minimum spanning tree, from the lowest saddle to the highest.

    Args:
        saddles: highest loss on the path found between two minima; symmetric, NaN or infinite where
            there is none. Its diagonal is not used.

    Returns:
        (i, j) with i < j. Fewer than n - 1 pairs if the paths do not join all minima.

    Raises:
        DataError: if the matrix is not square and symmetric, or has fewer than two minima.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import minimum_spanning_tree

    _check(saddles)
    rows, columns = np.triu_indices(len(saddles), 1)
    known = np.isfinite(saddles[rows, columns])
    rows, columns = rows[known], columns[known]
    # Zero means "no edge" to scipy, so that weights are ranks from one.
    order = np.argsort(saddles[rows, columns], kind="stable")
    ranks = np.empty(len(order))
    ranks[order] = np.arange(1, len(order) + 1)
    tree = minimum_spanning_tree(coo_array((ranks, (rows, columns)), saddles.shape)).tocoo()
    edges = sorted(zip(tree.data, tree.row, tree.col, strict=True))
    return [(int(min(i, j)), int(max(i, j))) for _, i, j in edges]


def minimax(saddles: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
    """The least highest loss on any sequence of paths between two minima; an ultrametric.

    It is an upper bound of the lowest saddle between them, also where no path was tried.

    Args:
        saddles: as in `spanning_tree`; its diagonal, the losses of the minima, is kept.

    Returns:
        A symmetric matrix; infinite where no sequence of paths joins two minima.

    Raises:
        DataError: as `spanning_tree`.
    """
    edges = spanning_tree(saddles)
    found = np.full(saddles.shape, np.inf)
    np.fill_diagonal(found, saddles.diagonal())
    groups = [{i} for i in range(len(saddles))]
    for i, j in edges:
        one, other = groups[i], groups[j]
        for a, b in itertools.product(one, other):
            found[a, b] = found[b, a] = saddles[i, j]
        joined = one | other
        for member in joined:
            groups[member] = joined
    return found


def next_pair(
    saddles: Float[np.ndarray, "n n"], distances: Float[np.ndarray, "n n"]
) -> tuple[int, int] | None:
    """The pair of minima whose path to find next (Draxler et al. 2018, section 3.4).

    First the nearest pairs that are not joined yet, until all minima are. Then a pair that could
    replace the highest path of the tree: without that path the tree falls into two parts; it is
    the nearest pair between the two that was not tried. If there is none, the next highest path.

    Args:
        saddles: as in `spanning_tree`; NaN where no path was tried, infinite where it failed.
        distances: between the minima.

    Returns:
        (i, j) with i < j, or None if no pair could lower the tree.

    Raises:
        DataError: as `spanning_tree`.
    """
    edges = spanning_tree(saddles)
    parts = _components(len(saddles), edges)
    apart = parts[:, None] != parts
    if found := _nearest(apart, saddles, distances):
        return found
    for removed in reversed(edges):
        parts = _components(len(saddles), [edge for edge in edges if edge != removed])
        if found := _nearest(parts[:, None] != parts, saddles, distances):
            return found
    return None


def _nearest(
    among: np.ndarray, saddles: Float[np.ndarray, "n n"], distances: Float[np.ndarray, "n n"]
) -> tuple[int, int] | None:
    rows, columns = np.nonzero(np.triu(among & np.isnan(saddles), 1))
    if not len(rows):
        return None
    best = np.argmin(distances[rows, columns])
    return int(rows[best]), int(columns[best])


def _components(count: int, edges: list[tuple[int, int]]) -> np.ndarray:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows, columns = zip(*edges, strict=True) if edges else ((), ())
    graph = coo_array((np.ones(len(edges)), (rows, columns)), (count, count))
    return connected_components(graph, directed=False)[1]


def _check(saddles: Float[np.ndarray, "n n"]) -> None:
    if len(saddles) < 2:
        raise DataError(f"there are {len(saddles)} minima: a tree needs at least two")
    if not np.array_equal(saddles, saddles.T, equal_nan=True):
        raise DataError("the saddles are not symmetric: a path has one highest loss in both ways")
