"""What the seeds of a training have in common, tracked while they are trained.

Diagnostics -- the observer, for ``training.train(..., observer=...)``
RunningBarrier, ReferenceSimilarity, SubspaceAngles -- what it can track
Classes, Contrast -- subspaces of features that stand for an attribute
"""

from mconn.diagnostics.diagnostics import Diagnostics as Diagnostics, table as table
from mconn.diagnostics.measures import (
    Measure as Measure,
    Moment as Moment,
    ReferenceSimilarity as ReferenceSimilarity,
    RunningBarrier as RunningBarrier,
    SubspaceAngles as SubspaceAngles,
)
from mconn.diagnostics.series import Series as Series
from mconn.diagnostics.subspaces import (
    Attribute as Attribute,
    Classes as Classes,
    Contrast as Contrast,
    directions as directions,
)

__all__ = [
    "Attribute",
    "Classes",
    "Contrast",
    "Diagnostics",
    "Measure",
    "Moment",
    "ReferenceSimilarity",
    "RunningBarrier",
    "Series",
    "SubspaceAngles",
    "directions",
    "table",
]
