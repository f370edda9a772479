"""A counterexample: two small networks that no permutation joins by a straight line.

Ainsworth et al. 2023, arXiv:2209.04836, appendix A.6. Expected, exactly: four permutations; an
error of 1/4 half way to each of them; no error at the ends with ReLU, .001 with PReLU of slope
.01. Seconds on two cores::

    mconn run configs/counterexample.py
"""

from experiments.lines.counterexample import Counterexample
from experiments.lines.counterexample_network import CounterexampleLines


def counterexample(cells: int = 256, points: int = 41, slope: float = 0.01) -> Counterexample:
    """Measure the error on the line to every permutation, on a grid.

    Args:
        cells: of the grid along one side of the square.
        points: points on each line.
        slope: of the second activation for negative values; the first is ReLU.
    """
    return Counterexample(CounterexampleLines((0.0, slope), cells, points))


def smoke() -> Counterexample:
    """The same at a size for tests."""
    return counterexample(cells=64, points=21)
