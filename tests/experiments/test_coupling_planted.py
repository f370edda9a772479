"""The four counterexamples to the coupling statement, exact, on a random network."""

import jax
import numpy as np
import pytest

from experiments.features.coupling_constructions import with_copy, without_unit
from mconn import features, paths, symmetry
from mconn.models import MLP

MODEL = MLP(width=8, depth=2, classes=3)
LAYER = "Dense_1"
TS = np.linspace(0, 1, 5)


def network(seed):
    random = np.random.default_rng(seed)
    shapes = jax.eval_shape(MODEL.init, jax.random.key(0), np.zeros((1, 6)))
    return jax.tree.map(lambda leaf: random.normal(size=leaf.shape), shapes)


@pytest.fixture(scope="module")
def inputs():
    return np.random.default_rng(9).normal(size=(200, 6))


@pytest.fixture(scope="module")
def group(inputs):
    return symmetry.discover(MODEL.apply, network(0), inputs[:2])


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def unit_features(group, params, inputs):
    return features.capture(features.Units(group, MODEL.apply), params, inputs)[LAYER]


@jax.jit
def run(path, t, inputs):
    return MODEL.apply(path(t), inputs)


def assert_same_function(path, inputs):
    outputs = [np.asarray(run(path, t, inputs)) for t in TS]
    for each in outputs:
        np.testing.assert_allclose(each, outputs[0], rtol=1e-9, atol=1e-9)


def test_a_unit_that_nothing_reads_changes_features_at_a_constant_loss(group, inputs):
    moved = symmetry.permutations(group)
    start = without_unit(moved, LAYER, network(0), unit=2)
    stop = with_copy(moved, LAYER, start, unit=2, source=5, scale=10.0)
    assert_same_function(paths.line(start, stop), inputs)
    here, there = (unit_features(group, each, inputs) for each in (start, stop))
    assert features.procrustes(here, there).residual > 0.1


def test_rescaled_rectifiers_change_features_by_no_rotation(group, inputs):
    tangent = {
        each.name: np.random.default_rng(0).normal(size=each.shape)
        for each in group.generators
        if each.kind == "scaling"
    }
    orbit = jax.jit(lambda tangent, params: paths.orbit_along(group, tangent, params))
    path = orbit(tangent, network(0))
    assert_same_function(path, inputs)
    here, there = (unit_features(group, each, inputs) for each in (path.start, path.end))
    assert features.procrustes(here, there).residual > 0.05


def test_the_rotation_between_ends_does_not_know_how_they_are_joined(group, inputs):
    a, b = network(0), network(1)
    moved = symmetry.permutations(group)
    aligned = symmetry.act(moved, symmetry.random_element(moved, jax.random.key(0)), b)
    here, *there = (unit_features(group, each, inputs) for each in (a, b, aligned))
    residuals = [features.procrustes(here, each).residual for each in there]
    assert residuals[0] == pytest.approx(residuals[1], abs=1e-9)
    half_way = [np.asarray(run(paths.line(a, each), 0.5, inputs)) for each in (b, aligned)]
    assert abs(half_way[0] - half_way[1]).max() > 0.1


def test_a_permuted_copy_is_a_rotation_and_not_connected_by_the_line(group, inputs):
    a = network(0)
    moved = symmetry.permutations(group)
    copy = symmetry.act(moved, symmetry.random_element(moved, jax.random.key(0)), a)
    here, there = (unit_features(group, each, inputs) for each in (a, copy))
    assert features.procrustes(here, there).residual < 1e-12
    assert features.linear_cka(here, there) == pytest.approx(1, abs=1e-10)
    assert features.sample_space_angles(here, there).max() < 1e-6
    outputs = [np.asarray(run(paths.line(a, copy), t, inputs)) for t in (0.0, 0.5, 1.0)]
    assert abs(outputs[2] - outputs[0]).max() < 1e-9
    assert abs(outputs[1] - outputs[0]).max() > 0.1
