"""Ways to align two networks that are chosen by name, with their controls."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import jax
import numpy as np
import optax
from jaxtyping import Array, Float

from mconn import symmetry, trees
from mconn.align.ascent import Schedule
from mconn.align.learned.learn import LearnConfig, learn
from mconn.align.matching import check_group, cost_named, match
from mconn.checks import check_choice
from mconn.errors import ConfigError
from mconn.examples import parts
from mconn.symmetry import Element, Group
from mconn.types import ApplyFn, Batch, Key, Params

Method = Literal[
    "weights", "covariance", "activations", "contribution", "straight-through", "sinkhorn", "random"
]
"""How the second network of a pair is moved onto the first:

- weights, covariance, activations, contribution: ascents of the costs of `mconn.align`;
- straight-through, sinkhorn: learned on the loss half way, from the match of the activations;
- random: a random element, the control.
"""

METHODS: tuple[Method, ...] = get_args(Method)

_LEARNED = ("straight-through", "sinkhorn")
COUPLED = ("weights", "covariance", "contribution")
"""Ascents whose result may depend on the order of visits."""

_LEARNED_BATCH = 200
_LEARNED_EXAMPLES = 4000


class Found(NamedTuple):
    """What a method found.

    Attributes:
        element: the element.
        objective: what was maximised: the cost's objective, or minus the loss half way.
        start: the same at the start of the ascent.
        bound: a number that no element's objective exceeds.
        fixed_point: whether the ascent came to an end; learning never does.
        sweeps: of the ascent, or evaluations of what is learned.
        lowest: the worst objective over the keys that were tried.
        identity: the objective of the identity.
        random: the objective of a random element.
        least_margin: the smallest margin of a matched unit, and ``median_margin`` the median.
        median_margin: see `mconn.align.Match`.
    """

    element: Element
    objective: float
    start: float
    bound: float
    fixed_point: bool
    sweeps: int
    lowest: float
    identity: float
    random: float
    least_margin: float
    median_margin: float


def find(
    group: Group,
    a: Params,
    b: Params,
    method: str = "weights",
    *,
    apply: ApplyFn | None = None,
    examples: Batch | None = None,
    keys: int = 3,
    key: Key | None = None,
) -> Found:
    """Move ``b`` onto ``a`` by a method that is chosen by name, and measure its controls.

    Args:
        group: the group.
        a: the network that stays.
        b: the network that is moved.
        method: one of `METHODS`.
        apply: the network, (params, inputs) -> outputs; ``weights`` needs none.
        examples: of the training split, in any form of `mconn.examples.parts`; ``weights`` needs
            none, and only the learned methods need labels, of classes.
        keys: ascents with different orders of visits, where the order matters; the best is kept.
        key: of all random choices; ``jax.random.key(0)`` by default.

    Raises:
        ConfigError: naming an unknown method, or one that needs the network and examples.
    """
    check_group(group)
    check_choice("method", method, METHODS)
    key = jax.random.key(0) if key is None else key
    if method != "weights" and (apply is None or examples is None):
        raise ConfigError(
            f"the method '{method}' needs the network and examples: pass apply=..., examples=..., "
            "or choose the method 'weights'"
        )
    inputs = None if examples is None else parts(examples)[0]
    name = "activations" if method in (*_LEARNED, "random") else method
    first_key, *others = jax.random.split(key, 1 + (keys if method in COUPLED else 1))
    # The problem is posed once: what the data say does not depend on the key.
    problem = cost_named(name, apply, inputs).prepare(group, a, b)
    start, sweeps = ("random", 0) if method == "random" else ("profile", 100)
    matches = [
        match(group, a, b, cost=problem, start=start, schedule=Schedule(sweeps=sweeps), key=each)
        for each in others
    ]
    best = max(matches, key=lambda match: match.objective)
    controls = [
        best.problem.position({n: np.asarray(p) for n, p in element.items()}).objective()
        for element in (symmetry.identity(group), symmetry.random_element(group, first_key))
    ]
    margins = np.concatenate([np.ravel(margin) for margin in best.margins.values()] or [[np.inf]])
    found = Found(
        element=best.element,
        objective=best.objective,
        start=best.history[0],
        bound=best.bound,
        fixed_point=best.fixed_point,
        sweeps=len(best.history) - 1,
        lowest=min(match.objective for match in matches),
        identity=controls[0],
        random=controls[1],
        least_margin=float(np.min(margins)),
        median_margin=float(np.median(margins)),
    )
    if method not in _LEARNED:
        return found
    assert apply is not None
    learned = learn(
        group,
        a,
        b,
        _MeanLoss(apply),
        _batches(examples),
        start=found.element,
        config=LearnConfig(estimator=method),
        key=key,
    )
    return found._replace(
        element=learned.element,
        objective=-learned.best,
        start=-learned.start,
        bound=0.0,
        fixed_point=False,
        sweeps=len(learned.midpoints) - 1,
        lowest=-learned.best,
        identity=float("nan"),
        random=float("nan"),
    )


@dataclass(frozen=True)
class _MeanLoss:
    """The mean cross-entropy of a batch; two of one ``apply`` share a compiled program."""

    apply: ApplyFn

    def __call__(self, params: Params, batch: Any) -> Float[Array, ""]:
        inputs, labels = batch
        logits = trees.wide(self.apply(params, inputs))
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def _batches(examples: Any) -> tuple[np.ndarray, ...]:
    inputs, labels = map(np.asarray, parts(examples))
    size = min(_LEARNED_BATCH, len(labels))
    number = min(len(labels), _LEARNED_EXAMPLES) // size
    chosen = np.random.default_rng(0).permutation(len(labels))[: number * size]
    return tuple(x[chosen].reshape(number, size, *x.shape[1:]) for x in (inputs, labels))
