"""One small rule for every primitive; importing this package fills the table."""

from mconn.symmetry.rules import contraction, elementwise, structural, table

__all__ = ["contraction", "elementwise", "structural", "table"]
