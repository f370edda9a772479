"""Curves and surfaces in weight space, under one contract: a parameter in, a network out.

Path -- the contract
ControlledPath -- control points, stacked, and the basis that weighs them
line, bezier, chain, through -- curves between two networks
simplex, surface, triangle, plane -- what lies between several
"""

from mconn.paths.domain import Domain as Domain
from mconn.paths.families import (
    bezier as bezier,
    chain as chain,
    line as line,
    plane as plane,
    simplex as simplex,
    surface as surface,
    through as through,
    triangle as triangle,
)
from mconn.paths.path import ControlledPath as ControlledPath, Path as Path

__all__ = [
    "ControlledPath",
    "Domain",
    "Path",
    "bezier",
    "chain",
    "line",
    "plane",
    "simplex",
    "surface",
    "through",
    "triangle",
]
