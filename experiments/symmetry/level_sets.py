"""Counting the connected components of the minimum of a linear network, by two numerical searches.

Flood fill on a grid, for networks of scalars; and a probabilistic roadmap (Kavraki et al. 1996,
*Probabilistic roadmaps for path planning in high-dimensional configuration spaces*), for matrices:
random points of the minimum, joined where the straight line between them stays on it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.ndimage
import scipy.sparse
from jaxtyping import Bool, Float, Int
from scipy.sparse.csgraph import connected_components


def scalar_losses(axis: Float[np.ndarray, "n"], depth: int, skip: float) -> np.ndarray:
    """The loss of w_l ... w_3 (w_2 w_1 + skip) for input and target one, on a grid of all weights.

    Args:
        axis: the values that every weight takes.
        depth: how many weights there are, l.
        skip: how much of the input is added to the second layer's output.
    """
    weights = np.meshgrid(*[axis] * depth, indexing="ij", sparse=True)
    output = weights[0] * weights[1] + skip
    for weight in weights[2:]:
        output = output * weight
    return (1.0 - output) ** 2


def flood_fill(losses: np.ndarray, level: float) -> tuple[np.ndarray, int]:
    """The connected regions of a grid where the loss is below a level: their numbers, and how many.

    Points are neighbours if they differ by one step along one axis. Between two components of the
    minimum of `scalar_losses` the output vanishes somewhere, so that the loss is one there: any
    level below one separates what is separate.
    """
    labels = np.zeros(losses.shape, np.int32)
    count: Any = scipy.ndimage.label(losses < level, output=labels)
    return labels, int(count)


@dataclass(frozen=True)
class Factors:
    """Points of the minimum of ||Y - W_3 (W_2 W_1 + skip) X||^2, one per row, without W_3.

    Where W_2 W_1 + skip is invertible, W_3 follows from it; nowhere else is the loss zero, if X and
    Y are square and of full rank.
    """

    first: Float[np.ndarray, "points h h"]
    second: Float[np.ndarray, "points h h"]
    skip: float

    def product(self) -> Float[np.ndarray, "points h h"]:
        """W_2 W_1 + skip."""
        return self.second @ self.first + self.skip * np.eye(self.first.shape[-1])


def random_factors(
    random: np.random.Generator, points: int, width: int, skip: float, scale: float = 1.5
) -> Factors:
    """Points whose matrices have normal entries."""
    first, second = scale * random.normal(size=(2, points, width, width))
    return Factors(first, second, skip)


def line(
    factors: Factors,
    starts: Int[np.ndarray, "pairs"],
    ends: Int[np.ndarray, "pairs"],
    t: float,
) -> Factors:
    """Where the straight lines between pairs of points are at t."""
    first, second = (
        (1 - t) * each[starts] + t * each[ends] for each in (factors.first, factors.second)
    )
    return Factors(first, second, factors.skip)


def stay_on_minimum(
    factors: Factors, starts: Int[np.ndarray, "pairs"], ends: Int[np.ndarray, "pairs"]
) -> Bool[np.ndarray, "pairs"]:
    """Whether the straight line between two points stays on the minimum, for each pair.

    det(W_2 W_1 + skip) is a polynomial of degree 2 h along the line, found from its values at
    2 h + 1 points; the line stays if it has no root between the ends. A doubtful one counts.
    """
    degree = 2 * factors.first.shape[-1]
    # Chebyshev's points of [-1, 1], on which the polynomial is well conditioned.
    nodes = np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))
    values = np.stack(
        [np.linalg.det(line(factors, starts, ends, (1 + s) / 2).product()) for s in nodes]
    )
    coefficients = np.linalg.solve(np.vander(nodes, increasing=True), values)
    companion = np.zeros((len(starts), degree, degree))
    companion[:, np.arange(1, degree), np.arange(degree - 1)] = 1
    companion[:, :, -1] = (-coefficients[:-1] / coefficients[-1]).T
    roots = np.linalg.eigvals(companion)
    is_between: np.ndarray = (np.abs(roots.imag) < 1e-6) & (np.abs(roots.real) < 1 + 1e-6)
    return np.asarray(~is_between.any(axis=-1))


@dataclass(frozen=True)
class Roadmap:
    """The graph whose vertices are points of the minimum and whose edges are lines on it.

    Its number of components is never less than that of the minimum's components which have a point
    in it.
    """

    factors: Factors
    starts: Int[np.ndarray, "edges"]
    ends: Int[np.ndarray, "edges"]

    def components(self, points: int | None = None) -> Int[np.ndarray, "points"]:
        """The component of every vertex, of the roadmap of the first points only if given."""
        points = points or len(self.factors.first)
        keep = (self.starts < points) & (self.ends < points)
        edges = (np.ones(keep.sum()), (self.starts[keep], self.ends[keep]))
        graph = scipy.sparse.coo_array(edges, shape=(points, points))
        return connected_components(graph, directed=False)[1]


def build_roadmap(factors: Factors) -> Roadmap:
    """Try the straight line between every two points."""
    starts, ends = np.triu_indices(len(factors.first), 1)
    joined = stay_on_minimum(factors, starts, ends)
    return Roadmap(factors, starts[joined], ends[joined])


def mixed_components(roadmap: Roadmap) -> int:
    """How many components have points with both signs of det(W_2 W_1 + skip); none can rightly."""
    labels = roadmap.components()
    is_positive = np.linalg.det(roadmap.factors.product()) > 0
    return len(np.intersect1d(labels[is_positive], labels[~is_positive]))


def largest_loss(
    roadmap: Roadmap, inputs: Float[np.ndarray, "h n"], targets: Float[np.ndarray, "h n"], ts: int
) -> float:
    """The largest loss at ``ts`` points of every edge, relative to that of the output zero."""
    largest = 0.0
    for t in np.linspace(0, 1, ts):
        here = line(roadmap.factors, roadmap.starts, roadmap.ends, t)
        hidden = here.second @ (here.first @ inputs) + here.skip * inputs
        last = targets @ np.linalg.inv(hidden)
        losses = ((targets - last @ hidden) ** 2).sum(axis=(1, 2))
        largest = max(largest, float(losses.max(initial=0.0)))
    return largest / float((targets**2).sum())
