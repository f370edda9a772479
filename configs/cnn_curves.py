"""Curves between networks with BatchNorm, whose statistics must be measured anew at every point.

The small CNN on 3000 images of Fashion-MNIST, minutes on two cores. Expected: the Bezier curve has
a train chord barrier near zero; without recomputed statistics it seems to have one of more than 0.1
nats. VGG16 and the PreResNet of 164 layers on CIFAR-10, `vgg16` and `preresnet`, have the published
settings and numbers; they take an accelerator for hours, and 600 and 200 epochs. Their ends were
published with augmented training data, which these trainings do not have, so that all errors are
higher here; how far a curve rises above its ends can be compared::

    mconn run configs/cnn_curves.py
    mconn run configs/cnn_curves.py:vgg16 --data-dir DIR
    mconn run configs/cnn_curves.py:preresnet --data-dir DIR
"""

from experiments.curves.fitted import Curves
from mconn.data import DataConfig
from mconn.models import CNN, VGG16, PreResNet
from mconn.paths import FitConfig
from mconn.training import Optimiser, TrainConfig

SOURCE = "Garipov et al. 2018, tables of the published code"


def cnn_curves(
    width: int = 8,
    depth: int = 3,
    seeds: int = 2,
    epochs: int = 20,
    fit_epochs: int = 30,
    points: int = 13,
    plane: int = 11,
    subset: int | None = 3000,
) -> Curves:
    """Fashion-MNIST, CNN with BatchNorm: fit curves, measure them with statistics made anew or not.

    Args:
        width: channels of the first block; each later one has twice as many.
        depth: blocks.
        seeds: networks; every pair of them is joined.
        epochs: passes over the training split for the ends.
        fit_epochs: passes for the control points.
        points: points on each path.
        plane: points of the plane's grid along each axis.
        subset: train on the first examples only.
    """
    return Curves(
        train=TrainConfig(
            model=CNN(width=width, depth=depth, normaliser="batch", initialiser="he"),
            data=DataConfig("fashion_mnist", subset=subset),
            optimiser=Optimiser("adam", learning_rate=3e-3, schedule="cosine"),
            seeds=tuple(range(seeds)),
            epochs=epochs,
            batch_size=100,
        ),
        fit=FitConfig(
            epochs=fit_epochs,
            batch_size=100,
            points=2,
            optimiser=Optimiser("adam", learning_rate=1e-2, schedule="cosine"),
        ),
        points=points,
        plane=plane,
        plane_examples=1000,
        functions=False,
        skipping=True,
    )


def smoke() -> Curves:
    """The same at a size for tests."""
    return cnn_curves(width=4, depth=2, epochs=6, fit_epochs=6, points=3, plane=3, subset=1000)


def vgg16(
    width: int = 64,
    seeds: int = 2,
    epochs: int = 200,
    fit_epochs: int = 600,
    points: int = 61,
    plane: int = 21,
    subset: int | None = None,
) -> Curves:
    """CIFAR-10, VGG16 without normaliser, as published but for augmentation and dropout.

    Args:
        width: channels of the first convolutions; 64 are published.
        seeds: networks; every pair of them is joined.
        epochs: passes over the training split for the ends.
        fit_epochs: passes for the control points.
        points: points on each path.
        plane: points of the plane's grid along each axis.
        subset: train on the first examples only.
    """
    published = width == 64 and subset is None and epochs >= 200 and fit_epochs >= 600
    return Curves(
        train=TrainConfig(
            model=VGG16(width=width, normaliser="none", initialiser="he"),
            data=DataConfig("cifar10", subset=subset),
            optimiser=Optimiser("sgd", 0.05, weight_decay=5e-4, schedule="plateau"),
            seeds=tuple(range(seeds)),
            epochs=epochs,
            batch_size=128,
        ),
        fit=FitConfig(
            epochs=fit_epochs,
            batch_size=128,
            optimiser=Optimiser("sgd", 0.015, schedule="plateau"),
            weight_decay=5e-4,
        ),
        points=points,
        plane=plane,
        plane_split="test",
        functions=False,
        expected=(("bezier", 7.75, 6.94), ("chain", 8.08, 6.94)) if published else (),
        expected_source=SOURCE,
    )


def preresnet(
    blocks: int = 18,
    width: int = 16,
    seeds: int = 2,
    epochs: int = 150,
    fit_epochs: int = 200,
    points: int = 61,
    plane: int = 21,
    subset: int | None = None,
) -> Curves:
    """CIFAR-10, PreResNet with BatchNorm: 164 layers, as published but for augmentation.

    Args:
        blocks: of each of three stages; 18 of three layers each are 164 layers.
        width: channels of the first stage's narrow convolutions; 16 are published.
        seeds: networks; every pair of them is joined.
        epochs: passes over the training split for the ends.
        fit_epochs: passes for the control points.
        points: points on each path.
        plane: points of the plane's grid along each axis.
        subset: train on the first examples only.
    """
    published = (blocks, width) == (18, 16) and subset is None and fit_epochs >= 200
    return Curves(
        train=TrainConfig(
            model=PreResNet((blocks,) * 3, width),
            data=DataConfig("cifar10", subset=subset),
            optimiser=Optimiser("sgd", 0.1, weight_decay=3e-4, schedule="plateau"),
            seeds=tuple(range(seeds)),
            epochs=epochs,
            batch_size=128,
        ),
        fit=FitConfig(
            epochs=fit_epochs,
            batch_size=128,
            optimiser=Optimiser("sgd", 0.03, schedule="plateau"),
            weight_decay=3e-4,
        ),
        points=points,
        plane=plane,
        plane_split="test",
        functions=False,
        skipping=True,
        expected=(("bezier", 4.97, 4.76), ("chain", 5.13, 4.76)) if published else (),
        expected_source=SOURCE,
    )
