"""Formulas of symmetries with and without a part, the arc through a spare unit, attention heads.

Simsek et al. 2021, arXiv:2105.12221; Theus et al. 2025, arXiv:2506.22712. Expected: complete
formulas change the outputs by at most 1e-10, those with a part left out by at least 1e-3; the arc
has a loss of at most 1e-9; the mean of two heads' query-key products has twice the rank of a head;
rotary positions leave d of the d^2 dimensions of a head's symmetry. Seconds on two cores::

    mconn run configs/symmetry_limits.py
"""

from experiments.symmetry.limits import SymmetryLimits
from experiments.symmetry.limits_stages import FormulaChecks, HalfwayRanks, PositionGroups, SpareArc


def symmetry_limits(
    width: int = 16, sizes: tuple[int, ...] = (4, 8, 16), points: int = 201, seed: int = 0
) -> SymmetryLimits:
    """Change small random networks, and see whether they compute the same.

    Args:
        width: hidden units, a multiple of four.
        sizes: entries of an attention head, even numbers from four on.
        points: on each curve.
        seed: of weights, inputs and symmetries.
    """
    return SymmetryLimits(
        FormulaChecks(width, seed),
        SpareArc(width, points, seed),
        HalfwayRanks(4 * max(sizes), sizes, seed),
        PositionGroups(sizes, seed),
    )


def smoke() -> SymmetryLimits:
    """The same at a size for tests."""
    return symmetry_limits(width=8, sizes=(4, 6), points=41)
