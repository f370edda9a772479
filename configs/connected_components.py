"""Connected components of the minimum of a linear network, without and with a skip connection.

Zhao et al. 2025, arXiv:2505.23681, section 4 and figure 2. Expected, exactly: 2^(l-1) for l layers;
three scalar layers 4, with a skip 3; three layers of matrices 4, with a skip 2. Seconds on two
cores::

    mconn run configs/connected_components.py
"""

from experiments.symmetry.components import ConnectedComponents
from experiments.symmetry.components_stages import LinearGroups, RoadmapSearch, ScalarLevelSets


def connected_components(
    grid: int = 121, points: int = 500, width: int = 3, depth: int = 5, seed: int = 0
) -> ConnectedComponents:
    """Count the components by flood fill, by the discovered group, and by a roadmap.

    Args:
        grid: points of the grid along each of three weights.
        points: random points of the roadmap.
        width: the largest width of the networks of matrices.
        depth: the largest number of layers of the discovered groups.
        seed: of the roadmap's points.
    """
    return ConnectedComponents(
        flood=ScalarLevelSets(depths=(2, 3, 4), half_width=2.5, points=grid, level=0.5),
        groups=LinearGroups(tuple(range(2, depth + 1)), widths=tuple(range(2, width + 2))),
        search=RoadmapSearch(tuple(range(1, width + 1)), points, positions=33, seed=seed),
    )


def smoke() -> ConnectedComponents:
    """The same at a size for tests."""
    return connected_components(grid=61, points=150, width=2, depth=4)
