import jax
import numpy as np
import pytest
from problem import Examples, apply, examples, network

from mconn import landscape, paths
from mconn.errors import DataError, StructureError
from mconn.measure import Execution


def mesh(devices):
    return jax.sharding.Mesh(np.array(jax.local_devices()[:devices]), ("t",))


classify = landscape.Classification(apply)
line = paths.line(network(0), network(1))
logits_at = jax.jit(lambda path, t, inputs: apply(path(t), inputs))


def test_every_value_is_that_of_the_network_at_the_point():
    data = examples(23)
    ts = np.linspace(0, 1, 7)
    profile = landscape.evaluate(
        classify, line, ts, data, execution=Execution(batch_size=10, points_per_call=4)
    )
    for row, t in enumerate(ts):
        logits = np.asarray(logits_at(line, np.float32(t), data.inputs))
        loss = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(23), data.labels]
        error = np.argmax(logits, axis=-1) != data.labels
        np.testing.assert_allclose(profile.values["loss"][row], loss, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(profile.values["error"][row], error)
    np.testing.assert_allclose(profile.mixture, np.stack([1 - ts, ts], axis=1), atol=1e-7)


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
