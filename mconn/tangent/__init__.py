"""The empirical tangent kernel of any network: its size, its spectrum, and how it moves.

kernel -- K = J J^T of any pairs of examples, contracted over outputs or full, in bounded memory
operator, top_eigenvalues, participation_ratio -- the same, never formed
spectrum -- eigenvalues, effective rank and condition of a kernel
along, through -- drift and alignment of kernels along a path, and through a training
relative_drift, cosine, target_alignment, centred -- of kernels that are at hand
moments -- mean and variance of the kernel over seeds
kernel_derivative, gradient_flow -- how fast the kernel moves, by the tangent hierarchy
linearise -- the network along a path against its linearisation at the start
infinite_relu -- the kernel of infinite width, in closed form
"""

from mconn.tangent.derivative import (
    Derivative as Derivative,
    gradient_flow as gradient_flow,
    kernel_derivative as kernel_derivative,
)
from mconn.tangent.eigenvalues import (
    Participation as Participation,
    TopEigenvalues as TopEigenvalues,
    participation_ratio as participation_ratio,
    top_eigenvalues as top_eigenvalues,
)
from mconn.tangent.infinite import Infinite as Infinite, infinite_relu as infinite_relu
from mconn.tangent.kernel import as_matrix as as_matrix, kernel as kernel
from mconn.tangent.linearise import Linearised as Linearised, linearise as linearise
from mconn.tangent.operator import Operator as Operator, operator as operator
from mconn.tangent.similarity import (
    centred as centred,
    cosine as cosine,
    relative_drift as relative_drift,
    target_alignment as target_alignment,
)
from mconn.tangent.spectrum import Spectrum as Spectrum, spectrum as spectrum
from mconn.tangent.spread import Moments as Moments, moments as moments
from mconn.tangent.trajectory import (
    Trajectory as Trajectory,
    along as along,
    through as through,
)

__all__ = [
    "Derivative",
    "Infinite",
    "Linearised",
    "Moments",
    "Operator",
    "Participation",
    "Spectrum",
    "TopEigenvalues",
    "Trajectory",
    "along",
    "as_matrix",
    "centred",
    "cosine",
    "gradient_flow",
    "infinite_relu",
    "kernel",
    "kernel_derivative",
    "linearise",
    "moments",
    "operator",
    "participation_ratio",
    "relative_drift",
    "spectrum",
    "target_alignment",
    "through",
    "top_eigenvalues",
]
