"""Spread over seeds, the kernel's derivative, linearisation, and the limit of infinite width."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mconn import landscape, paths, tangent, trees
from mconn.errors import ConfigError, DivergenceError, StructureError
from mconn.measure import Execution
from tests import zoo
from tests.tangent.kernels import (
    COUNT,
    SMALL,
    SMOOTH,
    close,
    contracted,
    difference,
    examples,
    explicit,
    jacobian,
    moved,
    network,
)

SOME = Execution(batch_size=4)


def squares(params, batch):
    """A loss in the precision of the network."""
    targets = jnp.eye(3, dtype=batch.inputs.dtype)[batch.labels]
    return {"loss": 0.5 * ((SMOOTH(params, batch.inputs) - targets) ** 2).sum(axis=1)}


def wide(params, inputs):
    """ReLU networks in the parametrisation of the limit."""
    hidden = inputs / np.sqrt(inputs.shape[1])
    for kernel in params[:-1]:
        hidden = jax.nn.relu(hidden @ kernel) * np.sqrt(2 / kernel.shape[1])
    return hidden @ params[-1]


def wide_network(rng, width, depth, features=6, classes=2):
    sizes = [features, *[width] * depth, classes]
    return [rng.normal(size=size) for size in itertools.pairwise(sizes)]


def flow_and_residual(params, data):
    """Minus the gradient of the mean of `squares`, and the residual."""
    residual = np.asarray(SMOOTH(params, data.inputs)) - np.eye(3)[data.labels]
    slopes = jacobian(SMOOTH, params, data.inputs)
    return -np.einsum("ncp,nc->p", slopes, residual) / COUNT, residual, slopes


def as_tree(flat, params):
    leaves, structure = jax.tree.flatten(params)
    parts = np.split(flat, np.cumsum([leaf.size for leaf in leaves])[:-1])
    return structure.unflatten(
        [p.reshape(leaf.shape) for p, leaf in zip(parts, leaves, strict=True)]
    )


def test_moments_are_those_of_the_kernels():
    networks, inputs = [network(seed=seed) for seed in range(5)], examples().inputs
    kernels = np.stack([contracted(explicit(SMOOTH, each, inputs)) for each in networks])
    stacked = trees.to_numpy(trees.stack(networks))
    found = tangent.moments(SMOOTH, stacked, inputs, memory=SMALL)
    np.testing.assert_allclose(found.mean, kernels.mean(axis=0), rtol=1e-10)
    np.testing.assert_allclose(found.variance, kernels.var(axis=0, ddof=1), rtol=1e-8)
    assert found.count == 5
    with pytest.raises(ConfigError, match="1 networks' kernels"):
        tangent.moments(SMOOTH, jax.tree.map(lambda leaf: leaf[:1], stacked), inputs)


@pytest.mark.parametrize("depth", [1, 2])
def test_wide_networks_approach_the_infinite_one_as_the_root_of_the_width(depth):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(8, 6))
    exact = tangent.infinite_relu(inputs, depth=depth).tangent
    errors = []
    for width in (64, 1024):
        networks = [wide_network(rng, width, depth) for _ in range(12)]
        stacked = [np.stack(leaves) for leaves in zip(*networks, strict=True)]
        found = tangent.moments(wide, stacked, inputs)
        # The mean and the spread of one seed about the limit.
        spread = found.variance + (found.mean - exact) ** 2
        errors.append(np.sqrt(spread.sum() / (exact**2).sum()))
    assert errors[1] < 0.1
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.35)


def test_the_infinite_kernel_between_two_sets_and_its_known_values():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(4, 6)), rng.normal(size=(3, 6))
    first[0], second[0] = 0, 0
    both = np.concatenate([first, second])
    for depth in (1, 3):
        whole = tangent.infinite_relu(both, depth=depth)
        cross = tangent.infinite_relu(first, second, depth=depth)
        np.testing.assert_allclose(cross.tangent, whole.tangent[:4, 4:], rtol=1e-12)
        lengths = (both**2).sum(axis=1) / 6
        # An example with itself: ReLU with its gain keeps lengths, and every layer adds one.
        np.testing.assert_allclose(np.diag(whole.outputs), lengths, atol=1e-12)
        np.testing.assert_allclose(np.diag(whole.tangent), (depth + 1) * lengths, atol=1e-7)
    opposite = tangent.infinite_relu(np.array([[1.0, 0], [-1, 0]]))
    np.testing.assert_allclose(opposite.tangent[0, 1], 0, atol=1e-7)  # an arc cosine near -1
    with pytest.raises(ConfigError, match="at least one hidden layer"):
        tangent.infinite_relu(first, depth=0)


@pytest.mark.parametrize(("outputs", "memory"), [("mean", 2**30), ("full", 100_000)])
def test_the_derivative_is_the_difference_of_nearby_kernels(outputs, memory):
    params, direction, inputs = network(), network(seed=1), examples().inputs
    found = tangent.kernel_derivative(
        SMOOTH, params, direction, inputs, outputs=outputs, memory=memory
    )
    close(found.kernel, contracted(explicit(SMOOTH, params, inputs), outputs), 1e-10)
    expected = contracted(difference(SMOOTH, params, direction, inputs), outputs)
    close(found.derivative, expected, 1e-8)


def test_gradient_flow_is_minus_the_gradient_and_forecasts_the_next_kernel():
    params, data = network(), examples()
    flow = tangent.gradient_flow(squares, params, data, batch_size=4)
    expected = as_tree(flow_and_residual(params, data)[0], params)
    for found, leaf in zip(jax.tree.leaves(flow), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(found, leaf, rtol=1e-10, atol=1e-12)
    forecast = tangent.kernel_derivative(SMOOTH, params, flow, data.inputs)
    errors = []
    for step in (1e-3, 1e-4):
        after = contracted(explicit(SMOOTH, moved(params, flow, step), data.inputs))
        actual = after - forecast.kernel
        errors.append(np.linalg.norm(actual - step * forecast.derivative) / np.linalg.norm(actual))
    assert errors[0] < 0.05
    assert errors[0] / errors[1] == pytest.approx(10, rel=0.1)


def test_the_hierarchy_is_that_of_huang_and_yau():
    """For a squared loss dK/ds = - mean over b of O_3(., ., b) residual(b), O_3 explicitly."""
    params, data = network(), examples()
    flow, residual, slopes = flow_and_residual(params, data)
    found = tangent.kernel_derivative(SMOOTH, params, as_tree(flow, params), data.inputs)
    third = [  # the derivative of the kernel in the direction of every output's own derivative
        [
            contracted(difference(SMOOTH, params, as_tree(slope, params), data.inputs, 3e-4))
            for slope in of_example
        ]
        for of_example in slopes
    ]
    expected = -np.einsum("bcij,bc->ij", third, residual) / COUNT
    np.testing.assert_allclose(found.derivative, expected, rtol=0, atol=1e-8)


def test_the_derivative_misses_units_that_switch():
    """One hidden unit, whose sign for the second example changes during the step."""

    def apply(params, inputs):
        return jax.nn.relu(inputs @ params["in"]) @ params["out"]

    params = {"in": np.array([[1.0], [-1e-3]]), "out": np.ones((1, 1))}
    direction = {"in": np.array([[0.0], [1.0]]), "out": np.zeros((1, 1))}
    found = tangent.kernel_derivative(apply, params, direction, np.eye(2))
    after = tangent.kernel(apply, moved(params, direction, 2e-3), np.eye(2))
    change = after - found.kernel
    assert change[1, 1] > 1
    assert 2e-3 * found.derivative[1, 1] == 0


def test_statistics_do_not_flow():
    loss = landscape.Classification(zoo.normalised)
    flow = tangent.gradient_flow(loss, network(zoo.normalised), examples())
    assert all(not leaf.any() for leaf in jax.tree.leaves(flow["batch_stats"]))
    assert all(leaf.any() for leaf in jax.tree.leaves(flow["params"]["Dense_1"]))


def test_a_network_is_its_linearisation_to_second_order():
    params, direction, inputs = network(), network(seed=1), examples().inputs
    path = paths.line(params, moved(params, direction, 0.02))
    found = tangent.linearise(SMOOTH, path, [0, 0.5, 1], inputs, SOME)
    flat = np.concatenate([leaf.ravel() for leaf in jax.tree.leaves(direction)])
    slope = jacobian(SMOOTH, params, inputs) @ flat
    start, end = (np.asarray(SMOOTH(each, inputs)) for each in (params, path(1.0)))
    error = np.sqrt(((end - start - 0.02 * slope) ** 2).mean())
    change = np.sqrt(((end - start) ** 2).mean())
    assert found.error[2] == pytest.approx(error, rel=1e-9)
    assert found.change[2] == pytest.approx(change, rel=1e-9)
    assert found.error[2] / found.error[1] == pytest.approx(4, rel=0.1)
    assert found.relative_error[0] == 0
    np.testing.assert_array_equal(found.agreement[0], 1)


def test_a_network_linear_in_its_parameters_has_no_error():
    def linear(params, inputs):
        return inputs @ params["w"]

    rng = np.random.default_rng(0)
    ends = [{"w": rng.normal(size=(5, 3)).astype(np.float32)} for _ in range(2)]
    data, ts = examples(dtype=np.float32), np.linspace(0, 1, 5)
    found = tangent.linearise(linear, paths.line(*ends), ts, data.inputs)
    assert found.relative_error.max() < 1e-5
    assert tangent.along(linear, paths.line(*ends), [0, 0.5, 1], data).drift.max() == 0


def test_bad_input_is_refused():
    params, data = network(), examples()
    with pytest.raises(StructureError, match="of the direction"):
        tangent.kernel_derivative(SMOOTH, params, network(zoo.normalised), data.inputs)
    line = paths.line(params, network(seed=1))
    with pytest.raises(StructureError, match=r"not to \(examples, outputs\)"):
        tangent.linearise(lambda p, x: SMOOTH(p, x)[:, 0], line, [0, 1], data.inputs)
    with pytest.raises(StructureError, match="outside"):
        tangent.linearise(SMOOTH, line, [2], data.inputs)
    triangle = paths.simplex([network(seed=seed) for seed in range(3)])
    with pytest.raises(ConfigError, match="along curves"):
        tangent.linearise(SMOOTH, triangle, np.eye(3), data.inputs)
    broken = jax.tree.map(np.array, params)
    broken["params"]["Dense_0"]["kernel"][0, 0] = np.nan
    with pytest.raises(DivergenceError, match="t = 1 is not finite"):
        tangent.linearise(SMOOTH, paths.line(params, broken), [0, 1], data.inputs, SOME)
    with pytest.raises(DivergenceError, match="the gradient by 'params/Dense_"):
        tangent.gradient_flow(squares, broken, data, batch_size=4)
    with pytest.raises(DivergenceError, match="the kernel is not finite"):
        tangent.kernel_derivative(SMOOTH, broken, params, data.inputs)
