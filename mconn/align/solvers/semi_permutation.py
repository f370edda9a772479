"""Semi-permutations: each unit of the wider network goes to at most one of the narrower."""

import numpy as np
from jaxtyping import Float, Int

from mconn.align.solvers.assignment import assign
from mconn.errors import ConfigError

NOBODY = -1
"""In the place of a unit that is given to none."""


def semi_permutation(
    similarity: Float[np.ndarray, "n m"],
    *,
    evenly: bool = False,
    least: float = -np.inf,
) -> Int[np.ndarray, "n"]:
    """To which of the m units every one of the n is given, so that each has at least one; exact.

    It maximises sum_i similarity[i, p[i]] over all p that leave no unit out: the assignment problem
    of what a unit loses against its best choice, after which the units that were not needed have
    theirs.

    Args:
        similarity: of the n units of the wider network with the m of the narrower, n >= m.
        evenly: give each of the m either the floor or the ceiling of n / m, as networks need whose
            normalisers average over units (LayerNorm).
        least: a unit that is not needed and is less similar than this stays alone, as -1.

    Raises:
        ConfigError: if n < m, or units are to stay alone where all are to be shared out evenly.
        MconnError: if a similarity is not finite.
    """
    wide, narrow = similarity.shape
    if wide < narrow:
        raise ConfigError(
            f"{wide} units cannot be given to {narrow}: the rows are the units of the wider network"
        )
    if evenly:
        if least > -np.inf:
            raise ConfigError("units that are shared out evenly cannot stay alone: leave out least")
        return share_out(similarity)
    needed = assign((similarity - similarity.max(axis=1, keepdims=True)).T)
    given = similarity.argmax(axis=1)
    given[similarity.max(axis=1) < least] = NOBODY
    given[needed] = np.arange(narrow)
    return given


def share_out(similarity: Float[np.ndarray, "n m"]) -> Int[np.ndarray, "n"]:
    """The best p that gives every unit the floor or the ceiling of n / m."""
    wide, narrow = similarity.shape
    places = np.tile(np.arange(narrow), -(-wide // narrow))
    values = similarity[:, places]
    # The places up to the floor come first, whatever they cost.
    required = wide // narrow * narrow
    values[:, :required] += 2 * wide * (np.ptp(similarity) + 1)
    return places[assign(values)]


def shares(
    given: Int[np.ndarray, "n"], wanted: Float[np.ndarray, "n m"] | None = None
) -> Float[np.ndarray, "n m"]:
    """The semi-permutation as a matrix: columns sum to one, rows have one positive entry at most.

    Args:
        given: to which of the m units every one of the n is given.
        wanted: shares that the units would take without the sum: they are given the nearest ones
            that sum to one. By default all units of a group have the same share.
    """
    size = given.max() + 1 if wanted is None else wanted.shape[1]
    matrix = np.zeros((len(given), size))
    for unit in range(size):
        group = np.flatnonzero(given == unit)
        if wanted is None:
            matrix[group, unit] = 1 / len(group)
        else:
            matrix[group, unit] = on_simplex(wanted[group, unit])
    return matrix


def on_simplex(point: Float[np.ndarray, "k"]) -> Float[np.ndarray, "k"]:
    """The nearest point with entries that are not negative and sum to one (Held et al. 1974)."""
    descending = np.sort(point)[::-1]
    excess = (np.cumsum(descending) - 1) / np.arange(1, len(point) + 1)
    return np.maximum(point - excess[descending > excess][-1], 0)
