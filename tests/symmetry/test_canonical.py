"""The normal form under the continuous part of the group."""

from functools import cache, partial
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from symmetry_zoo import (
    HEADS,
    ZOO,
    Case,
    attend,
    discovered,
    moved_on_host,
    pure,
    sequences,
    vectors,
)

from mconn import symmetry
from mconn.errors import StructureError
from mconn.symmetry import Fibre, Generator, Group, Place, Site, identity_on_host
from mconn.symmetry.canonical import balanced, canonical, canonical_element
from mconn.trees import named_leaves


def dense(activation):
    def apply(params, x):
        *hidden, (weight, bias) = params
        for w, b in hidden:
            x = activation(x @ w + b)
        return x @ weight + bias

    return apply


def layers(*widths):
    return [((n, m), (m,)) for n, m in pairwise(widths)]


def convolutional(params, x):
    for kernel in params[:-1]:
        x = jax.nn.leaky_relu(jax.lax.conv(x, kernel, (1, 1), "VALID"))
    return x.mean((2, 3)) @ params[-1]


def recurrent(activation):
    def apply(params, x):
        h = activation(x @ params["in"])
        for _ in range(3):
            h = activation(h @ params["again"] + params["b"])
        return h @ params["out"]

    return apply


LOOP = {"in": (4, 3), "again": (3, 3), "b": (3,), "out": (3, 4)}
IMAGES = np.random.default_rng(8).normal(size=(2, 2, 6, 6)).astype(np.float32)
relu, linear = jax.nn.relu, lambda x: x

NETWORKS = {
    "deep relu mlp": lambda: pure(dense(relu), layers(4, *[5] * 8, 3), vectors()),
    "layer norm": ZOO["mlp layer norm"],
    "batch norm": ZOO["mlp batch norm"],
    "leaky relu cnn": lambda: pure(convolutional, [(3, 2, 3, 3), (4, 3, 2, 2), (4, 2)], IMAGES),
    "group norm cnn": ZOO["cnn group norm"],
    "attention": lambda: pure(attend, HEADS, sequences()),
    "linear": lambda: pure(dense(linear), layers(4, 3, 3, 4), vectors()),
    "low rank": ZOO["low rank"],
    "gated": ZOO["gated"],
    "rms norm": ZOO["root mean square norm"],
    "recurrent relu": lambda: pure(recurrent(relu), LOOP, vectors()),
    "recurrent linear": lambda: pure(recurrent(linear), LOOP, vectors()),
}


def doubled(tree):
    return jax.tree.map(np.float64, tree)


def found(name, change=lambda params: params):
    """The network in double precision, its group, and its parameters, changed."""
    case, group = network(name)
    return Case(case.apply, change(doubled(case.params)), doubled(case.inputs)), group


@cache
def network(name):
    case = NETWORKS[name]()
    return case, discovered(case)


def drawn(group):
    """A random element of the continuous part, from all of its components."""
    random = np.random.default_rng(7)
    element = identity_on_host(group)
    for generator in group.generators:
        shape = generator.shape
        if generator.kind in ("scaling", "rotation"):
            element[generator.name] = np.exp(0.5 * random.normal(size=shape))
        elif generator.kind in ("orthogonal", "general linear"):
            left, right = np.linalg.qr(random.normal(size=(2, *shape)))[0]
            values = np.exp(0.5 * random.normal(size=(*shape[:-1], 1)))
            values = values if generator.kind == "general linear" else np.sign(values)
            element[generator.name] = left @ (values * right)
    return element


def moved(group, params):
    return moved_on_host(group, drawn(group), params)


def assert_close(one, other, rtol=1e-9):
    def check(x, y):
        assert x.dtype == y.dtype
        x, y = np.asarray(x), np.asarray(y)
        np.testing.assert_allclose(x, y, rtol=0, atol=rtol * max(np.abs(x).max(), 1e-300))

    jax.tree.map(check, one, other)


def length(params):
    return sum(float(np.sum(np.square(leaf))) for leaf in jax.tree.leaves(params))


def normal(case, group):
    """The normal form, after a check that the function is the same, and no entry NaN."""
    form = canonical(group, case.params)
    apply = jax.jit(case.apply)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(form))
    assert_close(apply(case.params, *case.inputs), apply(form, *case.inputs))
    return form


@pytest.mark.parametrize("name", NETWORKS)
def test_an_orbit_has_one_normal_form(name):
    with jax.enable_x64(True):
        case, group = found(name)
        form = normal(case, group)
        assert_close(form, canonical(group, moved(group, case.params)), 1e-8)
        assert_close(form, canonical(group, form), 1e-8)
        assert length(form) <= length(case.params) * (1 + 1e-12)


@pytest.mark.parametrize("name", ["attention", "batch norm"])
def test_permutations_and_signs_move_the_normal_form(name):
    with jax.enable_x64(True):
        case, group = found(name)
        random, element = np.random.default_rng(1), identity_on_host(group)
        for g in group.generators:
            if g.kind == "permutation":
                element[g.name] = random.permuted(element[g.name], axis=-1)
            if g.kind == "sign":
                element[g.name] = random.choice([-1.0, 1.0], g.shape)
        permuted = canonical(group, moved_on_host(group, element, case.params))
        form = jax.tree.map(np.asarray, canonical(group, case.params))
        assert_close(moved_on_host(group, element, form), permuted)
        assert not np.allclose(jax.tree.leaves(permuted)[0], jax.tree.leaves(case.params)[0])


def test_both_sides_of_a_matrix_have_one_diagonal_gram_matrix():
    with jax.enable_x64(True):
        case, group = found("attention")
        form = canonical(group, case.params)
        key = np.concatenate([form["k"], form["b"][None]])
        for head in range(2):
            gram = key[:, head].T @ key[:, head]
            np.testing.assert_allclose(gram, form["q"][:, head].T @ form["q"][:, head], atol=1e-12)
            np.testing.assert_allclose(gram, np.diag(np.sort(np.diag(gram))[::-1]), atol=1e-12)


def test_it_can_be_jitted_and_stacked():
    with jax.enable_x64(True):
        case, group = found("low rank")
        networks = [case.params, moved(group, case.params), jax.tree.map(np.cos, case.params)]
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *networks)
        forms = jax.jit(jax.vmap(partial(canonical, group)))(stacked)
        for i, params in enumerate(networks):
            form = canonical(group, params)
            assert_close(jax.tree.map(lambda leaf, i=i: leaf[i], forms), form)
            element = canonical_element(group, params)
            assert_close(moved_on_host(group, element, params), form)


def test_single_precision_is_kept():
    case, group = network("low rank")
    form = canonical(group, case.params)
    assert {leaf.dtype for leaf in jax.tree.leaves(form)} == {np.dtype(np.float32)}
    with jax.enable_x64(True):
        expected = canonical(group, doubled(case.params))
    assert_close(form, jax.tree.map(np.float32, expected), 1e-4)


def test_a_dead_unit_keeps_its_scale_and_changes_nothing_else():
    def kill(params):
        params[2][0][:, 1], params[2][1][1] = 0, 0
        return params

    with jax.enable_x64(True):
        case, group = found("deep relu mlp", kill)
        name = [g.name for g in group.generators if g.kind == "scaling"][2]
        form = normal(case, group)
        assert canonical_element(group, case.params)[name][1] == 1
        other = canonical(group, moved(group, case.params))
        for params in (form, other):
            params[3] = (params[3][0].at[1].set(0), params[3][1])
        assert_close(form, other, 1e-8)


@pytest.mark.parametrize("leaves", [["k", "b"], ["v"], [*HEADS]])
def test_zero_leaves_stay_zero(leaves):
    with jax.enable_x64(True):
        case, group = found("attention", lambda p: p | {k: np.zeros(HEADS[k]) for k in leaves})
        form = normal(case, group)
        assert not any(np.any(form[leaf]) for leaf in leaves)


def test_a_linear_layer_wider_than_its_input_and_output_is_balanced_where_it_is_used():
    with jax.enable_x64(True):
        case = pure(dense(linear), layers(2, 6, 2), vectors(2))
        group = discovered(case)
        case = Case(case.apply, doubled(case.params), doubled(case.inputs))
        form = normal(case, group)
        assert_close(form, canonical(group, form), 1e-8)
        # The singular values of the product are the squares of the rows that are in use.
        inner, outer = np.concatenate([form[0][0], form[0][1][None]]), form[1][0]
        values = np.linalg.svd(inner @ outer, compute_uv=False)
        in_use = np.square(outer).sum(1) > 1e-9
        np.testing.assert_allclose(np.sort(np.square(inner).sum(0)[in_use])[::-1], values)
        np.testing.assert_allclose(np.sort(np.square(outer).sum(1)[in_use])[::-1], values)


FIRST = (Site("x", 0), Site("y", 0, power=2))
TURNED = (
    Site("q", 1, fibres=(Place(2),)),
    Site("r", 0, inner=3, power=-1, fibres=(Place(0, outer=2),)),
)
PAIRS = (Fibre("pairs", 3, moves=False),)
GROUPS = {
    "powers": [Generator("a", 3, "scaling", (*FIRST, Site("z", 0, power=-3)))],
    "powers of one sign": [
        Generator("a", 3, "scaling", FIRST),
        Generator("b", 4, "scaling", (Site("x", 1, power=-1), Site("w", 0))),
    ],
    "rotation": [Generator("a", 2, "rotation", TURNED, fibres=PAIRS)],
    "orthogonal, complex": [
        Generator("a", 4, "orthogonal", (Site("w", 0), Site("w", 1), Site("x", 1))),
        Generator("b", 3, "scaling", (Site("c", 0), Site("x", 0, power=-1))),
    ],
}


@pytest.mark.parametrize("name", GROUPS)
def test_a_group_made_by_hand(name):
    random = np.random.default_rng(9)
    shapes = {"x": (3, 4), "y": (3, 2), "z": (3, 2), "w": (4, 4), "q": (5, 2, 3), "r": (6,)}
    params = {leaf: random.normal(size=shape) for leaf, shape in shapes.items()}
    params["c"] = random.normal(size=(3, 5)) + 1j * random.normal(size=(3, 5))
    group = Group(tuple(GROUPS[name]))
    with jax.enable_x64(True):
        form = canonical(group, params)
        assert_close(form, canonical(group, moved(group, params)), 1e-8)
        assert_close(form, canonical(group, form), 1e-8)
    squares = {leaf: np.square(np.abs(v)).reshape(len(v), -1).sum(1) for leaf, v in form.items()}
    if name == "powers":
        np.testing.assert_allclose(squares["x"] + 2 * squares["y"], 3 * squares["z"])
    if name == "powers of one sign":
        np.testing.assert_allclose(squares["x"] + 2 * squares["y"], 1)
        np.testing.assert_allclose(np.square(form["x"]).sum(0), squares["w"])


def test_it_balances_deep_networks_in_few_sweeps():
    with jax.enable_x64(True):
        case, group = found("deep relu mlp")
        leaves = {name: jnp.asarray(leaf) for name, leaf in named_leaves(case.params).items()}
        state = balanced(group.generators, leaves, symmetry.identity(group))
        assert 30 < state.sweeps < 100


def test_half_precision_and_other_leaves_are_kept():
    group = Group((Generator("a", 3, "scaling", (Site("x", 0), Site("y", 0, power=-1))),))
    params = {
        "x": jnp.array([1.0, 4.0, 0.0], jnp.bfloat16),
        "y": jnp.array([4.0, 1.0, 2.0], jnp.bfloat16),
        "n": np.arange(3),
    }
    form = canonical(group, params)
    np.testing.assert_array_equal(form["x"], np.array([2, 2, 0], jnp.bfloat16))
    np.testing.assert_array_equal(form["y"], np.array([2, 2, 2], jnp.bfloat16))
    np.testing.assert_array_equal(form["n"], np.arange(3))
    assert form["x"].dtype == jnp.bfloat16
    assert canonical_element(group, params)["a"].dtype == jnp.float32


def test_a_group_without_continuous_part_changes_nothing():
    group = Group((Generator("a", 3, "permutation", (Site("x", 0),)),))
    params = {"x": np.arange(3.0, dtype=np.float32)}
    assert_close(canonical(group, params), params, 0)


def test_parameters_of_another_network_are_refused():
    group = Group((Generator("a", 3, "scaling", (Site("x", 0), Site("y", 0, power=-1))),))
    with pytest.raises(StructureError, match="leaf 'y'"):
        canonical(group, {"x": np.ones(3), "y": np.ones(2)})
