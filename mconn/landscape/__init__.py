"""Losses along paths: values per example, and barriers with their intervals.

evaluate, evaluate_many -- every metric of every example at every point, in one compiled program
refine -- the same, with points added around the maximum
evaluate_plane, box, centred_box, project, random_plane -- metrics on a plane, and paths in it
linearise_logits, second_differences -- exact identities behind a barrier, and upper bounds
barrier -- a barrier of any kind of the literature, with a paired error and an interval
"""

from mconn.landscape.barrier import (
    KINDS as KINDS,
    Estimate as Estimate,
    barrier as barrier,
    barriers as barriers,
    below_chord as below_chord,
)
from mconn.landscape.certificates import (
    Between as Between,
    Linearisation as Linearisation,
    SecondDifferences as SecondDifferences,
    WithEnds as WithEnds,
    linearise_logits as linearise_logits,
    second_differences as second_differences,
)
from mconn.landscape.evaluate import (
    evaluate as evaluate,
    evaluate_many as evaluate_many,
    profiles_along as profiles_along,
)
from mconn.landscape.losses import (
    SLOPE as SLOPE,
    Classification as Classification,
    loss_of as loss_of,
    values_of as values_of,
)
from mconn.landscape.normalisers import (
    BatchNormStatistics as BatchNormStatistics,
    TrainingMode as TrainingMode,
)
from mconn.landscape.plane import (
    Coordinates as Coordinates,
    PlaneProfile as PlaneProfile,
    Projection as Projection,
    box as box,
    centred_box as centred_box,
    coordinates as coordinates,
    evaluate_plane as evaluate_plane,
    project as project,
    random_plane as random_plane,
)
from mconn.landscape.profile import Profile as Profile
from mconn.landscape.refine import refine as refine
from mconn.measure import MixtureRefresh as MixtureRefresh

__all__ = [
    "KINDS",
    "SLOPE",
    "BatchNormStatistics",
    "Between",
    "Classification",
    "Coordinates",
    "Estimate",
    "Linearisation",
    "MixtureRefresh",
    "PlaneProfile",
    "Profile",
    "Projection",
    "SecondDifferences",
    "TrainingMode",
    "WithEnds",
    "barrier",
    "barriers",
    "below_chord",
    "box",
    "centred_box",
    "coordinates",
    "evaluate",
    "evaluate_many",
    "evaluate_plane",
    "linearise_logits",
    "loss_of",
    "profiles_along",
    "project",
    "random_plane",
    "refine",
    "second_differences",
    "values_of",
]
