"""A band on disk, after every cycle: arrays of the largest shapes that it can come to."""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from mconn.paths.band.config import BandConfig
from mconn.paths.band.record import Records
from mconn.paths.band.relax import Band
from mconn.training.checkpoints import Checkpoints


@dataclass(frozen=True)
class Run:
    """What a folder of checkpoints belongs to."""

    config: BandConfig
    start: str


def save(saved: Checkpoints, number: int, band: Band, records: Records) -> None:
    """Begin to write the band after a cycle."""
    saved.save(number, filled(band, records))


def restored(saved: Checkpoints, band: Band, records: Records) -> tuple[int, Band]:
    """The last cycle that is stored and the band after it; 0 and the band itself if none is.

    The stored records are put into ``records``.
    """
    found = saved.restore(filled(band, records))
    if found is None:
        return 0, band
    number, tree = found
    records.restore(tree["records"])
    pivots = records.counts[number]
    controls = jax.tree.map(lambda leaf: leaf[:pivots], tree["controls"])
    return number, Band(controls, tree["shares"][: pivots - 1])


def filled(band: Band, records: Records) -> dict[str, Any]:
    """Everything, filled up with zeros to the largest number of pivots."""
    more = records.most_pivots - band.pivots

    def fill(leaf: np.ndarray) -> np.ndarray:
        return np.concatenate([leaf, np.zeros((more, *leaf.shape[1:]), leaf.dtype)])

    return {
        "controls": jax.tree.map(fill, band.controls),
        "shares": fill(band.shares),
        "records": records.tree(),
    }
