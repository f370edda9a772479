"""Similarity of matrices of features, against definitions and other implementations."""

import jax
import numpy as np
import pytest
import scipy.linalg

from mconn import features
from mconn.errors import ConfigError, DataError, StructureError
from mconn.features import FewExamplesWarning
from mconn.features.cka import _kernel_criterion

COUNT, WIDE, NARROW = 60, 7, 5


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


@pytest.fixture
def pair():
    """Two matrices of features that have something in common, with means far from 0."""
    random = np.random.default_rng(0)
    x = random.normal(size=(COUNT, WIDE))
    y = x[:, :NARROW] @ random.normal(size=(NARROW, NARROW)) + random.normal(size=(COUNT, NARROW))
    return x + 3, y - 2


def plain_hsic(k, ell):
    """tr(K H L H), the biased estimate without its factor."""
    centre = np.eye(len(k)) - 1 / len(k)
    return np.trace(k @ centre @ ell @ centre)


def debiased_hsic(k, ell):
    """HSIC_1 times n (n - 3), word by word (Song et al. 2012, equation 5)."""
    n, one = len(k), np.ones(len(k))
    k, ell = (each - np.diag(np.diag(each)) for each in (k, ell))
    return (
        np.trace(k @ ell)
        + one @ k @ one * (one @ ell @ one) / ((n - 1) * (n - 2))
        - 2 / (n - 2) * one @ k @ ell @ one
    )


def defined(k, ell, debiased):
    hsic = debiased_hsic if debiased else plain_hsic
    return hsic(k, ell) / np.sqrt(hsic(k, k) * hsic(ell, ell))


@pytest.mark.parametrize(
    ("count", "rows", "debiased"), [(COUNT, 512, False), (COUNT - 1, 16, True)]
)
def test_cka_is_its_definition_on_gram_matrices(pair, debiased, count, rows, monkeypatch):
    monkeypatch.setattr("mconn.features.cka._KERNEL_ROWS", rows)
    x, y = pair = [each[:count] for each in pair]
    expected = defined(x @ x.T, y @ y.T, debiased)
    assert features.linear_cka(x, y, debiased=debiased) == pytest.approx(expected, abs=1e-10)
    kernels = []
    for each in pair:
        squares = ((each[:, None] - each) ** 2).sum(axis=-1)
        median = np.median(np.sqrt(squares[np.triu_indices(count, 1)]))
        kernels.append(np.exp(-squares / (2 * (0.8 * median) ** 2)))
    found = features.rbf_cka(*pair, bandwidth=0.8, debiased=debiased)
    assert found == pytest.approx(defined(*kernels, debiased), abs=1e-10)
    compiled = _kernel_criterion._cache_size()
    features.rbf_cka(2 * x, y + 1, debiased=debiased)
    assert _kernel_criterion._cache_size() == compiled


def test_a_table_has_every_pair_of_layers(pair):
    x, y = pair
    found = features.cka_table({"a": x, "b": y}, {"c": y, "d": x, "e": x[:, :3]})
    assert found.shape == (2, 3)
    for i, left in enumerate((x, y)):
        for j, right in enumerate((y, x, x[:, :3])):
            assert found[i, j] == pytest.approx(features.linear_cka(left, right), abs=1e-12)


@pytest.mark.parametrize(
    ("count", "batch_size", "sizes"),
    [(60, 20, (20, 20, 20)), (60, 28, (20, 20, 20)), (59, 55, (30, 29)), (58, 56, (29, 29))],
)
def test_minibatches_average_the_criteria_of_even_batches(pair, count, batch_size, sizes):
    x, y = (each[:count] for each in pair)
    ends = np.cumsum([0, *sizes])
    # A small last batch would be as loud as the others, and its estimate is mostly noise.
    batches = [slice(*ends[i : i + 2]) for i in range(len(sizes))]

    def mean(a, c):
        found = [debiased_hsic(a[b] @ a[b].T, c[b] @ c[b].T) for b in batches]
        return np.mean([each / (n * (n - 3)) for each, n in zip(found, sizes, strict=True)])

    expected = mean(x, y) / np.sqrt(mean(x, x) * mean(y, y))
    found = features.minibatch_cka(x, y, batch_size=batch_size)
    assert found == pytest.approx(expected, abs=1e-10)


def test_the_last_batch_is_not_the_answer(pair):
    # ckatorch returns the CKA of the last batch.
    x, y = pair[0], pair[1].copy()
    y[40:] = x[40:, :NARROW]
    last = features.linear_cka(x[40:], y[40:])
    assert abs(features.minibatch_cka(x, y, batch_size=20) - last) > 0.05


def test_the_order_of_examples_is_shared(pair):
    # torch_cka shuffles the examples of both networks apart, and finds 0.
    x, y = pair
    shuffled = np.random.default_rng(1).permutation(COUNT)
    together = features.linear_cka(x[shuffled], y[shuffled])
    assert together == pytest.approx(features.linear_cka(x, y), abs=1e-12)
    assert features.linear_cka(x, y[shuffled]) < together - 0.1


def test_unrelated_wide_features_look_alike_only_to_the_biased_estimate():
    x, y = np.random.default_rng(0).normal(size=(2, 40, 2000))
    with pytest.warns(FewExamplesWarning, match="40 examples of features with 2000 dimensions"):
        assert features.linear_cka(x, y, debiased=False) > 0.9
    assert abs(features.linear_cka(x, y)) < 0.1


def test_what_leaves_cka_as_it_is(pair):
    x, y = pair
    rotation = np.linalg.qr(np.random.default_rng(2).normal(size=(WIDE, WIDE)))[0]
    expected = features.linear_cka(x, y)
    for moved in (x @ rotation, 3 * x, x[:, ::-1], x + np.arange(WIDE)):
        assert features.linear_cka(moved, y) == pytest.approx(expected, abs=1e-10)
    assert features.linear_cka(x * np.arange(1, WIDE + 1), y) != pytest.approx(expected, abs=1e-3)
    assert features.linear_cka(x, x) == pytest.approx(1, abs=1e-12)


def test_angles_in_sample_space_are_those_of_scipy(pair):
    x, y = (each - each.mean(axis=0) for each in pair)
    expected = np.sort(scipy.linalg.subspace_angles(x, y))
    np.testing.assert_allclose(features.sample_space_angles(*pair), expected, atol=1e-10)
    np.testing.assert_allclose(features.subspace_angles(x, y), expected, atol=1e-10)
    # Small angles are exact.
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(30, 4)))[0]
    turned = basis[:, :2] * np.cos([1e-9, 1e-3]) + basis[:, 2:] * np.sin([1e-9, 1e-3])
    found = features.subspace_angles(basis[:, :2], turned)
    np.testing.assert_allclose(found, [1e-9, 1e-3], rtol=1e-5)


def test_sample_space_does_not_see_what_neuron_space_sees():
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 20)) * np.linspace(1, 3, 20)
    copy = x[:, random.permutation(20)] * random.uniform(0.5, 2, 20)
    assert features.sample_space_angles(x, copy).max() < 1e-6
    permuted = x[:, random.permutation(20)]
    assert np.degrees(features.neuron_space_angles(x, permuted, dimension=5).max()) > 45
    np.testing.assert_allclose(features.neuron_space_angles(x, x, dimension=5), 0, atol=1e-7)


def test_dead_and_equal_units_add_no_dimension(pair):
    x, y = pair
    more = np.concatenate([x, np.full((COUNT, 2), 4.0), x[:, :1]], axis=1)
    found, expected = features.sample_space_angles(more, y), features.sample_space_angles(x, y)
    assert len(found) == NARROW
    np.testing.assert_allclose(found, expected, atol=1e-8)


def test_canonical_correlations_are_cosines_in_sample_space(pair):
    found = features.cca(*pair)
    expected = np.cos(features.sample_space_angles(*pair))
    np.testing.assert_allclose(found.correlations, expected, atol=1e-8)
    assert found.dimensions == (WIDE, NARROW)


def test_pwcca_and_svcca_are_their_definitions(pair):
    x, y = (each - each.mean(axis=0) for each in pair)
    q, r = (np.linalg.qr(each)[0] for each in (x, y))
    u, correlations, _ = np.linalg.svd(q.T @ r, full_matrices=False)
    weights = np.abs((q @ u).T @ x).sum(axis=1)  # not squared
    expected = weights @ correlations / weights.sum()
    assert features.pwcca(*pair) == pytest.approx(expected, abs=1e-8)
    reduced = []
    for each in (x, y):
        u, s, _ = np.linalg.svd(each, full_matrices=False)
        kept = int(np.searchsorted(np.cumsum(s**2) / (s**2).sum(), 0.9)) + 1
        reduced.append(u[:, :kept])
    expected = np.linalg.svd(reduced[0].T @ reduced[1], compute_uv=False).mean()
    assert features.svcca(*pair, variance=0.9) == pytest.approx(expected, abs=1e-8)


def test_procrustes_is_that_of_scipy():
    x, y = np.random.default_rng(0).normal(size=(2, 40, 6))
    a, b = (each - each.mean(axis=0) for each in (x, y))
    rotation, _ = scipy.linalg.orthogonal_procrustes(a, b)
    found = features.procrustes(x, y)
    np.testing.assert_allclose(found.rotation, rotation, atol=1e-10)
    residual = np.square(a @ rotation - b).sum() / np.square(b).sum()
    assert found.residual == pytest.approx(residual, abs=1e-10)
    unit = a / np.linalg.norm(a) @ rotation - b / np.linalg.norm(b)
    assert found.distance == pytest.approx(np.linalg.norm(unit), abs=1e-10)
    assert found.free == 0


def test_a_rotation_is_followed_and_dead_directions_stay():
    x = np.random.default_rng(0).normal(size=(50, 4)) * [3, 2, 1, 0]  # the last unit is dead
    x -= x.mean(axis=0)
    turn = np.zeros((4, 4))
    turn[0, 1], turn[1, 0] = -1, 1
    points = [scipy.linalg.expm(t * turn) for t in np.linspace(0, 1.5, 7)]
    crosses = np.stack([x.T @ x @ each for each in points])
    squares = np.full(7, np.square(x).sum())
    found = features.track_rotations(crosses, squares[0], squares)
    np.testing.assert_allclose(found.rotations, points, atol=1e-8)
    np.testing.assert_array_equal(found.free, 1)
    np.testing.assert_allclose(found.residual, 0, atol=1e-10)
    np.testing.assert_allclose(found.steps, np.sqrt(2) * 2 * np.sin(0.25 / 2), rtol=1e-6)


@pytest.mark.parametrize(
    "measure",
    ["linear_cka", "rbf_cka", "sample_space_angles", "svcca", "pwcca", "procrustes"],
)
def test_features_that_cannot_be_compared_are_refused(pair, measure):
    x, of = pair[0], getattr(features, measure)
    with pytest.raises(DataError, match="constant over 60 examples"):
        of(x, np.full((COUNT, WIDE), 2.0))
    broken = x.copy()
    broken[0, 0], broken[1, 1] = np.inf, -np.inf  # without a warning of their sum
    with pytest.raises(DataError, match=r"features '?y'? are not finite"):
        of(x, broken)
    with pytest.raises(StructureError, match=r"60 rows and '?y'? have 59"):
        of(x, x[:59])
    few = {
        "linear_cka": (3, "3 examples are given"),
        "rbf_cka": (3, "3 examples are given"),
        "procrustes": (8, "take more than 7 examples"),
    }
    count, said = few.get(measure, (13, "on 12 examples of features with 12 dimensions"))
    with pytest.raises(DataError, match=said):
        of(x[:count], (x if measure == "procrustes" else pair[1])[:count])


def test_what_makes_no_sense_is_refused(pair):
    x, y = pair
    with pytest.raises(DataError, match="the features 'second' are constant"):
        features.cka_table({"first": x}, {"second": np.ones((COUNT, 3)), "third": y})
    with pytest.raises(StructureError, match="without layers"):
        features.cka_table({}, {"y": y})
    with pytest.raises(ConfigError, match="every batch needs at least 4"):
        features.minibatch_cka(x, y, batch_size=3)
    with pytest.raises(ConfigError, match="dimension is 9 and the features have 7"):
        features.neuron_space_angles(x, x, dimension=9)
    with pytest.raises(StructureError, match="compare in sample space"):
        features.neuron_space_angles(x, y, dimension=2)
