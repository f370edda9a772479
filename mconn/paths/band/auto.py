"""AutoNEB: an elastic band, relaxed cycle by cycle, with pivots where the chain asks for them."""

import contextlib
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from mconn.errors import DataError, DivergenceError, StructureError
from mconn.paths.band.config import BandConfig
from mconn.paths.band.dense import Folded, dense_losses, example_losses, fold, inserted, sagging
from mconn.paths.band.program import segment_lengths
from mconn.paths.band.record import Record, Records
from mconn.paths.band.relax import Band, Relaxation
from mconn.paths.band.stored import Run, restored, save
from mconn.paths.bases import Hats
from mconn.paths.families import through
from mconn.paths.fit import digest
from mconn.paths.path import ControlledPath
from mconn.progress import SILENT, Progress
from mconn.training.checkpoints import open_checkpoints
from mconn.trees import count_examples, index, to_numpy
from mconn.types import Batch, EvalFn, Key


class ElasticBand(NamedTuple):
    """A relaxed band.

    Attributes:
        path: the chain through its pivots, with its ends bit for bit as they were.
        history: of the chain as it was given, and after every cycle.
        samples: forward and backward passes of one example, in all.
        evaluations: forward passes of one example, in all.
    """

    path: ControlledPath
    history: tuple[Record, ...]
    samples: int
    evaluations: int


def elastic_band(
    eval_fn: EvalFn,
    path: ControlledPath,
    data: Batch,
    config: BandConfig,
    key: Key,
    *,
    dense_data: Batch | None = None,
    checkpoints: Path | None = None,
    progress: Progress = SILENT,
) -> ElasticBand:
    """Relax a chain towards the path whose highest loss is least: AutoNEB (Draxler et al. 2018).

    Every pivot follows the gradient across the band only, and springs, or a redistribution, keep
    the pivots apart. All pivots see the same batch, so that their losses, which decide where the
    band points uphill, are compared without the noise of different batches. A band that was
    stopped goes on after its last complete cycle and ends with the same bits.

    Args:
        eval_fn: (params, batch) -> {metric: (n,)}; its metric ``loss`` is minimised. Hashable. For
            a network with BatchNorm use `mconn.landscape.TrainingMode`.
        path: where to begin: a chain, for example ``paths.chain(a, b, bends=3)``.
        data: pytree of arrays with one leading axis of examples.
        config: how.
        key: decides the batches.
        dense_data: on which the whole chain is evaluated after every cycle; ``data`` if None.
        checkpoints: the folder of this band's checkpoints; None saves nothing.
        progress: where steps are reported.

    Raises:
        StructureError: if the path is no chain, or has no pivot between its ends, or no length.
        DataError: if there are fewer examples than one batch, or their number is not one.
        DivergenceError: if a loss is not finite; it names the cycle and the step.
        CheckpointError: if the folder belongs to another band, or all in it are damaged.
    """
    check(path, data, config)
    controls = to_numpy(path.controls)
    count, folded = count_examples(data), fold(data)
    ends = [example_losses(eval_fn, index(controls, i), folded) for i in (0, -1)]
    seed = tuple(np.asarray(jax.random.key_data(key)).ravel().tolist())
    relaxation = Relaxation(
        eval_fn,
        config,
        seed,
        jax.device_put(data),
        jax.device_put(np.stack([np.asarray(end).reshape(-1)[:count] for end in ends])),
    )
    dense = folded if dense_data is None else fold(dense_data)
    cycles = config.resolved()
    records = Records.empty(
        len(cycles) + 1, path.count + sum(cycle.insert for cycle in cycles), config.sub_points
    )
    band = Band(controls, shares_of(controls, config))
    done = 0
    with contextlib.ExitStack() as stack:
        saved = None
        if checkpoints is not None:
            run = Run(config, digest((controls, seed)))
            saved = stack.enter_context(open_checkpoints(checkpoints, run, progress))
            done, band = restored(saved, band, records)
        total = sum(cycle.steps for cycle in cycles)
        task = stack.enter_context(progress.task("band", total=total, unit="step"))
        if done:
            progress.note(f"band: going on after cycle {done} of {len(cycles)}")
        else:
            look(eval_fn, band, records, 0, dense, config)
        for number, cycle in enumerate(cycles[done:], start=done + 1):
            where = sagging(records.dense(number - 1), config.threshold, cycle.insert)
            band = Band(*inserted(*band, where, config.sub_points + 1))
            before = sum(cycle.steps for cycle in cycles[: number - 1])
            band = relaxation.cycle(band, number, cycle, task, before)
            look(eval_fn, band, records, number, dense, config)
            if saved is not None:
                save(saved, number, band, records)
    history = records.listed()
    free = [record.pivots - 2 for record in history[1:]]
    steps = [cycle.steps for cycle in cycles]
    return ElasticBand(
        through([index(band.controls, i) for i in range(band.pivots)]),
        tuple(history),
        samples=config.batch_size * int(np.dot(steps, free)),
        evaluations=sum(len(r.losses) for r in history) * dense.examples + 2 * count,
    )


def check(path: ControlledPath, data: Batch, config: BandConfig) -> None:
    """Refuse what is no band."""
    if not isinstance(path.basis, Hats):
        raise StructureError(
            f"an elastic band begins as a chain, not as a path of {path.basis}: take paths.chain "
            "or paths.through"
        )
    if path.count < 3:
        raise StructureError(
            "the chain has no pivot between its ends: take one, such as paths.chain(a, b, bends=3)"
        )
    if count_examples(data) < config.batch_size:
        raise DataError(
            f"there are {count_examples(data)} examples and batch_size is {config.batch_size}: "
            "take a smaller batch"
        )


def shares_of(controls: Batch, config: BandConfig) -> np.ndarray:
    """The shares of a chain's segments in its length.

    Raises:
        StructureError: if it has no length.
    """
    lengths = np.asarray(segment_lengths(controls, held=config.held))
    if not lengths.sum() > 0:
        raise StructureError("all pivots of the band are the same network: its ends must differ")
    return lengths / lengths.sum()


def look(
    eval_fn: EvalFn,
    band: Band,
    records: Records,
    number: int,
    dense: Folded,
    config: BandConfig,
) -> None:
    """Evaluate the whole chain after a cycle, and keep what was found.

    Raises:
        DivergenceError: if a loss is not finite.
    """
    losses = dense_losses(eval_fn, band.controls, config.sub_points, dense)
    if not np.isfinite(losses).all():
        segment, point = np.argwhere(~np.isfinite(losses))[0]
        t = (segment + point / (losses.shape[1] - 1)) / len(losses)
        when = f"after cycle {number}: lower the learning rate" if number else "that was given"
        raise DivergenceError(f"the loss is not finite at t = {t:.3f} of the chain {when}")
    records.put(number, losses, np.asarray(segment_lengths(band.controls, held=config.held)))
