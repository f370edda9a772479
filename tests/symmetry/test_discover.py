"""What is discovered, how it is named, and what is said about the rest."""

import warnings
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from symmetry_zoo import MLP, discovered, fill, linen, network, vectors

from mconn import symmetry
from mconn.errors import StructureError
from mconn.models import Llama
from mconn.symmetry import Pin, Site


def mlp(params, x):
    for name in ("first", "second"):
        x = jnp.tanh(x @ params[name]["w"] + params[name]["b"])
    return x @ params["last"]


SHAPES = {"first": {"w": (4, 6), "b": (6,)}, "second": {"w": (6, 7), "b": (7,)}, "last": (7, 3)}


def abstract(shapes):
    return jax.tree.map(
        lambda shape: jax.ShapeDtypeStruct(shape, jnp.float32),
        shapes,
        is_leaf=lambda node: isinstance(node, tuple),
    )


X = jax.ShapeDtypeStruct((5, 4), jnp.float32)


def test_sites_of_an_mlp():
    group = symmetry.discover(mlp, abstract(SHAPES), X)
    assert list(group.sizes) == ["first", "first sign", "second", "second sign"]
    assert group["first sign"].moved_by == "first"
    assert group["first sign"].sites == group["first"].sites
    assert group["first"].kind == "permutation"
    assert set(group["first"].sites) == {
        Site("first/w", 1, makes=True),
        Site("first/b", 0, makes=True),
        Site("second/w", 0, reads=True),
    }
    assert group["second"].size == 7
    assert [value.moment for value in group["first"].values] == ["before", "after"]
    assert group.leaves[0] == ("first/b", (6,))


def test_a_shape_of_any_size_costs_no_memory():
    n = 1_000_000
    shapes = {"first": {"w": (4, n), "b": (n,)}, "second": {"w": (n, n), "b": (n,)}, "last": (n, 3)}
    group = symmetry.permutations(symmetry.discover(mlp, abstract(shapes), X))
    assert group.sizes == {"first": n, "second": n}


@pytest.mark.slow
def test_seven_billion_parameters_as_shapes():
    model, tokens = Llama(), jax.ShapeDtypeStruct((2, 8), jnp.int32)
    params = jax.eval_shape(model.init, jax.random.key(0), tokens)
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) > 6.7e9
    group = symmetry.discover(model.apply, params, tokens)
    assert len(symmetry.permutations(group).generators) == 1 + 3 * 32
    by_kind = Counter(generator.kind for generator in group.generators)
    assert by_kind["general linear"] == by_kind["rotation"] == 32
    assert group["LlamaBlock_0/query rotation"].dimension == 32 * 64
    assert group["Embed_0"].size == 4096


def test_the_order_is_that_of_the_network_and_not_of_the_names():
    model = MLP(widths=(2, 3, 4, 2, 3, 4, 2, 3, 4, 2, 3, 4))
    cast = linen(model, vectors())
    group = discovered(cast)
    assert list(group.permutations().sizes) == [f"Dense_{i}" for i in range(12)]

    def half(params, x):
        return model.apply(jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), params), x)

    assert list(symmetry.discover(half, cast.params, vectors()).sizes) == list(group.sizes)


def test_what_is_pinned_says_why_and_where():
    group = symmetry.discover(mlp, abstract(SHAPES), X)
    assert [(pin.leaf, pin.axis, pin.size, pin.reason) for pin in group.pinned] == [
        ("first/w", 0, 4, "an input"),
        ("last", 1, 3, "an output"),
    ]
    assert isinstance(group.pinned[0], Pin)
    assert "test_discover.py" in group.pinned[0].source
    text = group.describe()
    assert "second: permutation of 7" in text
    assert "  an input: 1 axis\n    first/w axis 0 (4), at " in text


def test_the_source_names_the_module():
    group = network("cnn")[1]
    (pin, *_) = (pin for pin in group.pinned if pin.leaf == "params/Conv_1/kernel")
    assert pin.reason == "the window of a convolution"
    assert pin.source.startswith("CNN/Conv_1 (")


def test_discovery_is_deterministic_and_warns_of_nothing():
    case, group = network("densenet")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert discovered(case) == group


def test_inside_jit():
    params, x = fill(abstract(SHAPES)), vectors()

    @jax.jit
    def moved(params, x):
        group = symmetry.discover(mlp, params, x)
        element = symmetry.identity(group) | {"first": jnp.arange(6)[::-1]}
        return mlp(symmetry.act(group, element, params), x)

    np.testing.assert_allclose(moved(params, x), mlp(params, x), rtol=1e-5)


def test_a_leaf_that_is_no_array_is_named():
    with pytest.raises(StructureError, match="leaf 'last' is a str"):
        symmetry.discover(mlp, {**abstract(SHAPES), "last": "weights.npz"}, X)


def test_parameters_that_do_not_fit_the_function():
    with pytest.raises(StructureError, match="second"):
        symmetry.discover(mlp, {"first": abstract(SHAPES)["first"], "last": X}, X)
    with pytest.raises(StructureError, match=r"\(4,\) and \(9,\)"):
        symmetry.discover(mlp, abstract({**SHAPES, "first": {"w": (9, 6), "b": (6,)}}), X)
    case = linen(MLP(), vectors())
    params = jax.tree.map(lambda leaf: leaf[..., :2], case.params)
    with pytest.raises(StructureError, match='"kernel" in "/Dense_0"'):
        symmetry.discover(case.apply, params, *case.inputs)
