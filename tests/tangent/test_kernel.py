"""Kernels, formed and as operators, against explicit Jacobians."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mconn import symmetry, tangent
from mconn.errors import ConfigError, DataError, DivergenceError, StructureError
from mconn.models import CNN, MLP
from mconn.tangent.factors import trace_one
from mconn.tangent.gram import Request, compiled_gram, into_blocks
from mconn.tangent.products import find_products
from tests import zoo
from tests.tangent.kernels import (
    KINKED,
    NETWORKS,
    SMALL,
    close,
    contracted,
    examples,
    explicit,
    mixed,
    network,
)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_kernel_is_that_of_explicit_jacobians(name):
    apply = NETWORKS[name]
    params, inputs = network(apply), examples(apply).inputs
    expected = explicit(apply, params, inputs)
    close(tangent.kernel(apply, params, inputs, outputs="full"), expected)
    for outputs in {"mlp": ["mean"], "mixed": ["mean"], "convolution": ["sum"]}.get(name, []):
        found = tangent.kernel(apply, params, inputs, outputs=outputs)
        close(found, contracted(expected, outputs))
    matrix = tangent.as_matrix(tangent.kernel(apply, params, inputs, outputs="full"))
    close(matrix, matrix.T, 1e-14)
    eigenvalues = np.linalg.eigvalsh(matrix)
    assert eigenvalues.min() > -1e-12 * eigenvalues.max()


@pytest.mark.parametrize(("apply", "outputs"), [(KINKED, "mean"), (mixed, "full")])
def test_two_sets_of_inputs(apply, outputs):
    params, first = network(apply), examples(apply).inputs
    second = examples(apply, 7, 1).inputs
    expected = contracted(explicit(apply, params, first, second), outputs)
    close(tangent.kernel(apply, params, first, second, outputs=outputs), expected)


@pytest.mark.parametrize(("outputs", "two"), [("mean", False), ("full", False), ("full", True)])
def test_blocks_change_nothing(outputs, two):
    params, first, second = network(KINKED), examples(count=23).inputs, examples(count=31).inputs
    blocks = into_blocks(KINKED, params, first, outputs, SMALL)
    assert blocks.real.shape[0] > 2
    assert blocks.real.size > 23
    pair = (first, second) if two else (first,)
    expected = contracted(explicit(KINKED, params, *pair), outputs)
    close(tangent.kernel(KINKED, params, *pair, outputs=outputs, memory=SMALL), expected, 1e-12)


def test_examples_are_differentiated_in_pieces():
    apply = zoo.convolution
    params, inputs = network(apply), examples(count=23).inputs
    memory = 150_000
    assert into_blocks(apply, params, inputs, "mean", memory).inputs.shape[1] > 1
    found = tangent.kernel(apply, params, inputs, memory=memory)
    close(found, contracted(explicit(apply, params, inputs)), 1e-12)


def test_in_single_precision_weights_that_are_used_once_are_factorised():
    params, inputs = network(KINKED, dtype=np.float32), examples(dtype=np.float32).inputs
    products = find_products(trace_one(KINKED, params, inputs[0]), set(range(6)))
    assert sorted(each.leaf for each in products) == [1, 3, 5]
    assert sorted(each.bias_leaf for each in products) == [0, 2, 4]
    found = tangent.kernel(KINKED, params, inputs)
    assert found.dtype == np.float32
    with jax.enable_x64(True):
        expected = explicit(KINKED, network(KINKED), examples().inputs)
    close(found, contracted(expected), 1e-5)


def test_only_the_right_uses_are_factorised():
    params = network(mixed)
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
    program = trace_one(mixed, params, examples(mixed).inputs[0])
    found = {paths[each.leaf] for each in find_products(program, set(range(len(paths))))}
    assert found == {
        "['params']['Conv_0']['kernel']",
        "['params']['Dense_1']['kernel']",
        "['params']['turned']",
    }


def test_a_relu_at_zero_has_the_derivative_that_the_network_gives_it():
    """Images with black borders leave units at exactly zero, where max has another derivative."""
    apply = zoo.convolution
    params, inputs = network(apply), np.array(examples().inputs)
    for number in range(2):
        params["params"][f"Conv_{number}"]["bias"] = np.zeros((6, 4)[number])
    inputs[:, :3] = 0
    found = tangent.kernel(apply, params, inputs, outputs="full")
    close(found, explicit(apply, params, inputs))


def test_permuted_units_leave_the_kernel_and_rescaled_ones_do_not():
    params, inputs = network(KINKED), examples().inputs
    group = zoo.group(KINKED)
    element = symmetry.identity(group)
    for generator in group.generators:
        if generator.moves_units:
            order = np.random.default_rng(1).permutation(generator.size)
            element[generator.name] = np.asarray(order)
    permuted = symmetry.act(group, element, params)
    scaled = jax.tree.map(np.array, params)
    for leaf in scaled["params"]["Dense_0"].values():
        leaf *= 3
    scaled["params"]["Dense_1"]["kernel"] /= 3
    before, same, other = (tangent.kernel(KINKED, p, inputs) for p in (params, permuted, scaled))
    close(KINKED(scaled, inputs), KINKED(params, inputs), 1e-12)
    close(same, before, 1e-12)
    assert tangent.relative_drift(other, before) > 0.3


def test_other_weights_and_examples_use_the_same_programs():
    traced = []

    def apply(params, inputs):
        traced.append(None)
        return jnp.tanh(inputs @ params["in"]) @ params["out"]

    def measure(seed):
        rng = np.random.default_rng(seed)
        params = {"in": rng.normal(size=(5, 4)), "out": rng.normal(size=(4, 2))}
        inputs = rng.normal(size=(11, 5))
        operator = tangent.operator(apply, params, inputs)
        before = len(traced)
        product = operator @ rng.normal(size=22)
        return tangent.kernel(apply, params, inputs), product, len(traced) - before

    first, second = measure(0), measure(1)
    assert not np.allclose(first[0], second[0])
    assert second[2] == 0
    count = len(traced)
    tangent.kernel(apply, {"in": np.ones((5, 4)), "out": np.ones((4, 2))}, np.ones((11, 5)))
    assert len(traced) == count


@pytest.mark.parametrize(
    ("model", "shape", "memory"),
    [
        (MLP(width=256), (64,), 2**23),
        (CNN(width=8, depth=2, normaliser="batch"), (14, 14, 1), 2**23),
    ],
)
def test_the_program_keeps_to_its_memory(model, shape, memory):
    with jax.enable_x64(False):
        kinds = jax.eval_shape(
            lambda key: model.init(key, jnp.zeros((1, *shape))), jax.random.key(0)
        )
        params = jax.tree.map(lambda kind: np.ones(kind.shape, np.float32), kinds)
        inputs = np.ones((300, *shape), np.float32)
        blocks = into_blocks(model.apply, params, inputs, "mean", memory)
        lowered = compiled_gram.lower(Request(model.apply, "mean"), params, blocks, None)
        assert lowered.compile().memory_analysis().temp_size_in_bytes <= memory


@pytest.mark.parametrize(
    ("name", "outputs", "memory"),
    [
        ("mlp", "full", 150_000),
        ("mlp", "mean", 2**30),
        ("convolution", "sum", 50_000),
    ],
)
def test_products_are_those_of_the_matrix(name, outputs, memory):
    apply = NETWORKS[name]
    params, inputs = network(apply), examples(apply).inputs
    expected = contracted(explicit(apply, params, inputs), outputs)
    matrix = tangent.as_matrix(expected) if outputs == "full" else expected
    found = tangent.operator(apply, params, inputs, outputs=outputs, memory=memory)
    vector = np.random.default_rng(3).normal(size=found.size)
    close(found @ vector, matrix @ vector)
    np.testing.assert_allclose(found.diagonal(), np.diag(matrix), rtol=1e-9)


def test_top_eigenvalues_and_the_participation_ratio_are_those_of_the_matrix():
    params, inputs = network(KINKED), examples().inputs
    matrix = tangent.as_matrix(explicit(KINKED, params, inputs))
    expected = np.linalg.eigvalsh(matrix)[::-1]
    kernel = tangent.operator(KINKED, params, inputs, memory=150_000)
    found = tangent.top_eigenvalues(kernel, 4, tolerance=1e-10)
    np.testing.assert_allclose(found.values, expected[:4], rtol=1e-9)
    assert (found.residuals < 1e-8 * expected[0]).all()
    np.testing.assert_allclose(found.vectors.T @ found.vectors, np.eye(4), atol=1e-9)
    ratio = tangent.participation_ratio(kernel, 64)
    exact = np.trace(matrix) ** 2 / (matrix**2).sum()
    assert abs(ratio.value - exact) < 4 * ratio.standard_error
    assert ratio.standard_error < 0.2 * exact


def test_eigenvalues_in_single_precision():
    params, inputs = network(KINKED, dtype=np.float32), examples(dtype=np.float32).inputs
    found = tangent.top_eigenvalues(tangent.operator(KINKED, params, inputs, outputs="mean"), 3)
    exact = contracted(explicit(KINKED, network(KINKED), examples().inputs))
    np.testing.assert_allclose(found.values, tangent.spectrum(exact).eigenvalues[:3], rtol=1e-4)


def test_bad_input_is_refused():
    params, inputs = network(KINKED), examples().inputs
    with pytest.raises(ConfigError, match=r"memory is 100 bytes, and one example needs [\d,]+:"):
        tangent.kernel(KINKED, params, inputs, memory=100)
    with pytest.raises(ConfigError, match="outputs"):
        tangent.kernel(KINKED, params, inputs, outputs="trace")
    with pytest.raises(StructureError, match=r"maps one example to \(1,\), not to \(1, outputs\)"):
        tangent.kernel(lambda p, x: KINKED(p, x).sum(axis=1), params, inputs)
    with pytest.raises(StructureError, match="maps one example to dict"):
        tangent.kernel(lambda p, x: {"logits": KINKED(p, x)}, params, inputs)
    with pytest.raises(DataError, match="non-zero number of examples"):
        tangent.kernel(KINKED, params, inputs[:0])
    held = {"batch_stats": network(zoo.normalised)["batch_stats"]}
    with pytest.raises(StructureError, match="no parameter of real numbers"):
        tangent.kernel(lambda params, inputs: inputs[:, :2], held, inputs)
    kernel = tangent.operator(KINKED, params, inputs, memory=150_000)
    with pytest.raises(DataError, match=r"pass a vector of the shape \(33,\)"):
        kernel @ np.ones(5)
    with pytest.raises(DivergenceError, match="not finite"):
        kernel @ np.full(33, np.inf)
    with pytest.raises(ConfigError, match="k is 33"):
        tangent.top_eigenvalues(kernel, 33)
    with pytest.raises(ConfigError, match="needs two or more"):
        tangent.participation_ratio(kernel, 1)
    for use in map(inspect.unwrap, (tangent.top_eigenvalues, tangent.participation_ratio)):
        with pytest.raises(StructureError, match="kernel is a ndarray, not a Operator: make"):
            use(np.eye(3))
    inputs = np.array(inputs)
    inputs[3, 1] = np.inf
    with pytest.raises(DivergenceError, match="not finite at the examples 0 and 3"):
        tangent.kernel(KINKED, params, inputs)
