"""Curves and surfaces in weight space: control points and a basis.

Path -- control points, stacked, and the basis that weighs them
line -- the segment between two networks
simplex -- all mixtures of several networks
"""

from mconn.paths.families import line as line, simplex as simplex
from mconn.paths.path import Path as Path

__all__ = ["Path", "line", "simplex"]
