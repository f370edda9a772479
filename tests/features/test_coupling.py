import chex
import jax
import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes

from mconn import features, paths, repair, symmetry
from mconn.errors import DataError
from tests.features.perceptrons import after, apply, before, group, inputs, mixed, network, square

TS = np.array([0.0, 0.25, 0.5, 1.0])
A, B = network(0), network(1)


def units(moment="after"):
    return features.Units(group(), apply, moment)


def measured(x, end=B, moment="after", **options):
    with jax.enable_x64(True):
        return features.coupling_along(units(moment), paths.line(A, end), TS, x, **options)


@pytest.mark.parametrize("moment", ["after", "before"])
def test_every_measure_is_its_definition(moment):
    x = inputs(53)
    found = measured(x, moment=moment, batch_size=20)
    read = after if moment == "after" else before
    h0, h1 = read(A, x), read(B, x)
    assert set(found) == {"first", "second"}
    for row, t in enumerate(TS):
        ht = read(mixed(t, A, B), x)
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
                "samples": 53,
                "directed": some.mean(),
            }
            assert set(expected) == set(each._fields)
            for name, value in expected.items():
                np.testing.assert_allclose(getattr(each, name)[row], value, rtol=1e-9, atol=1e-12)


def test_at_the_first_end_nothing_has_moved():
    for each in measured(inputs(60)).values():
        for name in ("drift", "rotation_residual", "blend_residual", "blend_cosine_distance"):
            np.testing.assert_allclose(getattr(each, name)[0], 0, atol=1e-12)
        np.testing.assert_allclose([each.coefficient[[0, 3]], each.variance_ratio[[0, 3]]], 1)


def test_a_permuted_network_has_other_features_that_are_a_rotation_of_the_same():
    rotate = {"first": np.roll(np.arange(6), 1), "second": np.roll(np.arange(4), 1)}
    copy = symmetry.act(group(), rotate, jax.tree.map(np.float32, A))
    x, ts = inputs(60, dtype=np.float32), [0.0, 1.0]
    path = paths.line(jax.tree.map(np.float32, A), copy)
    found = features.coupling_along(units(), path, ts, x)
    for each in found.values():
        assert each.drift[1] > 0.1
        assert each.rotation_residual[1] < 1e-5


def test_the_rotation_does_not_depend_on_how_the_other_end_is_permuted():
    x = inputs(60)
    with jax.enable_x64(True):
        element = {"first": np.arange(6)[::-1], "second": np.array([2, 0, 1, 3])}
        moved = symmetry.act(group(), element, B)
        moved = jax.tree.map(np.asarray, moved)
    one, other = measured(x), measured(x, moved)
    for layer in one:
        np.testing.assert_allclose(
            one[layer].rotation_residual[-1], other[layer].rotation_residual[-1], rtol=1e-9
        )
        assert abs(one[layer].drift[-1] - other[layer].drift[-1]) > 1e-3


def test_the_variance_ratio_is_that_of_repair():
    x = inputs(60)
    found = measured(x, moment="before")
    with jax.enable_x64(True):
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), A, B)
        expected = repair.variance_ratio(
            group(), apply, mixed(0.25, A, B), stacked, np.array([0.75, 0.25]), x[None]
        )
    for layer, each in found.items():
        assert each.variance_ratio[1] == pytest.approx(float(expected[layer][0]), rel=1e-9)


@pytest.mark.parametrize("batch_size", [7, 60])
def test_single_precision_is_close_and_batches_do_not_matter(batch_size):
    x = inputs(60)
    exact = measured(x)
    line = paths.line(*(jax.tree.map(np.float32, each) for each in (A, B)))
    found = features.coupling_along(units(), line, TS, x.astype(np.float32), batch_size=batch_size)
    for layer, each in found.items():
        for values, expected in zip(each, exact[layer], strict=True):
            np.testing.assert_allclose(values, expected, rtol=2e-5, atol=2e-6)


def test_too_few_samples_for_a_rotation_are_refused_and_the_rest_is_measured_without():
    x = inputs(23)
    with pytest.raises(DataError, match=r"'first' has 6 units and 23 samples.*at least 24 samples"):
        measured(x)
    without = measured(x, rotations=False)
    assert np.isnan(without["first"].rotation_residual).all()
    assert np.isfinite(without["first"].blend_residual).all()
    assert np.isfinite(measured(inputs(24))["first"].rotation_residual).all()


def test_of_too_few_samples_a_rotation_explains_what_is_unrelated():
    """The share that the error message names."""
    random = np.random.default_rng(0)
    for samples in (256, 1024):
        one, other = random.normal(size=(2, samples, 64))
        nuclear = np.linalg.svd(one.T @ other, compute_uv=False).sum()
        share = nuclear / np.sqrt(square(one) * square(other))
        assert share == pytest.approx(0.85 * np.sqrt(64 / samples), rel=0.05)


def test_features_that_are_all_zero_are_refused_with_their_name():
    dead = {**B, "first": {**B["first"], "bias": np.full(6, -100.0)}}
    with pytest.raises(DataError, match=r"of layer 'first' is not defined at t = 0.25"):
        measured(inputs(60), dead, rotations=False)


def test_another_path_and_other_inputs_do_not_compile_again():
    counted = chex.assert_max_traces(apply, n=4)
    of = features.Units(group(), counted)
    for seed in range(2):
        path = paths.line(network(seed, np.float32), network(seed + 5, np.float32))
        features.coupling_along(of, path, TS, inputs(40, seed, np.float32), rotations=False)
