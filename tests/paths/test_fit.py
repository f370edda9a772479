import contextlib
import dataclasses
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mconn import landscape, models, paths, trees
from mconn.errors import CheckpointError, ConfigError, DataError, DivergenceError, StructureError
from mconn.progress import Progress, Task
from mconn.training import Optimiser


class Examples(NamedTuple):
    inputs: np.ndarray
    labels: np.ndarray


def apply(params, inputs):
    return jnp.tanh(inputs @ params["in"]) @ params["out"]


def network(seed):
    generator = np.random.default_rng(seed)
    return {
        "in": generator.normal(size=(5, 7)).astype(np.float32),
        "out": generator.normal(size=(7, 3)).astype(np.float32),
    }


def examples(count, seed=9):
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(count, 5)).astype(np.float32)
    return Examples(inputs, np.argmax(inputs[:, :3], axis=1).astype(np.int32))


def ring(params, batch):
    """Zero on the unit circle, one at its centre: the line between antipodes is blocked."""
    square = jnp.sum(params["x"] ** 2)
    return {"loss": jnp.full(len(batch), (square - 1) ** 2)}


A, B = network(0), network(1)
LEFT, RIGHT = ({"x": np.array([x, 0.0], np.float32)} for x in (-1, 1))
DATA = examples(64)
NOTHING = np.zeros(8, np.float32)
KEY = jax.random.key(0)
classify = landscape.Classification(apply)


def quick(**changes):
    given = {"epochs": 3, "batch_size": 16, "optimiser": Optimiser("sgd", 0.05), **changes}
    return paths.FitConfig(**given)


def around():
    """A curve from left to right whose bend lies a little to the side."""
    path = paths.bezier(LEFT, RIGHT)
    return dataclasses.replace(path, controls={"x": path.controls["x"].at[1, 1].set(0.3)})


class Stop(Exception):
    pass


class Stopping(Progress):
    """Progress that stops a fit after two epochs."""

    @contextlib.contextmanager
    def task(self, description, *, total, unit="step"):
        class Stopper(Task):
            def update(self, completed, **fields):
                if completed == 2:
                    raise Stop

        yield Stopper()


def assert_bits_equal(x, y):
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(np.asarray(a), np.asarray(b)), x, y)


@pytest.mark.parametrize("family", [paths.bezier, paths.chain])
def test_only_the_bends_move_and_the_ends_stay_to_the_bit(family):
    before = family(A, B, bends=3)
    fitted = paths.fit(classify, before, DATA, quick(), KEY)
    assert_bits_equal(fitted.path(0), A)
    assert_bits_equal(fitted.path(1), B)
    for bend in (1, 2, 3):
        moved = trees.distance(
            trees.index(fitted.path.controls, bend), trees.index(before.controls, bend)
        )
        assert moved > 0.01
    assert fitted.samples == 3 * 64
    assert all(len(values) == 3 for values in fitted.history.values())


def test_neither_the_path_nor_the_data_are_changed():
    before = paths.bezier(A, B)
    kept, data = trees.to_numpy(before), jax.tree.map(np.copy, DATA)
    paths.fit(classify, before, DATA, quick(), KEY)
    assert_bits_equal(before, kept)
    assert_bits_equal(DATA, data)


def test_a_step_is_the_gradient_of_the_mean_loss_at_the_point():
    """By hand: one batch of all examples, one t, the bend moves by -lr dL/dbend."""

    @dataclasses.dataclass(frozen=True)
    class At:
        t: float

        def __call__(self, key, path, points):
            return jnp.full(points, self.t)

    t, rate, decay = 0.3, 0.1, 0.01
    config = quick(
        epochs=1,
        batch_size=64,
        optimiser=Optimiser("sgd", rate, momentum=0.0, schedule="constant"),
        sampling=At(t),
        weight_decay=decay,
    )
    before = paths.bezier(A, B)
    after = paths.fit(classify, before, DATA, config, KEY).path
    point = before(t)
    gradient = jax.grad(lambda p: classify(p, DATA)["loss"].mean())(point)
    expected = jax.tree.map(
        lambda c, g, x: c[1] - rate * 2 * t * (1 - t) * (g + decay * x),
        before.controls,
        gradient,
        point,
    )
    chex.assert_trees_all_close(trees.index(after.controls, 1), expected, atol=1e-6)


OBJECTIVES = {
    "mean": paths.Mean(),
    "soft maximum": paths.SoftMaximum(0.3, 0.01),
    "maximum": paths.Maximum(),
}


@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)
def test_every_objective_finds_the_way_around(objective):
    config = quick(
        epochs=60,
        batch_size=2,
        points=5,
        objective=objective,
        optimiser=Optimiser("adam", 0.05),
    )
    ts = np.linspace(0, 1, 21)
    before = landscape.evaluate(ring, around(), ts, NOTHING).mean("loss").max()
    fitted = paths.fit(ring, around(), NOTHING, config, KEY)
    after = landscape.evaluate(ring, fitted.path, ts, NOTHING).mean("loss").max()
    assert before > 0.9
    assert after < 0.25  # a parabola through (-1, 0) and (1, 0) is not a circle


def test_the_soft_maximum_has_a_lower_peak_and_a_higher_mean_than_the_mean_objective():
    ts = np.linspace(0, 1, 41)
    peaks, means = [], []
    for objective in (paths.Mean(), paths.SoftMaximum(0.3, 0.003)):
        config = quick(
            epochs=150,
            batch_size=1,
            points=9,
            objective=objective,
            optimiser=Optimiser("adam", 0.02),
        )
        fitted = paths.fit(ring, around(), NOTHING, config, KEY)
        losses = landscape.evaluate(ring, fitted.path, ts, NOTHING).mean("loss")
        peaks.append(losses.max())
        means.append(losses.mean())
    assert peaks[1] < 0.9 * peaks[0]
    assert means[1] > means[0]


def test_a_soft_maximum_lies_between_mean_and_maximum():
    losses = jnp.array([0.1, 0.5, 2.0])
    mean, largest = float(losses.mean()), float(losses.max())
    soft = paths.SoftMaximum(1e3, 1e-3)
    assert float(soft(losses, jnp.float32(0))) == pytest.approx(mean, rel=1e-2)
    assert float(soft(losses, jnp.float32(1))) == pytest.approx(largest, rel=1e-2)
    assert mean < float(soft(losses, jnp.float32(0.5))) < largest


def test_paths_that_are_fitted_together_end_as_one_by_one():
    starts = [paths.bezier(network(i), network(i + 1)) for i in range(3)]
    keys = jax.random.split(KEY, 3)
    config = quick(points=2, sampling=paths.UniformLength(), average=0.5)
    together = paths.fit_many(classify, starts, DATA, config, keys)
    for start, key, fitted in zip(starts, keys, together, strict=True):
        alone = paths.fit(classify, start, DATA, config, key)
        chex.assert_trees_all_close(fitted.path.controls, alone.path.controls, atol=1e-5)
        np.testing.assert_allclose(fitted.history["loss"], alone.history["loss"], rtol=1e-4)


def test_the_average_is_that_of_the_last_iterates():
    """With one step per epoch, and averages that begin at each of the last steps."""

    def after(epochs, average):
        config = quick(
            epochs=epochs,
            batch_size=64,
            average=average,
            optimiser=Optimiser("sgd", 0.1, schedule="constant"),
        )
        return paths.fit(classify, paths.bezier(A, B), DATA, config, KEY).path.controls

    iterates = [after(epochs, 0.0) for epochs in (3, 4)]
    mean = jax.tree.map(lambda x, y: (x + y) / 2, *iterates)
    chex.assert_trees_all_close(after(4, 0.5), mean, atol=1e-6)


def test_a_penalty_moves_the_bend():
    @dataclasses.dataclass(frozen=True)
    class Near:
        weight: float

        def __call__(self, path):
            apart = jax.tree.map(lambda c: jnp.sum((c[1] - c[0]) ** 2), path.controls)
            return self.weight * sum(jax.tree.leaves(apart))

    def distance(penalty):
        fitted = paths.fit(classify, paths.bezier(A, B), DATA, quick(penalty=penalty), KEY)
        return float(trees.distance(trees.index(fitted.path.controls, 1), A))

    assert distance(Near(1.0)) < 0.9 * distance(None)


def test_a_second_fit_does_not_compile_again():
    counted = landscape.Classification(chex.assert_max_traces(apply, n=1))
    for seed in range(3):
        path = paths.bezier(network(seed), network(seed + 1))
        paths.fit(counted, path, examples(64, seed), quick(), jax.random.key(seed))


def test_a_batchnorm_network_trains_on_its_batches_statistics_and_leaves_running_ones_alone():
    model = models.MLP(width=8, depth=2, classes=3, normaliser="batch")
    data = examples(64)
    a, b = (model.init(jax.random.key(i), data.inputs[:1]) for i in range(2))
    # Running statistics that fit nothing must not matter.
    a["batch_stats"] = jax.tree.map(lambda x: x + 100, a["batch_stats"])
    path = paths.bezier(a, b)
    training = landscape.Classification(landscape.TrainingMode(model))
    config = quick(epochs=20, optimiser=Optimiser("sgd", 0.1))
    fitted = paths.fit(training, path, data, config, KEY)
    assert fitted.history["loss"][-1] < 0.7 * fitted.history["loss"][0]
    assert_bits_equal(fitted.path.controls["batch_stats"], path.controls["batch_stats"])


def test_a_fit_that_is_stopped_goes_on_to_the_same_bits(tmp_path):
    path, config = paths.bezier(A, B), quick(epochs=4, points=2, average=0.6)
    whole = paths.fit(classify, path, DATA, config, KEY)
    with pytest.raises(Stop):
        paths.fit(classify, path, DATA, config, KEY, keeper=tmp_path / "fit", progress=Stopping())
    resumed = paths.fit(classify, path, DATA, config, KEY, keeper=tmp_path / "fit")
    assert_bits_equal(resumed.path.controls, whole.path.controls)
    np.testing.assert_array_equal(resumed.history["loss"], whole.history["loss"])
    with pytest.raises(CheckpointError, match="belongs to another fit"):
        paths.fit(classify, paths.bezier(B, A), DATA, config, KEY, keeper=tmp_path / "fit")


def test_examples_split_over_two_devices_give_the_same_path():
    mesh = jax.sharding.Mesh(np.array(jax.local_devices()[:2]).reshape(1, 2), ("t", "data"))
    config = quick(points=2)
    one = paths.fit(classify, paths.bezier(A, B), DATA, config, KEY)
    two = paths.fit(classify, paths.bezier(A, B), DATA, config, KEY, mesh=mesh)
    chex.assert_trees_all_close(one.path.controls, two.path.controls, atol=1e-5)


def test_a_loss_that_is_not_finite_stops_the_fit():
    config = quick(batch_size=4, optimiser=Optimiser("sgd", 1e30))
    with pytest.raises(DivergenceError, match="not finite in epoch 1 of the fit"):
        paths.fit(ring, around(), NOTHING, config, KEY)


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(StructureError, match="no free control point"):
        paths.fit(classify, paths.line(A, B), DATA, quick(), KEY)
    with pytest.raises(DataError, match="64 examples and batch_size is 100"):
        paths.fit(classify, paths.bezier(A, B), DATA, quick(batch_size=100), KEY)
    with pytest.raises(DataError, match="one non-zero number of examples"):
        paths.fit(classify, paths.bezier(A, B), examples(0), quick(), KEY)
    with pytest.raises(StructureError, match="different families"):
        paths.fit_many(
            classify,
            [paths.bezier(A, B), paths.chain(A, B)],
            DATA,
            quick(),
            jax.random.split(KEY, 2),
        )
    with pytest.raises(StructureError, match="no path to fit"):
        paths.fit_many(classify, [], DATA, quick(), jax.random.split(KEY, 0))
    mesh = jax.sharding.Mesh(np.array(jax.local_devices()[:1]), ("rows",))
    with pytest.raises(ConfigError, match="axis 'rows'"):
        paths.fit(classify, paths.bezier(A, B), DATA, quick(), KEY, mesh=mesh)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"points": 0}, "points is 0"),
        ({"objective": paths.Maximum()}, "at several points"),
        ({"optimiser": Optimiser("sgd", 0.1, weight_decay=0.1)}, "the optimiser's weight_decay"),
        ({"weight_decay": -1.0}, "weight_decay is -1"),
        ({"average": 1.0}, "average is 1"),
    ],
)
def test_a_config_out_of_range_is_refused(changes, sentence):
    with pytest.raises(ConfigError, match=sentence):
        quick(**changes)


def test_a_temperature_that_rises_is_refused():
    with pytest.raises(ConfigError, match=r"from 0\.1 to 1"):
        paths.SoftMaximum(0.1, 1.0)
