"""Whether a classifier is right as often as it says, along a path, with intervals over examples."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Int

from mconn.checks import check_choice
from mconn.errors import ConfigError, DataError
from mconn.functions.outputs import BRIER, CONFIDENCE, FunctionProfile

Binning = Literal["equal width", "equal mass"]
"""Bins of confidence: of the same width, or with the same number of examples (adaptive)."""


@dataclass(frozen=True)
class Bins:
    """The reliability diagram: confidence and accuracy of the examples of every bin.

    Attributes:
        share: of the examples, shape (bins,); bins without any have 0.
        confidence: mean of the bin's examples, 0 without any.
        accuracy: share of the bin's examples that are right, 0 without any.
        count: examples of the bin.
    """

    share: Float[np.ndarray, "*points bins"]
    confidence: Float[np.ndarray, "*points bins"]
    accuracy: Float[np.ndarray, "*points bins"]
    count: Float[np.ndarray, "*points bins"]

    def expected_error(self) -> Float[np.ndarray, "*points"]:
        """ECE, the mean over examples of |accuracy - confidence| of their bins, from 0 to 1.

        Never negative, so that it is too high where bins have few examples.
        """
        return np.asarray((self.share * abs(self.accuracy - self.confidence)).sum(axis=-1))

    def squared_error(self) -> Float[np.ndarray, "*points"]:
        """The mean over examples of (accuracy - confidence)^2 of their bins, without its bias.

        The expected sampling error of each bin's accuracy is taken off (Kumar et al. 2019, section
        4), so that it can be negative; a bin of one example has no estimate and counts nothing.
        """
        noise = self.accuracy * (1 - self.accuracy) / np.maximum(self.count - 1, 1)
        squares = (self.accuracy - self.confidence) ** 2 - noise
        return np.asarray(np.where(self.count > 1, self.share * squares, 0).sum(axis=-1))


@dataclass(frozen=True)
class Interval:
    """A number at every point, with the percentile interval of its bootstrap over examples.

    The examples of a resample are the same at every point.
    """

    value: Float[np.ndarray, "points"]
    low: Float[np.ndarray, "points"]
    high: Float[np.ndarray, "points"]


@dataclass(frozen=True)
class Calibration:
    """How well the networks along a path know what they know.

    Attributes:
        t: the points.
        error: ECE, from 0 to 1. A resample repeats examples, which adds to it: its interval lies
            high, and says how far it varies rather than where it lies.
        floor: the mean ECE of networks of the same confidences that are right just as often as
            they say, on as many examples: nothing below it can be seen.
        squared_error: the mean squared calibration error without its bias.
        brier: Brier score, summed over classes, from 0 to 2.
        loss: negative log-likelihood, in nats.
        accuracy: from 0 to 1.
        confidence: mean of the largest probability.
        bins: number of bins, and
        binning: their kind.
        examples: number of examples.
        level: confidence level of the intervals.
    """

    t: Float[np.ndarray, "points"]
    error: Interval
    floor: Float[np.ndarray, "points"]
    squared_error: Float[np.ndarray, "points"]
    brier: Interval
    loss: Interval
    accuracy: Interval
    confidence: Interval
    bins: int
    binning: Binning
    examples: int
    level: float


def reliability(
    confidence: Float[np.ndarray, "examples"],
    correct: Bool[np.ndarray, "examples"] | Float[np.ndarray, "examples"],
    *,
    bins: int = 15,
    binning: Binning = "equal width",
) -> Bins:
    """Bin examples by their confidence, and compare it with how often they are right.

    Args:
        confidence: the probability of the predicted class, for every example.
        correct: whether it is the example's class.
        bins: number of bins; Guo et al. 2017 take 15.
        binning: "equal width" cuts [0, 1] into the intervals ((k - 1) / bins, k / bins]; "equal
            mass" cuts at the quantiles of the confidences, equal ones into the same bin.

    Raises:
        DataError: if there is no example, or a confidence is no probability.
        ConfigError: if there is no bin, or an unknown kind of them.
    """
    confidence, correct = np.asarray(confidence, np.float64), np.asarray(correct, np.float64)
    place = _places(confidence, bins, binning)
    ones = np.ones(len(place))
    count, said, right = (np.bincount(place, each, bins) for each in (ones, confidence, correct))
    return _binned(count, said, right)


def calibration(
    outputs: FunctionProfile,
    *,
    bins: int = 15,
    binning: Binning = "equal width",
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Calibration:
    """Expected calibration error, Brier score and likelihood at every point of a path.

    Args:
        outputs: what `outputs_along` measured.
        bins: number of bins, as in `reliability`.
        binning: their kind; fixed by all examples, so that resamples share their bins.
        level: confidence level of the intervals.
        resamples: number of bootstrap resamples, and of draws for the floor.
        seed: of both; the same seed resamples the same examples.

    Raises:
        ConfigError: if there are no bins, no resamples, or the level is none.
    """
    if resamples < 1 or not 0 < level < 1:
        raise ConfigError(
            f"resamples is {resamples} and level is {level}: draw at least one resample, and "
            "choose a level between 0 and 1"
        )
    profile = outputs.profile
    confidence = profile.metric(CONFIDENCE).astype(np.float64)
    correct = 1 - profile.metric("error").astype(np.float64)
    scores = [profile.metric(name).astype(np.float64) for name in (BRIER, "loss")]
    values = np.stack([*scores, correct, confidence])
    points, examples = confidence.shape
    chosen = [_indicators(_places(each, bins, binning), bins) for each in confidence]
    found = np.zeros((5, resamples, points))
    floor = np.zeros((resamples, points))
    random = np.random.default_rng(seed)
    for some, counts in _resampled(random, resamples, examples):
        uniform = random.random(counts.shape, np.float32)
        for point, members in enumerate(chosen):
            found[:, some, point] = _of_resamples(counts, members, values[:, point])
            drawn = (uniform < confidence[point]).astype(np.float32) @ members
            total, said = (
                np.broadcast_to(each @ members, drawn.shape)
                for each in (np.ones(examples), confidence[point])
            )
            floor[some, point] = _binned(total, said, drawn).expected_error()
    whole = [
        reliability(confidence[i], correct[i], bins=bins, binning=binning) for i in range(points)
    ]
    measured = [np.array([each.expected_error() for each in whole]), *values.mean(axis=-1)]
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2], axis=1)
    error, brier, loss, accuracy, sureness = map(Interval, measured, low, high)
    return Calibration(
        t=profile.t,
        error=error,
        floor=floor.mean(axis=0),
        squared_error=np.array([each.squared_error() for each in whole]),
        brier=brier,
        loss=loss,
        accuracy=accuracy,
        confidence=sureness,
        bins=bins,
        binning=binning,
        examples=examples,
        level=level,
    )


def _places(
    confidence: Float[np.ndarray, "examples"], bins: int, binning: Binning
) -> Int[np.ndarray, "examples"]:
    """The bin of every example, from 0."""
    check_choice("binning", binning, get_args(Binning))
    if bins < 1:
        raise ConfigError(f"bins is {bins}: take at least one")
    if not len(confidence):
        raise DataError("there are no examples to bin: pass at least one")
    # A mean of rounded probabilities may be above one by a rounding error.
    if not np.all((confidence >= 0) & (confidence <= 1 + 1e-5)):
        raise DataError("a confidence is not a probability: pass numbers from 0 to 1")
    edges = np.arange(1, bins) / bins
    if binning == "equal mass":
        edges = np.quantile(confidence, edges)
    return np.searchsorted(edges, confidence, side="left")


def _indicators(
    place: Int[np.ndarray, "examples"], bins: int
) -> Float[np.ndarray, "examples bins"]:
    """One where an example is in a bin. In single precision, as intervals have few digits."""
    members = np.zeros((len(place), bins), np.float32)
    members[np.arange(len(place)), place] = 1
    return members


def _of_resamples(
    counts: Float[np.ndarray, "some examples"],
    members: Float[np.ndarray, "examples bins"],
    values: Float[np.ndarray, "4 examples"],
) -> Float[np.ndarray, "5 some"]:
    """ECE, Brier score, loss, accuracy and confidence of resamples, from one matrix product."""
    *_, correct, confidence = (each[:, None].astype(np.float32) for each in values)
    per_bin = [members, members * confidence, members * correct]
    sums = counts @ np.concatenate([*per_bin, values.T.astype(np.float32)], axis=1)
    total, said, right = np.split(sums[:, : -len(values)], 3, axis=1)
    means = sums[:, -len(values) :].T / counts.shape[1]
    return np.stack([_binned(total, said, right).expected_error(), *means])


def _binned(
    count: Float[np.ndarray, "*points bins"],
    confidence: Float[np.ndarray, "*points bins"],
    correct: Float[np.ndarray, "*points bins"],
) -> Bins:
    """The bins, from sums over the examples of each."""
    some = np.maximum(count, 1)
    share = count / count.sum(axis=-1, keepdims=True)
    return Bins(share, confidence / some, correct / some, count)


def _resampled(
    random: np.random.Generator, resamples: int, examples: int
) -> Iterator[tuple[slice, Float[np.ndarray, "some examples"]]]:
    """How often every example is drawn, for some resamples at a time, in bounded memory."""
    size = max(1, 8_000_000 // examples)
    for start in range(0, resamples, size):
        some = slice(start, min(start + size, resamples))
        counts = np.zeros((some.stop - start, examples), np.float32)
        for row in counts:
            row += np.bincount(random.integers(examples, size=examples), minlength=examples)
        yield some, counts
