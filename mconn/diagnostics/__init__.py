"""What the seeds of a training have in common, tracked while they are trained.

Diagnostics -- the observer, for ``training.train(..., observer=...)``
RunningBarrier, ReferenceSimilarity, SubspaceAngles -- what it can track
Classes, Contrast -- subspaces of features that stand for an attribute
NAIVE, MATCHED, SAMPLE_SPACE, TURNED, SIMILARITY -- the quantities of the series
"""

from mconn.diagnostics.measures import (
    MATCHED as MATCHED,
    NAIVE as NAIVE,
    SAMPLE_SPACE as SAMPLE_SPACE,
    SIMILARITY as SIMILARITY,
    TURNED as TURNED,
    Measure as Measure,
    Moment as Moment,
    ReferenceSimilarity as ReferenceSimilarity,
    RunningBarrier as RunningBarrier,
    Series as Series,
    SubspaceAngles as SubspaceAngles,
)
from mconn.diagnostics.observer import Diagnostics as Diagnostics, table as table
from mconn.diagnostics.subspaces import (
    Attribute as Attribute,
    Classes as Classes,
    Contrast as Contrast,
    directions as directions,
)
