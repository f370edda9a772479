"""Digits, MLP 2 x 64: every kind of barrier on the same lines, nested grids, and a threshold.

Ends as in `configs/digits_mlp.py`; the same seeds after 10 epochs and after one as badly and hardly
trained networks. Expected: the relations between the kinds hold on every line; a finer grid never
gives less; a threshold of 1e-3 nats is below the width of a test barrier's interval, and lets pass
networks that learned nothing. Under a minute on two cores::

    mconn run configs/barrier_kinds.py
"""

from configs.digits_mlp import digits_mlp
from configs.fmnist_mlp import fmnist_mlp
from experiments.lines.kinds import BarrierKinds


def barrier_kinds(
    width: int = 64, depth: int = 2, seeds: int = 3, epochs: int = 150, early: int = 10
) -> BarrierKinds:
    """Digits, MLP: all kinds of barriers on lines between well and badly trained networks."""
    train, bad, first = (digits_mlp(width, depth, seeds, each).train for each in (epochs, early, 1))
    return BarrierKinds(train, bad, first)


def smoke() -> BarrierKinds:
    """The same at a size for tests: seconds."""
    return barrier_kinds(width=32, seeds=2, epochs=40, early=5)


def gpu() -> BarrierKinds:
    """Fashion-MNIST, MLP 3 x 512, for an accelerator."""
    train, early, first = (fmnist_mlp(seeds=4, epochs=each).train for each in (50, 5, 1))
    return BarrierKinds(train, early, first)
