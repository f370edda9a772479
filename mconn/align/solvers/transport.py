"""Optimal transport: the soft map between two sets of units, which may differ in number."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from mconn.errors import ConfigError, MconnError

PLATEAU = 100
"""Iterations of low rank before the end is looked for: many units stand still at the start, which
is a saddle. 10,000 units of 40 clusters end there otherwise, with a flat coupling."""


@dataclass(frozen=True)
class Coupling:
    """How much of every unit of a goes with every unit of b.

    Attributes:
        matrix: not negative; the whole mass is 1 where the transport is balanced.
        rows: the mass of every unit of a, the row sums.
        columns: the mass of every unit of b, the column sums.
        error: how far the sums are from the marginals that were asked for, summed over all units;
            meant to be large where the transport is not balanced.
        converged: whether the iteration ended by itself.
    """

    matrix: Float[np.ndarray, "n m"]
    rows: Float[np.ndarray, "n"]
    columns: Float[np.ndarray, "m"]
    error: float
    converged: bool


def transport(
    similarity: Float[np.ndarray, "n m"],
    *,
    epsilon: float = 0.05,
    anneal: float = 100.0,
    decay: float = 0.95,
    tau: float = 1.0,
    rank: int | None = None,
    marginals: tuple[Float[np.ndarray, "n"], Float[np.ndarray, "m"]] | None = None,
    threshold: float = 1e-3,
    iterations: int = 5000,
) -> Coupling:
    """The coupling with the largest <P, similarity> + epsilon * entropy of P, by Sinkhorn.

    Cuturi 2013; unbalanced, Chizat et al. 2018; of low rank, Scetbon, Cuturi and Peyré 2021. OTT
    iterates in log space and in single precision.

    Args:
        similarity: of the n units of a with the m of b.
        epsilon: the temperature, in standard deviations of the similarities.
        anneal: how many times hotter the iteration starts.
        decay: by how much the temperature falls in each iteration, until it is epsilon. Cooling
            slowly is several times faster than starting cold.
        tau: how strictly the marginals hold: 1 is balanced. Below, mass is missing where a unit is
            not like any other: a deviation of the marginals costs epsilon * tau / (1 - tau) times
            its Kullback-Leibler divergence, with the best similarity as the zero of the costs.
        rank: bound the coupling's rank (no annealing then): the iteration costs
            (n + m) * rank and one product with the similarities.
        marginals: the mass of every unit; by default all units of a network have the same.
        threshold: how far the sums may be off, summed over all units, where the iteration ends.
        iterations: the most iterations.

    Raises:
        ConfigError: if a setting is out of its range; names it.
        MconnError: if a similarity is not finite.
    """
    check_settings(similarity.shape, epsilon, anneal, decay, tau, rank)
    if not np.isfinite(similarity).all():
        raise MconnError(
            "similarities are not finite: a network has weights or activations that are not"
        )
    spread = float(np.std(similarity)) or 1.0
    cost = ((similarity.max() - similarity) / spread).astype(np.float32)
    rows, columns = (
        tuple(np.full(size, 1 / size) for size in similarity.shape)
        if marginals is None
        else (np.asarray(each, float) / np.sum(each) for each in marginals)
    )
    solve = partial(by_sinkhorn, anneal, decay) if rank is None else partial(by_low_rank, rank)
    matrix, converged = solve(
        tau,
        threshold,
        iterations,
        cost,
        np.float32(epsilon),
        rows.astype(np.float32),
        columns.astype(np.float32),
    )
    matrix = np.asarray(matrix, similarity.dtype)
    sums = matrix.sum(axis=1), matrix.sum(axis=0)
    error = float(np.abs(sums[0] - rows).sum() + np.abs(sums[1] - columns).sum())
    return Coupling(matrix, *sums, error, bool(converged))


def check_settings(
    shape: tuple[int, ...],
    epsilon: float,
    anneal: float,
    decay: float,
    tau: float,
    rank: int | None,
) -> None:
    """Refuse what has no meaning."""
    if epsilon <= 0:
        raise ConfigError(f"epsilon is {epsilon}: transport needs a positive temperature")
    if anneal < 1 or not 0 < decay < 1:
        raise ConfigError(
            f"anneal is {anneal} and decay {decay}: the temperature starts at least 1 times "
            "epsilon and falls by a factor between 0 and 1"
        )
    if not 0 < tau <= 1:
        raise ConfigError(f"tau is {tau}: it is above 0, and at most 1, which is balanced")
    if rank is not None and not 1 <= rank <= min(shape):
        raise ConfigError(
            f"rank is {rank}: a coupling of {shape[0]} with {shape[1]} units has a rank from 1 to "
            f"{min(shape)}"
        )


@partial(jax.jit, static_argnums=(0, 1, 2, 3, 4))
def by_sinkhorn(
    anneal: float,
    decay: float,
    tau: float,
    threshold: float,
    iterations: int,
    cost: Float[Array, "n m"],
    epsilon: Float[Array, ""],
    rows: Float[Array, "n"],
    columns: Float[Array, "m"],
) -> tuple[Float[Array, "n m"], Any]:
    """The coupling of any rank."""
    from ott.geometry.epsilon_scheduler import Epsilon
    from ott.geometry.geometry import Geometry
    from ott.problems.linear.linear_problem import LinearProblem
    from ott.solvers.linear.sinkhorn import Sinkhorn

    geometry = Geometry(cost_matrix=cost, epsilon=Epsilon(epsilon, init=anneal, decay=decay))
    problem = LinearProblem(geometry, a=rows, b=columns, tau_a=tau, tau_b=tau)
    solver = Sinkhorn(threshold=threshold, max_iterations=iterations, implicit_diff=None)
    found = solver(problem)
    return found.matrix, found.converged


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def by_low_rank(
    rank: int,
    tau: float,
    threshold: float,
    iterations: int,
    cost: Float[Array, "n m"],
    epsilon: Any,
    rows: Float[Array, "n"],
    columns: Float[Array, "m"],
) -> tuple[Float[Array, "n m"], Any]:
    """The coupling of bounded rank."""
    from ott.geometry.geometry import Geometry
    from ott.problems.linear.linear_problem import LinearProblem
    from ott.solvers.linear.sinkhorn_lr import LRSinkhorn

    problem = LinearProblem(Geometry(cost_matrix=cost), a=rows, b=columns, tau_a=tau, tau_b=tau)
    solver = LRSinkhorn(
        rank=rank,
        epsilon=epsilon,
        threshold=threshold,
        min_iterations=min(PLATEAU, iterations),
        max_iterations=iterations,
    )
    found = solver(problem)
    return found.matrix, found.converged
