"""One network moved onto another by an element of the discovered group.

match -- block coordinate ascent over the generators, for any cost and any kind
find -- the same and learning, by the name of a method, with controls
climb, match_pairs, profile_start -- the same as pure JAX functions, for permutations
learn -- by gradient steps on the loss on the line: straight-through, or Sinkhorn
fit_jointly -- an element and the curve to the network it moves, in turns
match_many -- many networks, so that going round any cycle changes nothing
match_unequal, match_partial -- two widths; units that stay without a partner
SemiPermutation, Assignment, Transport -- how units of two widths are mapped
carry, embed -- a network in another width, by maps or as it is

WeightCost, CovarianceCost -- units are alike by their weights, plain or in the data's metric
ActivationCost, ContributionCost -- by their activations, alone or times their outgoing weights
SimilarityCost -- a cost of your own: a matrix per generator
Cost, Problem, Position -- the interface of a cost of another kind
"""

from mconn.align.ascent import Schedule, compact
from mconn.align.compiled import climb, match_pairs, profile_start
from mconn.align.contribution import ContributionCost
from mconn.align.cost import Cost, Position, Problem
from mconn.align.learned.learn import Joint, JointConfig, LearnConfig, Learned, fit_jointly, learn
from mconn.align.many import Universe, match_many
from mconn.align.matching import COSTS, Match, cost_named, match
from mconn.align.methods import COUPLED, METHODS, Found, Method, find
from mconn.align.similarity import ActivationCost, SimilarityCost, SimilarityProblem
from mconn.align.unequal.likeness import UnequalActivations
from mconn.align.unequal.match import UnequalMatch, match_unequal
from mconn.align.unequal.methods import Assignment, SemiPermutation, Transport
from mconn.align.unequal.partial import PartialMatch, match_partial
from mconn.align.unequal.soft import carry, embed
from mconn.align.weights import CovarianceCost, WeightCost

__all__ = [
    "COSTS",
    "COUPLED",
    "METHODS",
    "ActivationCost",
    "Assignment",
    "ContributionCost",
    "Cost",
    "CovarianceCost",
    "Found",
    "Joint",
    "JointConfig",
    "LearnConfig",
    "Learned",
    "Match",
    "Method",
    "PartialMatch",
    "Position",
    "Problem",
    "Schedule",
    "SemiPermutation",
    "SimilarityCost",
    "SimilarityProblem",
    "Transport",
    "UnequalActivations",
    "UnequalMatch",
    "Universe",
    "WeightCost",
    "carry",
    "climb",
    "compact",
    "cost_named",
    "embed",
    "find",
    "fit_jointly",
    "learn",
    "match",
    "match_many",
    "match_pairs",
    "match_partial",
    "match_unequal",
    "profile_start",
]
