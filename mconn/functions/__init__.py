"""Paths in the space of functions: what the networks along a path answer, not what they weigh.

outputs_along -- disagreement, divergence and ensembles with the ends, example by example
path_energy -- how far the outputs move along a path, and the least that they have to
calibration, reliability -- whether the networks are right as often as they say
jensen_shannon -- the divergence of two outputs
"""

from mconn.functions.calibration import (
    Bins as Bins,
    Calibration as Calibration,
    Interval as Interval,
    calibration as calibration,
    reliability as reliability,
)
from mconn.functions.energy import PathEnergy as PathEnergy, path_energy as path_energy
from mconn.functions.outputs import (
    FunctionProfile as FunctionProfile,
    Gain as Gain,
    jensen_shannon as jensen_shannon,
    outputs_along as outputs_along,
)

__all__ = [
    "Bins",
    "Calibration",
    "FunctionProfile",
    "Gain",
    "Interval",
    "PathEnergy",
    "calibration",
    "jensen_shannon",
    "outputs_along",
    "path_energy",
    "reliability",
]
