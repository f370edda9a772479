import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from mconn import paths, symmetry, trees
from mconn.errors import SymmetryError
from mconn.models import MLP
from mconn.paths.rearranged import cycles
from mconn.paths.spare import moves

WIDTH = 5


class Convolutional(nn.Module):
    """Two convolutions, a BatchNorm and a dense layer that reads pixels times channels."""

    @nn.compact
    def __call__(self, x):
        hidden = nn.Conv(WIDTH, (3, 3))(x)
        hidden = nn.relu(nn.BatchNorm(use_running_average=True)(hidden))
        hidden = nn.relu(nn.Conv(4, (3, 3))(hidden))
        return nn.Dense(3)(hidden.reshape(len(hidden), -1))


def drawn(model, x, seed=0):
    """Random parameters in double precision; variances are positive."""
    random = np.random.default_rng(seed)
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), x))
    return jax.tree.map(
        lambda leaf: random.uniform(0.2, 1, leaf.shape) - 0.5 * (leaf.ndim > 1), shapes
    )


VECTORS = np.random.default_rng(1).normal(size=(6, 4))
IMAGES = np.random.default_rng(1).normal(size=(2, 4, 4, 2))
NETWORKS = {
    "MLP": (MLP(width=WIDTH, depth=2, classes=3), VECTORS),
    "convolutional": (Convolutional(), IMAGES),
}


@pytest.fixture(params=NETWORKS)
def found(request):
    """apply, parameters, inputs and the group of permutations, in double precision."""
    with jax.enable_x64(True):
        model, x = NETWORKS[request.param]
        params = drawn(model, x)
        group = symmetry.discover(model.apply, params, x).restricted(["permutation"])
        yield model.apply, params, x, group


def with_spare(params, group, unit, twin=None):
    """The network with one spare unit in each layer: dead, or a duplicate of another unit."""
    leaves = trees.named_leaves(params)
    changed = {name: np.array(leaf) for name, leaf in leaves.items()}
    for generator in group.generators:
        for site in generator.sites:
            view = symmetry.action.View(generator, site, changed[site.leaf].shape)
            units = view.read(changed[site.leaf]).copy()
            if site.reads and twin is None:
                units[unit] = 0
            if site.makes and twin is not None:
                units[unit] = units[twin]
            changed[site.leaf] = view.write(changed[site.leaf], units)
    return jax.tree.unflatten(jax.tree.structure(params), [changed[name] for name in leaves])


def random_element(group, seed):
    random = np.random.default_rng(seed)
    return {g.name: random.permutation(g.size) for g in group.generators}


def assert_constant(apply, path, x, points=201):
    ts = np.linspace(0, 1, points)
    assert float(paths.largest_change(apply, path, ts, x)) < 1e-12


def assert_ends(path, params, end):
    for t, expected in ((0, params), (1, end)):
        jax.tree.map(np.testing.assert_array_equal, path(t), expected)


@pytest.mark.parametrize("twin", [None, 3], ids=["dead", "duplicated"])
def test_any_permutation_is_a_path_of_one_function(found, twin):
    apply, params, x, group = found
    params = with_spare(params, group, 1, twin)
    element = random_element(group, 0)
    path = paths.through_spare(group, element, params)
    assert_ends(path, params, symmetry.act(group, element, params))
    assert_constant(apply, path, x)


def test_the_spare_unit_itself_may_stay_or_move(found):
    apply, params, x, group = found
    params = with_spare(params, group, 1)
    name = group.generators[0].name
    for order in ([0, 1, 3, 2, 4], [1, 0, 2, 3, 4], [4, 3, 1, 2, 0]):
        element = symmetry.identity(group) | {name: np.array(order)}
        path = paths.through_spare(group, element, params, {name: 1})
        assert_ends(path, params, symmetry.act(group, element, params))
        assert_constant(apply, path, x, 51)


def test_a_transposition_takes_three_moves(found):
    _, params, _, group = found
    params = with_spare(params, group, 1)
    name = group.generators[0].name
    element = symmetry.identity(group) | {name: np.array([0, 1, 3, 2, 4])}
    path = paths.through_spare(group, element, params)
    # Two segments a move, and one that gives the spare unit its own weights back.
    assert path.knots == 3 * 2 + 1 + 1
    chain = paths.through([path(t) for t in np.linspace(0, 1, path.knots)])
    middle = 3.5 / 7
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-12), chain(middle), path(middle)
    )


def test_the_same_path_without_a_spare_unit_changes_the_function(found):
    apply, params, x, group = found
    name = group.generators[0].name
    element = symmetry.identity(group) | {name: np.array([0, 1, 3, 2, 4])}
    ts = np.linspace(0, 1, 41)
    assert float(paths.largest_change(apply, paths.stepwise(group, element, params), ts, x)) > 1e-3
    with pytest.raises(SymmetryError, match=r"no unit of .* is spare"):
        paths.through_spare(group, element, params)
    with pytest.raises(SymmetryError, match=r"unit 0 of .* is spare"):
        paths.through_spare(group, element, with_spare(params, group, 1), {name: 0})


def test_a_spare_unit_is_found(found):
    _, params, _, group = found
    name = group.generators[0].name
    assert paths.find_spare(group, name, with_spare(params, group, 2)) == 2
    assert paths.find_spare(group, name, with_spare(params, group, 2, twin=3)) in (2, 3)
    with pytest.raises(KeyError, match="no generator is named"):
        paths.find_spare(group, "none", params)


def test_a_normaliser_over_the_units_is_told_by_the_change():
    with jax.enable_x64(True):
        model = MLP(width=WIDTH, depth=1, classes=3, normaliser="layer")
        params = drawn(model, VECTORS)
        group = symmetry.discover(model.apply, params, VECTORS).restricted(["permutation"])
        params = with_spare(params, group, 1)
        path = paths.through_spare(group, random_element(group, 0), params)
        assert float(paths.largest_change(model.apply, path, np.linspace(0, 1, 41), VECTORS)) > 1e-3


@settings(max_examples=40, deadline=None)
@given(order=st.permutations(range(6)), spare=st.integers(0, 5))
def test_moves_end_in_the_permutation_with_every_unit_alive(order, spare):
    table = moves(np.array(order), spare)
    np.testing.assert_array_equal(table.made[-1], order)
    np.testing.assert_array_equal(table.read[-1], order)
    for made, read, dead in zip(table.made[1:-1], table.read[1:-1], table.dead[1:-1], strict=True):
        # Whatever is read stands where it is made, and all but the spare unit are read once.
        np.testing.assert_array_equal(made[~dead], read[~dead])
        assert sorted(read[~dead]) == [unit for unit in range(6) if unit != spare]
    changes = [(table.made[i] != table.made[i + 1]).sum() for i in range(len(table.made) - 1)]
    assert max(changes, default=0) <= 1


@settings(max_examples=40, deadline=None)
@given(order=st.permutations(range(7)))
def test_cycles_are_those_of_the_permutation(order):
    rebuilt = np.arange(7)
    for cycle in cycles(np.array(order)):
        rebuilt[cycle] = np.roll(cycle, -1)
    np.testing.assert_array_equal(rebuilt, order)


def test_a_second_arc_of_as_many_moves_shares_its_program():
    with jax.enable_x64(True):
        model, x = NETWORKS["MLP"]
        at = jax.jit(jax.vmap(lambda path, t: path(t), (None, 0)))
        for seed, order in ((0, [1, 2, 0, 3, 4]), (1, [0, 4, 2, 1, 3])):
            params = drawn(model, x, seed)
            group = symmetry.discover(model.apply, params, x).restricted(["permutation"])
            name = group.generators[0].name
            element = symmetry.identity(group) | {name: np.array(order)}
            spare = next(i for i in range(5) if order[i] == i)
            params = with_spare(params, group, spare)
            at(paths.through_spare(group, element, params, {name: spare}), jnp.array([0.2, 0.9]))
        assert at._cache_size() == 1


def test_what_is_no_permutation_is_refused():
    with jax.enable_x64(True):
        model, x = NETWORKS["MLP"]
        params = drawn(model, x)
        group = symmetry.discover(model.apply, params, x)
        with pytest.raises(SymmetryError, match="is the identity"):
            paths.through_spare(group, symmetry.identity(group), params)
        scaling = next(g for g in group.generators if g.kind == "scaling")
        element = symmetry.identity(group) | {scaling.name: jnp.full(scaling.shape, 2.0)}
        with pytest.raises(SymmetryError, match=r"has a scaling of .* see paths\.orbit"):
            paths.through_spare(group, element, params)


def test_leaves_of_an_unknown_role_are_refused():
    site = symmetry.Site("w", 0, makes=True, reads=True)
    group = symmetry.Group((symmetry.Generator("units", 3, "permutation", (site,)),))
    with pytest.raises(SymmetryError, match="leaf 'w' both makes and reads the units"):
        paths.through_spare(group, {"units": np.array([1, 0, 2])}, {"w": np.eye(3)})
