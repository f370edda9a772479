"""Digits, MLP 2 x 64: simplexes of low loss between two networks, in two minutes on two cores.

Ends as in `configs/digits_mlp.py`. Expected: with 3 and 4 vertices the mean loss on the complex is
below 1.5 times that of its ends, and its volume is positive::

    mconn run configs/simplex_volume.py
"""

from configs.digits_mlp import digits_mlp
from configs.fmnist_mlp import fmnist_mlp
from experiments.curves.volume import SimplexVolume
from experiments.curves.volume_stages import with_volume
from mconn.paths import FitConfig
from mconn.training import Optimiser


def simplex_volume(
    width: int = 64,
    depth: int = 2,
    seeds: int = 6,
    epochs: int = 150,
    connectors: int = 4,
    fit_epochs: int = 120,
    points: int = 5,
    volume_weight: float = 1e-3,
    samples: int = 200,
) -> SimplexVolume:
    """Digits, MLP: grow complexes between pairs of seeds, and measure volume and loss.

    Args:
        width: units of a hidden layer.
        depth: hidden layers.
        seeds: networks; two make a pair.
        epochs: passes over the training split for the ends.
        connectors: shared vertices that are added.
        fit_epochs: passes for each of them.
        points: points of the complex in each step of the fit.
        volume_weight: nats of loss that a nat of log volume is worth.
        samples: points of the evaluation on each complex.
    """
    fit = FitConfig(
        epochs=fit_epochs,
        batch_size=100,
        optimiser=Optimiser("adam", learning_rate=3e-3, schedule="cosine"),
        points=points,
    )
    return SimplexVolume(
        train=digits_mlp(width, depth, seeds=seeds, epochs=epochs).train,
        connectors=connectors,
        fit=with_volume(fit, volume_weight),
        samples=samples,
    )


def smoke() -> SimplexVolume:
    """The same at a size for tests: seconds."""
    return simplex_volume(
        width=48, seeds=4, epochs=60, connectors=2, fit_epochs=30, points=3, samples=30
    )


def gpu(width: int = 512) -> SimplexVolume:
    """Fashion-MNIST, MLP 3 x 512 and up to ten vertices, for an accelerator."""
    fit = FitConfig(
        epochs=15,
        batch_size=500,
        optimiser=Optimiser("adam", learning_rate=1e-3, schedule="cosine"),
        points=5,
    )
    return SimplexVolume(
        train=fmnist_mlp(width=width, seeds=10).train,
        connectors=8,
        fit=with_volume(fit, 1e-3),
    )
