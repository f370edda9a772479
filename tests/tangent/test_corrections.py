"""Spread over seeds, the kernel's derivative, linearisation, and the limit of infinite width."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mconn import landscape, paths, tangent, trees
from mconn.errors import ConfigError, DivergenceError, StructureError
from tests.tangent.networks import CASES, Examples

SMOOTH, KINKED = CASES["mlp gelu"], CASES["mlp"]


def squares(params, batch):
    """A loss in the precision of the network."""
    targets = jnp.eye(3, dtype=batch.inputs.dtype)[batch.labels]
    outputs = SMOOTH.apply(params, batch.inputs)
    return {"loss": 0.5 * ((outputs - targets) ** 2).sum(axis=1)}


def moved(params, direction, step):
    return jax.tree.map(lambda leaf, move: leaf + step * move, params, direction)


def wide(params, inputs):
    """ReLU networks in the parametrisation of the limit."""
    hidden = inputs / np.sqrt(inputs.shape[1])
    for kernel in params[:-1]:
        hidden = jax.nn.relu(hidden @ kernel) * np.sqrt(2 / kernel.shape[1])
    return hidden @ params[-1]


def wide_network(generator, width, depth, features=6, classes=2):
    sizes = [features, *[width] * depth, classes]
    return [generator.normal(size=size) for size in itertools.pairwise(sizes)]


def test_moments_are_those_of_the_kernels():
    with jax.enable_x64(True):
        networks = [SMOOTH.network(seed) for seed in range(5)]
        inputs = SMOOTH.examples(7).inputs
        kernels = np.stack([tangent.kernel(SMOOTH.apply, each, inputs) for each in networks])
        stacked = trees.to_numpy(trees.stack(networks))
        found = tangent.moments(SMOOTH.apply, stacked, inputs, memory=30_000)
    np.testing.assert_allclose(found.mean, kernels.mean(axis=0), rtol=1e-10)
    np.testing.assert_allclose(found.variance, kernels.var(axis=0, ddof=1), rtol=1e-8)
    assert found.count == 5
    with pytest.raises(ConfigError, match="1 networks' kernels"):
        tangent.moments(SMOOTH.apply, jax.tree.map(lambda leaf: leaf[:1], stacked), inputs)


@pytest.mark.parametrize("depth", [1, 2])
def test_wide_networks_approach_the_infinite_one_as_the_root_of_the_width(depth):
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(8, 6))
    exact = tangent.infinite_relu(inputs, depth=depth).tangent
    errors = []
    with jax.enable_x64(True):
        for width in (64, 1024):
            networks = [wide_network(generator, width, depth) for _ in range(12)]
            stacked = [np.stack(leaves) for leaves in zip(*networks, strict=True)]
            found = tangent.moments(wide, stacked, inputs)
            # The mean and the spread of one seed about the limit.
            spread = found.variance + (found.mean - exact) ** 2
            errors.append(np.sqrt(spread.sum() / (exact**2).sum()))
    assert errors[1] < 0.1
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.35)


def test_the_infinite_kernel_between_two_sets_and_its_known_values():
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=(4, 6)), generator.normal(size=(3, 6))
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


@pytest.mark.parametrize("outputs", ["mean", "full"])
def test_the_derivative_is_the_difference_of_nearby_kernels(outputs):
    with jax.enable_x64(True):
        params, direction = SMOOTH.network(0), SMOOTH.network(1)
        inputs, step = SMOOTH.examples(9).inputs, 1e-5
        found = tangent.kernel_derivative(
            SMOOTH.apply, params, direction, inputs, outputs=outputs, memory=100_000
        )
        ahead, behind = (
            tangent.kernel(SMOOTH.apply, moved(params, direction, each), inputs, outputs=outputs)
            for each in (step, -step)
        )
        here = tangent.kernel(SMOOTH.apply, params, inputs, outputs=outputs)
    np.testing.assert_allclose(found.kernel, here, rtol=1e-10)
    difference = (ahead - behind) / (2 * step)
    np.testing.assert_allclose(
        found.derivative, difference, rtol=0, atol=1e-7 * abs(difference).max()
    )


def test_gradient_flow_is_minus_the_gradient_and_forecasts_the_next_kernel():
    with jax.enable_x64(True):
        params, data = SMOOTH.network(0), SMOOTH.examples(13)
        flow = tangent.gradient_flow(squares, params, data, batch_size=5)
        gradient = jax.grad(lambda params: squares(params, data)["loss"].mean())(params)
        for found, expected in zip(jax.tree.leaves(flow), jax.tree.leaves(gradient), strict=True):
            np.testing.assert_allclose(found, -expected, rtol=1e-10, atol=1e-12)
        forecast = tangent.kernel_derivative(SMOOTH.apply, params, flow, data.inputs)
        errors = []
        for step in (1e-3, 1e-4):
            after = tangent.kernel(SMOOTH.apply, moved(params, flow, step), data.inputs)
            actual = after - forecast.kernel
            errors.append(
                np.linalg.norm(actual - step * forecast.derivative) / np.linalg.norm(actual)
            )
    assert errors[0] < 0.05
    assert errors[0] / errors[1] == pytest.approx(10, rel=0.1)


def test_the_hierarchy_is_that_of_huang_and_yau():
    """For a squared loss dK/ds = - mean over b of O_3(., ., b) residual(b), O_3 explicitly."""
    with jax.enable_x64(True):
        params, data = SMOOTH.network(0), SMOOTH.examples(4)
        flow = tangent.gradient_flow(squares, params, data)
        found = tangent.kernel_derivative(SMOOTH.apply, params, flow, data.inputs).derivative

        def outputs(params):
            return SMOOTH.apply(params, data.inputs)

        def kernel(params):
            leaves = jax.tree.leaves(jax.jacobian(outputs)(params))
            flat = jnp.concatenate([leaf.reshape(4, 3, -1) for leaf in leaves], axis=2)
            return jnp.einsum("icp,jcp->ij", flat, flat) / 3

        slopes = jax.jacobian(kernel)(params)
        jacobian = jax.jacobian(outputs)(params)
        third = sum(
            np.einsum("ijp,bcp->ijbc", a.reshape(4, 4, -1), b.reshape(4, 3, -1))
            for a, b in zip(jax.tree.leaves(slopes), jax.tree.leaves(jacobian), strict=True)
        )
        residual = outputs(params) - np.eye(3)[data.labels]
    np.testing.assert_allclose(
        found, -np.einsum("ijbc,bc->ij", third, residual) / 4, rtol=0, atol=1e-9
    )


def test_the_derivative_misses_units_that_switch():
    """One hidden unit, whose sign for the second example changes during the step."""

    def apply(params, inputs):
        return jax.nn.relu(inputs @ params["in"]) @ params["out"]

    params = {"in": np.array([[1.0], [-1e-3]]), "out": np.ones((1, 1))}
    direction = {"in": np.array([[0.0], [1.0]]), "out": np.zeros((1, 1))}
    inputs = np.eye(2)
    with jax.enable_x64(True):
        found = tangent.kernel_derivative(apply, params, direction, inputs)
        after = tangent.kernel(apply, moved(params, direction, 2e-3), inputs)
    change = after - found.kernel
    assert change[1, 1] > 1
    assert 2e-3 * found.derivative[1, 1] == 0


def test_statistics_do_not_flow():
    case = CASES["batch norm"]
    params, data = case.network(0, np.float32), case.examples(8, dtype=np.float32)
    flow = tangent.gradient_flow(landscape.Classification(case.apply), params, data)
    assert all(not leaf.any() for leaf in jax.tree.leaves(flow["batch_stats"]))
    assert all(leaf.any() for leaf in jax.tree.leaves(flow["params"]["Dense_1"]))


def test_a_network_is_its_linearisation_to_second_order():
    with jax.enable_x64(True):
        params, direction = SMOOTH.network(0), SMOOTH.network(1)
        inputs = SMOOTH.examples(11).inputs
        path = paths.line(params, moved(params, direction, 0.02))
        found = tangent.linearise(SMOOTH.apply, path, [0, 0.5, 1], inputs, batch_size=4)
        _, slope = jax.jvp(lambda params: SMOOTH.apply(params, inputs), (params,), (direction,))
        start, end = SMOOTH.apply(params, inputs), SMOOTH.apply(path(1.0), inputs)
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

    generator = np.random.default_rng(0)
    ends = [{"w": generator.normal(size=(5, 3)).astype(np.float32)} for _ in range(2)]
    inputs = generator.normal(size=(20, 5)).astype(np.float32)
    found = tangent.linearise(linear, paths.line(*ends), np.linspace(0, 1, 5), inputs)
    assert found.relative_error.max() < 1e-5
    data = Examples(inputs, np.arange(20) % 3)
    assert tangent.along(linear, paths.line(*ends), [0, 0.5, 1], data).drift.max() == 0


def test_bad_input_is_refused():
    params, data = KINKED.network(0, np.float32), KINKED.examples(4, dtype=np.float32)
    other = CASES["batch norm"].network(0, np.float32)
    with pytest.raises(StructureError, match="of the direction"):
        tangent.kernel_derivative(KINKED.apply, params, other, data.inputs)
    line = paths.line(params, KINKED.network(1, np.float32))
    with pytest.raises(StructureError, match=r"not to \(examples, outputs\)"):
        tangent.linearise(lambda p, x: KINKED.apply(p, x)[:, 0], line, [0, 1], data.inputs)
    with pytest.raises(StructureError, match="outside"):
        tangent.linearise(KINKED.apply, line, [2], data.inputs)
    triangle = paths.simplex([KINKED.network(seed, np.float32) for seed in range(3)])
    with pytest.raises(ConfigError, match="along curves"):
        tangent.linearise(KINKED.apply, triangle, np.eye(3), data.inputs)
    broken = jax.tree.map(np.array, params)
    broken["params"]["Dense_0"]["kernel"][0, 0] = np.inf
    with pytest.raises(DivergenceError, match="t = 1 is not finite"):
        tangent.linearise(KINKED.apply, paths.line(params, broken), [0, 1], data.inputs)
    with pytest.raises(DivergenceError, match="the gradient by 'params/Dense_"):
        tangent.gradient_flow(landscape.Classification(KINKED.apply), broken, data)
    with pytest.raises(DivergenceError, match="the kernel is not finite"):
        tangent.kernel_derivative(KINKED.apply, broken, params, data.inputs)
