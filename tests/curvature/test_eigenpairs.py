"""Extreme eigenvalues against dense matrices, and when they are said to be found."""

import jax
import numpy as np
import pytest

from mconn import curvature
from mconn.curvature.eigenpairs import _found_in
from mconn.errors import ConfigError, StructureError
from tests.curvature.problems import (
    KEY,
    PAIRS,
    dense,
    examples,
    hessian,
    network,
    of_matrix,
    rotated,
    rows_of,
)

LONG = {"top": 4, "basis": 60}
"""Of diagonal matrices with 400 rows."""


def scaled(values, vector):
    return {"x": values * vector["x"]}


def diagonal(values, dtype=np.float64):
    values = np.asarray(values, dtype)
    return curvature.Custom(scaled, values, {"x": np.zeros(len(values), dtype)})


@pytest.fixture(scope="module")
def matrix():
    with jax.enable_x64(True):
        return dense(network(), examples())


def test_both_ends_of_a_networks_hessian(matrix):
    found = curvature.eigenpairs(hessian(), tolerance=1e-12, **PAIRS)
    vectors, values = rows_of(found.vectors), np.linalg.eigvalsh(matrix)
    np.testing.assert_allclose(found.largest, values[::-1][:3], rtol=1e-9)
    np.testing.assert_allclose(found.smallest, values[:2], rtol=1e-9)
    assert found.converged.all()
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(5), atol=1e-9)
    np.testing.assert_allclose(matrix @ vectors.T, vectors.T * found.values, atol=1e-5)
    assert found.norm == pytest.approx(abs(values).max(), rel=1e-6)


def test_residuals_are_those_of_the_vectors_and_bound_the_errors(matrix):
    found = curvature.eigenpairs(hessian(), KEY, tolerance=0.05, **PAIRS)
    values, vectors = np.linalg.eigvalsh(matrix), rows_of(found.vectors)
    for value, residual, error, x in zip(
        found.values, found.residuals, found.errors, vectors, strict=True
    ):
        assert np.linalg.norm(matrix @ x - value * x) == pytest.approx(residual, rel=1e-3)
        assert abs(values - value).min() <= min(residual, error) + 1e-12


@pytest.mark.parametrize(
    "values",
    [
        [5.0, 5.0, 5.0, 1.0, 0.0, -2.0],
        [1.0] * 6,
        [0.0] * 6,
        [4.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        np.linspace(-1, 2, 6),
        [7.0],
    ],
)
def test_repeated_zero_and_few_eigenvalues_all_at_once(values):
    top, bottom = (3, 3) if len(values) > 1 else (1, 0)
    found = curvature.eigenpairs(diagonal(values), KEY, top=top, bottom=bottom, tolerance=1e-10)
    np.testing.assert_allclose(np.sort(found.values), np.sort(values), atol=1e-9)
    assert found.converged.all()


def test_two_products_are_not_taken_for_an_eigenvalue():
    """Some published code runs Lanczos for two steps, whatever comes out."""
    values = np.concatenate([np.linspace(0, 1, 396), [1.05, 1.1, 1.15, 1.2]])
    early = curvature.eigenpairs(diagonal(values), KEY, products=4, **LONG)
    found = curvature.eigenpairs(diagonal(values), KEY, **LONG)
    assert early.values[0] < 1.15
    assert not early.converged.any()
    assert early.products == 4
    assert found.converged.all()
    np.testing.assert_allclose(found.values, values[:-5:-1], atol=1.2e-3)


def test_restarts_lose_nothing():
    values = np.linspace(0, 1, 400) ** 3
    narrow = curvature.eigenpairs(diagonal(values), KEY, top=4, basis=6, products=700)
    wide = curvature.eigenpairs(diagonal(values), KEY, products=700, **LONG)
    assert narrow.products > wide.products
    assert narrow.converged.all()
    np.testing.assert_allclose(narrow.values, values[:-5:-1], atol=1e-3)


def test_single_precision_finds_no_eigenvalue_twice():
    """Lanczos without reorthogonalisation finds copies of the large ones once they converged."""
    values = np.concatenate([[1e4, 1e3], np.linspace(0, 1, 398)])
    found = curvature.eigenpairs(
        diagonal(values, np.float32), KEY, tolerance=1e-6, products=600, **LONG
    )
    assert found.values[:2] == pytest.approx([1e4, 1e3], rel=1e-5)
    assert (found.values[2:] < 1.01).all()
    # Rounding of the largest value is what is left, and the errors say so.
    assert (found.errors >= 1e4 * np.finfo(np.float32).eps).all()
    # The control: single precision does make copies of this spectrum.
    copies = without_reorthogonalisation(values.astype(np.float32), 60)
    assert (abs(copies - 1e4) < 1).sum() > 1


def without_reorthogonalisation(values, steps):
    """Ritz values of the three-term recurrence in single precision."""
    vector = np.random.default_rng(0).normal(size=len(values)).astype(np.float32)
    vector /= np.linalg.norm(vector)
    before, beta = np.zeros_like(vector), np.float32(0)
    diagonal, couplings = [], []
    for _ in range(steps):
        rest = values * vector - beta * before
        diagonal.append(vector @ rest)
        rest -= diagonal[-1] * vector
        beta = np.linalg.norm(rest)
        couplings.append(beta)
        before, vector = vector, rest / beta
    matrix = np.diag(diagonal) + np.diag(couplings[:-1], 1) + np.diag(couplings[:-1], -1)
    return np.linalg.eigvalsh(matrix.astype(np.float64))


def test_a_tight_tolerance_that_rounding_forbids_is_not_said_to_be_met():
    values = np.concatenate([[1e4], np.linspace(0, 1, 399)])
    found = curvature.eigenpairs(
        diagonal(values, np.float32), KEY, tolerance=1e-12, products=120, **LONG
    )
    assert not found.converged.any()


def test_a_start_near_the_vectors_saves_products():
    cold = curvature.eigenpairs(hessian(), KEY, tolerance=1e-8, **PAIRS)
    start = jax.tree.map(lambda leaf: leaf.sum(axis=0), cold.vectors)
    near = hessian().at(jax.tree.map(lambda leaf: leaf * 1.001, network()))
    warm = curvature.eigenpairs(near, KEY, tolerance=1e-8, start=start, **PAIRS)
    assert warm.products < cold.products
    np.testing.assert_allclose(warm.values, cold.values, rtol=0.05)


SPECTRA = {
    "spread": np.linspace(-1, 2, 30),
    "outliers": np.r_[-4, -3, np.linspace(-1, 1, 25), 5, 7, 9],
    "powers": np.r_[-np.logspace(-3, 0, 15), np.logspace(-3, 1, 15)],
    "negative": -np.arange(1.0, 31),
    "several of each": np.repeat([-2.0, 1.0, 5.0], [2, 25, 3]),
    "zero": np.zeros(30),
    "identity": np.full(30, 3.0),
    "rank one": np.r_[np.zeros(29), 4],
    "negative rank one": np.r_[-4, np.zeros(29)],
}


def wanted(eigenvalues):
    """The three largest from the highest down, then the two smallest from the lowest up."""
    ascending = np.sort(eigenvalues)
    return np.r_[ascending[:-4:-1], ascending[:2]]


@pytest.mark.parametrize("name", SPECTRA)
def test_of_dense_matrices_pairs_are_exact_and_residuals_are_true(name):
    matrix, expected = rotated(SPECTRA[name]), wanted(SPECTRA[name])
    scale = abs(expected).max() + np.finfo(float).tiny
    for tolerance in (1e-11, 0.03):
        found = curvature.eigenpairs(of_matrix(matrix), KEY, tolerance=tolerance, **PAIRS)
        vectors = rows_of(found.vectors)
        np.testing.assert_allclose(vectors @ vectors.T, np.eye(5), atol=1e-10)
        residuals = np.linalg.norm(vectors @ matrix - found.values[:, None] * vectors, axis=1)
        np.testing.assert_allclose(found.residuals, residuals, rtol=1e-4, atol=1e-13 * scale)
        nearest = abs(found.values[:, None] - SPECTRA[name]).min(axis=1)
        assert (nearest <= residuals + 1e-13 * scale).all()
        assert found.converged.all()
        if tolerance < 1e-9:
            np.testing.assert_allclose(found.values, expected, rtol=0, atol=tolerance * scale)
            assert found.norm == pytest.approx(abs(expected).max())


@pytest.mark.parametrize("scale", [1e-30, 1e-8, 1, 1e15])
def test_eigenvalues_have_no_unit(scale):
    matrix = (scale * rotated(SPECTRA["outliers"])).astype(np.float32)
    found = curvature.eigenpairs(of_matrix(matrix), KEY, tolerance=1e-6, **PAIRS)
    np.testing.assert_allclose(found.values / scale, wanted(SPECTRA["outliers"]), rtol=1e-6)
    assert found.converged.all()


@pytest.mark.parametrize(
    ("name", "tolerance"), [("spread", 0.003), ("root", 0.001), ("normal", 0.003)]
)
def test_few_random_starts_miss_a_wanted_eigenvalue(name, tolerance):
    """Ritz values settle at neighbours for a while: small residuals do not show that.

    A search that ends on small residuals alone misses 2, 4 and 2 of these.
    """
    spectrum = {
        "spread": np.linspace(-1, 2, 30),
        "root": np.linspace(0, 1, 30) ** 0.33,
        "normal": np.random.default_rng(0).normal(size=30),
    }[name]
    missed = []
    for seed in range(100):
        found = curvature.eigenpairs(
            of_matrix(np.diag(spectrum)), jax.random.key(seed), tolerance=tolerance, **PAIRS
        )
        assert found.converged.all()
        off = abs(found.values - wanted(spectrum)).max() / found.norm
        missed.append(off > 11 * tolerance)
    assert sum(missed) <= 1


def test_other_weights_tolerances_and_limits_run_the_same_program():
    curvature.eigenpairs(hessian(), KEY, **PAIRS)
    before = _found_in._cache_size()
    other = hessian(1, examples(4))
    curvature.eigenpairs(other, jax.random.key(8), tolerance=1e-5, products=200, **PAIRS)
    assert _found_in._cache_size() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top": 0}, "top is 0 and bottom is 0: ask for one pair or more"),
        ({"top": 9}, "9 eigenvalues are asked for and the operator has 8 rows"),
        ({"basis": 2}, "basis is 2: 1 pairs need at least 3 directions"),
        ({"top": 3, "products": 2}, "products is 2: 3 pairs need at least as many"),
        ({"tolerance": 0.0}, "tolerance is 0.0: it must be positive"),
    ],
)
def test_what_cannot_be_searched_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        curvature.eigenpairs(diagonal(np.arange(8), np.float32), KEY, **options)


def test_a_start_of_another_network_is_refused():
    with pytest.raises(StructureError):
        curvature.eigenpairs(diagonal(np.arange(8), np.float32), KEY, start={"y": np.zeros(8)})
