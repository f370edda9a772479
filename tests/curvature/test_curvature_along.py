"""Eigenvalues and traces along a path, against dense matrices of every network on it."""

import jax
import numpy as np
import pytest

from mconn import curvature, paths, trees
from mconn.curvature import Search
from mconn.errors import ConfigError, DivergenceError, StructureError
from mconn.measure import Execution
from tests import zoo
from tests.curvature.problems import (
    BATCH,
    KEY,
    LOSS,
    NORMALISED,
    PAIRS,
    Counting,
    at,
    dense,
    examples,
    flat,
    hessian,
    network,
)

TS = np.linspace(0, 1, 4)
SEARCH = Search(**PAIRS, tolerance=1e-9)
ORDER = [-1, -2, -3, 0, 1]


def line(first=0, apply=zoo.tanh_mlp):
    return paths.line(network(first, apply), network(first + 1, apply))


def along(path, operator=None, **options):
    return curvature.along(operator or hessian(), path, TS, KEY, search=SEARCH, **options)


@pytest.fixture(scope="module")
def measured():
    with jax.enable_x64(True):
        return along(line(), probes=30)


def test_eigenvalues_are_those_of_every_network_on_the_path(measured):
    assert measured.converged.all()
    for row, t in enumerate(TS):
        params = at(line(), t)
        expected = np.linalg.eigvalsh(dense(params, examples()))
        np.testing.assert_allclose(measured.values[row], expected[ORDER], rtol=1e-8)
        if row % 2:
            continue
        alone = curvature.eigenpairs(
            hessian().at(trees.to_numpy(params)), KEY, tolerance=1e-9, **PAIRS
        )
        np.testing.assert_allclose(measured.values[row], alone.values, rtol=1e-8)
        assert measured.norm[row] == pytest.approx(alone.norm, rel=1e-8)
        assert measured.residuals[row].max() < 1e-3 * alone.norm
    np.testing.assert_array_equal(measured.t, TS)
    np.testing.assert_array_equal(measured.largest, measured.values[:, :3])
    np.testing.assert_array_equal(measured.smallest, measured.values[:, 3:])
    # The search at a point starts from the vectors of the point before, on each of two devices.
    standing = along(paths.line(network(), network()), probes=30)
    assert (standing.products[1::2] < standing.products[::2]).all()
    np.testing.assert_allclose(standing.traces, standing.traces[:1].repeat(4, 0), rtol=1e-12)


def test_traces_are_those_of_the_same_vectors_at_every_point(measured):
    assert measured.traces.shape == (4, 30)
    exact = np.array([np.trace(dense(at(line(), t), examples())) for t in TS])
    assert (abs(measured.trace() - exact) < 3 * measured.trace_standard_error()).all()
    deviations = measured.traces.std(axis=1, ddof=1) / np.sqrt(30)
    np.testing.assert_allclose(measured.trace_standard_error(), deviations)


def test_another_path_and_operator_run_the_same_program():
    counting = Counting(LOSS)
    first = along(line(), hessian(loss=counting), probes=30)
    once = counting.traces
    other = curvature.along(
        hessian(5, examples(3), counting), line(5), TS**2, search=SEARCH, probes=30
    )
    assert counting.traces == once
    assert not np.allclose(first.values, other.values)


def refreshed(params, batches):
    """The statistics of the first products, recomputed."""
    x = batches.inputs.reshape(-1, zoo.INPUTS) @ params["params"]["Dense_0"]["kernel"]
    first = {"mean": x.mean(axis=0), "var": x.var(axis=0)}
    return {**params, "batch_stats": {**params["batch_stats"], "BatchNorm_0": first}}


def test_statistics_are_recomputed_at_every_point():
    path, data, whole = line(apply=zoo.normalised), examples(), examples(4)
    held = curvature.hessian(NORMALISED, network(apply=zoo.normalised), data, batch_size=BATCH)
    found = along(path, held, execution=Execution(refresh=refreshed, refresh_data=whole))
    rows, recomputed = len(flat(held.params["batch_stats"])), jax.jit(refreshed)
    for row, t in enumerate(TS):
        params = recomputed(at(path, t), whole)
        expected = np.linalg.eigvalsh(dense(params, data, NORMALISED)[rows:, rows:])
        np.testing.assert_allclose(found.values[row], expected[ORDER], rtol=1e-8)
    assert found.traces.shape == (4, 0)
    with pytest.raises(ConfigError, match="without random vectors: pass probes to `along`"):
        found.trace()


def test_a_point_that_is_not_finite_is_named():
    path = paths.line(network(0), jax.tree.map(lambda leaf: np.nan * leaf, network(1)))
    with pytest.raises(DivergenceError, match=r"at point 1, t = 0\.333.*: a product with the Hess"):
        along(path, probes=30)


def test_bad_input_is_refused():
    with pytest.raises(ConfigError, match="80 eigenvalues are asked for and the operator has 79"):
        curvature.along(hessian(), line(), TS, search=Search(top=79))
    with pytest.raises(ConfigError, match="probes is -1: pass 0 to leave the trace out"):
        along(line(), probes=-1)
    with pytest.raises(ConfigError, match="refresh recomputes statistics from refresh_data"):
        along(line(), execution=Execution(refresh=refreshed))
    with pytest.raises(StructureError, match=r"1\.5 lies outside \[0, 1\]"):
        curvature.along(hessian(), line(), [0, 1.5])
    with pytest.raises(StructureError, match="the two networks have different architectures"):
        along(line(apply=zoo.normalised))
