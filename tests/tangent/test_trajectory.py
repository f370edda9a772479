import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mconn import paths, tangent, trees
from mconn.errors import ConfigError, DivergenceError, StructureError
from tests.tangent.networks import CASES, Examples

CASE = CASES["mlp"]
TS = np.linspace(0, 1, 4)


def expected(kernels, labels, reference):
    targets = np.eye(labels.max() + 1)[labels]
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


def check(found, kernels, labels, reference):
    for name, values in expected(kernels, labels, reference).items():
        np.testing.assert_allclose(getattr(found, name), values, rtol=0, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("memory", [30_000, 2**30])
def test_along_a_path_every_number_is_that_of_the_kernels_themselves(memory):
    with jax.enable_x64(True):
        path, data = paths.line(CASE.network(0), CASE.network(1)), CASE.examples(11)
        kernels = [tangent.kernel(CASE.apply, path(t), data.inputs) for t in TS]
        found = tangent.along(CASE.apply, path, TS, data, spectra=True, kernels=True, memory=memory)
        check(found, kernels, data.labels, kernels[0])
        other = CASE.network(5)
        reference = tangent.kernel(CASE.apply, other, data.inputs)
        apart = tangent.along(CASE.apply, path, TS, data, reference=other)
    np.testing.assert_allclose(
        apart.drift, [tangent.relative_drift(kernel, reference) for kernel in kernels]
    )
    assert found.drift[0] == 0
    assert found.cosine[0] == pytest.approx(1)
    flat = found.kernels.reshape(4, -1)
    np.testing.assert_allclose(found.cosines()[0], found.cosine, rtol=1e-12)
    np.testing.assert_allclose(found.cosines(centre=True)[0], found.centred_cosine, rtol=1e-9)
    assert found.cosines()[1, 3] == pytest.approx(
        flat[1] @ flat[3] / np.linalg.norm(flat[1]) / np.linalg.norm(flat[3])
    )
    assert found.spectrum(1).effective_rank > 1


def test_through_networks_of_a_training():
    with jax.enable_x64(True):
        networks = [CASE.network(seed) for seed in range(3)]
        stacked, data = trees.to_numpy(trees.stack(networks)), CASE.examples(6)
        kernels = [tangent.kernel(CASE.apply, each, data.inputs) for each in networks]
        last = tangent.along(CASE.apply, stacked, None, data, reference=2, spectra=True, kernels=True)
        check(last, kernels, data.labels, kernels[2])
        again = tangent.along(CASE.apply, stacked, None, data, reference=networks[2])
    np.testing.assert_array_equal(again.drift, last.drift)
    np.testing.assert_array_equal(again.t, [0, 1, 2])


def test_other_paths_points_and_examples_use_the_same_program():
    traced = []

    def apply(params, inputs):
        traced.append(None)
        return jnp.tanh(inputs @ params["in"]) @ params["out"]

    def measure(seed):
        generator = np.random.default_rng(seed)
        ends = [
            {
                "in": generator.normal(size=(5, 4)).astype(np.float32),
                "out": generator.normal(size=(4, 2)).astype(np.float32),
            }
            for _ in range(2)
        ]
        data = Examples(
            generator.normal(size=(11, 5)).astype(np.float32), np.arange(11, dtype=np.int32) % 3
        )
        found = tangent.along(apply, paths.line(*ends), np.sort(generator.random(3)), data)
        return found.drift, tangent.linearise(apply, paths.line(*ends), TS, data.inputs).error

    first = measure(0)
    count = len(traced)
    assert not np.allclose(measure(1)[0], first[0])
    assert len(traced) == count


def test_single_precision_is_enough():
    path = paths.line(CASE.network(0, np.float32), CASE.network(1, np.float32))
    data = CASE.examples(50, dtype=np.float32)
    found = tangent.along(CASE.apply, path, TS, data)
    with jax.enable_x64(True):
        exact = tangent.along(
            CASE.apply,
            paths.line(CASE.network(0), CASE.network(1)),
            TS,
            CASE.examples(50),
        )
    for name in ("drift", "cosine", "centred_cosine", "target_alignment"):
        np.testing.assert_allclose(getattr(found, name), getattr(exact, name), atol=1e-5)


def test_what_cannot_be_compared_is_refused():
    first, data = CASE.network(0, np.float32), CASE.examples(4, dtype=np.float32)
    path = paths.line(first, CASE.network(1, np.float32))
    triangle = paths.simplex([CASE.network(seed, np.float32) for seed in range(3)])
    with pytest.raises(ConfigError, match="along curves, not on the simplex"):
        tangent.along(CASE.apply, triangle, np.eye(3), data)
    with pytest.raises(StructureError, match="architectures"):
        tangent.along(
            CASE.apply, path, TS, data, reference=CASES["batch norm"].network(0, np.float32)
        )
    with pytest.raises(StructureError, match="outside"):
        tangent.along(CASE.apply, path, [1.5], data)
    broken = jax.tree.map(lambda leaf: np.nan * leaf, first)
    with pytest.raises(DivergenceError, match="the kernel at 1 cannot be compared"):
        tangent.along(CASE.apply, paths.line(first, broken), [0, 1], data)
    found = tangent.along(CASE.apply, path, TS, data)
    with pytest.raises(ConfigError, match="spectra=True"):
        found.spectrum(0)
    with pytest.raises(ConfigError, match="kernels=True"):
        found.cosines()
