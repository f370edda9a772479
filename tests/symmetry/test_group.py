"""The action of the group on parameters."""

from functools import partial

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from mconn import symmetry
from mconn.errors import StructureError
from mconn.symmetry import Generator, Group, Pin, Site, identity_on_host

GROUP = Group(
    (
        Generator("a", 3, "permutation", (Site("x", 0), Site("y", 1, outer=2, inner=2))),
        Generator(
            "b",
            2,
            "permutation",
            (Site("y", 1, outer=6), Site("y", 1, start=12), Site("y", 1, start=14)),
        ),
        Generator("c", 4, "permutation", (Site("z/0", 0), Site("z/0", 1))),
    )
)
PARAMS = {
    "x": np.arange(3.0, dtype=np.float32),
    "y": np.arange(32, dtype=np.int32).reshape(2, 16),
    "z": (jnp.arange(16.0, dtype=jnp.bfloat16).reshape(4, 4),),
}
ELEMENTS = st.fixed_dictionaries(
    {name: st.permutations(range(size)).map(np.array) for name, size in GROUP.sizes.items()}
)
act = jax.jit(partial(symmetry.act, GROUP))


def assert_equal(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


def test_the_result_takes_unit_i_from_unit_element_i():
    element = {"a": np.array([2, 0, 1]), "b": np.array([1, 0]), "c": np.array([3, 2, 1, 0])}
    moved = act(element, PARAMS)
    np.testing.assert_array_equal(moved["x"], PARAMS["x"][[2, 0, 1]])
    np.testing.assert_array_equal(moved["z"][0], PARAMS["z"][0][::-1, ::-1])
    y = PARAMS["y"][:, :12].reshape(2, 2, 3, 2)[:, :, [2, 0, 1]][..., ::-1].reshape(2, 12)
    np.testing.assert_array_equal(moved["y"][:, :12], y)
    np.testing.assert_array_equal(moved["y"][:, 12:], PARAMS["y"][:, [13, 12, 15, 14]])


def test_containers_and_dtypes_are_kept():
    moved = act(identity_on_host(GROUP), PARAMS)
    assert_equal(moved, PARAMS)
    assert jax.tree.structure(moved) == jax.tree.structure(PARAMS)
    assert [leaf.dtype for leaf in jax.tree.leaves(moved)] == [jnp.float32, jnp.int32, jnp.bfloat16]


@given(ELEMENTS, ELEMENTS)
@settings(max_examples=30, deadline=None, derandomize=True)
def test_it_is_a_group_action(g, h):
    composed = symmetry.compose(GROUP, g, h)
    assert_equal(act(composed, PARAMS), act(g, act(h, PARAMS)))
    assert_equal(act(symmetry.inverse(GROUP, g), act(g, PARAMS)), PARAMS)
    assert_equal(symmetry.compose(GROUP, g, symmetry.inverse(GROUP, g)), symmetry.identity(GROUP))


def test_elements_and_networks_can_be_stacked(key):
    elements = jax.jit(jax.vmap(partial(symmetry.random_element, GROUP)))(jax.random.split(key, 4))
    stacked = jax.vmap(act, in_axes=(0, None))(elements, PARAMS)
    for i in range(4):
        element = jax.tree.map(lambda leaf, i=i: leaf[i], elements)
        assert all(sorted(p.tolist()) == list(range(p.size)) for p in element.values())
        assert_equal(jax.tree.map(lambda leaf, i=i: leaf[i], stacked), act(element, PARAMS))
    networks = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), PARAMS)
    assert_equal(
        jax.vmap(act, in_axes=(None, 0))(element, networks),
        jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), act(element, PARAMS)),
    )


def test_the_action_can_be_differentiated():
    element = {"a": np.array([2, 0, 1]), "b": np.array([1, 0]), "c": np.arange(4)}

    def first(x):
        return symmetry.act(GROUP, element, {**PARAMS, "x": x})["x"][0]

    np.testing.assert_array_equal(jax.grad(first)(jnp.ones(3)), [0, 0, 1])


def test_parameters_of_another_network_name_the_leaf():
    element = symmetry.identity(GROUP)
    with pytest.raises(StructureError, match=r"leaf 'x' of shape \(2,\).*generator 'a'"):
        symmetry.act(GROUP, element, {**PARAMS, "x": np.ones(2)})
    with pytest.raises(StructureError, match="leaf 'z/0'"):
        symmetry.act(GROUP, element, {**PARAMS, "z": np.ones((4, 4))})
    group = symmetry.discover(
        lambda p, x: jnp.tanh(x @ p["v"]) @ p["w"], {"v": np.ones((2, 3)), "w": np.ones((3, 4))}, X
    )
    with pytest.raises(StructureError, match=r"leaf 'w' has shape \(5, 4\).*\(3, 4\)"):
        symmetry.act(group, symmetry.identity(group), {"v": np.ones((2, 3)), "w": np.ones((5, 4))})
    with pytest.raises(StructureError, match="leaf 'w' is missing"):
        symmetry.act(group, symmetry.identity(group), {"v": np.ones((2, 3))})


X = np.ones((5, 2))


def test_an_element_of_another_group_names_the_generator():
    with pytest.raises(StructureError, match="3 units for the generator 'a'"):
        symmetry.act(GROUP, {**symmetry.identity(GROUP), "a": np.arange(4)}, PARAMS)
    with pytest.raises(StructureError, match="2 units for the generator 'b'"):
        symmetry.act(GROUP, {"a": np.arange(3)}, PARAMS)


def test_a_group_can_be_looked_up_hashed_and_described():
    assert GROUP["b"].size == 2
    assert hash(GROUP) == hash(Group(GROUP.generators))
    with pytest.raises(KeyError, match="there are a, b, c"):
        GROUP["d"]
    text = GROUP.describe()
    assert text.startswith("3 generators, discrete part of order 10^2.46, continuous part of")
    assert "a: permutation of 3" in text
    assert "y axis 1 from 0, 2 x units x 2" in text


def test_the_order_is_a_product_of_factorials():
    assert GROUP.log_order == pytest.approx(np.log(6 * 2 * 24))
    assert Group(()).log_order == 0
    large = Group((Generator("w", 10**6, "permutation", ()),))
    assert large.log_order == pytest.approx(10**6 * np.log(10**6) - 10**6, rel=1e-5)


def test_a_description_names_the_first_axes_that_are_pinned_for_a_reason():
    pins = [Pin(f"layer{i}/kernel", 0, 3, "a window", "here") for i in range(5)]
    text = Group((), (*pins, Pin("b", 0, 2, "an output", ""))).describe()
    assert text.splitlines() == [
        "0 generators, discrete part of order 10^0.00, continuous part of dimension 0, "
        "10^0.00 connected components",
        "pinned",
        "  a window: 5 axes",
        "    layer0/kernel axis 0 (3), at here",
        "    layer1/kernel axis 0 (3), at here",
        "    layer2/kernel axis 0 (3), at here",
        "    and 2 more",
        "  an output: 1 axis",
        "    b axis 0 (2)",
    ]


@pytest.fixture
def as_installed():
    """Without the checks of annotations, which only the tests switch on."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: symmetry.discover(PARAMS, jnp.sin, X), "apply is a dict, not a Callable: pass"),
        (lambda: symmetry.certify(jnp.sin, jnp.sin, PARAMS, X), "group is a .*, not a Group: make"),
        (lambda: symmetry.certify(GROUP, PARAMS, jnp.sin, X), "apply is a dict, not a Callable"),
        (lambda: symmetry.act(act, {}, PARAMS), "group is a .*, not a Group: make it with"),
        (lambda: symmetry.act(GROUP, PARAMS["x"], PARAMS), "element is a ndarray, not a Mapping"),
        (lambda: symmetry.canonical(act, PARAMS), "group is a .*, not a Group"),
        (lambda: symmetry.identity({}), "group is a dict, not a Group"),
        (lambda: symmetry.random_element("mlp", jax.random.key(0)), "group is a str, not a Group"),
        (lambda: symmetry.compose(Group, {}, {}), "group is the class Group, not a Group"),
        (lambda: symmetry.permutations(None), "group is a NoneType, not a Group"),
        (lambda: symmetry.to_json([]), "group is a list, not a Group"),
    ],
)
def test_arguments_of_a_wrong_kind_are_named(as_installed, call, message):
    with pytest.raises(StructureError, match=message):
        call()


def test_a_group_has_its_permutations():
    assert GROUP.permutations() == symmetry.permutations(GROUP)
