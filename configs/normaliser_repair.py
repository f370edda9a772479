"""Networks with BatchNorm and with LayerNorm half way between seeds, with a correction or not.

ResNet-20 at a quarter of its channels on 5000 images of CIFAR-10, under a quarter of an hour on
two cores; or the small CNN on Fashion-MNIST, in a few minutes::

    mconn run configs/normaliser_repair.py
    mconn run configs/normaliser_repair.py --network cnn --data fashion_mnist
"""

from typing import Literal

from experiments.collapse.normalisers import NormaliserRepair
from experiments.collapse.tables import Variant
from mconn.data import DataConfig, Name
from mconn.models import CNN, Normaliser, resnet20
from mconn.training import Optimiser, TrainConfig

PUBLISHED: dict[int, tuple[float, float, float, float]] = {
    16: (12.7, 67.6, 50.7, 68.8),
    32: (16.1, 85.5, 79.5, 85.0),
    64: (34.8, 92.1, 88.5, 91.3),
    128: (32.3, 94.4, 90.3, 93.2),
}
"""Channels: test accuracy (%) half way, CIFAR-10, aligned by activations, of BatchNorm as it is and
reset, and of LayerNorm as it is and repaired; ResNet-20 after 250 epochs with augmentation."""

VARIANTS: tuple[tuple[Normaliser, Variant], ...] = (
    ("batch", ("activations", "none")),
    ("batch", ("activations", "reset")),
    ("layer", ("activations", "none")),
    ("layer", ("activations", "REPAIR")),
)


def normaliser_repair(
    network: Literal["resnet20", "cnn"] = "resnet20",
    data: Name = "cifar10",
    width: int | None = None,
    seeds: int = 2,
    epochs: int = 10,
    points: int = 3,
    subset: int | None = 5000,
    examples: int = 2000,
    batch_size: int = 100,
    learning_rate: float = 3e-3,
) -> NormaliserRepair:
    """Train with either normaliser, align, and compare the networks half way.

    Args:
        network: ``resnet20``, or ``cnn`` with three blocks.
        data: the data set.
        width: channels of the first stage or block; by default 4 of the ResNet, whose paper's has
            16, and 16 of the CNN.
        seeds: networks; every pair of them is compared.
        epochs: passes over the training split.
        points: points on each line.
        subset: train on the first examples only.
        examples: evaluate on so many examples of each split at most.
        batch_size: examples of one step.
        learning_rate: the largest one, of Adam with a cosine schedule.
    """
    is_resnet = network == "resnet20"
    channels = width or (4 if is_resnet else 16)
    published = is_resnet and data == "cifar10" and epochs >= 40 and subset is None
    return NormaliserRepair(
        train=TrainConfig(
            model=resnet20(channels) if is_resnet else CNN(channels, 3, initialiser="he"),
            data=DataConfig(data, subset=subset),
            optimiser=Optimiser(
                "adam", learning_rate=learning_rate, schedule="cosine", warmup_epochs=1
            ),
            seeds=tuple(range(seeds)),
            epochs=epochs,
            batch_size=batch_size,
        ),
        points=points,
        examples=examples,
        expected=tuple(
            (normaliser, variant, accuracy)
            for (normaliser, variant), accuracy in zip(
                VARIANTS, PUBLISHED.get(channels, ()), strict=False
            )
            if published
        ),
        expected_source="Jordan et al. 2023, raw numbers behind figure 4",
    )


def smoke() -> NormaliserRepair:
    """The same at a size for tests: a CNN on digits, seconds."""
    return normaliser_repair("cnn", "digits", width=8, epochs=20, subset=None)


def gpu(width: int = 16) -> NormaliserRepair:
    """ResNet-20 on all of CIFAR-10, for an accelerator; published for 16, 32, 64, 128 channels."""
    return normaliser_repair(
        width=width, seeds=3, epochs=60, points=11, subset=None, examples=10_000, batch_size=250
    )
