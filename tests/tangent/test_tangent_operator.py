import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mconn import tangent
from mconn.errors import ConfigError, DataError, DivergenceError
from tests.tangent.networks import CASES, explicit


@pytest.mark.parametrize(
    ("name", "memory"),
    [("mlp", 150_000), ("mlp", 2**30), ("cnn batch norm", 150_000), ("mixed", 2**30)],
)
def test_products_are_those_of_the_matrix(name, memory):
    case = CASES[name]
    vector = np.random.default_rng(3).normal(size=27)
    with jax.enable_x64(True):
        params, inputs = case.network(), case.examples(9).inputs
        full = explicit(case.apply, params, inputs)
        matrices = {
            "full": tangent.as_matrix(full),
            "sum": np.einsum("ijcc->ij", full),
            "mean": np.einsum("ijcc->ij", full) / 3,
        }
        for outputs, matrix in matrices.items():
            found = tangent.operator(case.apply, params, inputs, outputs=outputs, memory=memory)
            v = vector[: found.size]
            np.testing.assert_allclose(
                found @ v, matrix @ v, rtol=0, atol=1e-9 * abs(matrix @ v).max()
            )
            np.testing.assert_allclose(found.diagonal(), np.diag(matrix), rtol=1e-9)


def test_top_eigenvalues_are_those_of_the_matrix():
    case = CASES["mlp"]
    with jax.enable_x64(True):
        params, inputs = case.network(), case.examples(30).inputs
        full = tangent.kernel(case.apply, params, inputs, outputs="full")
        expected = np.linalg.eigvalsh(tangent.as_matrix(full))[::-1]
        kernel = tangent.operator(case.apply, params, inputs)
        found = tangent.top_eigenvalues(kernel, 4, tolerance=1e-10)
        ratio = tangent.participation_ratio(kernel, 64)
        matrix = tangent.as_matrix(full)
    np.testing.assert_allclose(found.values, expected[:4], rtol=1e-9)
    assert (found.residuals < 1e-8 * expected[0]).all()
    np.testing.assert_allclose(found.vectors.T @ found.vectors, np.eye(4), atol=1e-9)
    exact = np.trace(matrix) ** 2 / (matrix**2).sum()
    assert abs(ratio.value - exact) < 4 * ratio.standard_error
    assert ratio.standard_error < 0.2 * exact


def test_eigenvalues_in_single_precision():
    case = CASES["mlp"]
    params, inputs = case.network(dtype=np.float32), case.examples(30, dtype=np.float32).inputs
    kernel = tangent.operator(case.apply, params, inputs, outputs="mean")
    found = tangent.top_eigenvalues(kernel, 3)
    expected = tangent.spectrum(tangent.kernel(case.apply, params, inputs)).eigenvalues[:3]
    np.testing.assert_allclose(found.values, expected, rtol=1e-4)


def test_other_weights_use_the_same_program():
    traced = []

    def apply(params, inputs):
        traced.append(None)
        return jnp.tanh(inputs @ params["in"]) @ params["out"]

    def measure(seed):
        generator = np.random.default_rng(seed)
        params = {"in": generator.normal(size=(5, 4)), "out": generator.normal(size=(4, 2))}
        inputs = generator.normal(size=(11, 5)).astype(np.float32)
        kernel = tangent.operator(apply, jax.tree.map(np.float32, params), inputs)
        before = len(traced)
        product = kernel @ generator.normal(size=22).astype(np.float32)
        return len(traced) - before, product

    measure(0)
    assert measure(1)[0] == 0


def test_bad_input_is_refused():
    case = CASES["mlp"]
    params, inputs = case.network(dtype=np.float32), case.examples(5, dtype=np.float32).inputs
    kernel = tangent.operator(case.apply, params, inputs)
    with pytest.raises(DataError, match=r"pass a vector of the shape \(15,\)"):
        kernel @ np.ones(5, np.float32)
    with pytest.raises(DivergenceError, match="not finite"):
        kernel @ np.full(15, np.inf, np.float32)
    with pytest.raises(ConfigError, match="k is 15"):
        tangent.top_eigenvalues(kernel, 15)
    with pytest.raises(ConfigError, match="needs two or more"):
        tangent.participation_ratio(kernel, 1)
