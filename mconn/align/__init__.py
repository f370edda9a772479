"""One network moved onto another by an element of the discovered group.

match -- block coordinate ascent over the generators, for any cost and any kind
climb, match_pairs, profile_start -- the same as pure JAX functions, for permutations
learn -- by gradient steps on the loss on the line: straight-through, or Sinkhorn
match_many -- many networks, so that going round any cycle changes nothing

WeightCost, CovarianceCost -- units are alike by their weights, plain or in the data's metric
ActivationCost, ContributionCost -- by their activations, alone or times their outgoing weights
SimilarityCost -- a cost of your own: a matrix per generator
Cost, Problem, Position -- the interface of a cost of another kind
"""

from mconn.align.compiled import (
    climb as climb,
    match_pairs as match_pairs,
    profile_start as profile_start,
)
from mconn.align.cost import Cost as Cost, Position as Position, Problem as Problem
from mconn.align.costs.activations import ActivationCost as ActivationCost
from mconn.align.costs.contribution import ContributionCost as ContributionCost
from mconn.align.costs.covariance import CovarianceCost as CovarianceCost
from mconn.align.costs.similarity import (
    SimilarityCost as SimilarityCost,
    SimilarityProblem as SimilarityProblem,
)
from mconn.align.costs.weights import WeightCost as WeightCost
from mconn.align.learned.learn import Learned as Learned, learn as learn
from mconn.align.many.universe import Universe as Universe, match_many as match_many
from mconn.align.matching import Match as Match, match as match

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
    "Universe",
    "WeightCost",
    "climb",
    "learn",
    "match",
    "match_many",
    "match_pairs",
    "profile_start",
]
