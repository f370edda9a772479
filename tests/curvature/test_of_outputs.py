import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from mconn import curvature
from tests.curvature.networks import (
    APPLY,
    columns,
    dense,
    examples,
    network,
    score_jacobian,
)


def squared(outputs, labels):
    return 0.5 * jnp.square(outputs - jax.nn.one_hot(labels, 3)).sum(axis=1)


@jax.jit
def explicit(params, data):
    """Outputs, and their Jacobian by all parameters."""
    flat, unravel = ravel_pytree(params)

    def outputs(flat):
        return APPLY(unravel(flat), data.inputs)

    return outputs(flat), jax.jacobian(outputs)(flat)


@pytest.mark.parametrize("loss", [curvature.cross_entropy, squared])
def test_gauss_newton_is_the_hessian_of_the_loss_between_jacobians(loss):
    params, data = network(), examples()
    outputs, jacobian = explicit(params, data)
    between = jax.vmap(jax.hessian(lambda f, y: loss(f[None], y[None])[0]))(outputs, data.labels)
    expected = np.einsum("nip,nij,njq->pq", jacobian, between, jacobian, optimize=True) / 7
    operator = curvature.gauss_newton(APPLY, params, data, loss=loss, batch_size=3)
    found = columns(operator)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)
    assert np.linalg.eigvalsh(found).min() > -1e-13
    # What it leaves out of the Hessian is not small.
    assert np.linalg.eigvalsh(dense(params, data)).min() < -0.05


def test_the_fisher_matrix_takes_every_label_by_its_probability():
    params, data = network(), examples()
    slopes, probabilities = score_jacobian(params, data)
    expected = np.einsum("ny,nyp,nyq->pq", probabilities, slopes, slopes, optimize=True) / 7
    found = columns(curvature.fisher(APPLY, params, data, batch_size=3))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)
    newton = columns(curvature.gauss_newton(APPLY, params, data))
    np.testing.assert_allclose(found, newton, rtol=0, atol=1e-13)


def test_labels_do_not_matter_to_the_fisher_matrix():
    params, data, vector = network(), examples(), network(5)
    other = data._replace(labels=(data.labels + 1) % 3)
    found, again = (curvature.fisher(APPLY, params, each)(vector) for each in (data, other))
    for leaf, same in zip(jax.tree.leaves(found), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(leaf, same)
