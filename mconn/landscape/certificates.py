"""Exact identities that explain a barrier, and upper bounds that follow from them.

Both identities hold to rounding for any network, with no assumption of smoothness.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn.errors import ConfigError
from mconn.examples import parts
from mconn.landscape.evaluate import profiles_along
from mconn.landscape.profile import Profile
from mconn.measure import Compared, Execution, Point
from mconn.paths import INTERVAL, Domain, Path
from mconn.types import ApplyFn, Batch, Params

DIFFERENCE, CONVEXITY, DEVIATION = "difference", "convexity", "deviation"
BOUND, LARGEST = "bound", "largest"


@dataclass(frozen=True)
class Linearisation:
    """The terms of the logit-linearisation identity along a path.

    With z_t the logits at t, z = (1 - t) z_0 + t z_1 and E = z_t - z, the height of the
    cross-entropy above its chord is the mean over examples of D - J - E_y, where y is the label:

    - D = LSE(z_t) - LSE(z), metric ``difference``;
    - J = (1 - t) LSE(z_0) + t LSE(z_1) - LSE(z), metric ``convexity``, never below 0;
    - E_y, metric ``deviation``.

    Attributes:
        profile: the terms, ``loss``, ``bound`` (max_i E_i - E_y) and ``largest`` (max_i |E_i|),
            per point and example.
    """

    profile: Profile

    def height(self) -> Float[np.ndarray, "points"]:
        """L(t) above the chord, as the sum of the three terms, in nats."""
        mean = self.profile.mean
        return mean(DIFFERENCE) - mean(CONVEXITY) - mean(DEVIATION)

    def bound(self) -> float:
        """max_t of the mean of max_i E_i - E_y: no chord barrier on these points is above it."""
        return float(self.profile.mean(BOUND).max())

    def loose_bound(self) -> float:
        """max_t of twice the mean of max_i |E_i|, which is at least `bound`."""
        return float(2 * self.profile.mean(LARGEST).max())


def linearise_logits(
    apply: ApplyFn,
    path: Path,
    ts: Any,
    data: Batch,
    *,
    execution: Execution = Execution(),
) -> Linearisation:
    """Split the height of the cross-entropy above its chord into what the logits do.

    A network that is linear in its parameters has E = 0, and no barrier. The identity was
    proposed by H. Bae (unreviewed) and follows from the definition of the cross-entropy; the bound
    from D <= max_i E_i and J >= 0.

    Args:
        apply: (params, inputs) -> logits, shape (n, classes).
        path: a curve.
        ts: its points, ends included.
        data: examples with fields ``inputs`` and ``labels``.
        execution: as in `mconn.landscape.evaluate`.

    Raises:
        ConfigError: if the path is a surface.
        StructureError: if an end is not among the points; and as `evaluate`.
    """
    if path.domain != INTERVAL:
        raise ConfigError(f"logits are linearised on curves, not on {path.domain.name}")
    (profile,) = profiles_along(_LogitTerms(apply), [path], ts, data, execution)
    profile.ends()
    return Linearisation(profile)


class Between(NamedTuple):
    """The network at a point, its ends, and their weights in the chord."""

    params: Params
    ends: tuple[Params, Params]
    mixture: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class WithEnds(Path):
    """A path whose points know the ends, to compare with them example by example."""

    path: Path
    domain: Domain = field(default=INTERVAL, metadata={"static": True})

    def __call__(self, t: Any) -> Params:
        """The network at t, with the ends."""
        ends = (self.path(jnp.zeros_like(t)), self.path(jnp.ones_like(t)))
        return Between(self.path(t), ends, self.path.mixture(t))

    def arc_length(self, ts: Float[np.ndarray | Array, "points ..."]) -> Float[Array, "points"]:
        """The length of the path itself."""
        return self.path.arc_length(ts)


@dataclass(frozen=True)
class _LogitTerms(Compared):
    apply: ApplyFn

    def shared(self, ends: tuple[Params, Params], batch: Any) -> tuple[Array, Array]:
        first, last = (self.apply(end, parts(batch)[0]) for end in ends)
        return first, last

    def update(
        self, state: None, point: Point, batch: Any, mask: Any
    ) -> tuple[None, dict[str, Float[Array, "n"]]]:
        inputs, labels = parts(batch)
        logits, (first, last) = self.apply(point.params, inputs), point.shared
        linear = point.mixture[0] * first + point.mixture[1] * last
        error = logits - linear
        heights = [jax.nn.logsumexp(z, axis=-1) for z in (logits, linear, first, last)]
        deviation = jnp.take_along_axis(error, labels[:, None], axis=-1)[:, 0]
        chord = point.mixture[0] * heights[2] + point.mixture[1] * heights[3]
        return None, {
            "loss": heights[0] - jnp.take_along_axis(logits, labels[:, None], axis=-1)[:, 0],
            DIFFERENCE: heights[0] - heights[1],
            CONVEXITY: chord - heights[1],
            DEVIATION: deviation,
            BOUND: error.max(axis=-1) - deviation,
            LARGEST: jnp.abs(error).max(axis=-1),
        }


@dataclass(frozen=True)
class SecondDifferences:
    """The second differences of a metric's mean along an equispaced curve.

    Attributes:
        t: the inner points, shape (points - 2,).
        curvature: N^2 times the second difference, the curvature per unit of t squared.
        standard_error: of it, paired over examples.
        height: height above the chord at every point of the profile, by Green's function.
    """

    t: Float[np.ndarray, "inner"]
    curvature: Float[np.ndarray, "inner"]
    standard_error: Float[np.ndarray, "inner"]
    height: Float[np.ndarray, "points"]

    def bound(self) -> float:
        """Max (-curvature)_+ / 8: no chord barrier on this grid is above it."""
        return float(np.maximum(-self.curvature, 0).max() / 8)


def second_differences(profile: Profile, metric: str = "loss") -> SecondDifferences:
    """The discrete form of L(t) - chord(t) = - integral of G(t, s) L''(s) ds.

    With G(t, s) = min(s, t) (1 - max(s, t)) and second differences in the place of L'', the
    identity is exact on the grid, and the chord barrier is at most N^2 / 8 times the largest
    negative second difference. Second derivatives by automatic differentiation will not do: a
    network with ReLU has kinks along the path, whose share of L'' they do not see (18 and 36 % of
    two barriers of an MLP on digits).

    Args:
        profile: of a curve, at the points i / N, both ends included.
        metric: of which metric.

    Raises:
        ConfigError: if the points are no such grid.
        DivergenceError: if the metric is not finite at a point.
    """
    profile.check_finite(metric)
    steps = len(profile.t) - 1
    if (
        profile.t.ndim != 1
        or steps < 2
        or not np.allclose(profile.t, np.linspace(0, 1, steps + 1), rtol=0, atol=1e-6)
    ):
        raise ConfigError(
            "second differences need the equispaced points 0, 1/N, ..., 1 of a curve, with N at "
            "least 2: evaluate it at numpy.linspace(0, 1, N + 1)"
        )
    t = np.arange(steps + 1) / steps
    differences = np.diff(profile.mean(metric), 2)
    inner = t[1:-1]
    green = np.minimum(t[:, None], inner) * (1 - np.maximum(t[:, None], inner))
    per_example = np.diff(profile.metric(metric).astype(np.float64), 2, axis=0)
    deviation = per_example.std(axis=1, ddof=1) / np.sqrt(per_example.shape[1])
    return SecondDifferences(
        t=inner,
        curvature=steps**2 * differences,
        standard_error=steps**2 * deviation,
        height=-steps * green @ differences,
    )
