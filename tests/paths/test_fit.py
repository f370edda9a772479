import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from curves import along, assert_bits_equal, at, distance, entry
from notes import Recorder

from mconn import landscape, models, paths, saving, trees
from mconn.data import Split
from mconn.errors import CheckpointError, ConfigError, DataError, DivergenceError, StructureError
from mconn.paths.fit import _check
from mconn.training import Optimiser


def apply(params, inputs):
    return jnp.tanh(inputs @ params["in"]) @ params["out"]


def network(seed):
    rng = np.random.default_rng(seed)
    return {
        "in": rng.normal(size=(5, 7)).astype(np.float32),
        "out": rng.normal(size=(7, 3)).astype(np.float32),
    }


def examples(count, seed=9):
    inputs = np.random.default_rng(seed).normal(size=(count, 5)).astype(np.float32)
    return Split(inputs, np.argmax(inputs[:, :3], axis=1).astype(np.int32))


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


LONGER = quick(epochs=4, points=2, average=0.6)


def around():
    """A curve from left to right whose bend lies a little to the side."""
    path = paths.bezier(LEFT, RIGHT)
    return dataclasses.replace(path, controls={"x": path.controls["x"].at[1, 1].set(0.3)})


@pytest.fixture(scope="module")
def plain():
    return paths.fit(classify, paths.bezier(A, B), DATA, quick(), KEY)


@pytest.fixture(scope="module")
def whole():
    return paths.fit(classify, paths.bezier(A, B), DATA, LONGER, KEY)


def test_only_the_bends_move_and_the_ends_stay_to_the_bit(plain):
    start = paths.chain(A, B, bends=3)
    kept, data = trees.to_numpy((start, DATA))
    chain = paths.fit(classify, start, DATA, quick(), KEY)
    assert_bits_equal((start, DATA), (kept, data))
    for before, fitted in ((paths.bezier(A, B), plain), (start, chain)):
        points = along(fitted.path, np.linspace(0, 1, 3, dtype=np.float32))
        assert_bits_equal(entry(points, 0), A)
        assert_bits_equal(entry(points, 2), B)
        for bend in range(1, before.count - 1):
            moved = distance(entry(fitted.path.controls, bend), entry(before.controls, bend))
            assert moved > 0.01
        assert fitted.samples == 3 * 64
        assert all(len(values) == 3 for values in fitted.history.values())


@dataclasses.dataclass(frozen=True)
class At:
    t: float

    def __call__(self, key, path, points):
        return jnp.full(points, self.t)


@dataclasses.dataclass(frozen=True)
class Near:
    weight: float

    def __call__(self, path):
        apart = jax.tree.map(lambda c: jnp.sum((c[1] - c[0]) ** 2), path.controls)
        return self.weight * sum(jax.tree.leaves(apart))


def test_a_step_is_the_gradient_of_the_mean_loss_at_the_point():
    """By hand: one batch of all examples, one t, the bend moves by -lr dL/dbend.

    Weight decay belongs to the loss at the point, and a penalty to the path.
    """
    t, rate, decay, pull = 0.3, 0.1, 0.01, 0.2
    config = quick(
        epochs=1,
        batch_size=64,
        optimiser=Optimiser("sgd", rate, momentum=0.0, schedule="constant"),
        sampling=At(t),
        weight_decay=decay,
        penalty=Near(pull),
    )
    before = paths.bezier(A, B)
    after = paths.fit(classify, before, DATA, config, KEY).path
    point = at(before, t)
    gradient = jax.jit(jax.grad(lambda p: classify(p, DATA)["loss"].mean()))(point)
    expected = jax.tree.map(
        lambda c, a, g, x: c - rate * (2 * t * (1 - t) * (g + decay * x) + pull * 2 * (c - a)),
        entry(before.controls, 1),
        A,
        trees.to_numpy(gradient),
        trees.to_numpy(point),
    )
    chex.assert_trees_all_close(entry(after.controls, 1), expected, atol=1e-6)


def test_every_objective_finds_the_way_around_and_the_soft_maximum_has_a_lower_peak():
    def losses(path):
        points = np.asarray(along(path, np.linspace(0, 1, 41, dtype=np.float32))["x"])
        return ((points**2).sum(axis=1) - 1) ** 2

    peaks, means = [], []
    for objective in (paths.Mean(), paths.SoftMaximum(0.3, 0.003), paths.Maximum()):
        config = quick(
            epochs=150,
            batch_size=1,
            points=9,
            objective=objective,
            optimiser=Optimiser("adam", 0.02),
        )
        found = losses(paths.fit(ring, around(), NOTHING, config, KEY).path)
        peaks.append(found.max())
        means.append(found.mean())
    assert losses(around()).max() > 0.9
    assert max(peaks) < 0.25  # a parabola through (-1, 0) and (1, 0) is not a circle
    assert peaks[1] < 0.9 * peaks[0]
    assert means[1] > means[0]


def test_a_soft_maximum_lies_between_mean_and_maximum():
    losses = jnp.array([0.1, 0.5, 2.0])
    soft = jax.jit(paths.SoftMaximum(1e3, 1e-3))
    assert float(soft(losses, 0.0)) == pytest.approx(2.6 / 3, rel=1e-2)
    assert float(soft(losses, 1.0)) == pytest.approx(2.0, rel=1e-2)
    assert 2.6 / 3 < float(soft(losses, 0.5)) < 2


MODEL = models.MLP(width=8, depth=1, classes=3, normaliser="batch")
TOGETHER = quick(
    epochs=6,
    points=2,
    sampling=paths.UniformLength(),
    average=0.5,
    weight_decay=1e-3,
    optimiser=Optimiser("sgd", 0.1),
)


def starts():
    """Two curves of a network with BatchNorm, whose running statistics fit nothing."""
    shapes = jax.eval_shape(MODEL.init, jax.random.key(0), DATA.inputs[:1])
    rng = np.random.default_rng(0)
    ends = [
        jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype("f4"), shapes)
        for _ in range(4)
    ]
    for end in ends:
        end["batch_stats"] = jax.tree.map(lambda leaf: leaf + 100, end["batch_stats"])
    return [paths.bezier(*ends[:2]), paths.bezier(*ends[2:])]


training = landscape.Classification(landscape.TrainingMode(MODEL))


@pytest.fixture(scope="module")
def together():
    return paths.fit_many(training, starts(), DATA, TOGETHER, jax.random.split(KEY, 2))


def test_paths_that_are_fitted_together_end_as_one_by_one(together):
    for start, key, fitted in zip(starts(), jax.random.split(KEY, 2), together, strict=True):
        alone = paths.fit(training, start, DATA, TOGETHER, key)
        chex.assert_trees_all_close(fitted.path.controls, alone.path.controls, atol=1e-4)
        np.testing.assert_allclose(fitted.history["loss"], alone.history["loss"], rtol=1e-3)


def test_batchnorm_trains_on_its_batches_statistics_and_leaves_running_ones_alone(together):
    losses = jax.jit(jax.vmap(lambda params: training(params, DATA)["loss"].mean()))
    ts = np.linspace(0.1, 0.9, 9, dtype=np.float32)
    for start, fitted in zip(starts(), together, strict=True):
        before, after = (np.mean(losses(along(path, ts))) for path in (start, fitted.path))
        assert after < 0.95 * before
        assert_bits_equal(fitted.path.controls["batch_stats"], start.controls["batch_stats"])


def test_examples_split_over_two_devices_give_the_same_path(whole):
    mesh = jax.sharding.Mesh(np.array(jax.local_devices()[:2]).reshape(1, 2), ("t", "data"))
    two = paths.fit(classify, paths.bezier(A, B), DATA, LONGER, KEY, mesh=mesh)
    chex.assert_trees_all_close(whole.path.controls, two.path.controls, atol=1e-5)


class Memory:
    """A keeper that is no folder."""

    def __init__(self):
        self.parts = {}

    def bind(self, work, description):
        self.description = {"work": work, **description}

    def names(self):
        return sorted(self.parts)

    def load(self, name):
        return self.parts.get(name)

    def save(self, name, arrays):
        self.parts[name] = dict(arrays)

    def delete(self, name):
        """Keeps all of them."""


AVERAGED = quick(
    epochs=4, batch_size=64, average=0.5, optimiser=Optimiser("sgd", 0.1, schedule="constant")
)
counted = landscape.Classification(chex.assert_max_traces(apply, n=1))


def test_the_average_is_that_of_the_last_iterates():
    """With one step per epoch, so that every iterate is kept."""
    memory = Memory()
    fitted = paths.fit(counted, paths.bezier(A, B), DATA, AVERAGED, KEY, keeper=memory)
    assert memory.description["work"] == "fit"
    assert memory.description["epochs"] == "4"
    assert len(memory.parts) == 4
    names = [name for name in memory.parts["step-000000004"] if ".free" in name]
    assert len(names) == 2
    for name, leaf in zip(names, jax.tree.leaves(fitted.path.controls), strict=True):
        iterates = [memory.parts[f"step-{step:09d}"][name] for step in (3, 4)]
        np.testing.assert_allclose(leaf[1:-1], np.mean(iterates, axis=0), atol=1e-6)


def test_a_second_fit_does_not_compile_again_and_a_key_is_that_of_seed_0():
    found = []
    for seed, key in ((0, KEY), (0, None), (1, jax.random.key(1))):
        path = paths.bezier(network(seed), network(seed + 1))
        found.append(paths.fit(counted, path, examples(64, seed), AVERAGED, key))
    assert_bits_equal(found[0].path.controls, found[1].path.controls)


def test_a_fit_that_is_stopped_goes_on_to_the_same_bits(tmp_path, whole):
    path, folder = paths.bezier(A, B), tmp_path / "fit"
    with pytest.raises(KeyboardInterrupt):
        paths.fit(classify, path, DATA, LONGER, KEY, keeper=folder, progress=Recorder(2))
    again = Recorder()
    resumed = paths.fit(
        classify, path, DATA, LONGER, KEY, keeper=saving.Folder(folder), progress=again
    )
    assert again.lines == ["fit: going on after epoch 2 of 4"]
    assert_bits_equal(resumed.path.controls, whole.path.controls)
    np.testing.assert_array_equal(resumed.history["loss"], whole.history["loss"])
    with pytest.raises(CheckpointError, match=r"belongs to another fit \(path is another one"):
        paths.fit(classify, paths.bezier(B, A), DATA, LONGER, KEY, keeper=folder)
    with pytest.raises(CheckpointError, match=r"belongs to another fit \(epochs is 4 there, 3"):
        paths.fit(classify, path, DATA, quick(), KEY, keeper=folder)


def test_a_loss_that_is_not_finite_stops_the_fit():
    config = quick(batch_size=4, optimiser=Optimiser("sgd", 1e30))
    with pytest.raises(DivergenceError, match=r"not finite in epoch 1 of the fit.*; none is kept"):
        paths.fit(ring, around(), NOTHING, config, KEY)


def test_what_cannot_be_fitted_is_refused():
    curve = paths.bezier(A, B)
    with pytest.raises(StructureError, match="no free control point"):
        paths.fit(classify, paths.line(A, B), DATA, quick(), KEY)
    with pytest.raises(DataError, match="64 examples and batch_size is 128"):
        paths.fit(classify, curve, DATA)
    with pytest.raises(DataError, match="one non-zero number of examples"):
        paths.fit(classify, curve, examples(0), quick(), KEY)
    with pytest.raises(StructureError, match="different families"):
        paths.fit_many(classify, [curve, paths.chain(A, B)], DATA, quick())
    with pytest.raises(StructureError, match="no path to fit"):
        paths.fit_many(classify, [], DATA, quick(), jax.random.split(KEY, 0))
    mesh = jax.sharding.Mesh(np.array(jax.local_devices()[:1]), ("rows",))
    with pytest.raises(ConfigError, match="axis 'rows'"):
        paths.fit(classify, curve, DATA, quick(), KEY, mesh=mesh)
    unchecked = _check.__wrapped__  # beneath the type checker of the tests
    with pytest.raises(StructureError, match="path is a dict, not a ControlledPath: make one"):
        unchecked([A], DATA, quick())
    with pytest.raises(StructureError, match="config is a dict, not a FitConfig: make one"):
        unchecked([curve], DATA, {"epochs": 3})


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
    with pytest.raises(ConfigError, match=r"from 0\.1 to 1"):
        paths.SoftMaximum(0.1, 1.0)
