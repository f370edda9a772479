"""Elements of groups of every kind: products, inverses, exponentials, in float64.

The parts are drawn with NumPy, because every shape that jax.random draws must be compiled.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from symmetry_zoo import ZOO, pure, vectors

from mconn import symmetry
from mconn.errors import SymmetryError
from mconn.symmetry.certify import draw_part


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


NETWORKS = {
    "rotary": lambda: pure(rotary_attention, {"query": (4, 4), "key": (4, 4)}, vectors()),
    **{
        name: ZOO[name]
        for name in ("cnn group norm", "attention", "scanned layers", "root mean square norm")
    },
}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    case = NETWORKS[request.param]()
    return case, symmetry.discover(case.apply, case.params, *case.inputs)


def draw(group, seed):
    random = np.random.default_rng(seed)
    return {generator.name: draw_part(generator, random) for generator in group.generators}


def tangent(group, seed):
    random = np.random.default_rng(seed)
    parts = {g.name: 0.3 * random.normal(size=g.shape) for g in group.generators if g.dimension > 0}
    for generator in group.generators:
        if generator.kind == "orthogonal":
            parts[generator.name] -= parts[generator.name].swapaxes(-1, -2)
    return parts


def wide(tree):
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), tree)


def assert_close(one, other):
    assert jax.tree.structure(one) == jax.tree.structure(other)
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-9), dict(one), dict(other)
    )


def test_it_is_a_group_action(network):
    case, group = network

    @jax.jit
    def both(g, h, params):
        act = functools.partial(symmetry.act, group)
        undone = symmetry.inverse(group, g)
        return (
            (act(symmetry.compose(group, g, h), params), act(g, act(h, params))),
            (act(symmetry.identity(group), params), params),
            *(
                (symmetry.compose(group, *pair), symmetry.identity(group))
                for pair in ((g, undone), (undone, g))
            ),
        )

    with jax.enable_x64(True):
        for one, other in both(draw(group, 0), draw(group, 1), wide(case.params)):
            assert_close(one, other)


def test_jit_and_stacks_change_nothing(network):
    case, group = network
    with jax.enable_x64(True):
        elements = [draw(group, seed) for seed in (2, 3)]
        params = wide(case.params)
        stacked = jax.tree.map(lambda *parts: jnp.stack(parts), *elements)
        act = jax.jit(jax.vmap(lambda g, p: symmetry.act(group, g, p), in_axes=(0, None)))
        moved = act(stacked, params)
        for i, element in enumerate(elements):
            expected = symmetry.act(group, element, params)
            assert_close(jax.tree.map(lambda leaf, i=i: leaf[i], moved), expected)


def test_the_exponential_is_a_one_parameter_group_and_log_undoes_it(network):
    case, group = network

    @jax.jit
    def both(direction, params):
        def at(t):
            return symmetry.exp(group, jax.tree.map(lambda part: t * part, direction))

        moved = symmetry.act(group, at(1.0), params)
        return (
            (symmetry.compose(group, at(0.3), at(0.5)), at(0.8)),
            (symmetry.log(group, at(1.0)), direction),
            (case.apply(moved, *case.inputs), case.apply(params, *case.inputs)),
        )

    with jax.enable_x64(True):
        direction = tangent(group, 4)
        assert set(direction) == {g.name for g in group.generators if g.dimension}
        *pairs, outputs = both(wide(direction), wide(case.params))
        for one, other in pairs:
            assert_close(one, other)
        np.testing.assert_allclose(*outputs, rtol=1e-5, atol=1e-5)


def test_what_is_in_another_component_has_no_logarithm(network):
    _, group = network
    for generator in group.generators:
        away = symmetry.identity(group)
        if generator.kind == "permutation":
            away[generator.name] = away[generator.name][..., ::-1]
        elif generator.kind == "sign":
            away[generator.name] = -away[generator.name]
        elif generator.kind in ("orthogonal", "general linear"):
            away[generator.name] = away[generator.name].at[..., 0, 0].set(-1.0)
        else:
            continue
        with pytest.raises(SymmetryError, match=f"'{generator.name}' has no real logarithm"):
            symmetry.log(group, away)
        traced = jax.jit(lambda g: symmetry.log(group, g))(away)
        assert all(bool(jnp.isnan(part).all()) for part in traced.values()) or not traced


def test_random_elements_are_of_their_kind(key):
    case = ZOO["cnn group norm"]()
    group = symmetry.discover(case.apply, case.params, *case.inputs)
    element = symmetry.random_element(group, key)
    direction = symmetry.random_tangent(group, key)
    for generator in group.generators:
        part = np.asarray(element[generator.name])
        assert part.shape == generator.shape
        if generator.kind == "permutation":
            units = np.broadcast_to(np.arange(generator.size), part.shape)
            np.testing.assert_array_equal(np.sort(part, axis=-1), units)
        elif generator.kind == "sign":
            np.testing.assert_array_equal(np.abs(part), 1)
        elif generator.kind == "scaling":
            assert np.all(part > 0)
        assert (generator.name in direction) == (generator.dimension > 0)


def test_orthogonal_elements_and_tangents(key):
    case = ZOO["root mean square norm"]()
    group = symmetry.discover(case.apply, case.params, *case.inputs)
    part = np.asarray(symmetry.random_element(group, key)["Dense_0"])
    np.testing.assert_allclose(part @ part.T, np.eye(6), atol=1e-5)
    direction = np.asarray(symmetry.random_tangent(group, key)["Dense_0"])
    np.testing.assert_array_equal(direction, -direction.T)


def test_an_element_of_the_permutations_lifts_to_the_group(network):
    case, group = network
    subgroup = symmetry.permutations(group)
    element = draw(subgroup, 5)
    lifted = symmetry.lift(group, element)
    moved = symmetry.act(group, lifted, case.params)
    expected = symmetry.act(subgroup, element, case.params)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-6), moved, expected)


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
