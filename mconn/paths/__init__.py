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
    BandConfig as BandConfig,
    Cycle as Cycle,
    ElasticBand as ElasticBand,
    auto_neb as auto_neb,
    elastic_band as elastic_band,
    minimax as minimax,
    next_pair as next_pair,
    spanning_tree as spanning_tree,
)
from mconn.paths.complexes import grown as grown, simplicial_complex as simplicial_complex
from mconn.paths.compose import (
    by_arc_length as by_arc_length,
    concatenate as concatenate,
    reverse as reverse,
)
from mconn.paths.constancy import largest_change as largest_change
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
    with_controls as with_controls,
)
from mconn.paths.fit import Fitted as Fitted, fit as fit, fit_many as fit_many
from mconn.paths.fit_config import FitConfig as FitConfig, Penalty as Penalty
from mconn.paths.objectives import (
    Maximum as Maximum,
    Mean as Mean,
    Objective as Objective,
    SoftMaximum as SoftMaximum,
)
from mconn.paths.orbits import orbit as orbit, orbit_along as orbit_along
from mconn.paths.path import ControlledPath as ControlledPath, Path as Path
from mconn.paths.sampling import (
    FacesByVolume as FacesByVolume,
    Sampler as Sampler,
    Uniform as Uniform,
    UniformLength as UniformLength,
)
from mconn.paths.spare import find_spare as find_spare, through_spare as through_spare
from mconn.paths.stepwise import stepwise as stepwise
from mconn.paths.volume import LogVolume as LogVolume, log_volume as log_volume

__all__ = [
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
