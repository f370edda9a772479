"""Elements of groups of every kind: products, inverses, exponentials, in float64.

The parts are drawn with NumPy, because every shape that jax.random draws must be compiled.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from symmetry_zoo import (
    HEADS,
    UNITS,
    ZOO,
    Case,
    attend,
    discovered,
    moved_on_host,
    pure,
    sequences,
    stacked,
    vectors,
)

from mconn import symmetry
from mconn.errors import SymmetryError
from mconn.symmetry import KINDS, Generator, Group, Site, draw_part, identity_on_host


def rotary_attention(params, x):
    """One head with rotary positions: queries and keys may be turned together, pair by pair."""
    angles = jnp.outer(jnp.arange(x.shape[0]), jnp.array([1.0, 0.1]))
    cosine, sine = jnp.cos(angles), jnp.sin(angles)

    def rotated(y):
        first, second = y[:, :2], y[:, 2:]
        return jnp.concatenate(
            [first * cosine - second * sine, first * sine + second * cosine], axis=1
        )

    scores = rotated(x @ params["query"]) @ rotated(x @ params["key"]).T
    return jax.nn.softmax(scores) @ x


def rooted(params, x):
    """A stream behind a root-mean-square norm."""
    h = x @ params["w"] + params["b"]
    return h * jax.lax.rsqrt((h * h).mean(-1, keepdims=True) + 1e-5) @ params["out"]


NETWORKS = {
    "rotary": lambda: pure(rotary_attention, {"query": (4, 4), "key": (4, 4)}, vectors()),
    "groups": ZOO["groups"],
    "attention": lambda: pure(attend, HEADS, sequences()),
    "layers": lambda: stacked(lambda h, layer, p: h + jnp.tanh(h @ layer["up"]) @ layer["down"]),
    "rms norm": lambda: pure(rooted, UNITS, vectors()),
}
EVERY = Group(
    tuple(Generator(kind, 2 if kind == "rotation" else 3, kind, (Site("w", 0),)) for kind in KINDS)
)


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    case = NETWORKS[request.param]()
    group = discovered(case)
    return Case(case.apply, jax.tree.map(np.float64, case.params), case.inputs), group


def draw(group, seed):
    rng = np.random.default_rng(seed)
    return {generator.name: draw_part(generator, rng) for generator in group.generators}


def tangent(group, seed):
    rng = np.random.default_rng(seed)
    parts = {g.name: 0.3 * rng.normal(size=g.shape) for g in group.generators if g.dimension > 0}
    for generator in group.generators:
        if generator.kind == "orthogonal":
            parts[generator.name] -= parts[generator.name].swapaxes(-1, -2)
    return parts


def together(*trees):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def pick(tree, i):
    return jax.tree.map(lambda leaf: leaf[i], tree)


def assert_close(one, other):
    assert jax.tree.structure(one) == jax.tree.structure(other)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-9), one, other)


def test_it_is_a_group_action_with_one_parameter_groups(network):
    """All in one program, for stacks of two elements, and against the action on the host."""
    case, group = network
    subgroup = symmetry.permutations(group)

    @jax.jit
    @partial(jax.vmap, in_axes=(0, 0, 0, 0, None))
    def computed(g, h, permutation, direction, params):
        """The action is written three times alone, on stacks: it takes long to compile."""
        act, undone = partial(symmetry.act, group), symmetry.inverse(group, g)
        product = jax.vmap(partial(symmetry.compose, group))
        times = jnp.array([0.3, 0.5, 0.8, 1.0])
        steps = jax.vmap(
            lambda t: symmetry.exp(group, jax.tree.map(lambda part: t * part, direction))
        )(times)
        first, second, third, last = (pick(steps, i) for i in range(4))
        one = symmetry.identity(group)
        products = product(together(g, g, undone, first), together(h, undone, g, second))
        lifted = symmetry.lift(group, permutation)
        elements = together(pick(products, 0), h, one, last, lifted)
        moved = jax.vmap(act, in_axes=(0, None))(elements, params)
        both = jax.vmap(act, in_axes=(None, 0))(g, together(pick(moved, 1), params))
        return pick(both, 1), {
            "action": (pick(moved, 0), pick(both, 0)),
            "identity": (pick(moved, 2), params),
            "inverse, on both sides": (pick(products, slice(1, 3)), together(one, one)),
            "one parameter": (pick(products, 3), third),
            "logarithm": (symmetry.log(group, last), direction),
            "function": tuple(
                jax.vmap(lambda each: case.apply(each, *case.inputs))(
                    together(pick(moved, 3), params)
                )
            ),
            "lifted": (pick(moved, 4), symmetry.act(subgroup, permutation, params)),
        }

    elements = [draw(group, seed) for seed in range(4)]
    first, second = (
        jax.tree.map(lambda *parts: np.stack(parts), *pair) for pair in (elements[:2], elements[2:])
    )
    lower = jax.tree.map(lambda *p: np.stack(p), draw(subgroup, 5), draw(subgroup, 6))
    directions = jax.tree.map(lambda *p: np.stack(p), tangent(group, 7), tangent(group, 8))
    assert set(directions) == {g.name for g in group.generators if g.dimension}
    with jax.enable_x64(True):
        moved, pairs = computed(first, second, lower, directions, case.params)
    for one, other in pairs.values():
        assert_close(one, other)
    for i, element in enumerate(elements[:2]):
        found = pick(moved, i)
        assert_close(found, moved_on_host(group, element, case.params))


def test_what_is_in_another_component_has_no_logarithm():
    traced = jax.jit(partial(symmetry.log, EVERY))
    for generator in EVERY.generators:
        name, alone = generator.name, Group((generator,))
        away = identity_on_host(alone)
        if generator.kind == "permutation":
            away[name] = away[name][..., ::-1]
        elif generator.kind == "sign":
            away[name] = -away[name]
        elif generator.kind in ("orthogonal", "general linear"):
            away[name] = away[name] - 2 * np.diag([1.0, 0, 0])
        else:
            continue
        with pytest.raises(SymmetryError, match=f"'{name}' has no real logarithm"):
            symmetry.log(alone, away)
        found = traced(identity_on_host(EVERY) | away)
        assert all(bool(np.isnan(part).all()) for part in found.values())


def test_random_elements_and_tangents_are_of_their_kind(key):
    drawn = jax.jit(
        lambda key: (symmetry.random_element(EVERY, key), symmetry.random_tangent(EVERY, key))
    )
    element, direction = jax.tree.map(np.asarray, drawn(key))
    for generator in EVERY.generators:
        assert element[generator.name].shape == generator.shape
        assert (generator.name in direction) == (generator.dimension > 0)
    assert sorted(element["permutation"]) == [0, 1, 2]
    np.testing.assert_array_equal(np.abs(element["sign"]), 1)
    assert np.all(element["scaling"] > 0)
    assert abs(element["rotation"]) <= np.pi
    turn = element["orthogonal"]
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-5)
    assert np.linalg.cond(element["general linear"]) < 1e3
    assert not np.allclose(element["general linear"] @ element["general linear"].T, np.eye(3))
    np.testing.assert_array_equal(direction["orthogonal"], -direction["orthogonal"].T)


def test_the_numbers_of_a_group(network):
    _, group = network
    for generator in group.generators:
        alone = symmetry.Group((generator,))
        is_discrete = generator.kind in ("permutation", "sign")
        assert (alone.dimension == 0) == is_discrete
        assert (alone.log_order > 0) == is_discrete
    continuous = group.restricted(["scaling", "rotation", "orthogonal", "general linear"])
    assert continuous.dimension == group.dimension
    assert continuous.log_order == 0
    matrices = [g for g in continuous.generators if len(g.shape) > len(g.fibres) + 1]
    sheets = sum(g.copies for g in matrices) * np.log(2)
    assert continuous.log_components == pytest.approx(sheets)
    assert group.log_components == pytest.approx(group.log_order + sheets)
