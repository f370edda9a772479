"""Five networks at once, on digits: lines, triangles, their mean, and a star network.

MLP 3 x 256, trained as in `configs/digits_mlp.py`. Expected: star barriers of at most half of those
between two networks (Sonthalia et al. 2024: .20 to .47 of them), a triangle whose centre is worse
than its edges, and a mean of five networks that is better than one (Ainsworth et al. 2023: -43 %
test loss, MNIST). Under five minutes on two cores::

    mconn run configs/many_models.py
    mconn run configs/many_models.py:decayed
"""

from experiments.many.models import ManyModels
from mconn.data import DataConfig, Name
from mconn.models import MLP
from mconn.training import Optimiser, TrainConfig


def many_models(
    data: Name = "digits",
    width: int = 256,
    depth: int = 3,
    sources: int = 5,
    others: int = 3,
    epochs: int = 150,
    star_epochs: int = 100,
    batch_size: int = 100,
    weight_decay: float = 0.0,
    points: int = 11,
    steps: int = 12,
) -> ManyModels:
    """Train sources and others, align by pairs and all at once, train a star, measure.

    Args:
        data: the data set.
        width: units of a hidden layer.
        depth: hidden layers.
        sources: networks that are aligned, mixed, and seen by the star.
        others: networks that the star does not see.
        epochs: passes over the training split.
        star_epochs: the same for the star.
        batch_size: examples of one step.
        weight_decay: of AdamW; without one the weights stay near where they were drawn.
        points: points on each line.
        steps: along an edge of a triangle, a multiple of 6.
    """
    return ManyModels(
        train=TrainConfig(
            model=MLP(width=width, depth=depth, initialiser="he"),
            data=DataConfig(data, normalise="unit"),
            optimiser=Optimiser(
                "adamw" if weight_decay else "adam",
                learning_rate=1e-3,
                weight_decay=weight_decay,
                schedule="cosine",
            ),
            seeds=tuple(range(sources)),
            epochs=epochs,
            batch_size=batch_size,
        ),
        others=tuple(range(sources, sources + others)),
        star_epochs=star_epochs,
        points=points,
        steps=steps,
    )


def smoke() -> ManyModels:
    """The same at a size for tests: seconds, three small networks."""
    return many_models(
        width=32, depth=2, sources=3, others=1, epochs=10, star_epochs=5, points=5, steps=6
    )


def decayed() -> ManyModels:
    """Networks trained with a weight decay of 2, where weights alone match units well."""
    return many_models(weight_decay=2.0)


def gpu() -> ManyModels:
    """Fashion-MNIST, wider networks, finer lines and triangles."""
    return many_models(
        data="fashion_mnist",
        width=512,
        epochs=60,
        star_epochs=60,
        batch_size=500,
        points=25,
        steps=24,
    )
