"""What is kept of a band after every cycle."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Record(NamedTuple):
    """A band after a cycle, or as it was given.

    Attributes:
        pivots: their number, ends included.
        saddle: the largest mean loss on the chain, at the points evaluated.
        length: of the chain.
        losses: mean loss at every point: the pivots, and ``sub_points`` between any two.
        arc_length: of the chain up to every point.
        is_pivot: which of the points are pivots.
    """

    pivots: int
    saddle: float
    length: float
    losses: Float[np.ndarray, "points"]
    arc_length: Float[np.ndarray, "points"]
    is_pivot: np.ndarray


@dataclass(frozen=True)
class Records:
    """The records of all cycles in arrays of fixed shapes, as checkpoints need them.

    Attributes:
        counts: pivots after every cycle; 0 where it has not run.
        losses: of every segment, at its pivots and between them.
        lengths: of every segment.
    """

    counts: np.ndarray
    losses: np.ndarray
    lengths: np.ndarray

    @classmethod
    def empty(cls, cycles: int, pivots: int, sub_points: int) -> "Records":
        """Room for that many cycles and pivots."""
        return cls(
            np.zeros(cycles, np.int64),
            np.zeros((cycles, pivots - 1, sub_points + 2)),
            np.zeros((cycles, pivots - 1)),
        )

    def put(
        self,
        number: int,
        losses: Float[np.ndarray, "segments points"],
        lengths: Float[np.ndarray, "segments"],
    ) -> None:
        """Keep what was found after a cycle."""
        segments = len(lengths)
        self.counts[number] = segments + 1
        self.losses[number, :segments] = losses
        self.lengths[number, :segments] = lengths

    def dense(self, number: int) -> Float[np.ndarray, "segments points"]:
        """The losses after a cycle."""
        return self.losses[number, : self.counts[number] - 1]

    def tree(self) -> dict[str, np.ndarray]:
        """All arrays."""
        return {"counts": self.counts, "losses": self.losses, "lengths": self.lengths}

    @property
    def most_pivots(self) -> int:
        """For how many there is room."""
        return self.lengths.shape[1] + 1

    def restore(self, tree: dict[str, np.ndarray]) -> None:
        """Take the arrays of a checkpoint."""
        for name, array in self.tree().items():
            array[...] = tree[name]

    def listed(self) -> list[Record]:
        """One record per cycle that has run."""
        return [self.record(number) for number in np.flatnonzero(self.counts).tolist()]

    def record(self, number: int) -> Record:
        """The record of one cycle."""
        dense = self.dense(number)
        segments, points = dense.shape
        lengths = self.lengths[number, :segments]
        places = np.linspace(0, 1, points)[:-1]
        reached = np.concatenate([[0.0], np.cumsum(lengths)])
        arc_length = (reached[:-1, None] + places * lengths[:, None]).reshape(-1)
        arc_length = np.append(arc_length, reached[-1])
        losses = np.append(dense[:, :-1].reshape(-1), dense[-1, -1])
        return Record(
            pivots=segments + 1,
            saddle=float(losses.max()),
            length=float(reached[-1]),
            losses=losses,
            arc_length=arc_length,
            is_pivot=np.arange(len(losses)) % (points - 1) == 0,
        )
