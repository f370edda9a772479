"""The empirical tangent kernel of any network: its size, its spectrum, and how it moves.

kernel -- K = J J^T of any pairs of examples, contracted over outputs or full, in bounded memory
operator, top_eigenvalues, participation_ratio -- the same, never formed
spectrum -- eigenvalues, effective rank and condition of a kernel
along -- drift and alignment of kernels along a path, or through a training
relative_drift, cosine, target_alignment, centred -- of kernels that are at hand
moments -- mean and variance of the kernel over seeds
kernel_derivative, gradient_flow -- how fast the kernel moves, by the tangent hierarchy
linearise -- the network along a path against its linearisation at the start
infinite_relu -- the kernel of infinite width, in closed form
"""

from mconn.tangent.along import Linearised, Trajectory, along, linearise
from mconn.tangent.kernel import (
    Derivative,
    Moments,
    as_matrix,
    gradient_flow,
    kernel,
    kernel_derivative,
    moments,
)
from mconn.tangent.operator import (
    Operator,
    Participation,
    TopEigenvalues,
    operator,
    participation_ratio,
    top_eigenvalues,
)
from mconn.tangent.similarity import (
    Infinite,
    Spectrum,
    centred,
    cosine,
    infinite_relu,
    relative_drift,
    spectrum,
    target_alignment,
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
    "top_eigenvalues",
]
