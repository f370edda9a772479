"""Curves and surfaces in weight space, under one contract: a parameter in, a network out.

Path -- the contract
ControlledPath -- control points, stacked, and the basis that weighs them
line, bezier, chain, through -- curves between two networks
simplex, surface, triangle, plane -- what lies between several
simplicial_complex, grown, log_volume, LogVolume -- simplexes that share vertices, and their volume
Uniform, UniformLength, FacesByVolume -- where a fit draws its points
"""

from mconn.paths.complexes import grown as grown, simplicial_complex as simplicial_complex
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
from mconn.paths.fit import Fitted as Fitted, fit as fit, fit_many as fit_many
from mconn.paths.fit_config import FitConfig as FitConfig, Penalty as Penalty
from mconn.paths.objectives import (
    Maximum as Maximum,
    Mean as Mean,
    Objective as Objective,
    SoftMaximum as SoftMaximum,
)
from mconn.paths.path import ControlledPath as ControlledPath, Path as Path
from mconn.paths.sampling import (
    FacesByVolume as FacesByVolume,
    Sampler as Sampler,
    Uniform as Uniform,
    UniformLength as UniformLength,
)
from mconn.paths.volume import LogVolume as LogVolume, log_volume as log_volume

__all__ = [
    "ControlledPath",
    "Domain",
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
    "bezier",
    "chain",
    "fit",
    "fit_many",
    "grown",
    "line",
    "log_volume",
    "plane",
    "simplex",
    "simplicial_complex",
    "surface",
    "through",
    "triangle",
]
