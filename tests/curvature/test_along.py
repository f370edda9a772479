import jax
import numpy as np
import pytest

from mconn import curvature, paths, trees
from mconn.errors import ConfigError, DivergenceError, StructureError
from mconn.landscape import BatchNormStatistics, Classification
from tests.curvature.matrices import KEY
from tests.curvature.networks import (
    LOSS,
    NORMALISED,
    Counting,
    dense,
    examples,
    flat,
    network,
)

TS = np.linspace(0, 1, 4)
SIZES = {"top": 2, "bottom": 1, "tolerance": 1e-9}


def operator(loss=LOSS, seed=0, data=None):
    return curvature.hessian(loss, network(seed), data or examples(), batch_size=3)


def line(first=0):
    return paths.line(network(first), network(first + 1))


def measured():
    return curvature.along(operator(), line(), TS, KEY, probes=30, **SIZES)


def test_eigenvalues_are_those_of_every_network_on_the_path():
    found = measured()
    assert found.converged.all()
    for row, t in enumerate(TS):
        params = line()(t)
        expected = np.linalg.eigvalsh(dense(params, examples()))
        np.testing.assert_allclose(found.largest[row], expected[[-1, -2]], rtol=1e-8)
        np.testing.assert_allclose(found.smallest[row], expected[:1], rtol=1e-8)
        alone = curvature.eigenpairs(operator().at(trees.to_numpy(params)), KEY, **SIZES)
        np.testing.assert_allclose(found.values[row], alone.values, rtol=1e-8)
        assert found.norm[row] == pytest.approx(alone.norm, rel=1e-8)
        assert found.residuals[row].max() < 1e-3 * alone.norm
    np.testing.assert_array_equal(found.t, TS)
    assert found.top == 2


def test_traces_are_those_of_the_same_vectors_at_every_point():
    found = measured()
    assert found.traces.shape == (4, 30)
    exact = np.array([np.trace(dense(line()(t), examples())) for t in TS])
    assert (abs(found.trace() - exact) < 3 * found.trace_standard_error()).all()
    deviations = found.traces.std(axis=1, ddof=1) / np.sqrt(30)
    np.testing.assert_allclose(found.trace_standard_error(), deviations)
    still = paths.line(network(0), network(0))
    same = curvature.along(operator(), still, TS, KEY, probes=30, **SIZES).traces
    np.testing.assert_allclose(same, np.broadcast_to(same[0], same.shape), rtol=1e-12)


def test_another_path_and_operator_run_the_same_program():
    counting = Counting(LOSS)
    sizes = {**SIZES, "probes": 2}
    first = curvature.along(operator(counting), line(), TS, KEY, **sizes)
    once = counting.traces
    other = curvature.along(
        operator(counting, 5, examples(seed=3)), line(5), TS**2, jax.random.key(3), **sizes
    )
    assert counting.traces == once
    assert not np.allclose(first.values, other.values)


def test_statistics_are_recomputed_at_every_point():
    loss, data = Classification(NORMALISED.apply), examples()
    ends = [network(seed, NORMALISED) for seed in range(2)]
    refresh, whole = BatchNormStatistics(NORMALISED), examples(12, seed=4)
    held = curvature.hessian(loss, ends[0], data, batch_size=3)
    found = curvature.along(
        held,
        paths.line(*ends),
        TS,
        KEY,
        refresh=refresh,
        refresh_data=whole,
        refresh_batch_size=6,
        **SIZES,
    )
    folded = jax.tree.map(lambda leaf: leaf.reshape(2, 6, *leaf.shape[1:]), whole)
    rows = len(flat(ends[0]["batch_stats"]))
    for row, t in enumerate(TS):
        params = refresh(paths.line(*ends)(t), folded)
        expected = np.linalg.eigvalsh(dense(params, data, loss)[rows:, rows:])
        np.testing.assert_allclose(found.values[row], expected[[-1, -2, 0]], rtol=1e-8)
    assert found.traces.shape == (4, 0)
    with pytest.raises(ConfigError, match="without random vectors: pass probes to `along`"):
        found.trace()


def test_a_point_that_is_not_finite_is_named():
    broken = jax.tree.map(lambda leaf: np.nan * leaf, network(1))
    path = paths.line(network(0), broken)
    with pytest.raises(DivergenceError, match=r"at point 1, t = 0\.333.*: a product with the Hess"):
        curvature.along(operator(), path, TS, KEY, probes=30, **SIZES)


def test_bad_input_is_refused():
    with pytest.raises(ConfigError, match="60 eigenvalues are asked for and the operator has 59"):
        curvature.along(operator(), line(), TS, KEY, top=59)
    with pytest.raises(ConfigError, match="probes is -1: pass 0 to leave the trace out"):
        curvature.along(operator(), line(), TS, KEY, probes=-1)
    with pytest.raises(ConfigError, match="belong together: pass both or neither"):
        curvature.along(operator(), line(), TS, KEY, refresh_data=examples())
    with pytest.raises(StructureError, match=r"1\.5 lies outside \[0, 1\]"):
        curvature.along(operator(), line(), [0, 1.5], KEY)
    other = paths.line(*[network(seed, NORMALISED) for seed in range(2)])
    with pytest.raises(StructureError, match="the two networks have different architectures"):
        curvature.along(operator(), other, TS, KEY)
