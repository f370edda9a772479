import jax
import numpy as np
import pytest

from mconn import curvature
from mconn.errors import ConfigError, DivergenceError, StructureError
from tests.curvature.matrices import KEY, multiply, operator, rotated
from tests.curvature.networks import Counting, columns

USES = (curvature.eigenpairs, curvature.trace, curvature.density)


def test_the_product_is_that_of_the_function():
    matrix = rotated(np.arange(6.0))
    found = operator(matrix)
    assert found.dimension == 6
    np.testing.assert_allclose(columns(found), matrix, rtol=0, atol=1e-14)


def test_other_arguments_run_the_same_program():
    counting = Counting(multiply)
    vector = {"first": np.ones(1), "rest": np.arange(5.0)}
    operator(rotated(np.arange(6.0)), counting)(vector)
    assert counting.traces == 1
    found = operator(np.eye(6), counting)(vector)
    assert counting.traces == 1
    np.testing.assert_array_equal(found["rest"], vector["rest"])


@pytest.mark.parametrize("matrix", [np.triu(np.ones((6, 6))), np.eye(6) + 0.1 * np.eye(6, k=1)])
def test_an_operator_that_is_not_symmetric_is_refused(matrix):
    for use in (*USES, curvature.check_symmetric):
        with pytest.raises(StructureError, match=r"not symmetric: .* differ by .* of its size"):
            use(operator(matrix), KEY)
    curvature.check_symmetric(operator(matrix + matrix.T), KEY)


@pytest.mark.parametrize("scale", [0, 1e-30, 1, 1e15])
def test_symmetry_has_no_unit(scale):
    symmetric, other = rotated(np.arange(6.0) - 2), np.triu(np.ones((6, 6)))
    curvature.check_symmetric(operator((scale * symmetric).astype(np.float32)), KEY)
    if scale:
        with pytest.raises(StructureError, match="not symmetric"):
            curvature.check_symmetric(operator((scale * other).astype(np.float32)), KEY)


def test_rounding_in_single_precision_is_no_asymmetry():
    matrix = rotated(10.0 ** np.linspace(-6, 3, 300), dtype=np.float32)
    for seed in range(5):
        curvature.check_symmetric(operator(matrix), jax.random.key(seed))


def test_a_product_that_is_not_finite_is_named():
    matrix = np.eye(6)
    matrix[2, 2] = np.nan
    for use in (*USES, curvature.check_symmetric):
        with pytest.raises(DivergenceError, match="a product with the Custom is not finite"):
            use(operator(matrix), KEY)


def test_vectors_of_another_shape_and_operators_without_rows_are_refused():
    with pytest.raises(StructureError, match=r"'rest' is .*the operator's vectors and .*this one"):
        operator(np.eye(6))({"first": np.zeros(1), "rest": np.zeros(7)})
    nothing = curvature.Custom(multiply, np.eye(0), {})
    for use in (curvature.trace, curvature.density, curvature.check_symmetric):
        with pytest.raises(ConfigError, match="1 vectors are asked for and the operator has 0"):
            use(nothing, KEY)
    with pytest.raises(ConfigError, match="the operator has 0 rows"):
        curvature.eigenpairs(nothing, KEY)
