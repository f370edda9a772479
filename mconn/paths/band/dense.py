"""The loss along a whole chain, between the pivots, too; and where it asks for more of them."""

import math
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn.trees import count_examples, to_numpy
from mconn.types import Batch, EvalFn, Params

MOST_EXAMPLES = 1000
"""Examples that are evaluated at once."""


class Folded(NamedTuple):
    """Data in equal batches, on the device; the last one is filled up with the last example."""

    batches: Batch
    counted: Float[Array | np.ndarray, "number size"]

    @property
    def examples(self) -> int:
        """Their number, without the filling."""
        return int(np.asarray(self.counted).sum())


def fold(data: Batch) -> Folded:
    """The data in batches."""
    count = count_examples(data)
    number = math.ceil(count / MOST_EXAMPLES)
    size = math.ceil(count / number)

    def one(leaf: Any) -> np.ndarray:
        leaf = np.asarray(leaf)
        filling = np.repeat(leaf[-1:], number * size - count, axis=0)
        return np.concatenate([leaf, filling]).reshape(number, size, *leaf.shape[1:])

    counted = (np.arange(number * size) < count).astype(np.float32).reshape(number, size)
    return jax.device_put(Folded(jax.tree.map(one, data), counted))


def dense_losses(
    eval_fn: EvalFn, controls: Params, sub_points: int, data: Folded
) -> Float[np.ndarray, "segments points"]:
    """Mean losses of every segment, at its pivots and at ``sub_points`` points between them.

    The program has one segment at a time as argument, so that it is compiled once for chains of
    any number of pivots.
    """
    controls = to_numpy(controls)
    segments = len(jax.tree.leaves(controls)[0]) - 1
    places = np.linspace(0, 1, sub_points + 2)[:-1].astype(np.float32)
    rows = [
        np.asarray(
            segment_losses(
                eval_fn, jax.tree.map(lambda leaf, i=i: leaf[i : i + 2], controls), places, data
            )
        )
        for i in range(segments)
    ]
    last = jax.tree.map(lambda leaf: leaf[-1], controls)
    end = (np.asarray(example_losses(eval_fn, last, data)) * np.asarray(data.counted)).sum()
    starts = np.stack(rows).astype(np.float64)
    ends = np.append(starts[1:, 0], end / data.examples)
    return np.concatenate([starts, ends[:, None]], axis=1)


@partial(jax.jit, static_argnums=0)
def segment_losses(
    eval_fn: EvalFn, pair: Params, places: Float[Array, "points"], data: Folded
) -> Float[Array, "points"]:
    """Mean losses on the segment between two networks, one point after the other."""

    def at(place: Array) -> Array:
        params = jax.tree.map(lambda leaf: leaf[0] + (place * (leaf[1] - leaf[0])), pair)
        sums = jax.lax.map(
            lambda batch: jnp.vdot(eval_fn(params, batch[0])["loss"], batch[1]),
            (data.batches, data.counted),
        )
        return sums.sum() / data.counted.sum()

    return jax.lax.map(at, places)


@partial(jax.jit, static_argnums=0)
def example_losses(eval_fn: EvalFn, params: Params, data: Folded) -> Float[Array, "number size"]:
    """The loss of every example."""
    return jax.lax.map(lambda batch: eval_fn(params, batch)["loss"], data.batches)


def sagging(
    dense: Float[np.ndarray, "segments points"], threshold: float | int, most: int
) -> list[tuple[int, int]]:
    """Where pivots are missing: points whose loss exceeds the line between their pivots' losses.

    Args:
        dense: losses of every segment, at its pivots and between them.
        threshold: by which share of the chain's range of losses they must exceed it.
        most: how many points are returned at most, those that exceed it most.

    Returns:
        (segment, point), at most one of each segment, in their order along the chain.
    """
    places = np.linspace(0, 1, dense.shape[1])
    line = dense[:, :1] + places * (dense[:, -1:] - dense[:, :1])
    excess = (dense - line)[:, 1:-1]
    points = excess.argmax(axis=1)
    largest = excess.max(axis=1)
    order = np.argsort(-largest, kind="stable")[:most]
    found = [i for i in order.tolist() if largest[i] > threshold * np.ptp(dense)]
    return [(i, int(points[i]) + 1) for i in sorted(found)]


def inserted(
    controls: Params,
    shares: Float[np.ndarray, "segments"],
    where: list[tuple[int, int]],
    parts: int,
) -> tuple[Params, Float[np.ndarray, "more"]]:
    """The chain with more pivots, on its segments, and the shares of the shorter segments.

    Args:
        controls: the pivots, stacked.
        shares: of the segments in the length.
        where: what `sagging` returned.
        parts: into how many equal parts its points cut a segment.
    """

    def one(leaf: Any) -> np.ndarray:
        leaf = np.asarray(leaf)
        wide = leaf.astype(np.result_type(leaf.dtype, np.float32))
        rows = []
        points = dict(where)
        for i in range(len(leaf)):
            rows.append(leaf[i])
            if i in points:
                new = wide[i] + points[i] / parts * (wide[i + 1] - wide[i])
                rows.append(new.astype(leaf.dtype))
        return np.stack(rows)

    pieces = []
    points = dict(where)
    for i, share in enumerate(shares):
        cut = points.get(i, 0) / parts
        pieces += [share] if not cut else [share * cut, share * (1 - cut)]
    return jax.tree.map(one, controls), np.array(pieces, shares.dtype)
