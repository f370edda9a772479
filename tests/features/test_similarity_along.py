"""Similarity in one pass over the examples, against whole matrices; and how passes are run."""

import dataclasses

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest

from mconn import features, paths, symmetry
from mconn.errors import ConfigError, DataError, DivergenceError, StructureError
from mconn.features import Reduction
from mconn.measure import Execution
from mconn.measure.program import measure_points
from tests import zoo
from tests.features import perceptrons
from tests.features.perceptrons import network as of_zoo

APPLY = zoo.tanh_mlp
COUNT = perceptrons.COUNT
SMALL = Execution(batch_size=16)
TS = np.array([0.0, 0.4, 1.0])
X = perceptrons.inputs() + 2


def network(seed):
    return of_zoo(seed, APPLY)


def units():
    return features.Units(zoo.group(APPLY), APPLY)


def line(a, b):
    with jax.enable_x64(True):
        return paths.line(a, b)


@pytest.fixture(scope="module")
def found():
    with jax.enable_x64(True):
        return features.similarity_along(units(), line(network(0), network(1)), TS, X, SMALL)


@pytest.fixture(scope="module")
def copied():
    """A network, a copy with permuted units and turned signs, and the element."""
    with jax.enable_x64(True):
        element = symmetry.random_element(zoo.group(APPLY), jax.random.key(3))
        moved = symmetry.act(zoo.group(APPLY), element, network(0))
        return network(0), jax.tree.map(np.asarray, moved), element


def compare(networks):
    with jax.enable_x64(True):
        return features.similarity_between(units(), networks, X, SMALL)


def captured(params):
    with jax.enable_x64(True):
        return features.capture(units(), params, X, batch_size=16)


def test_one_pass_gives_what_whole_matrices_give(found):
    a, b = network(0), network(1)
    ends = [captured(each) for each in (a, b)]
    for point, t in enumerate(TS):
        for layer, x in captured(perceptrons.mixed(t, a, b)).items():
            for end, other in enumerate(ends):
                y, one = other[layer], found[layer]
                angles = np.arccos(features.cca(x, y, variance=0.99).correlations.min())
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
        assert each.cka[[0, -1], [0, 1]] == pytest.approx(1, abs=1e-10)
        assert each.procrustes[0, 0] == pytest.approx(0, abs=1e-6)
        assert each.examples == COUNT


def test_single_precision_is_close(found):
    a, b, x = jax.tree.map(np.float32, (network(0), network(1), X))
    rough = features.similarity_along(units(), paths.line(a, b), TS, x, SMALL)
    for layer, each in found.items():
        np.testing.assert_allclose(rough[layer].cka, each.cka, atol=1e-4)
        np.testing.assert_allclose(rough[layer].procrustes, each.procrustes, atol=3e-3)


def test_the_group_moves_nothing_that_is_compared_in_sample_space(copied):
    a, copy, _ = copied
    of_one, of_copy, of_both = (
        compare(pair) for pair in ((network(1), a), (network(1), copy), (a, copy))
    )
    for layer, each in of_copy.items():
        for name in ("cka", "svcca", "pwcca", "sample_space_angle", "procrustes"):
            expected = getattr(of_one[layer], name)
            np.testing.assert_allclose(getattr(each, name), expected, atol=1e-7)
        assert of_both[layer].cka == pytest.approx(1, abs=1e-10)
        assert of_both[layer].sample_space_angle < 1e-6
    x, y = (captured(each)["Dense_0"] for each in (a, copy))
    assert np.degrees(features.neuron_space_angles(x, y, dimension=2).max()) > 30


def test_rotations_along_a_line_between_permuted_copies(copied):
    a, copy, element = copied
    with jax.enable_x64(True):
        tracks = features.rotations_along(units(), line(a, copy), TS, X, SMALL)
    for layer, track in tracks.items():
        size = track.rotations.shape[1]
        np.testing.assert_allclose(track.rotations[0], np.eye(size), atol=1e-8)
        expected = np.zeros((size, size))
        expected[np.asarray(element[layer]), np.arange(size)] = 1
        np.testing.assert_allclose(abs(track.rotations[-1]), expected, atol=1e-8)  # or its sign
        np.testing.assert_allclose(track.residual[[0, -1]], 0, atol=1e-10)
        assert track.residual[1] > 1e-3


def test_another_path_does_not_compile_again(found):
    before = measure_points._cache_size()
    with jax.enable_x64(True):
        features.similarity_along(units(), line(network(2), network(1)), TS, X, SMALL)
    assert measure_points._cache_size() == before


def test_networks_that_cannot_be_compared_are_named():
    dead, broken = network(0), network(1)
    dead["params"]["Dense_1"]["bias"][:] = -1e4
    with pytest.raises(DataError, match="'Dense_1' do not vary enough"):
        compare([network(1), dead])
    broken["params"]["Dense_0"]["kernel"][0, 0] = np.nan
    with pytest.raises(DivergenceError, match="layer 'Dense_0' are not finite of network 1"):
        compare([network(0), broken])
    with (
        jax.enable_x64(True),
        pytest.raises(DivergenceError, match=r"layer 'Dense_0' are not finite at t = 0.4"),
    ):
        features.similarity_along(units(), line(network(0), broken), TS, X, SMALL)
    with jax.enable_x64(True), pytest.raises(DataError, match="take more than"):
        features.similarity_between(units(), [network(0), network(1)], X[:8], SMALL)


@pytest.fixture
def unchecked():
    """Without the annotations' checks of the suite, as a user runs it."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.usefixtures("unchecked")
def test_arguments_of_a_wrong_kind_are_refused():
    with pytest.raises(StructureError, match="group is a function, not a Group: find it"):
        features.Units(APPLY, APPLY)
    with pytest.raises(ConfigError, match="moment 'during'"):
        features.Units(zoo.group(APPLY), APPLY, "during")
    with pytest.raises(StructureError, match="reduction is a function, not a Reduction"):
        features.along(halved, units(), line(network(0), network(1)), TS, X)
    with pytest.raises(StructureError, match="2 networks with 1 functions of features"):
        features.between(Means(), (units(),), [network(0)] * 2, X)


@dataclasses.dataclass(frozen=True)
class Means(Reduction):
    """The mean of every unit at t."""

    def start(self, shapes):
        return {layer: (jnp.zeros(each.shape[1]), 0.0) for layer, each in shapes[0].items()}

    def update(self, state, features, mask, t):
        return {
            layer: (
                total + jnp.where(mask[layer][:, None], features[0][layer], 0).sum(axis=0),
                count + mask[layer].sum(),
            )
            for layer, (total, count) in state.items()
        }

    def finish(self, state, t):
        return {layer: total / count for layer, (total, count) in state.items()}


def halved(params, batches):
    """A refresh that shows."""
    return jax.tree.map(lambda leaf: leaf / 2, params)


def test_a_pass_is_refreshed_bounded_and_resumed(tmp_path):
    a, b, x = jax.tree.map(np.float32, (network(0), network(1), X))
    path, refresh = paths.line(a, b), {"refresh": halved, "refresh_data": x}

    def means(**options):
        return features.along(Means(), units(), path, 4, x, Execution(batch_size=16, **options))

    class Stop(Exception):
        pass

    def stop(points):
        if points == 2:
            raise Stop

    expected = [
        np.asarray(units()(jax.tree.map(lambda leaf: leaf / 2, path(np.float32(t))), x)["Dense_1"])
        for t in np.linspace(0, 1, 4)
    ]
    with pytest.raises(Stop):
        means(**refresh, cells=tmp_path, points_per_call=2, finished=stop)
    finished = []
    found = means(**refresh, cells=tmp_path, points_per_call=2, finished=finished.append)
    assert finished == [2, 4]
    np.testing.assert_allclose(found["Dense_1"], np.mean(expected, axis=1), atol=1e-6)
    for layer, values in means(**refresh, memory=1 << 20, points_per_call=2).items():
        np.testing.assert_allclose(values, found[layer], atol=1e-6)
    with pytest.raises(ConfigError, match="given networks are compared as they are"):
        features.between(Means(), units(), [a], x, Execution(**refresh))
