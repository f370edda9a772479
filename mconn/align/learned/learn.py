"""Learned matching: the element that a task's loss on the line wants, by gradient steps.

A cost of weights or activations only guesses which element gives a low path. Here the loss on the
path is what is minimised: the element is relaxed to matrices that depend on latent numbers, and the
latents go down the gradient. Ainsworth et al. 2023, section 3.3; Pena et al. 2023, *Re-basin via
implicit Sinkhorn differentiation*; Theus et al. 2025, *Generalized linear mode connectivity for
transformers*. With a curve, which needs less than a straight line, the element is chosen for the
curve and the curve for the element, alternately: Tatro et al. 2020, *Optimizing mode connectivity
via neuron alignment*, algorithm 2 (proximal alternating minimisation).
"""

import functools
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from mconn import paths, trees
from mconn.align.learned.descent import (
    LossFn,
    Program,
    advance,
    begin,
    default_optimiser,
    ended,
    evaluate,
    relax,
)
from mconn.align.matching import check_group, match
from mconn.checks import check_choice, check_kind
from mconn.errors import ConfigError, DataError, DivergenceError, StructureError
from mconn.paths import ControlledPath
from mconn.symmetry import Element, Group, act
from mconn.types import Batch, EvalFn, Key, Params

_ESTIMATORS = ("straight-through", "sinkhorn")
_LEARNABLE = ("permutation", "orthogonal")


@dataclass(frozen=True)
class Learned:
    """What :func:`learn` found.

    Attributes:
        element: the best element that was evaluated; :meth:`apply` moves a network by it.
        losses: the loss that each step went down on, at its own batch and point, and under
            ``sinkhorn`` of the relaxed network.
        midpoints: the loss of the elements themselves over the evaluation batches, in the middle of
            the interval: of the start, then after every ``evaluate_every`` steps.
        group: the group.
    """

    element: Element
    losses: tuple[float, ...]
    midpoints: tuple[float, ...]
    group: Group = field(repr=False)

    def apply(self, b: Params) -> Params:
        """The aligned network: ``symmetry.act(group, element, b)``."""
        return act(self.group, self.element, b)

    @property
    def start(self) -> float:
        """The loss of the start at the middle of the interval."""
        return self.midpoints[0]

    @property
    def best(self) -> float:
        """The loss of ``element`` at the middle of the interval."""
        return min(self.midpoints)


@dataclass(frozen=True)
class LearnConfig:
    """How :func:`learn` goes down the loss.

    Attributes:
        estimator: how a permutation is relaxed. ``sinkhorn``: the network is moved by a doubly
            stochastic matrix, of which the permutation is read off at evaluations.
            ``straight-through``: by the nearest permutation, whose gradient passes to the latents
            as it is; cheaper, but it needs a good start. Two digits networks 3 x 512, train chord
            barriers of the identity 1.036, weight matching .327 and activation matching .022,
            after 60 steps from each: .006 to .008 from all three by ``sinkhorn``; .18 to .19, .12
            to .14 and .012 to .014 by ``straight-through`` (four keys).
        steps: the number of steps.
        interval: the points t of the line are drawn uniformly from it, one for each step.
        temperature: of ``sinkhorn``, in units of 1 / log n for n units: at 1 the start's
            permutation has half the mass of its relaxation, at 2 a share of about n ** -0.5.
        optimiser: of the latents. By default, under ``sinkhorn``, Adam whose rate falls from .2 to
            0 as half a cosine; under ``straight-through`` steps of .15 relative to the root of the
            sum of all mean squared gradients so far (AdaGrad-Norm, Ward et al. 2019).
        evaluate_every: steps between two evaluations; a divisor of ``steps``.
        evaluation: batches to choose the best element by; all that are learned on by default.
        curve: from ``a`` to ``b``, whose last control point is replaced by the moved b and whose
            other ones stay; the line by default.

    Raises:
        ConfigError: for an unknown estimator, or a number out of range.
        DataError: if the arrays of ``evaluation`` do not share one number of batches.
    """

    estimator: str = "sinkhorn"
    steps: int = 60
    interval: tuple[float, float] = (0.5, 0.5)
    temperature: float = 2.0
    optimiser: optax.GradientTransformation | None = None
    evaluate_every: int = 5
    evaluation: Batch | None = None
    curve: ControlledPath | None = None

    def __post_init__(self) -> None:
        check_choice("estimator", self.estimator, _ESTIMATORS)
        low, high = self.interval
        if not 0 <= low <= high <= 1:
            raise ConfigError(
                f"interval is {self.interval}: it must lie in [0, 1], and not be reversed"
            )
        if not 0 < self.temperature < np.inf:
            raise ConfigError(f"temperature is {self.temperature}: it must be positive and finite")
        if self.evaluate_every < 1 or self.steps < 1 or self.steps % self.evaluate_every:
            raise ConfigError(
                f"steps is {self.steps} and evaluate_every is {self.evaluate_every}: both must be "
                "at least 1, and the first a multiple of the second"
            )
        if self.evaluation is not None:
            _check_batches("evaluation", self.evaluation)


def learn(
    group: Group,
    a: Params,
    b: Params,
    loss_fn: LossFn,
    batches: Batch,
    *,
    start: Element | None = None,
    config: LearnConfig = LearnConfig(),
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
        start: an element of the group; that of :func:`mconn.align.match` by default.
        config: the estimator, the number of steps and all else.
        key: decides the order of batches and the points; ``jax.random.key(0)`` by default.

    Raises:
        DataError: if the arrays of the batches do not share one number of batches.
        StructureError: naming the leaf in which the networks differ from each other or from the
            group's; the generator that the element lacks; the leaf that cannot be mixed; or if no
            generator can be learned.
        DivergenceError: naming the first step whose loss or gradient is not finite.
    """
    check_group(group)
    check_kind("config", config, LearnConfig, "pass align.LearnConfig(estimator=..., steps=...)")
    _check_batches("batches", batches)
    evaluation = batches if config.evaluation is None else config.evaluation
    trees.check_same_structure(a, b)
    element = match(group, a, b).element if start is None else start
    element = {name: jnp.asarray(part) for name, part in element.items()}
    jax.eval_shape(functools.partial(act, group), element, b)
    optimiser = config.optimiser or default_optimiser(config.estimator, config.steps)
    program = Program(
        group, relax(group, b), _learnable(group), loss_fn, config.estimator, optimiser
    )
    order, ts = _draws(key, len(jax.tree.leaves(batches)[0]), config.steps, config.interval)
    curve = paths.line(a, b) if config.curve is None else config.curve
    curve, b, batches, evaluation = jax.tree.map(jnp.asarray, (curve, b, batches, evaluation))
    middle = np.float32(sum(config.interval) / 2)

    def measure(element: Element, step: int) -> float:
        loss = float(evaluate(program, element, curve, b, evaluation, middle))
        _refuse_divergence(np.array([loss]), step)
        return loss

    state, best, losses, midpoints = begin(program, element), element, [], [measure(element, 0)]
    for first in range(0, config.steps, config.evaluate_every):
        chosen = slice(first, first + config.evaluate_every)
        drawn = (order[chosen], ts[chosen])
        state, found, measured = advance(
            program, state, element, (curve, b, batches), drawn, config.temperature
        )
        _refuse_divergence(np.sum(measured, axis=0), first + 1)
        losses += np.asarray(measured[0]).tolist()
        midpoints.append(measure(found, first + config.evaluate_every))
        if midpoints[-1] < min(midpoints[:-1]):
            best = found
    return Learned(best, tuple(losses), tuple(midpoints), group)


def _learnable(group: Group) -> tuple[str, ...]:
    names = tuple(g.name for g in group.generators if g.kind in _LEARNABLE)
    if not names:
        raise StructureError(
            "the group has no permutation and no orthogonal generator, and there is nothing to "
            "learn: discover the group of a network that has some, or restrict it to them"
        )
    return names


def _draws(
    key: Key | None, batches: int, steps: int, interval: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """For every step its batch, in passes that are shuffled anew, and its point of the line.

    By NumPy, because JAX compiles the draws of every new shape for a second.
    """
    rng = np.random.default_rng(
        np.asarray(jax.random.key_data(jax.random.key(0) if key is None else key))
    )
    passes = [rng.permutation(batches) for _ in range(-(-steps // batches))]
    ts = rng.uniform(*interval, steps).astype(np.float32)
    return np.concatenate(passes)[:steps].astype(np.int32), ts


def _refuse_divergence(losses: np.ndarray, first: int) -> None:
    # The losses are of the steps from ``first`` on; 0 is the start.
    wrong = np.flatnonzero(~np.isfinite(losses))
    if len(wrong):
        step = first + int(wrong[0])
        where = f"at step {step}" if step else "at the start, before the first step"
        raise DivergenceError(
            f"the loss on the line, or its gradient, is not finite {where}: pass an optimiser "
            "with a lower learning rate, or networks and batches that are finite"
        )


def _check_batches(name: str, batches: Batch) -> None:
    shapes = [np.shape(leaf)[:2] for leaf in jax.tree.leaves(batches)]
    if not shapes or len(set(shapes)) > 1 or len(shapes[0]) < 2 or 0 in shapes[0]:
        raise DataError(
            f"the arrays of {name} start with the axes {shapes}: fold all of them into the same "
            "number of batches of one size, (batches, size, ...)"
        )


class Joint(NamedTuple):
    """What `fit_jointly` found.

    Attributes:
        path: from ``a`` to ``symmetry.act(group, element, b)``, both bit for bit.
        element: of the group.
        losses: the mean loss along the curve in the last epoch of each round.
    """

    path: paths.ControlledPath
    element: Element
    losses: tuple[float, ...]


@dataclass(frozen=True)
class JointConfig:
    """The turns of :func:`fit_jointly`.

    Attributes:
        fit: of the curve in each round; the total is ``rounds`` times its epochs.
        rounds: fits of the curve; between two of them the element is learned.
        learn: of the element; points are drawn from the whole curve by default.
        examples: the first examples are what the element is learned on.
        batch_size: of a step of the element.

    Raises:
        ConfigError: if there is no round.
    """

    fit: paths.FitConfig = field(default_factory=paths.FitConfig)
    rounds: int = 3
    learn: LearnConfig = field(default_factory=lambda: LearnConfig(interval=(0.0, 1.0)))
    examples: int = 1000
    batch_size: int = 100

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise ConfigError(f"rounds is {self.rounds}: at least one fit of the curve is needed")


@dataclass(frozen=True)
class _MeanLoss:
    # Hashable, so that two of one evaluation share a compiled program.
    eval_fn: EvalFn

    def __call__(self, params: Params, batch: Batch) -> Float[Array, ""]:
        return self.eval_fn(params, batch)["loss"].mean()


def fit_jointly(
    group: Group,
    eval_fn: EvalFn,
    path: paths.ControlledPath,
    data: Batch,
    *,
    start: Element | None = None,
    config: JointConfig = JointConfig(),
    key: Key | None = None,
) -> Joint:
    """Fit a curve and the element that moves its end, in turns; the curve is fitted last.

    Args:
        group: the group.
        eval_fn: as in `mconn.paths.fit`.
        path: a curve from ``a`` to the network ``b`` that is moved, such as ``paths.bezier(a, b)``.
        data: the examples.
        start: an element of the group; that of `mconn.align.match` by default.
        config: the number of turns, and how each is taken.
        key: of all draws; ``jax.random.key(0)`` by default.

    Raises:
        MconnError: as `mconn.paths.fit`, `mconn.align.match` and `mconn.align.learn`.
    """
    key = jax.random.key(0) if key is None else key
    a, b = (trees.index(path.controls, place) for place in (0, path.count - 1))
    batches = _folded(data, min(config.examples, trees.count_examples(data)), config.batch_size)
    element = match(group, a, b).element if start is None else start
    path = _moved(path, a, act(group, element, b))
    loss_fn, losses = _MeanLoss(eval_fn), []
    for number in range(config.rounds):
        fit_key, learn_key = jax.random.split(jax.random.fold_in(key, number))
        if number:
            learning = replace(config.learn, curve=path)
            found = learn(
                group, a, b, loss_fn, batches, start=element, config=learning, key=learn_key
            )
            element = found.element
            path = ended(path, act(group, element, b))
        fitted = paths.fit(eval_fn, path, data, config.fit, fit_key)
        path = fitted.path
        losses.append(float(fitted.history["loss"][-1]))
    return Joint(path, element, tuple(losses))


def _moved(path: paths.ControlledPath, a: Params, end: Params) -> paths.ControlledPath:
    shares = jnp.linspace(0, 1, path.count)
    before = trees.index(path.controls, path.count - 1)

    def shift(stack: Any, old: Any, new: Any) -> Any:
        return stack + shares.reshape(-1, *[1] * old.ndim).astype(stack.dtype) * (new - old)

    controls = jax.tree.map(shift, path.controls, before, end)
    # The ends are exact, whatever the rounding of the shift.
    controls = jax.tree.map(lambda stack, leaf: stack.at[0].set(leaf), controls, a)
    return ended(replace(path, controls=controls), end)


def _folded(data: Batch, examples: int, batch_size: int) -> Batch:
    size = min(batch_size, examples)
    count = examples // size
    return jax.tree.map(
        lambda leaf: leaf[: count * size].reshape(count, size, *leaf.shape[1:]), data
    )
