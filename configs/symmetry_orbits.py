"""The line and the curve between two networks of one orbit: rescaling blow-up, exp(t log g) w.

Zhao et al. 2025, arXiv:2505.23681, propositions 5.2 and 5.3. Expected: the midpoint's loss is
(1 - (1 + 1/m)(1 + m)/4)^2 ||Y||^2 for ReLU, to 1e-5 in float32 and 1e-9 in float64; orbits are flat
to 1e-9; the arc of a permutation of ReLU units is not. Seconds on two cores::

    mconn run configs/symmetry_orbits.py
"""

from experiments.symmetry.orbits import SymmetryOrbits
from experiments.symmetry.orbits_stages import OrbitCurves, RescalingBlowUp


def symmetry_orbits(
    width: int = 8, factor: float = 4.0, doublings: int = 7, points: int = 41, seed: int = 0
) -> SymmetryOrbits:
    """Scale, turn and permute small networks, and evaluate what lies between.

    Args:
        width: hidden units, and entries of an attention head.
        factor: the scaling of the ReLU network whose orbit is drawn.
        doublings: the scalings of the blow-up are 2, 4, ... to this power of two.
        points: on each curve.
        seed: of weights, inputs and symmetries.
    """
    factors = tuple(2.0**power for power in range(doublings + 1))
    return SymmetryOrbits(
        rescaling=RescalingBlowUp(width, degrees=(1, 2), factors=factors, seed=seed),
        curves=OrbitCurves(width, factor, points, seed),
    )


def smoke() -> SymmetryOrbits:
    """The same at a size for tests."""
    return symmetry_orbits(width=4, doublings=4, points=11)
