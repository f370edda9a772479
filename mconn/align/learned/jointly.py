"""A curve and the symmetry element of its end, fitted in turns.

Alignment before a fit asks for a good straight line, and a curve needs less. Here the element is
chosen for the curve and the curve for the element, alternately. Tatro et al. 2020, *Optimizing mode
connectivity via neuron alignment*, algorithm 2 (proximal alternating minimisation).
"""

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mconn import paths, trees
from mconn.align.learned.descent import ended
from mconn.align.learned.learn import LearnConfig, learn
from mconn.align.matching import match
from mconn.errors import ConfigError
from mconn.symmetry import Element, Group, act
from mconn.types import Batch, EvalFn, Key, Params


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
    """The unfitted curve from ``a`` to another end: its bends go along by their share of t."""
    shares = jnp.linspace(0, 1, path.count)
    before = trees.index(path.controls, path.count - 1)

    def shift(stack: Any, old: Any, new: Any) -> Any:
        return stack + shares.reshape(-1, *[1] * old.ndim).astype(stack.dtype) * (new - old)

    controls = jax.tree.map(shift, path.controls, before, end)
    # The ends are exact, whatever the rounding of the shift.
    controls = jax.tree.map(lambda stack, leaf: stack.at[0].set(leaf), controls, a)
    return ended(replace(path, controls=controls), end)


def _folded(data: Batch, examples: int, batch_size: int) -> Batch:
    """The first examples as full batches."""
    size = min(batch_size, examples)
    count = examples // size
    return jax.tree.map(
        lambda leaf: leaf[: count * size].reshape(count, size, *leaf.shape[1:]), data
    )
