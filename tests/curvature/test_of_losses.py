import jax
import numpy as np
import pytest

from mconn import curvature
from mconn.errors import DivergenceError, StructureError
from mconn.landscape import Classification
from tests.curvature.matrices import KEY, PAIRS, PROBES, QUADRATURE
from tests.curvature.networks import (
    APPLY,
    LOSS,
    RECTIFIED,
    columns,
    dense,
    examples,
    network,
    score_jacobian,
)


@pytest.mark.parametrize("batch_size", [3, 100])
def test_the_hessian_is_that_of_the_mean_over_all_examples(batch_size):
    params, data = network(), examples()
    operator = curvature.hessian(LOSS, params, data, batch_size=batch_size)
    expected = dense(params, data)
    np.testing.assert_allclose(columns(operator), expected, rtol=0, atol=1e-13)
    # A filled-up batch whose repeated examples count would give another mean.
    repeated = jax.tree.map(lambda leaf: leaf[[0, 1, 2, 3, 4, 5, 6, 6, 6]], data)
    assert abs(dense(params, repeated) - expected).max() > 0.01


def test_rectifiers_have_the_hessian_of_their_piece():
    params, data = network(model=RECTIFIED), examples()
    loss = Classification(RECTIFIED.apply)
    newton = columns(curvature.gauss_newton(RECTIFIED.apply, params, data))
    hessian = columns(curvature.hessian(loss, params, data))
    # Within a piece the outputs are linear in every layer alone, so that the diagonal blocks are
    # those of Gauss-Newton.
    for block in (slice(0, 24), slice(24, 44), slice(44, 59)):
        np.testing.assert_allclose(hessian[block, block], newton[block, block], atol=1e-13)
    assert abs(hessian - newton).max() > 1e-2


def test_the_empirical_fisher_matrix_takes_the_labels_of_the_data_and_is_not_the_fisher_matrix():
    params, data = network(), examples()
    slopes, _ = score_jacobian(params, data)
    own = np.asarray(slopes)[np.arange(7), data.labels]
    found = columns(curvature.empirical_fisher(LOSS, params, data, batch_size=3))
    np.testing.assert_allclose(found, own.T @ own / 7, rtol=0, atol=1e-13)
    fisher = columns(curvature.fisher(APPLY, params, data))
    assert np.linalg.norm(found - fisher) > 0.3 * np.linalg.norm(fisher)
    # Its rank is at most the number of examples; that of the Fisher matrix is above it.
    assert np.linalg.matrix_rank(found) == 7 < np.linalg.matrix_rank(fisher)


def test_a_network_that_is_not_finite_is_named():
    params, data = network(), examples()
    params["params"]["Dense_1"]["bias"][0] = np.nan
    operator = curvature.hessian(LOSS, params, data, batch_size=3)
    sizes = {curvature.eigenpairs: PAIRS, curvature.trace: PROBES, curvature.density: QUADRATURE}
    for use, these in sizes.items():
        with pytest.raises(DivergenceError, match="a product with the Hessian is not finite"):
            use(operator, KEY, **these)


def without_loss(params, batch):
    return {"error": batch.labels * 1.0}


@pytest.mark.parametrize("make", [curvature.hessian, curvature.empirical_fisher])
def test_a_loss_is_needed(make):
    operator = make(without_loss, network(), examples())
    with pytest.raises(StructureError, match="no metric 'loss' to differentiate"):
        operator(network())
