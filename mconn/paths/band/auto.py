"""AutoNEB: an elastic band, relaxed cycle by cycle, with pivots where the chain asks for them."""

import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Int

from mconn.checks import check_kind
from mconn.errors import DataError, DivergenceError, StructureError
from mconn.paths.band.config import BandConfig, Resolved, Rule
from mconn.paths.band.program import (
    Folded,
    begin,
    dense_losses,
    example_losses,
    fold,
    run_steps,
    segment_lengths,
)
from mconn.paths.families import Hats, through
from mconn.paths.path import ControlledPath
from mconn.progress import SILENT, Progress, Task
from mconn.saving import Keeper, last_step, open_keeper, restored, save_step
from mconn.training import learning_rate
from mconn.trees import count_examples, index, to_numpy
from mconn.types import Batch, EvalFn, Key, Params

STEPS_PER_CALL = 100
"""Steps between two looks at the losses, for divergence and for progress."""


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


class _Band(NamedTuple):
    """A band between two cycles, on the host: its pivots, and its segments' shares of the length.

    Its looks are the losses of every segment, at its pivots and between them, and the segments'
    lengths: as it was given, and after every cycle.
    """

    controls: Params
    shares: Float[np.ndarray, "segments"]
    looks: list[tuple[np.ndarray, np.ndarray]]


class _Step(NamedTuple):
    """What all steps of a band share."""

    eval_fn: EvalFn
    config: BandConfig
    seed: tuple[int, ...]
    data: Batch
    end_losses: Float[Array, "2 examples"]


def elastic_band(
    eval_fn: EvalFn,
    path: ControlledPath,
    data: Batch,
    config: BandConfig = BandConfig(),
    key: Key | None = None,
    *,
    dense_data: Batch | None = None,
    keeper: Keeper | Path | str | None = None,
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
        key: decides the batches; that of seed 0 if None.
        dense_data: on which the whole chain is evaluated after every cycle; ``data`` if None.
        keeper: a folder, or another `mconn.saving.Keeper`, of this band's states; None saves
            nothing.
        progress: where steps are reported.

    Raises:
        StructureError: if the path is no chain, or has no pivot between its ends, or no length, or
            an argument has another kind.
        DataError: if there are fewer examples than one batch, or their number is not one.
        DivergenceError: if a loss is not finite; it names the cycle and the step.
        CheckpointError: if the keeper belongs to another band, or all in it are damaged.
    """
    _check(path, data, config)
    controls, count, folded = to_numpy(path.controls), count_examples(data), fold(data)
    lengths = np.asarray(segment_lengths(controls, held=config.held))
    if not lengths.sum() > 0:
        raise StructureError("all pivots of the band are the same network: its ends must differ")
    ends = [example_losses(eval_fn, index(controls, i), folded) for i in (0, -1)]
    key = jax.random.key(0) if key is None else key
    step = _Step(
        eval_fn,
        config,
        tuple(np.asarray(jax.random.key_data(key)).ravel().tolist()),
        jax.device_put(data),
        jax.device_put(np.stack([np.asarray(end).reshape(-1)[:count] for end in ends])),
    )
    dense = folded if dense_data is None else fold(dense_data)
    cycles = config.resolved()
    kept = open_keeper(keeper, "band", **vars(config), controls=controls, seed=step.seed)
    band, found = _Band(controls, lengths / lengths.sum(), []), last_step(kept, progress)
    with progress.task("band", total=sum(cycle.steps for cycle in cycles), unit="step") as task:
        if found is None:
            done, band = 0, _looked_at(eval_fn, band, dense, config)
        else:
            done, arrays = found
            band = restored(arrays, band._replace(looks=[(lengths, lengths)] * (done + 1)))
            progress.note(f"band: going on after cycle {done} of {len(cycles)}")
        for number, cycle in enumerate(cycles[done:], start=done + 1):
            where = sagging(band.looks[-1][0], config.threshold, cycle.insert)
            more = inserted(band.controls, band.shares, where, config.sub_points + 1)
            before = sum(cycle.steps for cycle in cycles[: number - 1])
            band = _relaxed(step, _Band(*more, band.looks), number, cycle, task, before)
            band = _looked_at(eval_fn, band, dense, config)
            save_step(kept, number, band)
    history = tuple(_record(*look) for look in band.looks)
    free = [record.pivots - 2 for record in history[1:]]
    steps = [cycle.steps for cycle in cycles]
    return ElasticBand(
        through([index(band.controls, i) for i in range(history[-1].pivots)]),
        history,
        samples=config.batch_size * int(np.dot(steps, free)),
        evaluations=sum(len(r.losses) for r in history) * dense.examples + 2 * count,
    )


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
    points = dict(where)

    def one(leaf: np.ndarray) -> np.ndarray:
        leaf = np.asarray(leaf)
        wide = leaf.astype(np.result_type(leaf.dtype, np.float32))
        rows = []
        for i in range(len(leaf)):
            rows.append(leaf[i])
            if i in points:
                new = wide[i] + points[i] / parts * (wide[i + 1] - wide[i])
                rows.append(new.astype(leaf.dtype))
        return np.stack(rows)

    pieces = []
    for i, share in enumerate(shares):
        cut = points.get(i, 0) / parts
        pieces += [share] if not cut else [share * cut, share * (1 - cut)]
    return jax.tree.map(one, controls), np.array(pieces, shares.dtype)


def rule_of(config: BandConfig) -> Rule:
    """The rule of a step, which is that of all cycles: their learning rates are arguments."""
    optimiser = replace(config.optimiser, learning_rate=1.0, schedule="constant")
    return Rule(optimiser, config.spring, config.weight_decay, config.held)


def batches(
    seed: tuple[int, ...], examples: int, size: int, steps: int
) -> Int[np.ndarray, "steps size"]:
    """The examples of every step: passes over the data, each in its own random order."""
    rng = np.random.default_rng(seed)
    per_pass = examples // size
    orders = [rng.permutation(examples)[: per_pass * size] for _ in range(-(-steps // per_pass))]
    return np.concatenate(orders).reshape(-1, size)[:steps].astype(np.int32)


def _check(path: ControlledPath, data: Batch, config: BandConfig) -> None:
    check_kind("path", path, ControlledPath, "make one with paths.chain or paths.through")
    check_kind("config", config, BandConfig, "make one with paths.BandConfig")
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


def _relaxed(
    step: _Step, band: _Band, number: int, cycle: Resolved, task: Task, before: int
) -> _Band:
    """The band after the steps of a cycle; ``before`` are the steps of the cycles before it."""
    config = step.config
    rows = batches((*step.seed, number), step.end_losses.shape[1], config.batch_size, cycle.steps)
    optimiser = replace(config.optimiser, learning_rate=cycle.learning_rate)
    rates = jax.jit(learning_rate(optimiser, 1, cycle.steps))(np.arange(cycle.steps))
    rates = np.broadcast_to(np.asarray(rates, np.float32), cycle.steps)
    rule = rule_of(config)
    state = begin(band.controls, rule)
    for start in range(0, cycle.steps, STEPS_PER_CALL):
        began = time.perf_counter()
        part = slice(start, start + STEPS_PER_CALL)
        state, losses = run_steps(
            state,
            band.shares,
            rows[part],
            rates[part],
            step.end_losses,
            step.data,
            eval_fn=step.eval_fn,
            rule=rule,
        )
        losses = np.asarray(losses)
        if not np.isfinite(losses).all():
            here, pivot = np.argwhere(~np.isfinite(losses))[0]
            raise DivergenceError(
                f"the loss of pivot {pivot + 1} is not finite at step {start + here + 1} of cycle "
                f"{number}: lower the learning rate, now {cycle.learning_rate}"
            )
        seconds = time.perf_counter() - began
        task.update(
            before + start + len(losses),
            cycle=number,
            pivots=len(band.shares) + 1,
            loss=float(losses[-1].max()),
            speed=f"{losses.size * config.batch_size / seconds:,.0f} examples/s",
        )
    return band._replace(controls=to_numpy(state.controls))


def _looked_at(eval_fn: EvalFn, band: _Band, dense: Folded, config: BandConfig) -> _Band:
    """The band with one more look at its whole chain."""
    losses = dense_losses(eval_fn, band.controls, config.sub_points, dense)
    if not np.isfinite(losses).all():
        segment, point = np.argwhere(~np.isfinite(losses))[0]
        t = (segment + point / (losses.shape[1] - 1)) / len(losses)
        cycle = len(band.looks)
        when = f"after cycle {cycle}: lower the learning rate" if cycle else "that was given"
        raise DivergenceError(f"the loss is not finite at t = {t:.3f} of the chain {when}")
    lengths = np.asarray(segment_lengths(band.controls, held=config.held))
    return band._replace(looks=[*band.looks, (losses, lengths)])


def _record(
    dense: Float[np.ndarray, "segments points"], lengths: Float[np.ndarray, "segments"]
) -> Record:
    segments, points = dense.shape
    lengths = lengths.astype(np.float64)
    reached = np.concatenate([[0.0], np.cumsum(lengths)])
    places = np.linspace(0, 1, points)[:-1]
    arc_length = (reached[:-1, None] + places * lengths[:, None]).reshape(-1)
    losses = np.append(dense[:, :-1].reshape(-1), dense[-1, -1])
    return Record(
        pivots=segments + 1,
        saddle=float(losses.max()),
        length=float(reached[-1]),
        losses=losses,
        arc_length=np.append(arc_length, reached[-1]),
        is_pivot=np.arange(len(losses)) % (points - 1) == 0,
    )
