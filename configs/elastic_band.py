"""Digits, MLP 3 x 256: elastic bands between five minima, and their spanning tree.

Ends as in `configs/digits_mlp.py`. Expected (Draxler et al. 2018): the highest loss falls cycle by
cycle, to less than half of the line's barrier after the first; bands of 1.2 to 2.5 times the
distance (here they come out shorter); no saddle above three times that of a Bezier curve. Three
minutes on two cores::

    mconn run configs/elastic_band.py
"""

from configs.digits_mlp import digits_mlp
from experiments.curves.band import ElasticBands
from mconn.paths import BandConfig, Cycle, FitConfig
from mconn.training import Optimiser


def elastic_band(
    width: int = 256,
    depth: int = 3,
    seeds: int = 5,
    epochs: int = 150,
    steps: int = 200,
    fit_epochs: int = 100,
    points: int = 61,
) -> ElasticBands:
    """Digits, MLP: train the seeds, join every pair by a band, a Bezier curve and a line.

    Args:
        width: units of a hidden layer.
        depth: hidden layers.
        seeds: minima; every pair of them is joined.
        epochs: passes over the training split for the minima.
        steps: of each of a band's five cycles.
        fit_epochs: passes for the Bezier curves.
        points: points on lines and Bezier curves.
    """
    return ElasticBands(
        train=digits_mlp(width, depth, seeds, epochs).train,
        band=BandConfig(
            cycles=(
                Cycle(steps, 0.1),
                Cycle(insert=2),
                Cycle(),
                Cycle(),
                Cycle(learning_rate=0.01, insert=0),
            ),
            batch_size=100,
        ),
        fit=FitConfig(
            epochs=fit_epochs,
            batch_size=100,
            optimiser=Optimiser("adam", learning_rate=1e-2, schedule="cosine"),
        ),
        points=points,
    )


def smoke() -> ElasticBands:
    """The same at a size for tests: seconds, three small networks."""
    return elastic_band(width=32, depth=2, seeds=3, epochs=20, steps=40, fit_epochs=20, points=11)
