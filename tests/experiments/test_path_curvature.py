"""The study of curvature along paths."""

import jax
import numpy as np
import pytest

from experiments.curvature.network import (
    PARAMETRISATIONS,
    Job,
    descend,
    draw,
    mean_loss,
    shallow,
)
from experiments.curvature.width import largest
from mconn.data import Split

FEATURES, CLASSES, WIDTH = 5, 3, 12


@pytest.fixture(scope="module")
def split() -> Split:
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(20, 1, FEATURES, 1)).astype(np.float32)
    return Split(inputs, generator.integers(CLASSES, size=20).astype(np.int32))


def test_two_parametrisations_draw_the_same_functions_and_the_third_divides(split):
    inputs = split.inputs.reshape(20, -1)
    outputs = {
        kind: np.asarray(shallow(draw(kind, WIDTH, FEATURES, CLASSES, 3), inputs))
        for kind in PARAMETRISATIONS
    }
    np.testing.assert_allclose(outputs["standard"], outputs["NTK"], rtol=1e-4, atol=1e-6)
    divided = outputs["NTK"] / WIDTH**0.5
    np.testing.assert_allclose(outputs["mean field"], divided, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("loss", ["cross-entropy", "squared error"])
def test_the_largest_eigenvalue_is_that_of_the_matrix(split, loss):
    job = Job.of(loss, split, CLASSES)
    params = draw("NTK", WIDTH, FEATURES, CLASSES, 0)
    leaves, structure = jax.tree.flatten(params["weights"])
    sizes = np.cumsum([leaf.size for leaf in leaves])[:-1]

    @jax.jit
    def of_flat(flat: jax.Array, scales: list) -> jax.Array:
        parts = jax.numpy.split(flat, sizes)
        shaped = [part.reshape(leaf.shape) for part, leaf in zip(parts, leaves, strict=True)]
        weights = jax.tree.unflatten(structure, shaped)
        return mean_loss(job.eval_fn, {"weights": weights, "scales": scales}, job.batch)

    flat = np.concatenate([leaf.ravel() for leaf in leaves])
    matrix = jax.jit(jax.hessian(of_flat))(flat, params["scales"])
    found = largest(job, params)
    assert found["converged"]
    expected = np.linalg.eigvalsh(np.asarray(matrix, np.float64))[-1]
    np.testing.assert_allclose(found["largest"], expected, rtol=2e-3)


def test_descent_stops_at_the_goal_and_leaves_the_scales(split):
    job = Job.of("cross-entropy", split, CLASSES)
    start = draw("mean field", WIDTH, FEATURES, CLASSES, 0)
    found = descend(job.eval_fn, start, job.batch, 0.1, 0.3, 2000)
    assert 0.2 < float(mean_loss(job.eval_fn, found.params, job.batch)) <= 0.3
    assert int(found.steps) > 1
    np.testing.assert_array_equal(found.params["scales"], start["scales"])
    stopped = descend(job.eval_fn, start, job.batch, 0.1, 0.0, 3)
    assert int(stopped.steps) == 3
