import numpy as np
import pytest

from mconn import tangent
from mconn.errors import DataError, DivergenceError


def positive(seed, size=9):
    features = np.random.default_rng(seed).normal(size=(size, 2 * size)) + 0.5
    return features @ features.T


def test_drift_and_cosine_by_their_definitions():
    a, b = positive(0), positive(1)
    assert tangent.relative_drift(a, a) == 0
    assert tangent.relative_drift(a, b) == pytest.approx(
        np.linalg.norm(a - b) / np.linalg.norm(b), rel=1e-12
    )
    assert tangent.cosine(3 * a, a) == pytest.approx(1, abs=1e-12)
    expected = np.trace(a @ b) / np.linalg.norm(a) / np.linalg.norm(b)
    assert tangent.cosine(a, b) == pytest.approx(expected, rel=1e-12)


def test_a_centred_kernel_is_that_of_centred_features():
    features = np.random.default_rng(0).normal(size=(8, 5)) + 2
    away = features - features.mean(axis=0)
    np.testing.assert_allclose(tangent.centred(features @ features.T), away @ away.T, atol=1e-12)


def test_alignment_with_targets_is_a_cosine():
    targets = np.eye(3)[np.random.default_rng(0).integers(0, 3, 9)]
    kernel = positive(2)
    found = tangent.target_alignment(kernel, targets)
    assert found == pytest.approx(tangent.cosine(kernel, targets @ targets.T), rel=1e-12)
    assert tangent.target_alignment(targets @ targets.T, targets) == pytest.approx(1, rel=1e-12)


def test_the_spectrum_of_a_known_matrix():
    values = np.array([8.0, 4, 2, 2])
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    found = tangent.spectrum(turn * values @ turn.T)
    np.testing.assert_allclose(found.eigenvalues, values, rtol=1e-12)
    shares = values / 16
    assert found.effective_rank == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))
    assert found.participation_ratio == pytest.approx(256 / 88)
    assert found.condition == pytest.approx(4)
    assert found.rank == 4


def test_a_singular_kernel_has_no_condition_and_a_lower_rank():
    features = np.random.default_rng(0).normal(size=(6, 2))
    found = tangent.spectrum(features @ features.T)
    assert found.rank == 2
    assert found.condition == np.inf
    assert found.smallest == 0
    assert tangent.spectrum(np.eye(5)).effective_rank == pytest.approx(5)


def test_the_spectrum_of_a_full_kernel_is_that_of_its_matrix():
    generator = np.random.default_rng(0)
    jacobian = generator.normal(size=(4, 3, 20))
    found = tangent.spectrum(np.einsum("icp,jdp->ijcd", jacobian, jacobian))
    expected = np.linalg.svd(jacobian.reshape(12, 20), compute_uv=False) ** 2
    np.testing.assert_allclose(found.eigenvalues, expected, rtol=1e-10)


def test_only_finite_square_kernels_have_a_spectrum():
    with pytest.raises(DataError, match="the kernel is 2 x 3"):
        tangent.spectrum(np.ones((2, 3)))
    with pytest.raises(DivergenceError, match="not finite"):
        tangent.spectrum(np.full((2, 2), np.nan))
