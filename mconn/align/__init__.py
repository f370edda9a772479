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

from mconn.align.ascent import Schedule as Schedule
from mconn.align.balance import compact as compact
from mconn.align.compiled import (
    climb as climb,
    match_pairs as match_pairs,
    profile_start as profile_start,
)
from mconn.align.cost import Cost as Cost, Position as Position, Problem as Problem
from mconn.align.costs.activations import ActivationCost as ActivationCost
from mconn.align.costs.contribution import ContributionCost as ContributionCost
from mconn.align.costs.covariance import CovarianceCost as CovarianceCost
from mconn.align.costs.named import COSTS as COSTS, cost_named as cost_named
from mconn.align.costs.similarity import (
    SimilarityCost as SimilarityCost,
    SimilarityProblem as SimilarityProblem,
)
from mconn.align.costs.weights import WeightCost as WeightCost
from mconn.align.learned.jointly import (
    Joint as Joint,
    JointConfig as JointConfig,
    fit_jointly as fit_jointly,
)
from mconn.align.learned.learn import (
    LearnConfig as LearnConfig,
    Learned as Learned,
    learn as learn,
)
from mconn.align.many.universe import Universe as Universe, match_many as match_many
from mconn.align.matching import Match as Match, match as match
from mconn.align.methods import (
    COUPLED as COUPLED,
    METHODS as METHODS,
    Found as Found,
    Method as Method,
    find as find,
)
from mconn.align.unequal.activations import UnequalActivations as UnequalActivations
from mconn.align.unequal.match import (
    UnequalMatch as UnequalMatch,
    match_unequal as match_unequal,
)
from mconn.align.unequal.methods import (
    Assignment as Assignment,
    SemiPermutation as SemiPermutation,
    Transport as Transport,
)
from mconn.align.unequal.partial import (
    PartialMatch as PartialMatch,
    match_partial as match_partial,
)
from mconn.align.unequal.soft import carry as carry, embed as embed

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
