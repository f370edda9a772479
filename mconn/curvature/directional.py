"""Curvature in a direction, example by example, and the barrier that it does not explain."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn import trees
from mconn.curvature.operators import chosen_leaves, restrict
from mconn.curvature.random import standard_error
from mconn.errors import ConfigError, DivergenceError, StructureError
from mconn.landscape import SLOPE, Profile, evaluate, loss_of, second_differences, values_of
from mconn.measure import Examples, Execution, Networks, fold, is_curve, velocity
from mconn.paths import Domain, Path
from mconn.types import Batch, EvalFn, Params

CURVATURE, SECOND = "curvature", "second derivative"
"""The metrics v^T H v, with v the velocity of the path, and the second derivative by t."""

INSIDE = 2e-6
"""How far from an end motion is taken: `velocity`, cut off at 1e-6, has no derivative beyond."""


class _Moving(NamedTuple):
    """A network, and how it moves.

    Attributes:
        params: the network.
        velocity: its first derivative by t; zero for leaves that are no parameters.
        acceleration: its second one; zero on a line.
    """

    params: Params
    velocity: Params
    acceleration: Params


@dataclass(frozen=True)
class _Turning:
    """The loss of a moving network with its derivatives, for every example; an EvalFn.

    Attributes:
        eval_fn: (params, batch) -> {"loss": (n,), ...}.
    """

    eval_fn: EvalFn

    def __call__(self, moving: _Moving, batch: Batch) -> dict[str, Float[Array, "n"]]:
        def losses(params: Params) -> Array:
            return loss_of(values_of(self.eval_fn, params, batch))

        def slopes(params: Params) -> tuple[Array, Array]:
            return jax.jvp(losses, (params,), (moving.velocity,))

        (loss, slope), (_, curvature) = jax.jvp(slopes, (moving.params,), (moving.velocity,))
        _, bend = jax.jvp(losses, (moving.params,), (moving.acceleration,))
        return {"loss": loss, SLOPE: slope, CURVATURE: curvature, SECOND: curvature + bend}


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _WithMotion(Path):
    """A path whose points know their velocity and acceleration."""

    path: Path
    domain: Domain = field(metadata={"static": True})

    def __call__(self, t: Any) -> _Moving:
        inside = jnp.clip(t, INSIDE, 1 - INSIDE)
        once, twice = jax.jvp(partial(velocity, self.path), (inside,), (jnp.ones_like(t),))
        params = self.path(t)
        return _Moving(params, _parameters_only(params, once), _parameters_only(params, twice))

    def arc_length(self, ts: Float[np.ndarray | Array, "points ..."]) -> Float[Array, "points"]:
        return self.path.arc_length(ts)


def _parameters_only(params: Params, motion: Params) -> Params:
    moving = restrict(motion, chosen_leaves(params, None))
    return jax.tree.map(
        lambda leaf, like: jnp.zeros_like(like) if leaf is None else leaf,
        moving,
        motion,
        is_leaf=lambda leaf: leaf is None,
    )


@dataclass(frozen=True)
class Directional:
    """The curvature along a path.

    Attributes:
        profile: the metrics ``loss``, ``slope``, ``curvature`` (v^T H v with v the velocity) and
            ``second derivative`` (by t; equal to it on a line), per point and example.
        speed: |v| at every point, of the parameters alone.
    """

    profile: Profile
    speed: Float[np.ndarray, " points"]

    def curvature(self) -> Float[np.ndarray, " points"]:
        """v^T H v / |v|^2 of the mean loss: between the Hessian's extreme eigenvalues."""
        return self.profile.mean(CURVATURE) / self.speed**2

    def standard_error(self) -> Float[np.ndarray, " points"]:
        """Of `curvature`, over examples."""
        return self.profile.standard_error(CURVATURE) / self.speed**2


def directional_along(
    eval_fn: EvalFn, path: Path, ts: Any, data: Batch, execution: Execution = Execution()
) -> Directional:
    """The second derivative of every example's loss along the path, in one compiled program.

    No Hessian is formed, and no vector product with it: two derivatives in forward mode give the
    value of each example, and thereby standard errors.

    Args:
        eval_fn: (params, batch) -> {"loss": (n,), ...}; hashable.
        path: a curve.
        ts: its points; with all of 0, 1/N, ..., 1 the result can go to `kinks`.
        data: examples.
        execution: as in `mconn.landscape.evaluate`.

    Raises:
        ConfigError: if the path is a surface.
        DivergenceError: if a derivative is not finite, naming the point.
        StructureError: if the path stands still at a point; and as `evaluate`.
    """
    if isinstance(path, Networks) or not is_curve(path):
        raise ConfigError(f"directions are those of curves, not of {path.domain.name}")
    profile = evaluate(
        _Turning(eval_fn), _WithMotion(path, path.domain), ts, data, execution=execution
    )
    profile.check_finite(SECOND)
    speed = np.asarray(_speeds(path, jnp.asarray(profile.t)))
    if not (speed > 0).all():
        raise StructureError(
            f"the path stands still at t = {profile.t[np.argmin(speed)]}, where it has no "
            "direction: leave that point out"
        )
    return Directional(profile, speed)


@jax.jit
def _speeds(path: Path, ts: Float[Array, " points"]) -> Float[Array, " points"]:
    def at(t: Any) -> Array:
        motion = _WithMotion(path, path.domain)(t).velocity
        return jnp.sqrt(trees.inner(motion, motion))

    return jax.lax.map(at, ts)


@dataclass(frozen=True)
class SecondDerivative:
    """The curvature of the loss in one direction d.

    Attributes:
        samples: d^T H d / |d|^2 with the Hessian of each example's own loss.
    """

    samples: Float[np.ndarray, " examples"]

    @property
    def value(self) -> float:
        """Of the mean loss."""
        return float(self.samples.mean(dtype=np.float64))

    @property
    def standard_error(self) -> float:
        """Of the value, over examples; not a number where there is one only."""
        return float(standard_error(self.samples.astype(np.float64)))


def directional(
    eval_fn: EvalFn, params: Params, direction: Params, data: Batch, *, batch_size: int = 1000
) -> SecondDerivative:
    """d^T H d / |d|^2 of every example, at one network.

    Args:
        eval_fn: (params, batch) -> {"loss": (n,), ...}; hashable.
        params: the network.
        direction: d, a tree like it; normaliser statistics in it are not used.
        data: examples.
        batch_size: largest number of examples in one batch.

    Raises:
        StructureError: if the direction is zero or no tree like the network.
        DivergenceError: if a derivative is not finite.
    """
    trees.check_same_structure(params, direction, ("the network", "the direction"))
    if batch_size < 1:
        raise ConfigError(f"batch_size is {batch_size}: it must be at least 1")
    count = trees.count_examples(data)
    values, squared = _in_direction(eval_fn, params, direction, fold(data, batch_size))
    if float(squared) == 0:
        raise StructureError("the direction is zero: pass one that moves a parameter")
    samples = np.asarray(values).ravel()[:count] / float(squared)
    if not np.isfinite(samples).all():
        raise DivergenceError(
            "the second derivative of an example's loss is not finite: look for weights, examples "
            "or a direction that are not finite or too large"
        )
    return SecondDerivative(samples)


@partial(jax.jit, static_argnums=0)
def _in_direction(
    eval_fn: EvalFn, params: Params, direction: Params, examples: Examples
) -> tuple[Float[Array, "batches size"], Float[Array, ""]]:
    direction = _parameters_only(params, direction)
    still = jax.tree.map(jnp.zeros_like, direction)
    moving = _Moving(params, direction, still)
    values = jax.lax.map(
        lambda batch: _Turning(eval_fn)(moving, batch)[CURVATURE], examples.batches
    )
    return values, trees.inner(direction, direction)


@dataclass(frozen=True)
class Kinks:
    """The height of a loss above its chord, and the part that its second derivative explains.

    Attributes:
        t: the points, ends included.
        height: L(t) above the chord.
        smooth: the same from the second derivative alone: - integral of G(t, s) L''(s) ds.
        standard_error: of height - smooth, paired over examples.
        coarse: ``smooth`` with every second point only, at those points; what it differs by is
            three times the error of the sum for a smooth loss.
    """

    t: Float[np.ndarray, " points"]
    height: Float[np.ndarray, " points"]
    smooth: Float[np.ndarray, " points"]
    standard_error: Float[np.ndarray, " points"]
    coarse: Float[np.ndarray, " half"]

    @property
    def barrier(self) -> float:
        """The largest height."""
        return float(self.height.max())

    @property
    def missed(self) -> float:
        """The share of the barrier that second derivatives miss, where the height is largest."""
        top = self.top
        return float(1 - self.smooth[top] / self.height[top])

    @property
    def missed_standard_error(self) -> float:
        """Of ``missed``, over examples, at a given barrier."""
        return float(self.standard_error[self.top] / self.height[self.top])

    @property
    def quadrature_error(self) -> float:
        """The largest error of ``smooth`` by the grid, as a share of the barrier (estimated)."""
        return float(np.abs(self.coarse - self.smooth[::2]).max() / 3 / self.barrier)

    @property
    def top(self) -> int:
        """The row of the largest height."""
        return int(np.argmax(self.height))


def kinks(along: Directional) -> Kinks:
    """How much of the barrier the Hessian cannot see.

    Green's function turns the second derivative of a smooth loss along a curve into its height
    above the chord. A network with ReLU bends in kinks too, where its second derivative is not
    defined and automatic differentiation gives that of either side: the sum then falls short of
    the height by the kinks' share.

    Args:
        along: of the points 0, 1/N, ..., 1 with an even N of at least 4; N = 100 resolves a line.

    Raises:
        ConfigError: if the points are no such grid.
        StructureError: if N is odd, or the loss is nowhere above its chord.
        DivergenceError: if a value is not finite.
    """
    profile = along.profile
    height = second_differences(profile).height
    steps = len(height) - 1
    if steps % 2 or steps < 4:
        raise StructureError(
            f"the grid has {steps} steps: pass an even number of at least 4, so that every second "
            "point is a grid as well"
        )
    if height.max() <= 0:
        raise StructureError("the loss is nowhere above its chord: there is no barrier to explain")
    t = np.arange(steps + 1) / steps
    second = profile.metric(SECOND).astype(np.float64)
    losses = profile.metric("loss").astype(np.float64)
    chord = np.outer(1 - t, losses[0]) + np.outer(t, losses[-1])
    unexplained = losses - chord - _green_sum(second)
    count = unexplained.shape[1]
    return Kinks(
        t=t,
        height=height,
        smooth=_green_sum(second.mean(axis=1)),
        standard_error=unexplained.std(axis=1, ddof=1) / np.sqrt(count),
        coarse=_green_sum(second[::2].mean(axis=1)),
    )


def _green_sum(second: Float[np.ndarray, "points *rest"]) -> Float[np.ndarray, "points *rest"]:
    steps = len(second) - 1
    t = np.arange(steps + 1) / steps
    green = np.minimum(t[:, None], t) * (1 - np.maximum(t[:, None], t))
    return -np.tensordot(green, second, axes=1) / steps
