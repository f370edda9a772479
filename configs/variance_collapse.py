"""Variance collapse between deep plain MLPs, and its repair.

Fashion-MNIST, fc1 + 10 hidden layers, no normaliser; beside it digits 64-64-64-10, for which the
variance ratios half way are expected at .22 (naive, layer 2), .87 and .72 (aligned, layers 1 and
2), each within 40 %. Published test accuracies of the deep network half way (100 epochs) are in
`PUBLISHED`. Under five minutes on two cores::

    mconn run configs/variance_collapse.py
"""

from configs.digits_mlp import digits_mlp
from experiments.collapse.tables import Variant
from experiments.collapse.variance import VarianceCollapse
from mconn.data import DataConfig
from mconn.models import MLP
from mconn.training import Optimiser, TrainConfig

PUBLISHED: dict[int, tuple[float, float, float]] = {
    32: (10.0, 28.0, 46.3),
    128: (10.0, 26.7, 70.1),
    512: (10.0, 14.9, 73.5),
    1024: (10.0, 71.8, 83.0),
    2048: (10.0, 72.6, 83.0),
}
"""Width: test accuracy (%) half way as it is, aligned, aligned and repaired, after 100 epochs."""

VARIANTS: tuple[Variant, ...] = (
    ("naive", "none"),
    ("activations", "none"),
    ("activations", "REPAIR"),
)
PILOTS = (("naive", 2, 0.22), ("activations", 1, 0.87), ("activations", 2, 0.72))


def variance_collapse(
    width: int = 128,
    depth: int = 11,
    seeds: int = 3,
    epochs: int = 15,
    points: int = 11,
    subset: int | None = 20_000,
    shallow_epochs: int = 150,
) -> VarianceCollapse:
    """Fashion-MNIST, deep MLP: the variance that the network half way loses, and its repair.

    Args:
        width: units of a hidden layer of the deep network.
        depth: its hidden layers.
        seeds: networks; every pair of them is compared.
        epochs: passes over the training split.
        points: points on each line.
        subset: train on the first examples only.
        shallow_epochs: those of the shallow network on digits.
    """
    published = epochs >= 100 and subset is None and depth == 11
    return VarianceCollapse(
        train=TrainConfig(
            model=MLP(width=width, depth=depth, initialiser="he"),
            data=DataConfig("fashion_mnist", subset=subset),
            optimiser=Optimiser("adam", learning_rate=1e-3, schedule="cosine"),
            seeds=tuple(range(seeds)),
            epochs=epochs,
            batch_size=250,
        ),
        shallow=digits_mlp(width=64, depth=2, seeds=seeds, epochs=shallow_epochs).train,
        points=points,
        ratios=PILOTS if shallow_epochs == 150 else (),
        expected=tuple(zip(VARIANTS, PUBLISHED.get(width, ()), strict=False)) if published else (),
        expected_source="Jordan et al. 2023, raw numbers behind figure 3",
    )


def smoke() -> VarianceCollapse:
    """The same at a size for tests: seconds, digits only, and no published numbers to meet."""
    study = variance_collapse(seeds=2, points=3, shallow_epochs=15)
    deep = digits_mlp(width=32, depth=5, seeds=2, epochs=30).train
    return VarianceCollapse(deep, study.shallow, points=3, statistics_examples=1000)


def gpu(width: int = 512) -> VarianceCollapse:
    """The paper's setting, for an accelerator; published for 32, 128, 512, 1024 and 2048 units."""
    return variance_collapse(width=width, seeds=4, epochs=100, points=25, subset=None)
