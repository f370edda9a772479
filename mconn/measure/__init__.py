"""One kernel for everything along a path: a measure at points of paths, over data and devices.

along -- a measure at points of one or many paths, in one compiled program
Execution -- its options: batches, calls, devices, memory, refreshed statistics, finished points
Streamed, Compared, Whole -- what a measure is
Networks -- given networks, such as the epochs of a training, as a path

A measure is a frozen dataclass, hashable: a static part of the program. If it holds arrays,
register it as a pytree (`jax.tree_util.register_dataclass`): they are arguments of the program,
which is compiled once for all their values. It says what happens at one point and on one batch;
the kernel spreads paths, points and examples over devices and processes, bounds the memory, skips
what only fills up, keeps finished points and refreshes normaliser statistics.

**Streamed.** The examples come once, batch by batch. ``update`` returns the new state and, if it
likes, values of every example, which the kernel keeps::

    @dataclass(frozen=True)
    class MeanOutput(Streamed):
        apply: ApplyFn

        def start(self, point, batch):  # shapes and dtypes only
            outputs = jax.eval_shape(self.apply, point.params, batch)
            return jnp.zeros(outputs.shape[1:]), jnp.zeros((), int)

        def update(self, state, point, batch, mask):
            outputs = jnp.where(mask[:, None], self.apply(point.params, batch), 0)
            return (state[0] + outputs.sum(axis=0), state[1] + mask.sum()), None

        def finish(self, state, point):
            return state[0] / state[1]

    along(MeanOutput(apply), paths.line(a, b), 25, inputs).result  # (25, classes)

The states of devices that share a batch are added, before ``finish``; `Streamed.combine` may do
otherwise. A state that is no sum over examples, such as a mean over minibatches, says
``whole_batches: ClassVar[bool] = True``: then batches are not shared, and it gives the same numbers
on any mesh.

**Compared.** The same, with something of the ends that is computed once per batch for all points::

    @dataclass(frozen=True)
    class Distance(Compared):
        features: FeatureFn

        def shared(self, ends, batch):
            return self.features(ends[0], batch)

        def start(self, point, batch):
            return {layer: jnp.zeros(()) for layer in point.shared}

        def update(self, state, point, batch, mask):
            here = self.features(point.params, batch)
            return {
                layer: sum_so_far + jnp.where(mask[:, None], here[layer] - there, 0).sum()
                for (layer, there), sum_so_far in zip(point.shared.items(), state.values())
            }, None

**Whole.** A measure that passes over the data itself, several times. The points are worked off in
order, and each may begin where the one before left off; ``shared`` is computed once for all points.
It gets all examples, in batches, or none if it brings its own as leaves (``data=None``)::

    @jax.tree_util.register_dataclass
    @dataclass(frozen=True)
    class Largest(Whole):
        operator: OverData  # a pytree with the network and the data

        def first(self, params):  # shapes and dtypes only
            return jnp.zeros(dimension(params))

        def at_point(self, point, examples, carry):
            found = search(self.operator.at(point.params), start=carry)
            return found.values, found.vectors.sum(axis=0)

    along(Largest(operator), path, ts, execution=Execution(points_per_call=64)).result

Networks without a path between them are a path too: ``along(measure, Networks(stacked), None,
data)`` measures each of them. A tuple of networks may be a network, so that a measure between given
ones is one at a single point.
"""

from mconn.measure.along import (
    Measured as Measured,
    Run as Run,
    along as along,
    joined as joined,
)
from mconn.measure.execution import (
    Execution as Execution,
    MixtureRefresh as MixtureRefresh,
    Refresh as Refresh,
)
from mconn.measure.measures import (
    STATISTICS as STATISTICS,
    Compared as Compared,
    Examples as Examples,
    Measure as Measure,
    Point as Point,
    Streamed as Streamed,
    Whole as Whole,
    fold as fold,
    fold_whole as fold_whole,
)
from mconn.measure.points import (
    Networks as Networks,
    ends_of as ends_of,
    is_curve as is_curve,
    network_at as network_at,
    points_of as points_of,
    velocity as velocity,
)

__all__ = [
    "STATISTICS",
    "Compared",
    "Examples",
    "Execution",
    "Measure",
    "Measured",
    "MixtureRefresh",
    "Networks",
    "Point",
    "Refresh",
    "Run",
    "Streamed",
    "Whole",
    "along",
    "ends_of",
    "fold",
    "fold_whole",
    "is_curve",
    "joined",
    "network_at",
    "points_of",
    "velocity",
]
