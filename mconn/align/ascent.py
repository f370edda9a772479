"""Block coordinate ascent over the generators of the group."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from mconn import trees
from mconn.align.assignment import assign
from mconn.align.cost import Cost, Problem
from mconn.align.starts import start_named
from mconn.align.weights import WeightCost
from mconn.errors import MconnError
from mconn.symmetry import Element, Symmetry, lift, permutations
from mconn.symmetry.action import check_fits
from mconn.types import Key, Params


@dataclass(frozen=True)
class Match:
    """What :func:`match` found.

    Objective and barrier are different things: the best match of the weights can be the worst
    path. Judge a match by :func:`mconn.landscape.barrier`.

    Attributes:
        element: the element g; ``symmetry.act(group, element, b)`` is the aligned network.
        objective: what the ascent maximised, in the cost's unit.
        bound: a number that no element exceeds.
        history: the objective at the start and after each sweep.
        fixed_point: whether the last sweep changed nothing, rather than the sweeps running out.
    """

    element: Element
    objective: float
    bound: float
    history: tuple[float, ...]
    fixed_point: bool


def match(
    symmetry: Symmetry,
    a: Params,
    b: Params,
    *,
    cost: Cost | None = None,
    start: str = "profile",
    solver: str = "auto",
    sweeps: int = 100,
    key: Key | None = None,
) -> Match:
    """Find the element of the group that moves ``b`` closest to ``a``.

    Block coordinate ascent: visit the generators in random order; for each, hold the others,
    and project its similarity onto the generator's group (for a permutation, a linear
    assignment). Ainsworth et al. 2023, algorithm 1, for any cost and any discovered group.

    Args:
        symmetry: the group, from :func:`mconn.symmetry.discover`.
        a: the network that stays.
        b: the network that is moved.
        cost: what makes units alike; :class:`WeightCost` by default.
        start: ``profile`` (sorted profiles), ``identity`` or ``random``.
        solver: see :func:`mconn.align.assignment.assign`.
        sweeps: largest number of sweeps over the generators.
        key: decides the order of visits and the random start; ``jax.random.key(0)`` by default.

    Raises:
        StructureError: naming the first leaf in which the networks differ from each other, or
            from the network that the group was discovered for.
        MconnError: naming the first leaf that is not finite.
    """
    trees.check_same_structure(a, b)
    check_fits(symmetry, a)
    for name, network in (("a", a), ("b", b)):
        _check_finite(name, network)
    whole, symmetry = symmetry, permutations(symmetry)
    key = jax.random.key(0) if key is None else key
    start_key, order_key = jax.random.split(key)
    problem = (cost or WeightCost()).prepare(symmetry, a, b)
    element = start_named(start)(symmetry, problem, solver, start_key)
    history = [problem.objective(element)]
    generator = np.random.default_rng(np.asarray(jax.random.key_data(order_key)))
    names = [g.name for g in symmetry.generators]
    changed = True
    while changed and len(history) <= sweeps:
        changed = False
        for i in generator.permutation(len(names)):
            improved = _improve(problem, names[i], element, solver)
            changed = changed or improved is not None
            element = improved or element
        history.append(problem.objective(element))
        # One sweep solves generators that do not depend on each other.
        changed = changed and problem.coupled
    found = lift(whole, element)
    return Match(found, history[-1], problem.bound(), tuple(history), fixed_point=not changed)


def _improve(problem: Problem, name: str, element: Element, solver: str) -> Element | None:
    """The element with a better part for one generator; None if there is none."""
    similarity = np.asarray(problem.similarity(name, element), np.float64)
    units = np.arange(len(similarity))
    old, new = np.asarray(element[name]), assign(similarity, solver)
    gain = similarity[units, new].sum() - similarity[units, old].sum()
    # Below the rounding of single-precision sums a gain would let the ascent run in circles.
    if gain <= 1e-6 * np.abs(similarity[units, old]).sum():
        return None
    improved = {**element, name: jnp.asarray(new)}
    # A generator on two axes of one leaf makes the objective quadratic in it, and what the
    # assignment gains for one axis the other may lose.
    if problem.coupled and problem.objective(improved) < problem.objective(element):
        return None
    return improved


def _check_finite(name: str, network: Params) -> None:
    for leaf, value in trees.named_leaves(network).items():
        if not bool(jnp.isfinite(value).all()):
            raise MconnError(
                f"leaf '{leaf}' of {name} is not finite: the network has diverged, "
                "align an earlier checkpoint"
            )
