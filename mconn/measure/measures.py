"""What a measure is, and what it is given: a point of a path, and examples in batches."""

import abc
import math
from typing import Any, ClassVar, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Bool

from mconn import trees
from mconn.types import Batch, Params, PyTree

STATISTICS = "batch_stats"
"""Leaves whose names begin so are no parameters: nothing is differentiated by them."""


class Point(NamedTuple):
    """A point of a path.

    Attributes:
        params: the network there.
        t: the parameter of the point.
        mixture: weights of the path's ends in the chord, shape (ends,).
        motion: the derivative of the network by t, for a measure that is ``moving``; else None.
        shared: what `Compared.shared` or `Whole.shared` gave; else None.
    """

    params: Params
    t: Any
    mixture: Any
    motion: Params | None = None
    shared: Any = None


class Examples(NamedTuple):
    """Examples in batches of equal size.

    Attributes:
        batches: their arrays, shape (batches, size, ...).
        mask: False for those that only fill up the last batch, shape (batches, size).
    """

    batches: Batch
    mask: Bool[Array | np.ndarray, "batches size"]


class Measure:
    """What is computed at a point of a path; `Streamed`, `Compared` or `Whole`.

    Either hashable, such as a frozen dataclass: then it is a static part of the program. Or a
    registered pytree: then its leaves are arguments of the program, which is compiled once for all
    their values.

    Attributes:
        points: of a path in one call, where `Execution.points_per_call` leaves it open.
        whole_batches: whether a batch must not be shared by several devices, because the number
            that it gives is not a sum over examples.
    """

    points: ClassVar[int] = 16
    whole_batches: ClassVar[bool] = False

    @property
    def moving(self) -> bool:
        """Whether the derivative of the network by t is needed."""
        return False


class Streamed(Measure, abc.ABC):
    """A measure that sees the examples once, batch by batch, and keeps a state."""

    def start(self, point: Point, batch: Batch) -> PyTree:
        """The state before the first batch, a pytree of arrays; None by default.

        Args:
            point: shapes and dtypes of what `update` gets, and
            batch: likewise.
        """
        del point, batch

    @abc.abstractmethod
    def update(self, state: PyTree, point: Point, batch: Batch, mask: Any) -> tuple[PyTree, PyTree]:
        """The state after one more batch, and what is kept of every example.

        Args:
            state: before; the new one has the same shapes and dtypes.
            point: of the path.
            batch: examples, with one leading axis.
            mask: shape (size,), False for examples that only fill up the batch, and must not count.

        Returns:
            The state, and a pytree of arrays with a leading axis of examples, or None.
        """

    def combine(self, state: PyTree) -> PyTree:
        """The state of all devices that share the batches; by default the sum.

        Runs inside the program: reduce over the axis ``data``, as by ``jax.lax.pmax``.
        """
        return jax.lax.psum(state, "data")

    def finish(self, state: PyTree, point: Point) -> PyTree:
        """What is handed out after the last batch; the state itself by default."""
        del point
        return state


class Compared(Streamed):
    """A streamed measure that needs something of the path's ends, computed once per batch.

    The program scans over batches and, for each, over the points of a call: their networks and
    states are in memory together.
    """

    points: ClassVar[int] = 32

    @abc.abstractmethod
    def shared(self, ends: tuple[Params, Params], batch: Batch) -> PyTree:
        """What every point is compared with on this batch; arrives as ``point.shared``."""


class Whole(Measure, abc.ABC):
    """A measure that passes over the examples itself, as often as it likes.

    The points are worked off in order, and a point may begin where the one before left off.
    """

    def shared(self, ends: tuple[Params, Params] | None, examples: Examples | None) -> PyTree:
        """What all points need, computed once; arrives as ``point.shared``. None by default.

        Args:
            ends: of the path; None for a surface.
            examples: all of them.
        """
        del ends, examples

    def first(self, params: Params) -> PyTree:
        """What the first point gets in the place of what one before it left; None by default.

        Args:
            params: shapes and dtypes of the networks.
        """
        del params

    @abc.abstractmethod
    def at_point(
        self, point: Point, examples: Examples | None, carry: PyTree
    ) -> tuple[PyTree, PyTree]:
        """The results at a point, and what the next one gets as ``carry``.

        Args:
            point: of the path.
            examples: all of them; None where the measure brings its own.
            carry: of the point before, with the shapes and dtypes of `first`.
        """


def fold(data: Batch, batch_size: int, shares: int = 1) -> Examples:
    """All examples in their order, without a copy where none is needed.

    Args:
        data: the examples.
        batch_size: largest number of examples in one batch. The last batch is filled up with the
            last example.
        shares: what the size of a batch must be a multiple of: the devices that share it.
    """
    count = trees.count_examples(data)
    number = math.ceil(count / batch_size)
    size = math.ceil(math.ceil(count / number) / shares) * shares
    missing = number * size - count

    def folded(leaf: Any) -> np.ndarray:
        leaf = np.asarray(leaf)
        if missing:
            leaf = np.concatenate([leaf, np.repeat(leaf[-1:], missing, axis=0)])
        return leaf.reshape(number, size, *leaf.shape[1:])

    mask = (np.arange(number * size) < count).reshape(number, size)
    return Examples(jax.tree.map(folded, data), mask)


def fold_whole(data: Batch, batch_size: int) -> Batch:
    """The examples in full batches, without the few that are left over."""
    count = trees.count_examples(data)
    size = min(batch_size, count)
    number = count // size
    return jax.tree.map(
        lambda leaf: (leaf := np.asarray(leaf))[: number * size].reshape(
            number, size, *leaf.shape[1:]
        ),
        data,
    )
