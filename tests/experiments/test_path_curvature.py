"""The study of curvature along paths."""

import dataclasses

import jax
import numpy as np
import pyarrow as pa
import pytest

from configs import path_curvature
from experiments.curvature.claims import kink_claims
from experiments.curvature.lines import MATCHED, NAIVE
from experiments.curvature.network import (
    PARAMETRISATIONS,
    Job,
    descend,
    draw,
    mean_loss,
    shallow,
)
from experiments.curvature.width import BETWEEN, largest
from mconn import experiment
from mconn.data import Split
from mconn.errors import ConfigError

FEATURES, CLASSES, WIDTH = 5, 3, 12


@pytest.mark.slow
def test_the_controls_hold_and_every_question_has_its_table(tmp_path):
    folder = experiment.run(path_curvature.smoke(), tmp_path)
    controls = [claim for claim in folder.record["claims"] if claim["source"].startswith("control")]
    assert len(controls) == 9
    assert all(claim["holds"] for claim in controls)
    slopes = {row["parametrisation"]: row[BETWEEN] for row in folder.table("headline").to_pylist()}
    assert slopes["standard"] > slopes["NTK"] > slopes["mean field"]
    kinks = folder.table("kinks").to_pylist()
    assert {(row["activation"], row["method"]) for row in kinks} == {
        (activation, method) for activation in ("relu", "tanh") for method in (NAIVE, MATCHED)
    }
    assert all(abs(row["missed"]) < 0.01 for row in kinks if row["activation"] == "tanh")
    traces = folder.table("traces").to_pylist()
    assert {(row["method"], row["t"]) for row in traces} == {
        (method, t) for method in (NAIVE, MATCHED) for t in (0.0, 0.5, 1.0)
    }


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


def test_claims_about_kinks_fail_where_nothing_is_missed():
    """The negative control: a ReLU line whose barrier second derivatives explain."""
    kinds = [(a, m) for a in ("relu", "tanh") for m in (NAIVE, MATCHED)]
    rows = [
        {
            "activation": activation,
            "method": method,
            "missed": 0.001 * sign,
            "missed_standard_error": 0.01,
            "quadrature_error": 1e-4,
            "identity": 1e-16,
        }
        for activation, method in kinds
        for sign in (-1, 1)
    ]
    claims = kink_claims(pa.Table.from_pylist(rows))
    assert [claim.holds for claim in claims] == [False, False, False, True, True, True]


def test_pilot_numbers_belong_to_the_measured_widths_only():
    assert len(path_curvature.path_curvature().published) == 5
    assert not path_curvature.smoke().published
    assert not path_curvature.gpu().published


def test_sizes_that_have_no_answer_are_refused():
    study = path_curvature.smoke()
    with pytest.raises(ConfigError, match="two widths and two seeds"):
        dataclasses.replace(study, widths=(64,))
    with pytest.raises(ConfigError, match="whose points are among the others"):
        dataclasses.replace(study, eigenvalue_points=8)
    with pytest.raises(ConfigError, match="an odd number, five or more"):
        dataclasses.replace(study, points=3, eigenvalue_points=3).stages()
    with pytest.raises(ConfigError, match="mean feild"):
        draw("mean feild", 4, 4, 2, 0)
