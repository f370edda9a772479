"""Kernels at points of a path and through a training, against the kernels themselves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mconn import paths, tangent, trees
from mconn.data import Split
from mconn.errors import ConfigError, DivergenceError, StructureError
from mconn.measure import Execution
from tests import zoo
from tests.tangent.kernels import KINKED, SMALL, contracted, examples, explicit, network

TS = np.linspace(0, 1, 4)
EXECUTION = Execution(memory=2 * SMALL, points_per_call=2)


def ends(dtype=np.float64):
    return [network(KINKED, seed, dtype) for seed in range(2)]


def kernels_of(networks):
    return [contracted(explicit(KINKED, each, examples().inputs)) for each in networks]


def expected(kernels, reference):
    targets = np.eye(3)[examples().labels]
    targets = targets - targets.mean(axis=0)
    centred = [tangent.centred(kernel) for kernel in (*kernels, reference)]
    return {
        "norm": [np.linalg.norm(kernel) for kernel in kernels],
        "trace": [np.trace(kernel) for kernel in kernels],
        "drift": [tangent.relative_drift(kernel, reference) for kernel in kernels],
        "cosine": [tangent.cosine(kernel, reference) for kernel in kernels],
        "centred_cosine": [tangent.cosine(each, centred[-1]) for each in centred[:-1]],
        "target_alignment": [tangent.target_alignment(each, targets) for each in centred[:-1]],
        "eigenvalues": [np.linalg.eigvalsh(kernel)[::-1] for kernel in kernels],
        "kernels": kernels,
    }


def check(found, kernels, reference, tolerance=1e-10):
    for name, values in expected(kernels, reference).items():
        if getattr(found, name) is not None:
            np.testing.assert_allclose(
                getattr(found, name), values, rtol=0, atol=tolerance, err_msg=name
            )


@pytest.fixture(scope="module")
def kernels():
    with jax.enable_x64(True):
        path = paths.line(*ends())
        return kernels_of([trees.to_numpy(path(t)) for t in TS])


def test_along_a_path_every_number_is_that_of_the_kernels_themselves(kernels):
    path, data = paths.line(*ends()), examples()
    found = tangent.along(KINKED, path, TS, data, spectra=True, kernels=True)
    check(found, kernels, kernels[0])
    assert found.drift[0] == 0
    assert found.cosine[0] == pytest.approx(1)
    flat = found.kernels.reshape(4, -1)
    np.testing.assert_allclose(found.cosines()[0], found.cosine, rtol=1e-12)
    np.testing.assert_allclose(found.cosines(centre=True)[0], found.centred_cosine, rtol=1e-9)
    assert found.cosines()[1, 3] == pytest.approx(
        flat[1] @ flat[3] / np.linalg.norm(flat[1]) / np.linalg.norm(flat[3])
    )
    assert found.spectrum(1).effective_rank > 1
    again = tangent.along(KINKED, path, TS, data, reference=1.0, spectra=True, kernels=True)
    check(again, kernels, kernels[-1])


def test_examples_in_blocks_and_another_reference(kernels):
    other, data = network(KINKED, 5), examples()
    pair = (data.inputs, data.labels)
    path = paths.line(*ends())
    found = tangent.along(KINKED, path, TS, pair, reference=other, execution=EXECUTION)
    check(found, kernels, kernels_of([other])[0])
    assert found.eigenvalues is None
    with pytest.raises(ConfigError, match="spectra=True"):
        found.spectrum(0)
    with pytest.raises(ConfigError, match="kernels=True"):
        found.cosines()


def test_networks_of_a_training():
    networks, data = [network(KINKED, seed) for seed in range(3)], examples()
    stacked, kernels = trees.to_numpy(trees.stack(networks)), kernels_of(networks)
    last = tangent.along(KINKED, stacked, None, data, reference=2, kernels=True)
    check(last, kernels, kernels[2])
    again = tangent.along(KINKED, stacked, None, data, reference=networks[2], kernels=True)
    np.testing.assert_array_equal(again.drift, last.drift)
    np.testing.assert_array_equal(again.t, [0, 1, 2])


def test_other_paths_points_and_examples_use_the_same_program():
    traced = []

    def apply(params, inputs):
        traced.append(None)
        return jnp.tanh(inputs @ params["in"]) @ params["out"]

    def measure(seed):
        rng = np.random.default_rng(seed)
        pair = [{"in": rng.normal(size=(5, 4)), "out": rng.normal(size=(4, 2))} for _ in range(2)]
        data = Split(rng.normal(size=(11, 5)), np.arange(11, dtype=np.int32) % 3)
        found = tangent.along(apply, paths.line(*pair), np.sort(rng.random(4)), data)
        return found.drift, tangent.linearise(apply, paths.line(*pair), TS, data.inputs).error

    first = measure(0)
    count = len(traced)
    assert not np.allclose(measure(1)[0], first[0])
    assert len(traced) == count


def test_single_precision_is_enough(kernels):
    with jax.enable_x64(False):
        data = examples(dtype=np.float32)
        found = tangent.along(KINKED, paths.line(*ends(np.float32)), TS, data)
    exact = expected(kernels, kernels[0])
    for name in ("drift", "cosine", "centred_cosine", "target_alignment"):
        np.testing.assert_allclose(getattr(found, name), exact[name], atol=1e-5)


def test_what_cannot_be_compared_is_refused():
    first, data = network(KINKED), examples()
    path = paths.line(*ends())
    triangle = paths.simplex([network(KINKED, seed) for seed in range(3)])
    with pytest.raises(ConfigError, match="along curves, not on the simplex"):
        tangent.along(KINKED, triangle, np.eye(3), data)
    with pytest.raises(StructureError, match="architectures"):
        tangent.along(KINKED, path, TS, data, reference=network(zoo.normalised))
    with pytest.raises(StructureError, match="outside"):
        tangent.along(KINKED, path, [1.5], data)
    broken = jax.tree.map(lambda leaf: np.nan * leaf, first)
    with pytest.raises(DivergenceError, match=r"the kernel at 0\.333333 cannot be compared"):
        tangent.along(KINKED, paths.line(first, broken), TS, data, spectra=True, kernels=True)
