"""One network moved onto another by an element of the discovered group.

match -- block coordinate ascent over the generators, for any cost
WeightCost, ActivationCost -- what makes two units alike
Problem -- the interface of a cost of your own
"""

from mconn.align.activations import ActivationCost as ActivationCost
from mconn.align.ascent import Match as Match, match as match
from mconn.align.cost import Cost as Cost, Problem as Problem
from mconn.align.weights import WeightCost as WeightCost

__all__ = ["ActivationCost", "Cost", "Match", "Problem", "WeightCost", "match"]
