"""What published tools for landscapes get wrong, each as a guarantee."""

import jax
import numpy as np
import pytest

from mconn import landscape, paths
from mconn.data import Split
from mconn.errors import DivergenceError, StructureError
from mconn.measure import Execution
from mconn.models import MLP
from tests.landscape.problem import CLASSIFY, Examples, apply, examples, network

TS = np.linspace(0, 1, 5)
LINE = paths.line(network(0), network(1))
LOSS_AT = jax.jit(lambda path, t, data: CLASSIFY(path(t), data)["loss"])


def test_both_end_points_are_evaluated_and_are_the_networks_given():
    """A grid by `arange` ends before 1; an end that is rebuilt is not the network given."""
    data = examples(12)
    profile = landscape.evaluate(CLASSIFY, LINE, TS, data)
    assert (profile.t[0], profile.t[-1]) == (0, 1)
    for row, params in ((0, network(0)), (-1, network(1))):
        np.testing.assert_array_equal(
            profile.values["loss"][row], jax.jit(CLASSIFY)(params, data)["loss"]
        )
    with pytest.raises(StructureError, match="end 1 is not among the points"):
        landscape.barrier(landscape.evaluate(CLASSIFY, LINE, np.arange(0, 1, 0.25), data))


def test_neither_networks_nor_data_are_changed():
    """A tool that writes a point into the user's network leaves it there."""
    ends, data = (network(0), network(1)), examples(12)
    line = paths.line(*ends)
    before = jax.tree.map(np.copy, (ends, line.controls, data))
    landscape.evaluate(CLASSIFY, line, TS, data, gradients=True, execution=Execution(batch_size=5))
    landscape.refine(CLASSIFY, line, TS, data, rounds=1)
    plane = paths.plane(*ends, network(2))
    landscape.evaluate_plane(CLASSIFY, plane, TS, TS, data)
    landscape.project(plane, line, TS)
    landscape.random_plane(jax.random.key(0), ends[0])
    landscape.linearise_logits(apply, line, TS, data)
    jax.tree.map(np.testing.assert_array_equal, (ends, line.controls, data), before)


@pytest.mark.parametrize("outside", [-0.5, 1.0001, 1.5, 2.0])
def test_no_point_beyond_the_ends_is_evaluated_or_moved_to_them(outside):
    """Neither alpha above 1, nor t clipped into the interval."""
    with pytest.raises(StructureError, match=r"lies outside \[0, 1\]"):
        landscape.evaluate(CLASSIFY, LINE, [0, outside, 1], examples(4))
    with pytest.raises(StructureError, match="lies outside"):
        landscape.project(paths.plane(*map(network, range(3))), LINE, np.array([0, outside]))


def test_a_loss_is_the_mean_over_examples_whatever_the_batches():
    """A sum over batches, or a mean of the means of unequal batches, depends on their size."""
    data = examples(13)
    profile = landscape.evaluate(CLASSIFY, LINE, TS, data, execution=Execution(batch_size=5))
    twice = Examples(*(np.concatenate([part, part]) for part in data))
    doubled = landscape.evaluate(CLASSIFY, LINE, TS, twice, execution=Execution(batch_size=5))
    expected = [float(np.mean(np.asarray(LOSS_AT(LINE, np.float32(t), data)))) for t in TS]
    np.testing.assert_allclose(profile.mean("loss"), expected, rtol=1e-5)
    np.testing.assert_allclose(doubled.mean("loss"), expected, rtol=1e-5)
    plane = paths.plane(*map(network, range(3)))
    found = landscape.evaluate_plane(
        CLASSIFY, plane, [0], [0], data, execution=Execution(batch_size=5)
    )
    np.testing.assert_allclose(found.mean["loss"], expected[0], rtol=1e-5)


def test_the_network_evaluated_is_the_network_given():
    """A second definition of the layers drifts from the first; here `apply` itself is called."""
    model = MLP(width=8, depth=2, classes=3, normaliser="batch")
    inputs = np.random.default_rng(0).normal(size=(12, 5)).astype(np.float32)
    labels = np.arange(12, dtype=np.int32) % 3
    shapes = jax.eval_shape(model.init, jax.random.key(0), inputs)
    generator = np.random.default_rng(1)
    params = jax.tree.map(
        lambda leaf: np.abs(generator.normal(size=leaf.shape)).astype(np.float32), shapes
    )

    def logits(params, batch):
        found = model.apply(params, batch.inputs)
        return {f"logit {i}": found[:, i] for i in range(3)}

    profile = landscape.evaluate(logits, paths.line(params, params), [0, 1], Split(inputs, labels))
    expected = jax.jit(model.apply)(params, inputs)
    for i in range(3):
        np.testing.assert_array_equal(profile.values[f"logit {i}"][0], expected[:, i])


@pytest.mark.parametrize("batch_size", [4, 13])
def test_examples_are_neither_changed_nor_put_in_another_order(batch_size):
    """Augmented data make a noisy loss; shuffled data pair an example with another one."""

    def see(params, batch):
        return {"label": batch.labels * 1.0, "input": batch.inputs.sum(axis=1)}

    data = examples(13)
    profile = landscape.evaluate(see, LINE, TS, data, execution=Execution(batch_size=batch_size))
    again = landscape.evaluate(see, LINE, TS, data, execution=Execution(batch_size=batch_size))
    for row in range(len(TS)):
        np.testing.assert_array_equal(profile.values["label"][row], data.labels)
        np.testing.assert_allclose(
            profile.values["input"][row], data.inputs.sum(axis=1), rtol=1e-5, atol=1e-6
        )
    for metric, values in profile.values.items():
        np.testing.assert_array_equal(again.values[metric], values)


def test_a_loss_that_is_not_a_number_is_told_not_compared():
    """A check of the kind `loss != loss.nan` never fires, and a NaN loses every comparison."""

    def broken(params, batch):
        loss = CLASSIFY(params, batch)["loss"]
        return {"loss": loss / (params["bias"][0] != LINE(0.5)["bias"][0]) - loss}

    profile = landscape.evaluate(broken, LINE, TS, examples(4))
    np.testing.assert_array_equal(profile.t[profile.not_finite()], [0.5])
    with pytest.raises(DivergenceError, match=r"not finite at t = 0\.5"):
        landscape.barrier(profile, "maximum")
    assert len(profile.finite().t) == 4


def test_both_parameters_of_a_surface_are_used():
    """A surface whose u has no effect is a curve."""
    corners = [network(seed) for seed in range(4)]
    points = [[u, v] for u in (0, 0.5, 1) for v in (0, 0.5, 1)]
    means = landscape.evaluate(CLASSIFY, paths.surface(corners, 2), points, examples(12)).mean(
        "loss"
    )
    assert len(np.unique(means.round(5))) == 9
    for corner, row in ((0, 0), (1, 2), (2, 6), (3, 8)):
        expected = float(jax.jit(CLASSIFY)(corners[corner], examples(12))["loss"].mean())
        assert means[row] == pytest.approx(expected, rel=1e-5)
