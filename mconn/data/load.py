"""Reading a data set, holding out a validation split, and normalising."""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Num

from mconn.data import cifar10, fashion_mnist
from mconn.data.dataset import DataConfig, Dataset, Images, Split
from mconn.errors import ConfigError

DIGITS = (8, 8, 1)
TRAIN_DIGITS = 1400


def _digits(data_dir: Path | None = None) -> Images:
    """The 1797 images that come with scikit-learn, shuffled: 1400 to train, 397 to test.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI (1998).
    """
    from sklearn.datasets import load_digits

    flat, labels = map(np.asarray, load_digits(return_X_y=True))
    rows = np.random.default_rng(0).permutation(len(labels))
    pixels = np.asarray(flat)[rows].astype(np.uint8).reshape(-1, *DIGITS)
    labels = np.asarray(labels)[rows]
    return Images(
        train_pixels=pixels[:TRAIN_DIGITS],
        train_labels=labels[:TRAIN_DIGITS],
        test_pixels=pixels[TRAIN_DIGITS:],
        test_labels=labels[TRAIN_DIGITS:],
        white=16,
        classes=10,
    )


READERS = {
    "digits": _digits,
    "fashion_mnist": fashion_mnist.read,
    "cifar10": cifar10.read,
}
SHAPES = {"digits": DIGITS, "fashion_mnist": fashion_mnist.SHAPE, "cifar10": cifar10.SHAPE}
"""Height, width and channels of one image."""


def load(config: DataConfig, data_dir: Path | None = None) -> Dataset:
    """Load a data set onto the host.

    The validation examples are drawn from the training split by ``numpy.random.default_rng(0)``;
    the pixels' statistics are those of the training examples that are left.

    Args:
        config: which data set, and how it is prepared.
        data_dir: a folder to look in before the usual ones.

    Raises:
        DataError: if a file is missing, truncated or malformed; names it and says how to get it.
        ConfigError: if more examples are held out or kept than there are.
    """
    images = READERS[config.name](data_dir)
    train, validation = _hold_out(config, len(images.train_labels))
    pixels = {
        "train": images.train_pixels[train],
        "validation": images.train_pixels[validation],
        "test": images.test_pixels,
    }
    shift, scale = _statistics(config, pixels["train"], images.white)
    inputs = {name: _normalised(values, shift, scale) for name, values in pixels.items()}
    labels = images.train_labels.astype(np.int32)
    return Dataset(
        name=config.name,
        train=Split(inputs["train"], labels[train]),
        validation=Split(inputs["validation"], labels[validation]) if config.validation else None,
        test=Split(inputs["test"], images.test_labels.astype(np.int32)),
        classes=images.classes,
    )


def _hold_out(config: DataConfig, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows of the training and of the validation split, each in ascending order."""
    left = count - config.validation
    if left < max(1, config.subset or 1):
        raise ConfigError(
            f"{config.name} has {count} training examples: {config.validation} for validation "
            f"leave {max(0, left)}, fewer than the {config.subset or 1} to train on"
        )
    drawn = np.random.default_rng(0).permutation(count)[: config.validation]
    rest = np.setdiff1d(np.arange(count), drawn)
    return rest[: config.subset], np.sort(drawn)


def _normalised(
    pixels: Num[np.ndarray, "n height width channels"],
    shift: Float[np.ndarray, " channels"],
    scale: Float[np.ndarray, " channels"],
) -> Float[np.ndarray, "n height width channels"]:
    """``(pixels - shift) / scale`` in float32, with no copy besides the result."""
    inputs = pixels.astype(np.float32)
    inputs -= shift
    inputs /= scale
    return inputs


def _statistics(
    config: DataConfig, pixels: Num[np.ndarray, "n height width channels"], white: int
) -> tuple[Float[np.ndarray, " channels"], Float[np.ndarray, " channels"]]:
    """What to subtract from pixels and then to divide them by, for each channel."""
    channels = pixels.shape[-1]
    if config.normalise == "unit":
        return np.zeros(channels, np.float32), np.full(channels, white, np.float32)
    levels = np.arange(white + 1, dtype=np.float64)
    mean, deviation = np.zeros(channels), np.ones(channels)
    for channel in range(channels):
        # Counting the levels is exact, and far faster than float64 sums over 180 million pixels.
        counts = np.bincount(pixels[..., channel].ravel(), minlength=white + 1)
        mean[channel] = np.average(levels, weights=counts)
        variance = np.average((levels - mean[channel]) ** 2, weights=counts)
        if variance > 0:  # a channel that never changes carries nothing
            deviation[channel] = np.sqrt(variance)
    return mean.astype(np.float32), deviation.astype(np.float32)
