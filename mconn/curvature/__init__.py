"""Curvature of the mean loss over a whole data set, without ever forming a matrix.

hessian, gauss_newton, fisher, empirical_fisher -- operators on parameter pytrees
Custom, check_symmetric -- an operator of one's own
layers, layer_blocks -- the diagonal block of every layer
eigenpairs -- the largest and smallest eigenvalues, with residuals and errors
trace, density -- by random vectors, with standard errors
along -- eigenvalues and traces at points of a path
directional, directional_along -- the curvature in a direction, example by example
kinks -- the share of a barrier that second derivatives do not see
"""

from mconn.curvature.along import AlongPath as AlongPath, along as along
from mconn.curvature.density import Curve as Curve, Density as Density, density as density
from mconn.curvature.directional import (
    Directional as Directional,
    SecondDerivative as SecondDerivative,
    directional as directional,
    directional_along as directional_along,
)
from mconn.curvature.eigenpairs import Eigenpairs as Eigenpairs, eigenpairs as eigenpairs
from mconn.curvature.kinks import Kinks as Kinks, kinks as kinks
from mconn.curvature.layers import layer_blocks as layer_blocks, layers as layers
from mconn.curvature.of_losses import (
    EmpiricalFisher as EmpiricalFisher,
    Hessian as Hessian,
    empirical_fisher as empirical_fisher,
    hessian as hessian,
)
from mconn.curvature.of_outputs import (
    Fisher as Fisher,
    GaussNewton as GaussNewton,
    cross_entropy as cross_entropy,
    fisher as fisher,
    gauss_newton as gauss_newton,
)
from mconn.curvature.operator import (
    Custom as Custom,
    Operator as Operator,
    check_symmetric as check_symmetric,
)
from mconn.curvature.trace import Trace as Trace, trace as trace

__all__ = [
    "AlongPath",
    "Curve",
    "Custom",
    "Density",
    "Directional",
    "Eigenpairs",
    "EmpiricalFisher",
    "Fisher",
    "GaussNewton",
    "Hessian",
    "Kinks",
    "Operator",
    "SecondDerivative",
    "Trace",
    "along",
    "check_symmetric",
    "cross_entropy",
    "density",
    "directional",
    "directional_along",
    "eigenpairs",
    "empirical_fisher",
    "fisher",
    "gauss_newton",
    "hessian",
    "kinks",
    "layer_blocks",
    "layers",
    "trace",
]
