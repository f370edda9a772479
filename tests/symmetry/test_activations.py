"""Activations are those that the network computes, and follow the group."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from symmetry_zoo import CNN, MLP, ZOO, ResidualMLP, images, linen, vectors

from mconn import symmetry
from mconn.errors import StructureError


def read(case, moment="after"):
    group = symmetry.discover(case.apply, case.params, *case.inputs)
    return symmetry.activations(group, case.apply, case.params, *case.inputs, moment=moment)


@pytest.mark.parametrize("activation", [nn.relu, nn.gelu, nn.silu, nn.softplus, nn.leaky_relu])
def test_before_and_after_the_nonlinearity(activation):
    case = linen(MLP(activation=activation, normaliser="layer"), vectors())
    before, after = read(case, "before"), read(case)
    assert list(before) == list(after) == ["Dense_0", "Dense_1"]
    for name in before:
        (inner,), (outer,) = before[name], after[name]
        np.testing.assert_allclose(activation(inner), outer, rtol=1e-5, atol=1e-6)
    last = case.params["params"]["Dense_2"]
    output = after["Dense_1"][0] @ last["kernel"] + last["bias"]
    np.testing.assert_allclose(output, case.apply(case.params, *case.inputs), rtol=1e-5)


def test_images_are_rows_of_channels():
    case = linen(CNN(), images())
    before, after = read(case, "before"), read(case)
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
    shapes = jax.tree.map(np.shape, read(linen(ResidualMLP(), vectors())))
    assert shapes == {"Dense_0": ((5, 6),) * 3, "Dense_1": ((5, 7),), "Dense_3": ((5, 7),)}


@pytest.mark.parametrize("name", ["cnn group norm", "densenet flatten", "attention", "committee"])
def test_they_move_with_the_group(name):
    case = ZOO[name]()
    group = symmetry.discover(case.apply, case.params, *case.inputs)
    random = np.random.default_rng(0)

    @jax.jit
    def both_moments(element, params, inputs):
        moved = symmetry.act(group, element, params)
        return [
            symmetry.activations(group, case.apply, moved, *inputs, moment=moment)
            for moment in ("before", "after")
        ]

    group = symmetry.permutations(group)
    nothing = symmetry.identity(group)
    here = both_moments(nothing, case.params, case.inputs)
    for name, size in group.sizes.items():
        order = random.permutation(size)
        there = both_moments(nothing | {name: order}, case.params, case.inputs)
        for one, other in zip(here, there, strict=True):
            assert one[name]
            for i, j in zip(one[name], other[name], strict=True):
                np.testing.assert_allclose(i[:, order], j, rtol=1e-4, atol=1e-5)


def test_inside_jit_and_scan_over_batches():
    case = linen(MLP(), vectors())
    group = symmetry.discover(case.apply, case.params, *case.inputs)
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
    assert list(read(ZOO["mlp relu"]())) == ["Dense_0", "Dense_1"]


def test_an_axis_of_parameters_only_has_no_activations():
    assert read(ZOO["low rank"]())["a"] == ()


def test_another_function_is_refused():
    case = linen(MLP(), vectors())
    group = symmetry.discover(case.apply, case.params, *case.inputs)
    with pytest.raises(StructureError, match="generator 'Dense_0' is not where it was"):
        symmetry.activations(group, lambda p, x: case.apply(p, x.T.T * 2), case.params, vectors())
    with pytest.raises(StructureError, match="Dense_0/bias' is missing"):
        symmetry.activations(group, case.apply, {"params": {}}, *case.inputs)
