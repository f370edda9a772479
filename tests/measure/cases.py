"""One measure of each form, with what it must give, from the outputs of every network in NumPy."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from mconn import paths
from mconn.landscape.losses import Losses, Moments
from mconn.measure import Compared, Execution, Streamed, Whole, along
from tests import zoo

DATA = zoo.examples().head(11)
"""In batches of 4, so that the last one is filled up."""

TS = np.linspace(0, 1, 7)
LINES = [paths.line(zoo.draw(zoo.mlp, 2 * i), zoo.draw(zoo.mlp, 2 * i + 1)) for i in range(3)]
CALLED = []
"""One entry for every time that a measure was traced."""


def loss(params, batch):
    CALLED.append("loss")
    logits = zoo.mlp(params, batch.inputs)
    picked = jnp.take_along_axis(logits, batch.labels[:, None], axis=-1)[:, 0]
    return {"loss": jax.nn.logsumexp(logits, axis=-1) - picked}


@dataclass(frozen=True)
class MeanOutput(Streamed):
    """A sum over examples, and what is kept of each."""

    def start(self, point, batch):
        outputs = jax.eval_shape(zoo.mlp, point.params, batch.inputs)
        return jnp.zeros(outputs.shape[1:]), jnp.zeros(())

    def update(self, state, point, batch, mask):
        CALLED.append("mean")
        outputs = zoo.mlp(point.params, batch.inputs)
        total = jnp.where(mask[:, None], outputs, 0).sum(axis=0)
        return (state[0] + total, state[1] + mask.sum()), {"outputs": outputs}

    def finish(self, state, point):
        return state[0] / state[1] + point.mixture[1]


@dataclass(frozen=True)
class Largest(Streamed):
    """No sum over examples; devices are combined in another way."""

    def start(self, point, batch):
        return jnp.full((), -jnp.inf)

    def update(self, state, point, batch, mask):
        CALLED.append("largest")
        outputs = zoo.mlp(point.params, batch.inputs)
        return jnp.maximum(state, jnp.where(mask[:, None], outputs, -jnp.inf).max()), None

    def combine(self, state):
        return jax.lax.pmax(state, "data")


@dataclass(frozen=True)
class Products(Streamed):
    """The product of the sums of batches, which must not be shared by devices."""

    whole_batches: ClassVar[bool] = True

    def start(self, point, batch):
        return jnp.ones(())

    def update(self, state, point, batch, mask):
        CALLED.append("products")
        outputs = zoo.mlp(point.params, batch.inputs)
        return state * jnp.where(mask[:, None], outputs, 0).sum(), None


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Distance(Compared):
    """The distance of the outputs from those of both ends; its scale is an argument."""

    scale: float

    def shared(self, ends, batch):
        CALLED.append("ends")
        return sum(zoo.mlp(end, batch.inputs) for end in ends)

    def start(self, point, batch):
        return jnp.zeros(())

    def update(self, state, point, batch, mask):
        CALLED.append("distance")
        distances = self.scale * abs(zoo.mlp(point.params, batch.inputs) - point.shared).sum(axis=1)
        return state + jnp.where(mask, distances, 0).sum(), distances


@dataclass(frozen=True)
class Counting(Whole):
    """Passes over the data itself, begins at a point where the one before left off."""

    def shared(self, ends, examples):
        return zoo.mlp(ends[1], examples.batches.inputs[0]).sum()

    def first(self, params):
        return jnp.zeros((), jnp.int32)

    def at_point(self, point, examples, carry):
        CALLED.append("whole")
        outputs = jax.lax.map(lambda x: zoo.mlp(point.params, x), examples.batches.inputs)
        total = jnp.where(examples.mask[..., None], outputs, 0).sum()
        return {"total": total, "shared": point.shared, "before": carry}, carry + 1


MEASURES = {
    "losses": Losses(loss, slopes=True, gradients=True),
    "moments": Moments(loss),
    "mean output": MeanOutput(),
    "largest": Largest(),
    "products": Products(),
    "distance": Distance(2.0),
    "whole": Counting(),
}

_outputs = jax.jit(zoo.mlp)
network = jax.jit(lambda path, t: path(t))


def outputs(params):
    return np.asarray(_outputs(params, DATA.inputs), np.float64)


def expected(name, path, ts):
    """The result and the values kept, as lists over points; None for what is not checked here."""
    at = path if callable(path) and not isinstance(path, paths.Path) else partial(network, path)
    networks = [at(np.float32(t)) for t in ts]
    found = np.stack([outputs(params) for params in networks])
    raised = np.log(np.exp(found).sum(axis=-1))
    losses = raised - found[:, np.arange(11), DATA.labels]
    ends = outputs(networks[0]) + outputs(networks[-1])
    distances = 2 * abs(found - ends).sum(axis=2)
    errors = losses.std(axis=1, ddof=1) / np.sqrt(11)
    return {
        "losses": (None, {"loss": losses}),
        "moments": ({"loss": np.stack([losses.mean(axis=1), errors], axis=1)}, None),
        "mean output": (found.mean(axis=1) + np.asarray(ts)[:, None], {"outputs": found}),
        "largest": (found.max(axis=(1, 2)), None),
        "products": (
            np.prod([found[:, i : i + 4].sum(axis=(1, 2)) for i in (0, 4, 8)], axis=0),
            None,
        ),
        "distance": (distances.sum(axis=1), distances),
        "whole": ({"total": found.sum(axis=(1, 2))}, None),
    }[name]


def measured(name, path=LINES[0], ts=TS, **options):
    return along(MEASURES[name], path, ts, DATA, Execution(**{"batch_size": 4, **options}))


def same(found, wanted, rtol=2e-4, atol=2e-5):
    """Whether all of what is wanted was found."""
    for place, value in jax.tree_util.tree_leaves_with_path(wanted):
        here = found
        for key in place:
            here = here[getattr(key, "key", getattr(key, "idx", None))]
        np.testing.assert_allclose(here, value, rtol=rtol, atol=atol, err_msg=str(place))
