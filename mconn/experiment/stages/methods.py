"""The ways to align two networks that a study can choose by name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn import align, landscape, symmetry
from mconn.data import Split
from mconn.symmetry import Element, Group
from mconn.types import ApplyFn, Key, Params

Method = Literal[
    "weights",
    "covariance",
    "activations",
    "contribution",
    "straight-through",
    "sinkhorn",
    "random",
]
"""How the second network of a pair is moved onto the first:

- weights, covariance, activations, contribution: ascents of the costs of `mconn.align`;
- straight-through, sinkhorn: learned on the loss half way, from the match of the activations;
- random: a random element, the control.
"""

METHODS: tuple[Method, ...] = get_args(Method)
LEARNED = ("straight-through", "sinkhorn")
COUPLED = ("weights", "covariance", "contribution")
"""Ascents whose result may depend on the order of visits."""

LEARNED_BATCH = 200
LEARNED_EXAMPLES = 4000


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


@dataclass(frozen=True)
class MeanLoss:
    """The mean cross-entropy of a batch; two of one ``apply`` share a compiled program."""

    apply: ApplyFn

    def __call__(self, params: Params, batch: Split) -> Float[Array, ""]:
        """A number, in nats per example."""
        return jnp.mean(landscape.Classification(self.apply)(params, batch)["loss"])


def cost_of(method: Method, apply: ApplyFn, inputs: Float[np.ndarray, "n ..."]) -> align.Cost:
    """The cost that a method's ascent maximises."""
    costs: dict[str, Callable[[], align.Cost]] = {
        "weights": align.WeightCost,
        "covariance": lambda: align.CovarianceCost(apply, inputs),
        "contribution": lambda: align.ContributionCost(apply, inputs),
    }
    return costs.get(method, lambda: align.ActivationCost(apply, inputs))()


def find(
    method: Method,
    group: Group,
    apply: ApplyFn,
    a: Params,
    b: Params,
    examples: Split,
    keys: int,
    key: Key,
) -> Found:
    """Align b with a.

    Args:
        method: how.
        group: the permutations of the network's group.
        apply: the network.
        a: the network that stays.
        b: the network that is moved.
        examples: of the training split.
        keys: ascents with different orders of visits; the best is kept.
        key: of all random choices.
    """
    cost = cost_of(method, apply, examples.inputs)
    first_key, *others = jax.random.split(key, 1 + (keys if method in COUPLED else 1))
    # The problem is posed once: what the data say does not depend on the key.
    problem = cost.prepare(group, a, b)
    start, sweeps = ("random", 0) if method == "random" else ("profile", 100)
    matches = [
        align.match(group, a, b, cost=problem, start=start, sweeps=sweeps, key=each)
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
    return learned(found, method, group, apply, a, b, examples, key) if method in LEARNED else found


def learned(
    start: Found,
    method: Method,
    group: Group,
    apply: ApplyFn,
    a: Params,
    b: Params,
    examples: Split,
    key: Key,
) -> Found:
    """Go down the loss half way, from a start."""
    count = min(len(examples.labels), LEARNED_EXAMPLES)
    size = min(LEARNED_BATCH, count)
    number = count // size
    shuffled = np.random.default_rng(0).permutation(len(examples.labels))[: number * size]
    inputs, labels = examples.inputs[shuffled], examples.labels[shuffled]
    batches = Split(inputs.reshape(number, size, *inputs.shape[1:]), labels.reshape(number, size))
    found = align.learn(
        group, a, b, MeanLoss(apply), batches, element=start.element, estimator=method, key=key
    )
    return start._replace(
        element=found.element,
        objective=-found.best,
        start=-found.start,
        bound=0.0,
        fixed_point=False,
        sweeps=len(found.midpoints) - 1,
        lowest=-found.best,
        identity=float("nan"),
        random=float("nan"),
    )
