"""Curvature of the mean loss over a whole data set, without ever forming a matrix.

hessian, gauss_newton, fisher, empirical_fisher -- operators on parameter pytrees
Custom, check_symmetric -- an operator of one's own
layers, layer_blocks -- the diagonal block of every layer
operator @ vector -- the product with a parameter pytree, or with all its entries in one array
eigenpairs -- the largest and smallest eigenvalues, with residuals and errors
trace, density -- by random vectors, with standard errors
along -- eigenvalues and traces at points of a path
directional, directional_along -- the curvature in a direction, example by example
kinks -- the share of a barrier that second derivatives do not see
"""

from mconn.curvature.along import AlongPath, along
from mconn.curvature.directional import (
    Directional,
    Kinks,
    SecondDerivative,
    directional,
    directional_along,
    kinks,
)
from mconn.curvature.eigenpairs import Eigenpairs, Search, eigenpairs
from mconn.curvature.matrices import (
    EmpiricalFisher,
    Fisher,
    GaussNewton,
    Hessian,
    cross_entropy,
    empirical_fisher,
    fisher,
    gauss_newton,
    hessian,
    layer_blocks,
    layers,
)
from mconn.curvature.operators import Custom, Operator, check_symmetric
from mconn.curvature.random import Curve, Density, Trace, density, trace

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
    "Search",
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
