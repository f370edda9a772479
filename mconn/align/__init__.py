"""One network moved onto another by an element of the discovered group.

match -- block coordinate ascent over the generators, for any cost and any kind
WeightCost, ActivationCost -- what makes two units alike
SimilarityCost -- a cost of your own: a matrix per generator
Cost, Problem, Position -- the interface of a cost of another kind
"""

from mconn.align.activations import ActivationCost as ActivationCost
from mconn.align.cost import Cost as Cost, Position as Position, Problem as Problem
from mconn.align.matching import Match as Match, match as match
from mconn.align.similarity import (
    SimilarityCost as SimilarityCost,
    SimilarityProblem as SimilarityProblem,
)
from mconn.align.weights import WeightCost as WeightCost

__all__ = [
    "ActivationCost",
    "Cost",
    "Match",
    "Position",
    "Problem",
    "SimilarityCost",
    "SimilarityProblem",
    "WeightCost",
    "match",
]
