"""One network moved onto another by an element of the discovered group.

match -- block coordinate ascent over the generators, for any cost and any kind
WeightCost, CovarianceCost -- units are alike by their weights, plain or in the data's metric
ActivationCost, ContributionCost -- by their activations, alone or times their outgoing weights
learn -- by gradient steps on the loss on the line: straight-through, or Sinkhorn
SimilarityCost -- a cost of your own: a matrix per generator
Cost, Problem, Position -- the interface of a cost of another kind
"""

from mconn.align.activations import ActivationCost as ActivationCost
from mconn.align.contribution import ContributionCost as ContributionCost
from mconn.align.cost import Cost as Cost, Position as Position, Problem as Problem
from mconn.align.covariance import CovarianceCost as CovarianceCost
from mconn.align.learned import Learned as Learned, learn as learn
from mconn.align.matching import Match as Match, match as match
from mconn.align.similarity import (
    SimilarityCost as SimilarityCost,
    SimilarityProblem as SimilarityProblem,
)
from mconn.align.weights import WeightCost as WeightCost

__all__ = [
    "ActivationCost",
    "ContributionCost",
    "Cost",
    "CovarianceCost",
    "Learned",
    "Match",
    "Position",
    "Problem",
    "SimilarityCost",
    "SimilarityProblem",
    "WeightCost",
    "learn",
    "match",
]
