"""Skip connections tie the symmetry group: plain and residual stacks of the same layers.

Expected: of 2 L + 1 layers that can be moved L + 1 are left at every depth L; ResNet-20 permutes
12 groups of channels, its plain counterpart 19. Seconds on two cores::

    mconn run configs/skip_connections.py
"""

from experiments.symmetry.skips import SkipConnections, StackGroups


def skip_connections(width: int = 16, depth: int = 9) -> SkipConnections:
    """Discover the groups of stacks of growing depth, with and without skip connections.

    Args:
        width: units of every layer; channels of the first stage of a ResNet.
        depth: blocks of the deepest network (of each stage, for a ResNet).
    """
    kinds = ("linear", "ReLU MLP", "ReLU CNN", "ResNet")
    return SkipConnections(StackGroups(kinds, tuple(range(1, depth + 1, 2)), width))


def smoke() -> SkipConnections:
    """The same at a size for tests."""
    return skip_connections(width=4, depth=3)
