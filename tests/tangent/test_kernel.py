import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mconn import symmetry, tangent
from mconn.errors import ConfigError, DataError, DivergenceError, StructureError
from mconn.models import CNN, MLP
from mconn.tangent.factors import trace_one as trace
from mconn.tangent.gram import Request, compiled_gram, into_blocks
from mconn.tangent.products import find_products
from tests.tangent.networks import CASES, explicit

SMALL = 30_000
"""Bytes that hold only a few examples of the small networks at a time."""


def contracted(full):
    return np.einsum("ijcc->ij", full)


def close(found, expected, tolerance=1e-9):
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * abs(expected).max())


@pytest.mark.parametrize("name", CASES)
def test_the_kernel_is_that_of_explicit_jacobians(name):
    case = CASES[name]
    with jax.enable_x64(True):
        params, inputs = case.network(), case.examples(7).inputs
        expected = explicit(case.apply, params, inputs)
        close(tangent.kernel(case.apply, params, inputs, outputs="full"), expected)
        close(tangent.kernel(case.apply, params, inputs, outputs="sum"), contracted(expected))
        close(tangent.kernel(case.apply, params, inputs), contracted(expected) / 3)


@pytest.mark.parametrize("outputs", ["mean", "full"])
@pytest.mark.parametrize("name", ["mlp", "cnn", "mixed"])
def test_two_sets_of_inputs(name, outputs):
    case = CASES[name]
    with jax.enable_x64(True):
        params, inputs, others = case.network(), case.examples(5).inputs, case.examples(8, 1).inputs
        expected = explicit(case.apply, params, inputs, others)
        found = tangent.kernel(case.apply, params, inputs, others, outputs=outputs)
    close(found, expected if outputs == "full" else contracted(expected) / 3)


@pytest.mark.parametrize("outputs", ["mean", "full"])
def test_blocks_change_nothing(outputs):
    case = CASES["mlp"]
    with jax.enable_x64(True):
        params, inputs = case.network(), case.examples(23).inputs
        others = case.examples(31, 1).inputs
        blocks = into_blocks(case.apply, params, inputs, outputs, SMALL)
        assert blocks.real.shape[0] > 2
        assert blocks.real.size > 23
        for pair in ((inputs,), (inputs, others)):
            whole = tangent.kernel(case.apply, params, *pair, outputs=outputs)
            cut = tangent.kernel(case.apply, params, *pair, outputs=outputs, memory=SMALL)
            close(cut, whole, 1e-12)


def test_examples_are_differentiated_in_pieces():
    case = CASES["cnn"]
    params, inputs = case.network(dtype=np.float32), case.examples(40, dtype=np.float32).inputs
    blocks = into_blocks(case.apply, params, inputs, "mean", 20 * SMALL)
    assert blocks.inputs.shape[1] > 1
    whole = tangent.kernel(case.apply, params, inputs)
    close(tangent.kernel(case.apply, params, inputs, memory=20 * SMALL), whole, 1e-5)


def test_the_full_kernel_is_a_symmetric_positive_matrix():
    case = CASES["cnn batch norm"]
    with jax.enable_x64(True):
        full = tangent.kernel(case.apply, case.network(), case.examples(6).inputs, outputs="full")
    matrix = tangent.as_matrix(full)
    close(matrix, matrix.T, 1e-14)
    eigenvalues = np.linalg.eigvalsh(matrix)
    assert eigenvalues.min() > -1e-12 * eigenvalues.max()


def test_in_single_precision_weights_that_are_used_once_are_factorised():
    case = CASES["mlp"]
    params, inputs = case.network(dtype=np.float32), case.examples(9, dtype=np.float32).inputs
    products = find_products(trace(case.apply, params, inputs[0]), set(range(6)))
    assert sorted(each.leaf for each in products) == [1, 3, 5]
    assert sorted(each.bias_leaf for each in products) == [0, 2, 4]
    found = tangent.kernel(case.apply, params, inputs)
    assert found.dtype == np.float32
    close(found, contracted(explicit(case.apply, params, inputs)) / 3, 1e-5)


def test_only_the_right_uses_are_factorised():
    case = CASES["mixed"]
    params, inputs = case.network(), case.examples(1).inputs
    names = list(params["params"])
    leaves = len(jax.tree.leaves(params))
    products = find_products(trace(case.apply, params, inputs[0]), set(range(leaves)))
    numbered = [
        jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)
    ]
    found = {numbered[each.leaf] for each in products}
    assert "Dense_1" in names
    assert found == {
        "['params']['Conv_0']['kernel']",
        "['params']['Dense_1']['kernel']",
        "['params']['turned']",
    }


def test_a_relu_at_zero_has_the_derivative_that_the_network_gives_it():
    """Images with black borders leave units at exactly zero, where max has another derivative."""
    case = CASES["cnn"]
    with jax.enable_x64(True):
        params = jax.tree.map(np.array, case.network())
        for layer in params["params"].values():
            layer["bias"][:] = 0
        inputs = case.examples(4).inputs
        inputs[:, :3] = 0
        close(
            tangent.kernel(case.apply, params, inputs, outputs="full"),
            explicit(case.apply, params, inputs),
        )


def test_permuted_units_leave_the_kernel_and_rescaled_ones_do_not():
    case = CASES["mlp"]
    with jax.enable_x64(True):
        params, inputs = case.network(), case.examples(6).inputs
        group = symmetry.discover(case.apply, params, inputs)
        element = symmetry.identity(group)
        for generator in group.generators:
            if generator.moves_units:
                order = np.random.default_rng(1).permutation(generator.size)
                element[generator.name] = np.asarray(order)
        moved = symmetry.act(group, element, params)
        scaled = jax.tree.map(np.array, params)
        scaled["params"]["Dense_0"]["kernel"] *= 3
        scaled["params"]["Dense_0"]["bias"] *= 3
        scaled["params"]["Dense_1"]["kernel"] /= 3
        before, permuted, rescaled = (
            tangent.kernel(case.apply, each, inputs) for each in (params, moved, scaled)
        )
        close(case.apply(scaled, inputs), case.apply(params, inputs), 1e-12)
    close(permuted, before, 1e-12)
    assert tangent.relative_drift(rescaled, before) > 0.3


def test_statistics_are_held():
    case = CASES["batch norm"]
    params, inputs = case.network(), case.examples(5).inputs
    held = {"batch_stats": params["batch_stats"]}
    with pytest.raises(StructureError, match="no parameter of real numbers"):
        tangent.kernel(lambda params, inputs: inputs[:, :2], held, inputs)


def test_other_weights_and_examples_use_the_same_program():
    traced = []

    def apply(params, inputs):
        traced.append(None)
        return jnp.tanh(inputs @ params["in"]) @ params["out"]

    def measure(seed):
        generator = np.random.default_rng(seed)
        params = {"in": generator.normal(size=(5, 4)), "out": generator.normal(size=(4, 2))}
        inputs = generator.normal(size=(11, 5)).astype(np.float32)
        return tangent.kernel(apply, jax.tree.map(np.float32, params), inputs)

    first = measure(0)
    count = len(traced)
    assert not np.allclose(measure(1), first)
    assert len(traced) == count


@pytest.mark.parametrize(
    ("model", "shape"),
    [(MLP(width=256), (64,)), (CNN(width=8, depth=2, normaliser="batch"), (14, 14, 1))],
)
@pytest.mark.parametrize("memory", [2**23, 2**25])
def test_the_program_keeps_to_its_memory(model, shape, memory):
    kinds = jax.eval_shape(lambda key: model.init(key, jnp.zeros((1, *shape))), jax.random.key(0))
    params = jax.tree.map(lambda kind: np.ones(kind.shape, np.float32), kinds)
    inputs = np.ones((300, *shape), np.float32)
    blocks = into_blocks(model.apply, params, inputs, "mean", memory)
    program = compiled_gram.lower(Request(model.apply, "mean"), params, blocks, None).compile()
    assert program.memory_analysis().temp_size_in_bytes <= memory


def test_bad_input_is_refused():
    case = CASES["mlp"]
    params, inputs = case.network(dtype=np.float32), case.examples(5, dtype=np.float32).inputs
    with pytest.raises(ConfigError, match=r"memory is 100 bytes, and one example needs [\d,]+:"):
        tangent.kernel(case.apply, params, inputs, memory=100)
    with pytest.raises(ConfigError, match="outputs"):
        tangent.kernel(case.apply, params, inputs, outputs="trace")
    with pytest.raises(StructureError, match=r"maps one example to \(1,\), not to \(1, outputs\)"):
        tangent.kernel(lambda p, x: case.apply(p, x).sum(axis=1), params, inputs)
    with pytest.raises(StructureError, match="maps one example to dict"):
        tangent.kernel(lambda p, x: {"logits": case.apply(p, x)}, params, inputs)
    with pytest.raises(DataError, match="non-zero number of examples"):
        tangent.kernel(case.apply, params, inputs[:0])
    inputs[3, 1] = np.inf
    with pytest.raises(DivergenceError, match="not finite at the examples 0 and 3"):
        tangent.kernel(case.apply, params, inputs)
