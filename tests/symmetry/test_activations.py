"""Activations are those that the network computes, and follow the group."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from symmetry_zoo import network, vectors

from mconn import symmetry
from mconn.errors import StructureError
from mconn.symmetry import identity_on_host


def read(name, moment="after"):
    case, group = network(name)
    return jax.jit(
        lambda params, x: symmetry.activations(group, case.apply, params, x, moment=moment)
    )(case.params, *case.inputs)


def test_before_and_after_the_nonlinearity():
    """Of networks with two hidden layers, all in one program."""
    names = ["mlp relu", "mlp gelu", "mlp silu", "mlp softplus", "mlp leaky relu"]
    functions = [nn.relu, nn.gelu, nn.silu, nn.softplus, nn.leaky_relu]

    @jax.jit
    def computed(params, x):
        found = []
        for name, function in zip(names, functions, strict=True):
            case, group = network(name)
            before, after = (
                symmetry.activations(group, case.apply, params, x, moment=moment)
                for moment in ("before", "after")
            )
            assert list(before) == list(after) == ["Dense_0", "Dense_1"]
            for unit in before:
                (inner,), (outer,) = before[unit], after[unit]
                found.append((function(inner), outer))
            last = params["params"]["Dense_2"]
            output = after["Dense_1"][0] @ last["kernel"] + last["bias"]
            found.append((output, case.apply(params, x)))
        return found

    for expected, found in computed(network(names[0])[0].params, vectors()):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_images_are_rows_of_channels():
    case, _ = network("cnn")
    before, after = read("cnn", "before"), read("cnn")
    assert jax.tree.map(np.shape, before) == {
        "Conv_0": ((2 * 8 * 8, 4),),
        "Conv_1": ((2 * 4 * 4, 6),),
        "Dense_0": ((2, 5),),
    }
    assert jax.tree.map(np.shape, after) == {
        "Conv_0": ((2 * 4 * 4, 4),),
        "Conv_1": ((2 * 2 * 2, 6),),
        "Dense_0": ((2, 5),),
    }
    kernel, bias = (case.params["params"]["Conv_0"][leaf] for leaf in ("kernel", "bias"))
    convolved = jax.lax.conv_general_dilated(
        case.inputs[0], kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    np.testing.assert_allclose(
        before["Conv_0"][0], (convolved + bias).reshape(-1, 4), rtol=1e-4, atol=1e-5
    )


def test_a_residual_stream_has_one_value_per_reader():
    shapes = jax.tree.map(np.shape, read("residual mlp"))
    assert shapes == {"Dense_0": ((5, 6),) * 3, "Dense_1": ((5, 7),), "Dense_3": ((5, 7),)}


@pytest.mark.parametrize("name", ["groups", "densenet flatten", "attention", "committee"])
def test_they_move_with_the_group(name):
    case, group = network(name)
    random = np.random.default_rng(0)

    @jax.jit
    def both_moments(element, params, inputs):
        moved = symmetry.act(group, element, params)
        return [
            symmetry.activations(group, case.apply, moved, *inputs, moment=moment)
            for moment in ("before", "after")
        ]

    group = group.permutations()
    nothing = identity_on_host(group)
    here = both_moments(nothing, case.params, case.inputs)
    for name, size in group.sizes.items():
        order = random.permutation(size)
        there = both_moments(nothing | {name: order}, case.params, case.inputs)
        for one, other in zip(here, there, strict=True):
            assert one[name]
            for i, j in zip(one[name], other[name], strict=True):
                np.testing.assert_allclose(i[:, order], j, rtol=1e-4, atol=1e-5)


def test_inside_jit_and_scan_over_batches():
    case, group = network("mlp relu")
    batches = jnp.stack([case.inputs[0][:2], case.inputs[0][2:4]])

    @jax.jit
    def means(params, batches):
        def step(total, batch):
            read = symmetry.activations(group, case.apply, params, batch)
            return total + read["Dense_0"][0].sum(0), None

        return jax.lax.scan(step, jnp.zeros(6), batches)[0] / 4

    kernel, bias = (case.params["params"]["Dense_0"][leaf] for leaf in ("kernel", "bias"))
    expected = nn.relu(batches.reshape(4, -1) @ kernel + bias).mean(0)
    np.testing.assert_allclose(means(case.params, batches), expected, rtol=1e-5)


def test_what_multiplies_units_has_none_of_its_own():
    assert list(read("mlp relu")) == ["Dense_0", "Dense_1"]


def test_an_axis_of_parameters_only_has_no_activations():
    assert read("low rank")["a"] == ()


def test_another_function_is_refused():
    case, group = network("mlp relu")
    with pytest.raises(StructureError, match="generator 'Dense_0' is not where it was"):
        symmetry.activations(group, lambda p, x: case.apply(p, x.T.T * 2), case.params, vectors())
    with pytest.raises(StructureError, match="Dense_0/bias' is missing"):
        symmetry.activations(group, case.apply, {"params": {}}, *case.inputs)
