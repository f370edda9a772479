"""Features along a path, related to those of its ends."""

import functools

import jax
import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes

from experiments.features.coupling_constructions import with_copy, without_unit
from mconn import features, paths, repair, symmetry
from mconn.errors import DataError
from mconn.features.coupling import _check_enough
from mconn.measure import Execution
from mconn.measure.program import measure_points
from tests import zoo
from tests.features.perceptrons import (
    COUNT,
    after,
    apply,
    before,
    group,
    inputs,
    mixed,
    network,
    square,
    units,
)

TS = np.array([0.0, 0.25, 0.5, 1.0])
A, B, X = network(0), network(1), inputs()
LAYER = "Dense_1"
SMALL = Execution(batch_size=16)
OUTPUTS = jax.jit(lambda path, t: apply(path(t), X))


def along(path, moment="after", x=X):
    with jax.enable_x64(True):
        return features.coupling_along(units(moment), path, TS, x, SMALL)


def without_rotations(path):
    of = features.WithOutputs(units(), apply)
    with jax.enable_x64(True):
        return features.coupling_along(of, path, TS, X, SMALL, rotations=False)


def line(a, b):
    with jax.enable_x64(True):
        return paths.line(a, b)


@functools.cache
def measured(moment="after"):
    return along(line(A, B), moment)


def permuted(first, second, params=B):
    with jax.enable_x64(True):
        element = {"Dense_0": np.array(first), "Dense_1": np.array(second)}
        return jax.tree.map(np.asarray, symmetry.act(group(), element, params))


@pytest.mark.parametrize("moment", ["after", "before"])
def test_every_measure_is_its_definition(moment):
    found = measured(moment)
    read = after if moment == "after" else before
    h0, h1 = read(A, X), read(B, X)
    assert set(found) == {"Dense_0", "Dense_1"}
    for row, t in enumerate(TS):
        ht = read(mixed(t, A, B), X)
        for layer, each in found.items():
            here, first, last = ht[layer], h0[layer], h1[layer]
            blend, size = (1 - t) * first + t * last, square(ht[layer])
            turn, _ = orthogonal_procrustes(first, here)
            c = (here * blend).sum() / square(blend)
            lengths = [np.linalg.norm(a, axis=1) for a in (here, first, last, blend)]
            some = np.min(lengths, axis=0) > 0
            cosine = (here * blend).sum(axis=1)[some] / (lengths[0] * lengths[3])[some]
            of_ends = (first * last).sum(axis=1)[some] / (lengths[1] * lengths[2])[some]
            at_ends = (1 - t) * first.var(axis=0).sum() + t * last.var(axis=0).sum()
            expected = {
                "drift": square(here - first) / size,
                "rotation_residual": square(here - first @ turn) / size,
                "blend_distance": square(here - blend) / size,
                "blend_residual": square(here - c * blend) / size,
                "coefficient": c,
                "blend_cosine_distance": (1 - cosine).mean(),
                "end_cosine_distance": (1 - of_ends).mean(),
                "variance_ratio": here.var(axis=0).sum() / at_ends,
                "samples": COUNT,
                "directed": some.mean(),
            }
            assert set(expected) == set(each._fields)
            for name, value in expected.items():
                np.testing.assert_allclose(getattr(each, name)[row], value, rtol=1e-9, atol=1e-12)


def test_at_the_first_end_nothing_has_moved():
    for each in measured().values():
        for name in ("drift", "rotation_residual", "blend_residual", "blend_cosine_distance"):
            np.testing.assert_allclose(getattr(each, name)[0], 0, atol=1e-12)
        np.testing.assert_allclose([each.coefficient[[0, 3]], each.variance_ratio[[0, 3]]], 1)


def test_a_permuted_copy_is_a_rotation_with_the_same_outputs_and_another_network_half_way():
    path = line(A, permuted(np.roll(np.arange(6), 1), np.roll(np.arange(4), 1), A))
    for each in along(path).values():
        assert each.rotation_residual[-1] == pytest.approx(0, abs=1e-12)
        assert each.drift[-1] > 0.1
    middle, end = changes(path)[2:]
    assert end == pytest.approx(0, abs=1e-20)
    assert middle > 0.1


def test_the_rotation_does_not_depend_on_how_the_other_end_is_permuted():
    """So that it cannot tell an aligned pair, with a low barrier, from another."""
    one = measured()
    other = along(line(A, permuted(np.arange(6)[::-1], [2, 0, 1, 3])))
    for layer in one:
        np.testing.assert_allclose(
            one[layer].rotation_residual[-1], other[layer].rotation_residual[-1], rtol=1e-9
        )
        assert abs(one[layer].drift[-1] - other[layer].drift[-1]) > 1e-3
        assert abs(one[layer].rotation_residual[2] - other[layer].rotation_residual[2]) > 1e-4


def test_the_variance_ratio_is_that_of_repair():
    with jax.enable_x64(True):
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), A, B)
        expected = repair.variance_ratio(
            group(), apply, mixed(0.25, A, B), stacked, np.array([0.75, 0.25]), X[None]
        )
    for layer, each in measured("before").items():
        assert each.variance_ratio[1] == pytest.approx(float(expected[layer][0]), rel=1e-9)


def test_single_precision_is_close_and_batches_do_not_matter():
    a, b, x = jax.tree.map(np.float32, (A, B, X))
    found = features.coupling_along(units(), paths.line(a, b), TS, x, Execution(batch_size=7))
    for layer, each in found.items():
        for values, expected in zip(each, measured()[layer], strict=True):
            np.testing.assert_allclose(values, expected, rtol=2e-5, atol=2e-6)


def test_too_few_samples_for_a_rotation_are_refused_and_the_rest_is_measured_without():
    with pytest.raises(DataError, match=r"'Dense_0' has 6 units and 23 samples.*at least 24"):
        along(line(A, B), x=X[:23])
    with jax.enable_x64(True):
        _check_enough(units(), line(A, B), X[:24])
    without = without_rotations(line(A, B))
    assert np.isnan(without["Dense_0"].rotation_residual).all()
    np.testing.assert_allclose(without["Dense_0"].drift, measured()["Dense_0"].drift)
    # The share that the error names: what a rotation explains of what is unrelated.
    random = np.random.default_rng(0)
    for samples in (256, 1024):
        one, other = random.normal(size=(2, samples, 64))
        nuclear = np.linalg.svd(one.T @ other, compute_uv=False).sum()
        share = nuclear / np.sqrt(square(one) * square(other))
        assert share == pytest.approx(0.85 * np.sqrt(64 / samples), rel=0.05)


def test_features_that_are_all_zero_are_refused_with_their_name():
    dead = network(1)
    dead["params"]["Dense_0"]["bias"][:] = -100.0
    with pytest.raises(DataError, match=r"of layer 'Dense_0' is not defined at t = 0.25"):
        without_rotations(line(A, dead))


def test_another_path_and_other_inputs_do_not_compile_again():
    measured()
    before = measure_points._cache_size()
    along(line(network(2), network(3)), x=inputs(1))
    assert measure_points._cache_size() == before


# Loss and rotated features do not go together, in either direction: exact constructions.


def changes(path):
    with jax.enable_x64(True):
        found = [np.asarray(OUTPUTS(path, t)) for t in TS]
    return [square(each - found[0]) for each in found]


@pytest.mark.parametrize("scale", [0.5, 10.0, 500.0])
def test_an_attribute_that_nothing_reads_turns_by_any_angle_at_a_barrier_of_nothing(scale):
    start = without_unit(group(), LAYER, A, 0)
    source = int(np.argmax(np.abs(after(start, X)[LAYER]).sum(axis=0)))
    stop = with_copy(group(), LAYER, start, 0, source, scale)
    path = line(start, stop)
    np.testing.assert_allclose(changes(path), 0, atol=1e-24)
    positive = X[:, 0] > 0
    of = [after(each, X)[LAYER] for each in (start, stop)]
    first, last = (each[positive].mean(axis=0) - each[~positive].mean(axis=0) for each in of)
    cosine = first @ last / np.linalg.norm(first) / np.linalg.norm(last)
    # The unit's own share of the attribute is the tangent of the angle.
    expected = scale * abs(first[source]) / np.linalg.norm(first)
    np.testing.assert_allclose(np.tan(np.arccos(cosine)), expected, rtol=1e-6)
    assert scale < 1 or along(path)[LAYER].rotation_residual[-1] > 0.1


def test_rescaled_units_are_no_rotation_and_keep_the_outputs():
    with jax.enable_x64(True):
        whole = zoo.group(apply)
        tangent = {
            generator.name: np.linspace(-1, 1, generator.size)
            for generator in whole.generators
            if generator.kind == "scaling"
        }
        orbit = paths.orbit_along(whole, tangent, A)
        stop = jax.tree.map(np.asarray, orbit.end)
    np.testing.assert_allclose(changes(orbit), 0, atol=1e-20)
    assert along(line(A, stop))[LAYER].rotation_residual[-1] > 0.02
    # The features are those of A times positive factors: a rotation of them only if all are 1.
    np.testing.assert_allclose(
        after(stop, X)[LAYER], after(A, X)[LAYER] * np.exp(tangent[f"{LAYER} scaling"]), rtol=1e-9
    )
