"""Similarity in one pass over the examples, against that of whole matrices of features."""

import jax
import numpy as np
import pytest

from mconn import features, paths, symmetry
from mconn.errors import DataError, DivergenceError
from mconn.features.capture import reduce_along
from mconn.models import MLP

MODEL = MLP(width=6, depth=2, activation="tanh")
COUNT = 103  # no multiple of the batch
TS = np.array([0.0, 0.4, 1.0])


def network(seed):
    random = np.random.default_rng(seed)
    shapes = jax.eval_shape(MODEL.init, jax.random.key(0), np.zeros((1, 5)))
    return jax.tree.map(lambda leaf: random.normal(size=leaf.shape), shapes)


@pytest.fixture(scope="module")
def inputs():
    return np.random.default_rng(9).normal(size=(COUNT, 5)) + 2


@pytest.fixture(scope="module")
def units(inputs):
    group = symmetry.discover(MODEL.apply, network(0), inputs[:2])
    return features.Units(group, MODEL.apply)


@pytest.fixture(scope="module")
def found(units, inputs):
    with jax.enable_x64(True):
        path = paths.line(network(0), network(1))
        return features.similarity_along(units, path, TS, inputs, batch_size=25)


def test_one_pass_gives_what_whole_matrices_give(found, units, inputs):
    with jax.enable_x64(True):
        path = paths.line(network(0), network(1))
        ends = [features.capture(units, network(seed), inputs) for seed in (0, 1)]
        for point, t in enumerate(TS):
            here = features.capture(units, path(t), inputs)
            for layer, x in here.items():
                for end, other in enumerate(ends):
                    y, one = other[layer], found[layer]
                    angles = np.arccos(features.canonical(x, y, variance=0.99).correlations.min())
                    expected = {
                        "cka": features.linear_cka(x, y),
                        "biased_cka": features.linear_cka(x, y, debiased=False),
                        "svcca": features.svcca(x, y),
                        "pwcca": features.pwcca(x, y),
                        "procrustes": features.procrustes(x, y).distance,
                    }
                    for name, value in expected.items():
                        assert getattr(one, name)[point, end] == pytest.approx(value, abs=1e-6)
                    assert one.sample_space_angle[point, end] == pytest.approx(angles, abs=1e-5)


def test_an_end_is_like_itself(found):
    for each in found.values():
        assert each.cka[0, 0] == pytest.approx(1, abs=1e-10)
        assert each.cka[-1, 1] == pytest.approx(1, abs=1e-10)
        assert each.procrustes[0, 0] == pytest.approx(0, abs=1e-6)
        assert each.examples == COUNT


def test_single_precision_is_close(found, units, inputs):
    single = jax.tree.map(lambda leaf: leaf.astype(np.float32), (network(0), network(1)))
    rough = features.similarity_along(
        units, paths.line(*single), TS, inputs.astype(np.float32), batch_size=25
    )
    for layer, each in found.items():
        np.testing.assert_allclose(rough[layer].cka, each.cka, atol=1e-4)
        np.testing.assert_allclose(rough[layer].procrustes, each.procrustes, atol=3e-3)


def test_the_group_moves_nothing_that_is_compared_in_sample_space(units, inputs):
    with jax.enable_x64(True):
        a, b = network(0), network(1)
        element = symmetry.random_element(units.group, jax.random.key(3))
        moved = symmetry.act(units.group, element, b)
        as_it_is, after = (
            features.similarity_between(units, [a, other], inputs) for other in (b, moved)
        )
        for layer in as_it_is:
            for name in ("cka", "svcca", "pwcca", "sample_space_angle", "procrustes"):
                np.testing.assert_allclose(
                    getattr(after[layer], name), getattr(as_it_is[layer], name), atol=1e-7
                )


def test_a_permuted_copy_is_the_same_in_sample_space_and_far_in_neuron_space(units, inputs):
    with jax.enable_x64(True):
        a = network(0)
        element = symmetry.random_element(units.group, jax.random.key(3))
        copy = symmetry.act(units.group, element, a)
        for layer, each in features.similarity_between(units, [a, copy], inputs).items():
            assert each.cka == pytest.approx(1, abs=1e-10)
            assert each.sample_space_angle < 1e-6
            x, y = (features.capture(units, one, inputs)[layer] for one in (a, copy))
            assert np.degrees(features.neuron_space_angles(x, y, dimension=2).max()) > 30


def test_rotations_along_a_line_between_permuted_copies(units, inputs):
    with jax.enable_x64(True):
        a = network(0)
        element = symmetry.random_element(units.group, jax.random.key(3))
        copy = symmetry.act(units.group, element, a)
        tracks = features.rotations_along(units, paths.line(a, copy), TS, inputs)
        for layer, track in tracks.items():
            np.testing.assert_allclose(track.rotations[0], np.eye(6), atol=1e-8)
            expected = np.zeros((6, 6))
            expected[np.asarray(element[layer]), np.arange(6)] = 1
            np.testing.assert_allclose(abs(track.rotations[-1]), expected, atol=1e-8)  # or its sign
            np.testing.assert_allclose(track.residual[[0, -1]], 0, atol=1e-10)
            assert track.residual[1] > 1e-3


def test_another_path_does_not_compile_again(units, inputs):
    single = [jax.tree.map(lambda x: x.astype(np.float32), network(seed)) for seed in range(3)]
    features.similarity_along(units, paths.line(*single[:2]), TS, inputs)
    before = reduce_along._cache_size()
    features.similarity_along(units, paths.line(*single[1:]), TS, inputs)
    assert reduce_along._cache_size() == before


def test_a_dead_layer_is_named(inputs):
    model = MLP(width=6, depth=2)
    dead = network(0)
    dead["params"]["Dense_1"]["bias"][:] = -1e4
    group = symmetry.discover(model.apply, network(0), inputs[:2])
    units = features.Units(group, model.apply)
    with pytest.raises(DataError, match="'Dense_1' do not vary enough"):
        features.similarity_between(units, [network(1), dead], inputs.astype(np.float32))


def test_a_network_that_is_not_finite_is_named(units, inputs):
    broken = network(1)
    broken["params"]["Dense_0"]["kernel"][0, 0] = np.nan
    with pytest.raises(DivergenceError, match="layer 'Dense_0' are not finite of network 1"):
        features.similarity_between(units, [network(0), broken], inputs)


def test_too_few_examples_for_the_width_are_refused(units, inputs):
    with pytest.raises(DataError, match="take more than"):
        features.similarity_between(units, [network(0), network(1)], inputs[:8])
