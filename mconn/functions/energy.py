"""The length of a path in the space of functions: how far the outputs move along it."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn.errors import ConfigError
from mconn.examples import parts
from mconn.functions.outputs import check_curve, jensen_shannon
from mconn.landscape import evaluate
from mconn.measure import Execution
from mconn.paths import Domain, Path, not_pairs
from mconn.trees import wide
from mconn.types import ApplyFn, Batch, Params

STEP, OVERLAP = "step", "overlap"


@dataclass(frozen=True)
class PathEnergy:
    """The energy of a chain of networks, example by example.

    Attributes:
        t: the networks' points, shape (points,), ascending.
        steps: Jensen-Shannon divergence of every two neighbours, in nats, shape
            (points - 1, examples).
        geodesic: per example the squared Fisher-Rao distance between the outputs of the first and
            of the last network: the shortest way that their outputs can take.
    """

    t: Float[np.ndarray, "points"]
    steps: Float[np.ndarray, "steps examples"]
    geodesic: Float[np.ndarray, "examples"]

    def energy(self) -> float:
        """The sum over steps of the mean divergence, in nats."""
        return float(self.steps.sum(axis=0).mean(dtype=np.float64))

    def standard_error(self) -> float:
        """Of the energy, over examples."""
        return _deviation(self.steps.sum(axis=0))

    def motion(self) -> float:
        """The integral over t of the mean squared Fisher-Rao speed, as these steps estimate it.

        A step of length h has the divergence h^2 I(t) / 8 to leading order, where I(t) is the
        Fisher information of the outputs about t, the squared speed: 8 times the sum over steps of
        divergence / h converges to the integral as the steps get shorter. On n equal steps it is
        8 n times the energy.
        """
        return float(self._motions().mean(dtype=np.float64))

    def excess(self) -> float:
        """The motion minus the least that any path between these outputs has.

        Zero for a geodesic that is walked at constant speed, example by example; otherwise
        positive, once the steps are short.
        """
        return float((self._motions() - self.geodesic).mean(dtype=np.float64))

    def _motions(self) -> Float[np.ndarray, "examples"]:
        """The integral of the squared speed of every example."""
        return 8 * (self.steps / np.diff(self.t.astype(np.float64))[:, None]).sum(axis=0)


def path_energy(
    apply: ApplyFn,
    path: Path,
    ts: Any,
    data: Batch,
    *,
    execution: Execution = Execution(),
) -> PathEnergy:
    """The sum of the Jensen-Shannon divergences of neighbouring networks on a curve.

    It depends on the outputs alone, and needs no labels: on a straight line between networks of the
    same outputs it is as large as the outputs change on the way. Geodesic mode connectivity (Tan et
    al. 2023) fits a chain so that it becomes small. Two forward passes per step.

    Args:
        apply: (params, inputs) -> logits, shape (n, classes).
        path: a curve.
        ts: its waypoints, at least two, ascending; the energy is that of the part between the first
            and the last.
        data: examples with a field ``inputs``.
        execution: as in `mconn.landscape.evaluate`.

    Raises:
        ConfigError: if the path is a surface, or the points are no chain.
        DivergenceError: if a network's outputs are not finite, naming the point; and as `evaluate`.
    """
    check_curve(path)
    t = np.asarray(ts, np.float32)
    if t.ndim != 1 or len(t) < 2 or np.any(np.diff(t) <= 0):
        raise ConfigError("a path's energy needs two or more waypoints in ascending order")
    pairs = np.concatenate([np.stack([t[:-1], t[1:]], axis=1), [[t[0], t[-1]]]])
    profile = evaluate(_StepTerms(apply), _Steps(path), pairs, data, execution=execution)
    profile.check_finite(STEP)
    angles = 2 * np.arccos(np.minimum(profile.metric(OVERLAP)[-1].astype(np.float64), 1))
    return PathEnergy(t, profile.metric(STEP)[:-1], angles**2)


class _Step(NamedTuple):
    """Two networks on a path."""

    start: Params
    stop: Params


def _first_mixture(t: Any) -> Float[Array, "2"]:
    """The weights of the ends where a step starts."""
    return jnp.stack([1 - t[0], t[0]])


STEPS = Domain("the steps on an interval", _first_mixture, not_pairs)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _Steps(Path):
    """A curve whose points are steps (from, to)."""

    path: Path
    domain: Domain = field(default=STEPS, metadata={"static": True})

    def __call__(self, t: Any) -> Params:
        """The networks where a step starts and stops."""
        return _Step(self.path(t[0]), self.path(t[1]))

    def arc_length(self, ts: Float[np.ndarray | Array, "points 2"]) -> Float[Array, "points"]:
        """The length of the path itself, up to where each step starts."""
        return self.path.arc_length(jnp.asarray(ts)[:, 0])


@dataclass(frozen=True)
class _StepTerms:
    """The divergence of a step, and the overlap of the square roots of its outputs; an EvalFn."""

    apply: ApplyFn

    def __call__(self, step: _Step, batch: Any) -> dict[str, Float[Array, "n"]]:
        """Both for every example of a batch."""
        first, second = (wide(self.apply(params, parts(batch)[0])) for params in step)
        roots = (jax.nn.log_softmax(first, axis=-1) + jax.nn.log_softmax(second, axis=-1)) / 2
        return {STEP: jensen_shannon(first, second), OVERLAP: jnp.exp(roots).sum(axis=-1)}


def _deviation(values: Float[np.ndarray, "examples"]) -> float:
    """The standard error of the mean."""
    return float(values.std(ddof=1, dtype=np.float64) / np.sqrt(len(values)))
