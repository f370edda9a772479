"""What the networks along a path answer, compared with what the ends answer."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn.errors import ConfigError
from mconn.examples import parts
from mconn.landscape import Profile, profiles_along
from mconn.measure import Compared, Execution, Point
from mconn.paths import INTERVAL, Path
from mconn.trees import wide
from mconn.types import ApplyFn, Batch, Params

PREDICTION, CONFIDENCE, BRIER = "prediction", "confidence", "brier"
DISAGREEMENT = ("disagreement_0", "disagreement_1")
DIVERGENCE = ("divergence_0", "divergence_1")
ENSEMBLE_LOSS = ("ensemble_loss_0", "ensemble_loss_1")
ENSEMBLE_ERROR = ("ensemble_error_0", "ensemble_error_1")

_NEAR = 8.0
"""The largest ratio of two probabilities, as a logarithm, at which the series form is used."""


@dataclass(frozen=True)
class Gain:
    """How much better the ensemble of an end and a point is than the better of the two.

    Attributes:
        t: the points, shape (points,).
        loss: loss of the better member minus that of the ensemble, in nats.
        loss_error: its standard error, paired over examples, the better member taken as known.
        accuracy: accuracy of the ensemble minus that of the better member, from -1 to 1.
        accuracy_error: its standard error.
    """

    t: Float[np.ndarray, "points"]
    loss: Float[np.ndarray, "points"]
    loss_error: Float[np.ndarray, "points"]
    accuracy: Float[np.ndarray, "points"]
    accuracy_error: Float[np.ndarray, "points"]


@dataclass(frozen=True)
class FunctionProfile:
    """What the networks along a curve answer, example by example.

    Attributes:
        profile: per point and example the metrics ``loss`` (nats), ``error``, ``brier`` (sum over
            classes of the squared difference from the label's indicator, 0 to 2), ``confidence``
            (the largest probability), ``prediction`` (the class), and for each end i
            ``disagreement_i`` (1 where another class is predicted than by end i), ``divergence_i``
            (Jensen-Shannon divergence from end i, nats), ``ensemble_loss_i`` and
            ``ensemble_error_i`` (of the mean of the probabilities of the point and end i).
    """

    profile: Profile

    def disagreement(self) -> Float[np.ndarray, "points points"]:
        """The share of examples of which two points predict different classes, for all pairs."""
        classes = self.profile.metric(PREDICTION)
        return np.stack([(classes != each).mean(axis=1) for each in classes])

    def ensemble_gain(self, end: int = 0) -> Gain:
        """The gain of averaging the probabilities of an end and of each point.

        The loss of an ensemble is never above the mean of its members' losses, but it may be above
        that of the better member, so that a gain can be negative. At the end itself it is zero.
        (Garipov et al. 2018, figure 2, right.)

        Args:
            end: 0 or 1.

        Raises:
            ConfigError: if there is no such end.
            StructureError: if the end is not among the points.
        """
        if end not in (0, 1):
            raise ConfigError(f"end is {end}: a curve has the ends 0 and 1")
        row = self.profile.ends()[end]
        loss, loss_error = _gain(self.profile, "loss", ENSEMBLE_LOSS[end], row)
        accuracy, accuracy_error = _gain(self.profile, "error", ENSEMBLE_ERROR[end], row)
        return Gain(self.profile.t, loss, loss_error, accuracy, accuracy_error)


def outputs_along(
    apply: ApplyFn,
    path: Path,
    ts: Any,
    data: Batch,
    *,
    execution: Execution = Execution(),
) -> FunctionProfile:
    """Compare the answers along a curve with those of its ends, in one compiled program.

    One forward pass per point, and two for the ends of all points of a call. Normaliser statistics,
    where a network has some, are mixed like the weights, or refreshed; the ends are as given.

    Args:
        apply: (params, inputs) -> logits, shape (n, classes).
        path: a curve.
        ts: its points.
        data: examples with fields ``inputs`` and ``labels``.
        execution: as in `mconn.landscape.evaluate`.

    Raises:
        ConfigError: if the path is a surface.
        DivergenceError: if a network's outputs are not finite at a point, naming it; and as
            `evaluate`.
    """
    check_curve(path)
    (profile,) = profiles_along(_OutputTerms(apply), [path], ts, data, execution)
    # A class is predicted even where all logits are not numbers, so that others must tell.
    for metric in profile.values:
        profile.check_finite(metric)
    return FunctionProfile(profile)


@dataclass(frozen=True)
class _OutputTerms(Compared):
    apply: ApplyFn

    def shared(self, ends: tuple[Params, Params], batch: Any) -> tuple[Array, Array]:
        first, last = (wide(self.apply(end, parts(batch)[0])) for end in ends)
        return first, last

    def update(
        self, state: None, point: Point, batch: Any, mask: Any
    ) -> tuple[None, dict[str, Float[Array, "n"]]]:
        inputs, labels = parts(batch)
        logits = wide(self.apply(point.params, inputs))
        log_p = jax.nn.log_softmax(logits, axis=-1)
        p = jnp.exp(log_p)
        predicted = jnp.argmax(logits, axis=-1)
        found = {
            "loss": -_of_label(log_p, labels),
            "error": (predicted != labels).astype(p.dtype),
            # Summed over classes, (p - indicator)^2 is |p|^2 - 2 p_y + 1.
            BRIER: (p**2).sum(axis=-1) - 2 * _of_label(p, labels) + 1,
            CONFIDENCE: p.max(axis=-1),
            PREDICTION: predicted.astype(p.dtype),
        }
        for i, theirs in enumerate(point.shared):
            log_mean = jnp.logaddexp(log_p, jax.nn.log_softmax(theirs, axis=-1)) - jnp.log(2)
            together = jnp.argmax(log_mean, axis=-1)
            found |= {
                DISAGREEMENT[i]: (predicted != jnp.argmax(theirs, axis=-1)).astype(p.dtype),
                DIVERGENCE[i]: jensen_shannon(logits, theirs),
                ENSEMBLE_LOSS[i]: -_of_label(log_mean, labels),
                ENSEMBLE_ERROR[i]: (together != labels).astype(p.dtype),
            }
        return None, found


def _of_label(values: Float[Array, "n classes"], labels: Any) -> Float[Array, "n"]:
    """The entry of each example's class."""
    return jnp.take_along_axis(values, labels[:, None], axis=-1)[:, 0]


def _gain(
    profile: Profile, metric: str, ensemble: str, end: int | np.integer
) -> tuple[Float[np.ndarray, "points"], Float[np.ndarray, "points"]]:
    """The better member's mean minus the ensemble's, with its paired standard error."""
    points = profile.metric(metric).astype(np.float64)
    is_better = points.mean(axis=1) < points[end].mean()
    better = np.where(is_better[:, None], points, points[end])
    differences = better - profile.metric(ensemble)
    errors = differences.std(axis=1, ddof=1) / np.sqrt(differences.shape[1])
    return differences.mean(axis=1), errors


def check_curve(path: Path) -> None:
    """Refuse a surface."""
    if path.domain != INTERVAL:
        raise ConfigError(f"outputs are compared along curves, not on {path.domain.name}")


def jensen_shannon(
    logits: Float[Array | np.ndarray, "*n classes"],
    others: Float[Array | np.ndarray, "*n classes"],
) -> Float[Array, "*n"]:
    """The Jensen-Shannon divergence of the softmax of two outputs, in nats.

    JSD(p, q) = (KL(p | m) + KL(q | m)) / 2 with m = (p + q) / 2. It lies between 0 and log 2, and
    is 1/8 of the squared Fisher-Rao distance where the two are close. With r = log q - log p it is
    a sum over classes of (q - p) r / 4 - (p + q) log cosh(r / 2) / 2, whose terms are both of
    second order in r: nothing cancels, so that the divergence of close outputs keeps its digits.

    Args:
        logits: of one network; -inf for a class that is excluded.
        others: of the other network.
    """
    first, second = (jax.nn.log_softmax(wide(each), axis=-1) for each in (logits, others))
    p, q = jnp.exp(first), jnp.exp(second)
    excluded = jnp.isneginf(first) & jnp.isneginf(second)
    ratio = jnp.where(excluded, 0, second - first)
    near = jnp.clip(ratio, -_NEAR, _NEAR)
    # q - p = p (e^r - 1) and log cosh(r / 2) = log(1 + 2 sinh(r / 4)^2).
    small = p * jnp.expm1(near) * near / 4 - (p + q) * jnp.log1p(2 * jnp.sinh(near / 4) ** 2) / 2
    far = jnp.clip(abs(ratio), 0, 1000)
    large = (p + q) * (jnp.log(2) - jnp.log1p(jnp.exp(-far))) / 2 - jnp.minimum(p, q) * far / 2
    return jnp.where(abs(ratio) > _NEAR, large, small).sum(axis=-1)
