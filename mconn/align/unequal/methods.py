"""How the units of one generator are matched, of networks of any widths."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np
from jaxtyping import Array, Float, Int

from mconn.align.solvers import assign
from mconn.align.unequal.likeness import Likeness
from mconn.errors import ConfigError, MconnError

NOBODY = -1
"""In the place of a unit that is given to none."""


def semi_permutation(
    similarity: Float[np.ndarray, "n m"], *, evenly: bool = False, least: float = -np.inf
) -> Int[np.ndarray, "n"]:
    """To which of the m units every one of the n is given, so that each has at least one; exact.

    It maximises sum_i similarity[i, p[i]] over all p that leave no unit out: the assignment problem
    of what a unit loses against its best choice, after which the units that were not needed have
    theirs. ``evenly``: each of the m gets the floor or the ceiling of n / m. A unit that is not
    needed and is less similar than ``least`` stays alone, as -1.
    """
    wide, narrow = similarity.shape
    if wide < narrow:
        raise ConfigError(
            f"{wide} units cannot be given to {narrow}: the rows are the units of the wider network"
        )
    if evenly:
        if least > -np.inf:
            raise ConfigError("units that are shared out evenly cannot stay alone: leave out least")
        return _share_out(similarity)
    needed = assign((similarity - similarity.max(axis=1, keepdims=True)).T)
    given = similarity.argmax(axis=1)
    given[similarity.max(axis=1) < least] = NOBODY
    given[needed] = np.arange(narrow)
    return given


def _share_out(similarity: Float[np.ndarray, "n m"]) -> Int[np.ndarray, "n"]:
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
    """The semi-permutation as a matrix, whose columns sum to one: equal shares, or the nearest."""
    size = given.max() + 1 if wanted is None else wanted.shape[1]
    matrix = np.zeros((len(given), size))
    for unit in range(size):
        group = np.flatnonzero(given == unit)
        if wanted is None:
            matrix[group, unit] = 1 / len(group)
        else:
            matrix[group, unit] = _on_simplex(wanted[group, unit])
    return matrix


def _on_simplex(point: Float[np.ndarray, "k"]) -> Float[np.ndarray, "k"]:
    descending = np.sort(point)[::-1]
    excess = (np.cumsum(descending) - 1) / np.arange(1, len(point) + 1)
    return np.maximum(point - excess[descending > excess][-1], 0)


@runtime_checkable
class Method(Protocol):
    """How the units of one generator are matched while the others are held."""

    def coupling(self, name: str, likeness: Likeness) -> Float[np.ndarray, "n m"]:
        """How much of every unit of a goes with every unit of b."""
        ...


@dataclass(frozen=True)
class SemiPermutation:
    """Each unit of the wider network is given to one of the narrower, each of which has some.

    Theus et al. 2025. Exact for one generator (`mconn.align.unequal.methods`).

    Attributes:
        evenly: give the units of the narrower network equally many, or one more, as LayerNorm
            needs. If not, a few units get many others, each with a small share of what they send
            out: merged digits networks 3 x 256 and 3 x 128 have a loss of .48 then, and of .31.
        fitted: copies share what a unit sends out so that the networks are closest; copies that
            get nothing stay alone. Otherwise all have equal shares.
        least: a unit of the wider network stays alone where to give it away would bring the
            networks closer by less than this, unless it is needed; minus infinity: none does.
    """

    evenly: bool = True
    fitted: bool = False
    least: float = -np.inf

    def coupling(self, name: str, likeness: Likeness) -> Float[np.ndarray, "n m"]:
        """See :class:`Method`."""
        n, m = likeness.made.shape
        if n < m:
            return self.coupling(name, likeness.transposed).T
        given = semi_permutation(likeness.gain(m / n), evenly=self.evenly, least=self.least)
        norms = likeness.read_norms[1]
        if not self.fitted or not norms.all():
            return shares(given)
        return shares(given, likeness.read / norms)


@dataclass(frozen=True)
class Assignment:
    """Each unit of the narrower network is matched to one of the wider; the others stay alone.

    The linear assignment problem: exact for one generator.
    """

    def coupling(self, name: str, likeness: Likeness) -> Float[np.ndarray, "n m"]:
        """See :class:`Method`."""
        n, m = likeness.made.shape
        if n > m:
            return self.coupling(name, likeness.transposed).T
        return np.eye(m)[assign(likeness.made + likeness.read)]


@dataclass(frozen=True)
class Transport:
    """Units are matched softly, as in OT fusion (Singh and Jaggi 2020).

    The coupling with the largest <P, similarity> + epsilon * entropy of P, by Sinkhorn: Cuturi
    2013; unbalanced, Chizat et al. 2018; of low rank, Scetbon, Cuturi and Peyré 2021. OTT iterates
    in log space and in single precision.

    Attributes:
        epsilon: the temperature, in standard deviations of the similarities.
        tau: how strictly the marginals hold: 1 is balanced. Below, mass is missing where a unit is
            not like any other: a deviation of the marginals costs epsilon * tau / (1 - tau) times
            its Kullback-Leibler divergence, with the best similarity as the zero of the costs.
        rank: a bound on the coupling's rank, for wide layers (no annealing then): the iteration
            costs (n + m) * rank and one product with the similarities.
        anneal: how many times hotter the iteration starts.
        decay: by how much the temperature falls in each iteration, until it is epsilon. Cooling
            slowly is several times faster than starting cold.
        threshold: how far the sums may be off, summed over all units, where the iteration ends.
        iterations: the most iterations.

    Raises:
        ConfigError: if a setting is out of its range; names it.
    """

    epsilon: float = 0.05
    tau: float = 1.0
    rank: int | None = None
    anneal: float = 100.0
    decay: float = 0.95
    threshold: float = 1e-3
    iterations: int = 5000

    def __post_init__(self) -> None:
        if self.epsilon <= 0:
            raise ConfigError(f"epsilon is {self.epsilon}: transport needs a positive temperature")
        if self.anneal < 1 or not 0 < self.decay < 1:
            raise ConfigError(
                f"anneal is {self.anneal} and decay {self.decay}: the temperature starts at least "
                "1 times epsilon and falls by a factor between 0 and 1"
            )
        if not 0 < self.tau <= 1:
            raise ConfigError(f"tau is {self.tau}: it is above 0, and at most 1, which is balanced")
        if self.rank is not None and self.rank < 1:
            raise ConfigError(f"rank is {self.rank}: a coupling has a rank of at least 1")

    def coupling(self, name: str, likeness: Likeness) -> Float[np.ndarray, "n m"]:
        """See :class:`Method`."""
        n, m = likeness.made.shape
        if self.rank is not None and self.rank > min(n, m):
            raise ConfigError(
                f"rank {self.rank} is more than the {min(n, m)} units of the generator '{name}': "
                "choose a smaller one"
            )
        norms = (likeness.made_norms[0] + likeness.read_norms[0]) / 2
        return transport(likeness.gain(m / n) - norms[:, None], self).matrix


METHODS: dict[str, type[SemiPermutation] | type[Assignment] | type[Transport]] = {
    "semi-permutation": SemiPermutation,
    "assignment": Assignment,
    "transport": Transport,
}


_PLATEAU = 100
"""Iterations of low rank before the end is looked for: many units stand still at the start, which
is a saddle. 10,000 units of 40 clusters end there otherwise, with a flat coupling."""


@dataclass(frozen=True)
class _Coupling:
    """The matrix and its row and column sums, the masses of units of a and of b.

    The error is how far these are from the marginals that were asked for, summed over all units;
    meant to be large where the transport is not balanced.
    """

    matrix: Float[np.ndarray, "n m"]
    rows: Float[np.ndarray, "n"]
    columns: Float[np.ndarray, "m"]
    error: float
    converged: bool


def transport(
    similarity: Float[np.ndarray, "n m"],
    config: Transport,
    marginals: tuple[Float[np.ndarray, "n"], Float[np.ndarray, "m"]] | None = None,
) -> _Coupling:
    """The coupling of n units of a with m of b, all of the same mass by default.

    Raises:
        MconnError: if a similarity is not finite.
    """
    if not np.isfinite(similarity).all():
        raise MconnError(
            "similarities are not finite: a network has weights or activations that are not"
        )
    spread = float(np.std(similarity)) or 1.0
    cost = ((similarity.max() - similarity) / spread).astype(np.float32)
    masses = map(np.ones, similarity.shape) if marginals is None else marginals
    rows, columns = (np.asarray(each, float) / np.sum(each) for each in masses)
    marginal = rows.astype(np.float32), columns.astype(np.float32)
    # Couplings of all temperatures share a compiled program.
    settings = replace(config, epsilon=1.0)
    matrix, converged = _solve(settings, cost, np.float32(config.epsilon), *marginal)
    matrix = np.asarray(matrix, similarity.dtype)
    sums = matrix.sum(axis=1), matrix.sum(axis=0)
    error = float(np.abs(sums[0] - rows).sum() + np.abs(sums[1] - columns).sum())
    return _Coupling(matrix, *sums, error, bool(converged))


@partial(jax.jit, static_argnums=0)
def _solve(
    config: Transport,
    cost: Float[Array, "n m"],
    epsilon: Any,
    rows: Float[Array, "n"],
    columns: Float[Array, "m"],
) -> tuple[Float[Array, "n m"], Any]:
    from ott.geometry.epsilon_scheduler import Epsilon
    from ott.geometry.geometry import Geometry
    from ott.problems.linear.linear_problem import LinearProblem
    from ott.solvers.linear.sinkhorn import Sinkhorn
    from ott.solvers.linear.sinkhorn_lr import LRSinkhorn

    bounds: Any = {"threshold": config.threshold, "max_iterations": config.iterations}
    if config.rank is None:
        schedule = Epsilon(epsilon, init=config.anneal, decay=config.decay)
        geometry = Geometry(cost_matrix=cost, epsilon=schedule)
        solver: Any = Sinkhorn(implicit_diff=None, **bounds)
    else:
        geometry, least = Geometry(cost_matrix=cost), min(_PLATEAU, config.iterations)
        solver = LRSinkhorn(rank=config.rank, epsilon=epsilon, min_iterations=least, **bounds)
    tau = config.tau
    found = solver(LinearProblem(geometry, a=rows, b=columns, tau_a=tau, tau_b=tau))
    return found.matrix, found.converged
