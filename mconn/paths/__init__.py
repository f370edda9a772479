"""Curves and surfaces in weight space, under one contract: a parameter in, a network out.

Path -- the contract
ControlledPath -- control points, stacked, and the basis that weighs them
line, bezier, chain, through, with_controls -- curves between two networks
simplex, surface, triangle, plane -- what lies between several
simplicial_complex, grown, log_volume, LogVolume -- simplexes that share vertices, and their volume
orbit, orbit_along -- the arc of a continuous symmetry, at a constant loss
through_spare, find_spare -- the arc of a permutation through a spare unit, at a constant loss
stepwise -- the arc of a permutation, one exchange of two units at a time
largest_change -- whether the function stays the same along a path
concatenate, reverse, by_arc_length -- paths made of paths
elastic_band, BandConfig, Cycle -- chains relaxed towards the lowest highest loss: AutoNEB
spanning_tree, minimax, next_pair -- many minima, and what the paths found say of all pairs
Uniform, UniformLength, FacesByVolume -- where a fit draws its points
"""

from mconn.paths.band import (
    BandConfig,
    Cycle,
    ElasticBand,
    Record,
    auto_neb,
    elastic_band,
    minimax,
    next_pair,
    spanning_tree,
)
from mconn.paths.complexes import LogVolume, grown, log_volume, simplicial_complex
from mconn.paths.compose import by_arc_length, concatenate, reverse
from mconn.paths.domain import INTERVAL, PLANE, SIMPLEX, SQUARE, Domain, not_pairs
from mconn.paths.families import (
    bezier,
    chain,
    line,
    plane,
    simplex,
    surface,
    through,
    triangle,
    with_controls,
)
from mconn.paths.fit import Fitted, fit, fit_many
from mconn.paths.fit_config import FitConfig, Maximum, Mean, Objective, Penalty, SoftMaximum
from mconn.paths.orbits import largest_change, orbit, orbit_along
from mconn.paths.path import ControlledPath, Path
from mconn.paths.rearranged import stepwise
from mconn.paths.sampling import FacesByVolume, Sampler, Uniform, UniformLength
from mconn.paths.spare import find_spare, through_spare

__all__ = [
    "INTERVAL",
    "PLANE",
    "SIMPLEX",
    "SQUARE",
    "BandConfig",
    "ControlledPath",
    "Cycle",
    "Domain",
    "ElasticBand",
    "FacesByVolume",
    "FitConfig",
    "Fitted",
    "LogVolume",
    "Maximum",
    "Mean",
    "Objective",
    "Path",
    "Penalty",
    "Record",
    "Sampler",
    "SoftMaximum",
    "Uniform",
    "UniformLength",
    "auto_neb",
    "bezier",
    "by_arc_length",
    "chain",
    "concatenate",
    "elastic_band",
    "find_spare",
    "fit",
    "fit_many",
    "grown",
    "largest_change",
    "line",
    "log_volume",
    "minimax",
    "next_pair",
    "not_pairs",
    "orbit",
    "orbit_along",
    "plane",
    "reverse",
    "simplex",
    "simplicial_complex",
    "spanning_tree",
    "stepwise",
    "surface",
    "through",
    "through_spare",
    "triangle",
    "with_controls",
]
