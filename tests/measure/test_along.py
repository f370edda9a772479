"""What holds for every measure along a path, whatever it computes."""

import dataclasses
import itertools

import jax
import numpy as np
import pytest

from mconn import landscape, measure, meshes, paths
from mconn.errors import CheckpointError, ConfigError, StructureError
from mconn.measure import Execution, MixtureRefresh, Networks, along
from tests import zoo
from tests.measure.cases import (
    CALLED,
    DATA,
    LINES,
    MEASURES,
    TS,
    expected,
    loss,
    measured,
    network,
    same,
)

EVERY = pytest.mark.parametrize("name", MEASURES)


def devices(**axes):
    return meshes.of(np.array(jax.local_devices()[: np.prod(list(axes.values()))]), axes)


FORMS = pytest.mark.parametrize("name", ["losses", "mean output", "distance", "whole"])
"""One of each form, where what is inside of a sum over examples cannot matter."""

ALONE = {"mesh": devices(t=1), "points_per_call": 3}
"""One program of each measure, which most tests share."""


@pytest.fixture(scope="module")
def whole():
    """Every measure on one device, in three calls."""
    return {name: measured(name, **ALONE) for name in MEASURES}


@EVERY
def test_it_is_what_the_networks_give_one_by_one(name, whole):
    result, values = expected(name, LINES[0], TS)
    same(whole[name].result, result)
    same(whole[name].values, values)
    if name == "whole":  # every point begins where the one before left off
        np.testing.assert_array_equal(whole[name].result["before"], range(len(TS)))


@pytest.mark.parametrize("name", ["moments", "whole"])
def test_the_points_of_a_call_change_no_bit(name, whole):
    in_one = measured(name, mesh=devices(t=1))
    jax.tree.map(np.testing.assert_array_equal, in_one, whole[name])


def test_slopes_and_gradients_are_derivatives_of_the_mean_loss(whole):
    found = whole["losses"]

    def mean(params):
        return loss(params, DATA)["loss"].mean()

    with jax.enable_x64(True):
        line = jax.tree.map(np.float64, LINES[0])
        gradient = jax.jit(jax.grad(mean))
        slopes = jax.jit(jax.grad(lambda t: mean(network(line, t))))
        for row, t in enumerate(TS[1:-1], start=1):
            leaves = jax.tree.leaves(gradient(network(line, t)))
            norm = np.sqrt(sum((np.asarray(leaf) ** 2).sum() for leaf in leaves))
            assert found.result[row] == pytest.approx(norm, rel=1e-4)
            assert found.values["slope"][row].mean() == pytest.approx(float(slopes(t)), rel=1e-3)


@pytest.mark.parametrize(
    ("name", "axes"),
    [
        *((name, {"data": 2}) for name in MEASURES),
        *((name, {axis: 2}) for axis in ("t", "pair") for name in ("moments", "distance", "whole")),
    ],
    ids=str,
)
def test_devices_do_not_change_the_numbers(name, axes, whole):
    found = measured(name, mesh=devices(**axes), points_per_call=3)
    alone = whole[name]
    if name == "whole":
        assert found.result.pop("before").max() < 6
        alone = alone._replace(result={k: v for k, v in alone.result.items() if k != "before"})
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), found, alone)


@FORMS
def test_many_paths_are_each_measured_as_if_alone(name):
    seen = []
    together = measured(name, LINES, finished=seen.append)
    assert seen[-1] == len(LINES) * len(TS)
    for i, line in enumerate(LINES):
        result, values = expected(name, line, TS)
        same(together.of_path(i).result, result)
        same(together.of_path(i).values, values)


@FORMS
def test_networks_that_are_given_are_a_path(name, whole):
    stacked = jax.tree.map(
        lambda *leaves: np.stack(leaves), *(network(LINES[0], np.float32(t)) for t in TS)
    )
    if name == "losses":
        with pytest.raises(ConfigError, match="slopes are defined on curves"):
            along(MEASURES[name], Networks(stacked), None, DATA)
        return
    found = along(MEASURES[name], Networks(stacked), None, DATA, Execution(4))
    same(found.result, expected(name, LINES[0], TS)[0])
    some = along(MEASURES[name], Networks(stacked), [5, 2], DATA, Execution(4))
    if name != "whole":
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b[[5, 2]], rtol=1e-5, atol=1e-6), some, found
        )


class Stopped(RuntimeError):
    pass


def stop(done):
    if done >= 3:
        raise Stopped


@EVERY
def test_what_was_stopped_goes_on_where_it_was(name, whole, tmp_path):
    options = {**ALONE, "cells": tmp_path}
    with pytest.raises(Stopped):
        measured(name, finished=stop, **options)
    seen = []
    rest = measured(name, finished=seen.append, **options)
    assert seen[0] == 3
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, b), rest, whole[name])
    seen.clear()
    again = measured(name, finished=seen.append, **{**options, "points_per_call": 16})
    assert seen == [len(TS)]
    jax.tree.map(np.testing.assert_array_equal, again, rest)
    # Another grid on the same path and data finds its points, and adds others.
    seen.clear()
    measured(name, ts=[0, 0.25, 1], finished=seen.append, **options)
    assert seen == [2, 3]
    other = DATA.head(10)
    with pytest.raises(CheckpointError, match=r"another measurement \(data is another"):
        along(MEASURES[name], LINES[0], TS, other, Execution(batch_size=4, cells=tmp_path))


@pytest.mark.parametrize("name", ["moments", "distance"])
def test_a_budget_of_memory_changes_no_value(name, whole):
    sizes = {"mesh": devices(t=1), "batch_size": 2, "points_per_call": 2}
    with pytest.raises(ConfigError, match="memory is 10 bytes, and one example at one") as refused:
        measured(name, memory=10, **sizes)
    # What it names is enough, and only for one example at one point.
    needed = int(str(refused.value).split("point needs ")[1].split(" on a")[0].replace(",", ""))
    calls = []
    found = measured(name, memory=needed, finished=calls.append, **sizes)
    assert calls == list(range(1, len(TS) + 1))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), found, whole[name]
    )


@EVERY
def test_other_weights_points_and_data_run_the_same_program(name, whole):
    CALLED.clear()
    for seed, count in itertools.product((0, 1), (2, 5, 7)):
        data = zoo.examples(seed=seed).head(11)
        along(MEASURES[name], LINES[seed], count, data, Execution(4, **ALONE))
    if name == "distance":
        other = dataclasses.replace(MEASURES[name], scale=3.0)
        found = along(other, LINES[0], TS, DATA, Execution(4, **ALONE))
        np.testing.assert_allclose(found.result, 1.5 * whole[name].result, rtol=1e-5)
    assert not CALLED


def shifted(params, batches):
    """A refresh that is seen in the outputs: the last bias becomes a mean over its examples."""
    layers = params["params"]
    mean = batches.inputs.mean(axis=(0, 1))[:3]
    return {"params": {**layers, "Dense_2": {**layers["Dense_2"], "bias": mean}}}


@pytest.mark.parametrize("name", ["losses", "mean output", "whole"])
def test_statistics_are_recomputed_at_every_point(name):
    train = zoo.examples(seed=5)
    found = measured(name, refresh=shifted, refresh_data=train, mesh=devices(data=2))

    # In the batches that are full: 3 of 4.
    batches = jax.tree.map(lambda leaf: leaf.reshape(3, 4, *leaf.shape[1:]), train)

    def networks(t):
        return shifted(network(LINES[0], t), batches)

    result, values = expected(name, networks, TS)
    if name != "whole":  # which compares with the ends as they were given
        same(found.result, result)
        same(found.values, values)
    if name == "whole":
        same(found.result["total"], result["total"])


@dataclasses.dataclass(frozen=True)
class ByMixture(MixtureRefresh):
    def __call__(self, params, batches, mixture):
        return jax.tree.map(lambda leaf: leaf * (1 + mixture[1]), params)


def test_a_refresh_may_know_where_the_point_lies():
    found = measured("mean output", refresh=ByMixture())
    result, _ = expected(
        "mean output", lambda t: jax.tree.map(lambda leaf: leaf * (1 + t), network(LINES[0], t)), TS
    )
    same(found.result, result)


def test_a_number_of_points_is_that_many_between_the_ends():
    same(measured("largest", ts=7).result, measured("largest").result)
    with pytest.raises(ConfigError, match="1 equispaced points of the interval"):
        measured("largest", ts=1)
    triangle = paths.simplex([zoo.draw(zoo.mlp, seed) for seed in range(3)])
    with pytest.raises(ConfigError, match="points of the simplex are no grid"):
        measured("largest", triangle, ts=5)
    with pytest.raises(ConfigError, match="both ends of a curve, not on the simplex"):
        measured("distance", triangle, ts=np.eye(3))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: measured("largest", ts=[0, 1.1]), StructureError, "lies outside"),
        (lambda: measured("largest", []), StructureError, "there is no path"),
        (
            lambda: measured("largest", [LINES[0], paths.bezier(*map(zoo.draw, 2 * [zoo.mlp]))]),
            StructureError,
            "path 1 is of another family",
        ),
        (lambda: Execution(batch_size=0), ConfigError, "batch_size is 0"),
        (lambda: Execution(points_per_call=0), ConfigError, "points_per_call is 0"),
        (
            lambda: measured("largest", mesh=jax.make_mesh((2,), ("model",))),
            ConfigError,
            "the mesh has the axis 'model'",
        ),
        (lambda: along(MEASURES["largest"], LINES[0], 3), ConfigError, "pass data"),
        (
            lambda: along(MEASURES["largest"], Networks({"w": np.ones((2, 3))}), [0, 2], DATA),
            StructureError,
            "points of 2 networks, numbered from 0, are refused: 2 is none",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_data_come_as_fields_a_mapping_or_a_pair():
    classify = landscape.Classification(zoo.mlp)
    found = [
        landscape.evaluate(classify, LINES[0], 3, data).values["loss"]
        for data in (
            DATA,
            {"inputs": DATA.inputs, "labels": DATA.labels},
            (DATA.inputs, DATA.labels),
        )
    ]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_no_public_function_has_more_than_eight_parameters():
    import inspect

    from mconn import functions

    for area in (measure, landscape, functions):
        for name in area.__all__:
            each = getattr(area, name)
            if inspect.isfunction(each):
                assert len(inspect.signature(each).parameters) <= 8, name


def test_a_bend_of_a_chain_moves_by_the_mean_of_both_sides():
    path = paths.chain(*(zoo.draw(zoo.mlp, seed) for seed in (0, 1)), 1)
    velocity = jax.jit(measure.velocity)
    left, middle, right = (
        jax.tree.leaves(velocity(path, np.float32(t))) for t in (0.25, 0.5, 0.75)
    )
    for a, b, c in zip(left, right, middle, strict=True):
        np.testing.assert_allclose(c, (a + b) / 2, atol=1e-5)
