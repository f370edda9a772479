import json

import chex
import jax
import numpy as np
import pytest

from mconn import landscape, paths
from mconn.errors import CheckpointError, ConfigError, StructureError
from mconn.measure import Execution
from tests.landscape.problem import CLASSIFY, apply, examples, network

TS = np.linspace(0, 1, 7)
LINE = paths.line(network(0), network(1))


def mesh(**axes):
    return jax.make_mesh(
        tuple(axes.values()), tuple(axes), axis_types=(jax.sharding.AxisType.Auto,) * len(axes)
    )


@pytest.mark.parametrize("axes", [{"t": 2}, {"data": 2}, {"pair": 2}, {"t": 1, "data": 2}])
def test_the_mesh_does_not_change_the_values(axes):
    data = examples(13)
    expected = landscape.evaluate(
        CLASSIFY, LINE, TS, data, execution=Execution(mesh=mesh(t=1)), gradients=True
    )
    found = landscape.evaluate(
        CLASSIFY,
        LINE,
        TS,
        data,
        execution=Execution(mesh=mesh(**axes), batch_size=4),
        gradients=True,
    )
    for metric in ("loss", "error", "slope"):
        np.testing.assert_allclose(
            found.values[metric], expected.values[metric], rtol=1e-5, atol=1e-6
        )
    np.testing.assert_allclose(found.gradient_norm, expected.gradient_norm, rtol=1e-5)


def test_points_that_are_spread_are_the_same_bits():
    data = examples(13)
    found, expected = (
        landscape.evaluate(CLASSIFY, LINE, TS, data, execution=Execution(mesh=mesh(t=count)))
        for count in (2, 1)
    )
    np.testing.assert_array_equal(found.values["loss"], expected.values["loss"])


def test_another_axis_of_the_mesh_is_refused():
    with pytest.raises(ConfigError, match="the mesh has the axis 'model'"):
        landscape.evaluate(CLASSIFY, LINE, TS, examples(4), execution=Execution(mesh=mesh(model=2)))


@pytest.mark.parametrize("pairs", [1, 2, 3])
def test_many_paths_are_each_evaluated_as_if_alone(pairs):
    data = examples(13)
    lines = [paths.line(network(2 * i), network(2 * i + 1)) for i in range(pairs)]
    seen = []
    together = landscape.evaluate_many(
        CLASSIFY, lines, TS, data, execution=Execution(finished=seen.append)
    )
    assert len(together) == pairs
    assert seen[-1] == pairs * len(TS)
    for line, found in zip(lines, together, strict=True):
        alone = landscape.evaluate(CLASSIFY, line, TS, data)
        np.testing.assert_allclose(found.values["loss"], alone.values["loss"], rtol=1e-6)
        np.testing.assert_allclose(found.arc_length, alone.arc_length)


def test_paths_of_different_families_are_refused():
    other = paths.bezier(network(0), network(1))
    with pytest.raises(StructureError, match="path 1 is of another family"):
        landscape.evaluate_many(CLASSIFY, [LINE, other], TS, examples(4))
    with pytest.raises(StructureError, match="no path to evaluate"):
        landscape.evaluate_many(CLASSIFY, [], TS, examples(4))


def test_a_budget_of_memory_changes_no_value_and_is_kept():
    data = examples(600)
    whole = landscape.evaluate(CLASSIFY, LINE, TS, data)
    seen = []
    small = landscape.evaluate(
        CLASSIFY, LINE, TS, data, execution=Execution(memory=16_000, finished=seen.append)
    )
    np.testing.assert_allclose(small.values["loss"], whole.values["loss"], rtol=1e-5, atol=1e-6)
    # A point's results are 600 values of two metrics: 4800 bytes.
    assert np.diff([0, *seen]).max() <= 2 * 3


def test_a_budget_for_less_than_one_example_is_refused():
    with pytest.raises(ConfigError, match="memory is 100 bytes, and one example at one point"):
        landscape.evaluate(CLASSIFY, LINE, TS, examples(4), execution=Execution(memory=100))


class Interrupted(RuntimeError):
    pass


def interrupt_after(points):
    def finished(done):
        if done >= points:
            raise Interrupted

    return finished


def counting(seen):
    """Networks that are evaluated by name; the call-back runs once per point and batch."""

    def eval_fn(params, batch):
        jax.debug.callback(lambda: seen.append(1))
        return CLASSIFY(params, batch)

    return eval_fn


@pytest.mark.parametrize("gradients", [False, True])
def test_a_stopped_evaluation_goes_on_where_it_was(tmp_path, gradients):
    data, seen = examples(8), []
    eval_fn = counting(seen)
    cells = tmp_path / "cells"
    with pytest.raises(Interrupted):
        landscape.evaluate(
            eval_fn,
            LINE,
            TS,
            data,
            execution=Execution(points_per_call=2, finished=interrupt_after(4), cells=cells),
            gradients=gradients,
        )
    seen.clear()
    # Another size of a call: points are found whatever calls they came from.
    rest = landscape.evaluate(
        eval_fn,
        LINE,
        TS,
        data,
        execution=Execution(points_per_call=16, cells=cells),
        gradients=gradients,
    )
    jax.effects_barrier()
    whole = landscape.evaluate(CLASSIFY, LINE, TS, data, gradients=gradients)
    if not gradients:
        assert len(seen) == 3
    for metric, values in whole.values.items():
        np.testing.assert_allclose(rest.values[metric], values, rtol=1e-5, atol=1e-6)
    if gradients:
        np.testing.assert_allclose(rest.gradient_norm, whole.gradient_norm, rtol=1e-5)
    seen.clear()
    landscape.evaluate(
        eval_fn, LINE, TS, data, execution=Execution(cells=cells), gradients=gradients
    )
    jax.effects_barrier()
    assert not seen
    assert not list((tmp_path / "cells").glob("*.new"))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("paths", {"path": paths.line(network(0), network(3))}),
        ("data", {"data": examples(9)}),
        ("measure", {"eval_fn": landscape.Classification(lambda p, x: apply(p, x) * 2)}),
        ("measure", {"slopes": True}),
        ("refresh", {"refresh": lambda params, batches: params}),
    ],
)
def test_a_folder_of_another_evaluation_is_refused(tmp_path, name, change):
    first = {"eval_fn": CLASSIFY, "path": LINE, "ts": TS, "data": examples(8)}

    def evaluated(refresh=None, **arguments):
        execution = Execution(cells=tmp_path, refresh=refresh)
        landscape.evaluate(**{**first, **arguments}, execution=execution)

    evaluated()
    with pytest.raises(CheckpointError, match=rf"another measurement \({name} is "):
        evaluated(**change)


def test_damaged_cells_are_refused(tmp_path):
    landscape.evaluate(CLASSIFY, LINE, TS, examples(8), execution=Execution(cells=tmp_path))
    (cell,) = tmp_path.glob("*.npz")
    cell.write_bytes(cell.read_bytes()[:100])
    with pytest.raises(CheckpointError, match=r"is damaged .*: delete it"):
        landscape.evaluate(CLASSIFY, LINE, TS, examples(8), execution=Execution(cells=tmp_path))
    (tmp_path / "work.json").write_text(json.dumps([1]))
    with pytest.raises(CheckpointError, match=r"is damaged .*: delete"):
        landscape.evaluate(CLASSIFY, LINE, TS, examples(8), execution=Execution(cells=tmp_path))


def test_paths_points_and_data_may_change_without_a_new_program():
    counted = landscape.Classification(chex.assert_max_traces(apply, n=1))
    for seed, points in ((0, 2), (2, 5), (4, 40)):
        line = paths.line(network(seed), network(seed + 1))
        landscape.evaluate(counted, line, np.linspace(0, 1, points), examples(8, seed))
