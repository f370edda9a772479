"""Learned matching: the element that a task's loss on the line wants, by gradient steps.

A cost of weights or activations only guesses which element gives a low path. Here the loss on the
path is what is minimised: the element is relaxed to matrices that depend on latent numbers, and the
latents go down the gradient. Ainsworth et al. 2023, section 3.3; Pena et al. 2023, *Re-basin via
implicit Sinkhorn differentiation*; Theus et al. 2025, *Generalized linear mode connectivity for
transformers*.
"""

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax

from mconn import paths, trees
from mconn.align.learned.descent import LossFn, Program, advance, begin, default_optimiser, evaluate
from mconn.align.learned.relaxed import relax
from mconn.checks import check_choice
from mconn.errors import ConfigError, DataError, DivergenceError, StructureError
from mconn.paths import ControlledPath
from mconn.symmetry import Element, Group, act
from mconn.types import Batch, Key, Params

ESTIMATORS = ("straight-through", "sinkhorn")
LEARNABLE = ("permutation", "orthogonal")


@dataclass(frozen=True)
class Learned:
    """What :func:`learn` found.

    Attributes:
        element: the best element that was evaluated; ``symmetry.act(symmetry, element, b)`` is the
            aligned network.
        losses: the loss that each step went down on, at its own batch and point, and under
            ``sinkhorn`` of the relaxed network.
        midpoints: the loss of the elements themselves over the evaluation batches, in the middle of
            the interval: of the start, then after every ``evaluate_every`` steps.
    """

    element: Element
    losses: tuple[float, ...]
    midpoints: tuple[float, ...]

    @property
    def start(self) -> float:
        """The loss of the start at the middle of the interval."""
        return self.midpoints[0]

    @property
    def best(self) -> float:
        """The loss of ``element`` at the middle of the interval."""
        return min(self.midpoints)


def learn(
    group: Group,
    a: Params,
    b: Params,
    loss_fn: LossFn,
    batches: Batch,
    *,
    element: Element,
    curve: ControlledPath | None = None,
    estimator: str = "sinkhorn",
    interval: tuple[float, float] = (0.5, 0.5),
    optimiser: optax.GradientTransformation | None = None,
    steps: int = 60,
    temperature: float = 2.0,
    evaluation: Batch | None = None,
    evaluate_every: int = 5,
    key: Key | None = None,
) -> Learned:
    """Improve an element g by gradient steps on the loss on the line from ``a`` to ``g b``.

    Permutations and orthogonal matrices are learned; generators of other kinds stay as they are in
    the start. A permutation's latents start as its matrix, of zeros and ones, and an orthogonal
    matrix's as itself times the root of its size, so that their root mean square is one; it is
    always read off its latents as their polar factor. A step of a tenth changes either by about a
    tenth.

    The best element that was evaluated is kept, the start among them.

    Args:
        group: the group.
        a: the network that stays.
        b: the network that is moved.
        loss_fn: the mean loss of a batch. Compiled programs are kept by the function's identity:
            pass the same one, not a new lambda, to call again without compiling.
        batches: a pytree of arrays (batches, size, ...); each step takes one batch.
        element: the start, an element of the group, such as that of :func:`mconn.align.match`.
        curve: from ``a`` to ``b``, whose last control point is replaced by the moved b and whose
            other ones stay; the line by default.
        estimator: how a permutation is relaxed. ``sinkhorn``: the network is moved by a doubly
            stochastic matrix, of which the permutation is read off at evaluations.
            ``straight-through``: by the nearest permutation, whose gradient passes to the latents
            as it is; cheaper, but it needs a good start. Two digits networks 3 x 512, train chord
            barriers of the identity 1.036, weight matching .327 and activation matching .022,
            after 60 steps from each: .006 to .008 from all three by ``sinkhorn``; .18 to .19, .12
            to .14 and .012 to .014 by ``straight-through`` (four keys).
        interval: the points t of the line are drawn uniformly from it, one for each step.
        optimiser: of the latents. By default, under ``sinkhorn``, Adam whose rate falls from .2 to
            0 as half a cosine; under ``straight-through`` steps of .15 relative to the root of the
            sum of all mean squared gradients so far (AdaGrad-Norm, Ward et al. 2019).
        steps: the number of steps.
        temperature: of ``sinkhorn``, in units of 1 / log n for n units: at 1 the start's
            permutation has half the mass of its relaxation, at 2 a share of about n ** -0.5.
        evaluation: batches to choose the best element by; all of ``batches`` by default.
        evaluate_every: steps between two evaluations; a divisor of ``steps``.
        key: decides the order of batches and the points; ``jax.random.key(0)`` by default.

    Raises:
        ConfigError: for an unknown estimator, or a number out of range.
        DataError: if the arrays of the batches do not share one number of batches.
        StructureError: naming the leaf in which the networks differ from each other or from the
            group's; the generator that the element lacks; the leaf that cannot be mixed; or if no
            generator can be learned.
        DivergenceError: naming the first step whose loss or gradient is not finite.
    """
    check_options(estimator, interval, steps, temperature, evaluate_every)
    evaluation = batches if evaluation is None else evaluation
    for name, stacked in (("batches", batches), ("evaluation", evaluation)):
        check_batches(name, stacked)
    trees.check_same_structure(a, b)
    element = {name: jnp.asarray(part) for name, part in element.items()}
    jax.eval_shape(functools.partial(act, group), element, b)
    names = learnable(group)
    optimiser = default_optimiser(estimator, steps) if optimiser is None else optimiser
    program = Program(group, relax(group, b), names, loss_fn, estimator, optimiser)
    order, ts = draws(seed_of(key), len(jax.tree.leaves(batches)[0]), steps, interval)
    curve = paths.line(a, b) if curve is None else curve
    curve, b, batches, evaluation = jax.tree.map(jnp.asarray, (curve, b, batches, evaluation))

    def measure(element: Element, step: int) -> float:
        loss = float(
            evaluate(program, element, curve, b, evaluation, np.float32(sum(interval) / 2))
        )
        refuse_divergence(np.array([loss]), step)
        return loss

    state, best, losses, midpoints = begin(program, element), element, [], [measure(element, 0)]
    for first in range(0, steps, evaluate_every):
        chosen = slice(first, first + evaluate_every)
        state, found, measured = advance(
            program, state, element, curve, b, batches, order[chosen], ts[chosen], temperature
        )
        refuse_divergence(np.sum(measured, axis=0), first + 1)
        losses += np.asarray(measured[0]).tolist()
        midpoints.append(measure(found, first + evaluate_every))
        if midpoints[-1] < min(midpoints[:-1]):
            best = found
    return Learned(best, tuple(losses), tuple(midpoints))


def learnable(group: Group) -> tuple[str, ...]:
    """The names of the generators that can be learned."""
    names = tuple(g.name for g in group.generators if g.kind in LEARNABLE)
    if not names:
        raise StructureError(
            "the group has no permutation and no orthogonal generator, and there is nothing to "
            "learn: discover the group of a network that has some, or restrict it to them"
        )
    return names


def draws(
    seed: np.ndarray, batches: int, steps: int, interval: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """For every step its batch, in passes that are shuffled anew, and its point of the line."""
    random = np.random.default_rng(seed)
    passes = [random.permutation(batches) for _ in range(-(-steps // batches))]
    ts = random.uniform(*interval, steps).astype(np.float32)
    return np.concatenate(passes)[:steps].astype(np.int32), ts


def seed_of(key: Key | None) -> np.ndarray:
    """A seed of NumPy's generators: JAX compiles the draws of every new shape for a second."""
    return np.asarray(jax.random.key_data(jax.random.key(0) if key is None else key))


def refuse_divergence(losses: np.ndarray, first: int) -> None:
    """Refuse numbers that are not finite, of the steps from ``first`` on; 0 is the start."""
    wrong = np.flatnonzero(~np.isfinite(losses))
    if len(wrong):
        step = first + int(wrong[0])
        where = f"at step {step}" if step else "at the start, before the first step"
        raise DivergenceError(
            f"the loss on the line, or its gradient, is not finite {where}: pass an optimiser "
            "with a lower learning rate, or networks and batches that are finite"
        )


def check_options(
    estimator: str,
    interval: tuple[float, float],
    steps: int,
    temperature: float,
    evaluate_every: int,
) -> None:
    """Refuse an option that is out of range."""
    check_choice("estimator", estimator, ESTIMATORS)
    low, high = interval
    if not 0 <= low <= high <= 1:
        raise ConfigError(f"interval is {interval}: it must lie in [0, 1], and not be reversed")
    if not 0 < temperature < np.inf:
        raise ConfigError(f"temperature is {temperature}: it must be positive and finite")
    if evaluate_every < 1 or steps < 1 or steps % evaluate_every:
        raise ConfigError(
            f"steps is {steps} and evaluate_every is {evaluate_every}: both must be at least 1, "
            "and the first a multiple of the second"
        )


def check_batches(name: str, batches: Batch) -> None:
    """Refuse arrays that are no stacks of one number of batches."""
    shapes = [np.shape(leaf)[:2] for leaf in jax.tree.leaves(batches)]
    if not shapes or len(set(shapes)) > 1 or len(shapes[0]) < 2 or 0 in shapes[0]:
        raise DataError(
            f"the arrays of {name} start with the axes {shapes}: fold all of them into the same "
            "number of batches of one size, (batches, size, ...)"
        )
