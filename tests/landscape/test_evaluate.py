import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problem import Examples, apply, examples, network

from mconn import landscape, paths
from mconn.errors import ConfigError, DataError, StructureError
from mconn.measure import Execution


def mesh(devices):
    return jax.sharding.Mesh(np.array(jax.local_devices()[:devices]), ("t",))


classify = landscape.Classification(apply)
line = paths.line(network(0), network(1))


def test_every_value_is_that_of_the_network_at_the_point():
    data = examples(23)
    ts = np.linspace(0, 1, 7)
    profile = landscape.evaluate(
        classify, line, ts, data, execution=Execution(batch_size=10, points_per_call=4)
    )
    for row, t in enumerate(ts):
        logits = apply(line(jnp.float32(t)), data.inputs)
        loss = -jax.nn.log_softmax(logits)[np.arange(23), data.labels]
        error = np.argmax(logits, axis=-1) != data.labels
        np.testing.assert_allclose(profile.values["loss"][row], loss, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(profile.values["error"][row], error)
    np.testing.assert_allclose(profile.mixture, np.stack([1 - ts, ts], axis=1), atol=1e-7)


@pytest.mark.parametrize("batch_size", [1, 7, 23, 100])
@pytest.mark.parametrize("points_per_call", [1, 3, 50])
def test_chunks_do_not_change_the_values(batch_size, points_per_call):
    data, ts = examples(23), np.linspace(0, 1, 5)
    whole = landscape.evaluate(classify, line, ts, data)
    chunked = landscape.evaluate(
        classify,
        line,
        ts,
        data,
        execution=Execution(batch_size=batch_size, points_per_call=points_per_call),
    )
    assert whole.values["loss"].shape == (5, 23)
    np.testing.assert_allclose(chunked.values["loss"], whole.values["loss"], rtol=1e-5, atol=1e-6)


def test_one_device_and_two_give_the_same_values():
    assert jax.local_device_count() == 2
    data, ts = examples(16), np.linspace(0, 1, 5)
    two = landscape.evaluate(classify, line, ts, data)
    one = landscape.evaluate(classify, line, ts, data, execution=Execution(mesh=mesh(1)))
    np.testing.assert_allclose(one.values["loss"], two.values["loss"], rtol=1e-6)


def test_a_second_path_of_any_number_of_points_does_not_compile_again():
    data = examples(16)
    counted = chex.assert_max_traces(apply, n=1)
    eval_fn = landscape.Classification(counted)
    other = paths.line(network(2), network(3))
    landscape.evaluate(
        eval_fn, line, np.linspace(0, 1, 9), data, execution=Execution(points_per_call=4)
    )
    landscape.evaluate(
        eval_fn, other, np.linspace(0, 1, 31), data, execution=Execution(points_per_call=4)
    )
    landscape.evaluate(
        eval_fn,
        other,
        np.linspace(0, 1, 6),
        examples(16, seed=1),
        execution=Execution(points_per_call=4),
    )


def test_the_ends_are_evaluated():
    data = examples(16)
    profile = landscape.evaluate(classify, line, np.linspace(0, 1, 3), data)
    for row, end in ((0, network(0)), (2, network(1))):
        expected = classify(end, data)["loss"]
        np.testing.assert_allclose(profile.values["loss"][row], expected, rtol=1e-6)


def test_statistics_are_recomputed_at_every_point():
    def normalised(params, inputs):
        hidden = (inputs @ params["in"] - params["mean"]) / jnp.sqrt(params["variance"])
        return hidden @ params["out"]

    def refresh(params, batches):
        hidden = batches.inputs.reshape(-1, 5) @ params["in"]
        return {**params, "mean": hidden.mean(axis=0), "variance": hidden.var(axis=0)}

    stale = {"mean": np.zeros(7, np.float32), "variance": np.ones(7, np.float32)}
    path = paths.line({**network(0), **stale}, {**network(1), **stale})
    data, training = examples(20), examples(40, seed=2)
    profile = landscape.evaluate(
        landscape.Classification(normalised),
        path,
        np.linspace(0, 1, 3),
        data,
        execution=Execution(refresh=refresh, refresh_data=training, batch_size=20),
    )
    middle = refresh(path(0.5), training)
    expected = landscape.Classification(normalised)(middle, data)["loss"]
    np.testing.assert_allclose(profile.values["loss"][1], expected, rtol=1e-4)
    assert profile.normaliser == "recompute"


def test_a_mixture_of_three_networks():
    path = paths.simplex([network(seed) for seed in range(3)])
    ts = np.array([*np.eye(3), [1 / 3] * 3])
    profile = landscape.evaluate(classify, path, ts, examples(8))
    estimate = landscape.barrier(profile, "multi")
    means = profile.mean("loss")
    assert estimate.value == pytest.approx(max(0, means[3] - means[:3].mean()), abs=1e-6)


@pytest.mark.parametrize("ts", [[0, 1.1], [-0.1, 1], [], [0, np.nan]])
def test_points_outside_the_domain_are_refused(ts):
    with pytest.raises(StructureError, match="points of the interval are refused"):
        landscape.evaluate(classify, line, np.array(ts), examples(4))


def test_weights_that_do_not_sum_to_one_are_refused():
    path = paths.simplex([network(0), network(1)])
    with pytest.raises(StructureError, match="sum to one"):
        landscape.evaluate(classify, path, np.array([[1, 0], [0.5, 0.6]]), examples(4))


@pytest.mark.parametrize("data", [examples(0), Examples(np.ones((3, 5)), np.ones(4, int))])
def test_empty_or_ragged_data_are_refused(data):
    with pytest.raises(DataError, match="one non-zero number of examples"):
        landscape.evaluate(classify, line, np.array([0.0, 1.0]), data)


def test_a_metric_must_be_one_number_per_example():
    def per_class(params, batch):
        return {"loss": apply(params, batch.inputs)}

    with pytest.raises(StructureError, match=r"metric 'loss' of 4 examples has the shape \(4, 3\)"):
        landscape.evaluate(per_class, line, np.array([0.0, 1.0]), examples(4))


@pytest.mark.parametrize("name", ["batch_size", "points_per_call"])
def test_empty_batches_and_calls_are_refused(name):
    with pytest.raises(ConfigError, match=f"{name} is 0"):
        landscape.evaluate(
            classify, line, np.array([0.0, 1.0]), examples(4), execution=Execution(**{name: 0})
        )


def test_more_devices_than_points_are_left_alone():
    ts = np.array([0.0])
    profile = landscape.evaluate(classify, line, ts, examples(4), execution=Execution(mesh=mesh(2)))
    assert profile.values["loss"].shape == (1, 4)
