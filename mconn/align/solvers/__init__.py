"""What is best for one generator while the others are held: a closed form for every kind.

assignment -- permutations: the linear assignment problem
scaling -- positive factors and signs
rotation -- angles of planes
matrices -- orthogonal matrices (the polar factor), invertible ones (Gauss-Newton)
"""

from mconn.align.solvers.assignment import assign as assign, assign_on_device as assign_on_device
from mconn.align.solvers.matrices import invertible as invertible, polar as polar
from mconn.align.solvers.rotation import turn as turn
from mconn.align.solvers.scaling import choose_signs as choose_signs, scale as scale

__all__ = [
    "assign",
    "assign_on_device",
    "choose_signs",
    "invertible",
    "polar",
    "scale",
    "turn",
]
