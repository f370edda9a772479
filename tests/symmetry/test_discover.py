"""What is discovered, how it is named, and what is said about the rest."""

import sys
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from symmetry_zoo import MLP, ZOO, fill, linen, vectors

from mconn import symmetry
from mconn.errors import StructureError
from mconn.symmetry import Pin, Site


def mlp(params, x):
    for name in ("first", "second"):
        x = jnp.tanh(x @ params[name]["w"] + params[name]["b"])
    return x @ params["last"]


SHAPES = {
    "first": {"w": (4, 6), "b": (6,)},
    "second": {"w": (6, 7), "b": (7,)},
    "last": (7, 3),
}


def abstract(shapes):
    return jax.tree.map(
        lambda shape: jax.ShapeDtypeStruct(shape, jnp.float32),
        shapes,
        is_leaf=lambda node: isinstance(node, tuple),
    )


X = jax.ShapeDtypeStruct((5, 4), jnp.float32)


def test_sites_of_an_mlp():
    group = symmetry.discover(mlp, abstract(SHAPES), X)
    assert [generator.name for generator in group.generators] == ["first", "second"]
    assert group["first"].kind == "permutation"
    assert set(group["first"].sites) == {
        Site("first/w", 1),
        Site("first/b", 0),
        Site("second/w", 0),
    }
    assert group["second"].size == 7
    assert [value.moment for value in group["first"].values] == ["before", "after"]
    assert group.leaves[0] == ("first/b", (6,))


def test_a_shape_of_any_size_costs_no_memory():
    n = 1_000_000
    shapes = {"first": {"w": (4, n), "b": (n,)}, "second": {"w": (n, n), "b": (n,)}, "last": (n, 3)}
    assert symmetry.discover(mlp, abstract(shapes), X).sizes == {"first": n, "second": n}


def test_the_order_is_that_of_the_network_and_not_of_the_names():
    model = MLP(widths=(2, 3, 4, 2, 3, 4, 2, 3, 4, 2, 3, 4))
    group = symmetry.discover(*(lambda c: (c.apply, c.params, *c.inputs))(linen(model, vectors())))
    assert list(group.sizes) == [f"Dense_{i}" for i in range(12)]
    cast = linen(model, vectors())

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
    assert "first/w axis 0 (4): an input, at " in text


def test_the_source_names_the_module():
    case = ZOO["cnn"]()
    group = symmetry.discover(case.apply, case.params, *case.inputs)
    (pin, *_) = (pin for pin in group.pinned if pin.leaf == "params/Conv_1/kernel")
    assert pin.reason == "the window of a convolution"
    assert pin.source.startswith("CNN/Conv_1 (")


def test_discovery_is_deterministic_and_warns_of_nothing():
    case = ZOO["densenet"]()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        groups = {symmetry.discover(case.apply, case.params, *case.inputs) for _ in range(2)}
    assert len(groups) == 1


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


def test_the_residual_network_of_the_reference_cases(shared, key):
    sys.path.insert(0, str(shared / "bench"))
    try:
        import align_cases  # pyright: ignore[reportMissingImports]
    finally:
        sys.path.pop(0)
    spec, shapes, params, _, _ = align_cases.make("resnet20_w1")

    def conv(p, name, x, stride=1):
        return jax.lax.conv_general_dilated(
            x, p[f"{name}/kernel"], (stride,) * 2, "SAME", dimension_numbers=NUMBERS
        )

    def norm(p, name, x):
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred * jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-6)
        return scaled * p[f"{name}/scale"] + p[f"{name}/bias"]

    def apply(p, x):
        x = jax.nn.relu(norm(p, "norm1", conv(p, "conv1", x)))
        for group in range(3):
            for block in range(3):
                name = f"blockgroups_{group}/blocks_{block}"
                stride = 2 if group > 0 and block == 0 else 1
                y = jax.nn.relu(norm(p, f"{name}/norm1", conv(p, f"{name}/conv1", x, stride)))
                y = norm(p, f"{name}/norm2", conv(p, f"{name}/conv2", y))
                if f"{name}/shortcut/layers_0/kernel" in p:
                    x = conv(p, f"{name}/shortcut/layers_0", x, stride)
                    x = norm(p, f"{name}/shortcut/layers_1", x)
                x = jax.nn.relu(x + y)
        return x.mean((1, 2)) @ p["dense/kernel"] + p["dense/bias"]

    x = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
    group = symmetry.discover(apply, params, x)
    expected: dict[str, set[Site]] = {}
    for leaf, axes in spec.items():
        for axis, name in enumerate(axes):
            if name is not None:
                expected.setdefault(name, set()).add(Site(leaf, axis))
    assert len(expected) == 12
    assert {frozenset(generator.sites) for generator in group.generators} == {
        frozenset(sites) for sites in expected.values()
    }
    assert dict(group.leaves) == shapes


NUMBERS = ("NHWC", "HWIO", "NHWC")
