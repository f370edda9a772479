"""Reading a data set, holding out a validation split, and normalising."""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Num

from mconn.data import cifar10, digits, fashion_mnist
from mconn.data.dataset import DataConfig, Dataset, Split
from mconn.errors import ConfigError

READERS = {
    "digits": digits.read,
    "fashion_mnist": fashion_mnist.read,
    "cifar10": cifar10.read,
}
SHAPES = {"digits": digits.SHAPE, "fashion_mnist": fashion_mnist.SHAPE, "cifar10": cifar10.SHAPE}
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
    train, validation = hold_out(config, len(images.train_labels))
    pixels = {
        "train": images.train_pixels[train],
        "validation": images.train_pixels[validation],
        "test": images.test_pixels,
    }
    shift, scale = statistics(config, pixels["train"], images.white)
    inputs = {name: normalised(values, shift, scale) for name, values in pixels.items()}
    labels = images.train_labels.astype(np.int32)
    return Dataset(
        name=config.name,
        train=Split(inputs["train"], labels[train]),
        validation=Split(inputs["validation"], labels[validation]) if config.validation else None,
        test=Split(inputs["test"], images.test_labels.astype(np.int32)),
        classes=images.classes,
    )


def hold_out(config: DataConfig, count: int) -> tuple[np.ndarray, np.ndarray]:
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


def normalised(
    pixels: Num[np.ndarray, "n height width channels"],
    shift: Float[np.ndarray, " channels"],
    scale: Float[np.ndarray, " channels"],
) -> Float[np.ndarray, "n height width channels"]:
    """``(pixels - shift) / scale`` in float32, with no copy besides the result."""
    inputs = pixels.astype(np.float32)
    inputs -= shift
    inputs /= scale
    return inputs


def statistics(
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
