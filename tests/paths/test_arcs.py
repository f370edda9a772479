"""Arcs of symmetries: orbits of continuous ones, and chains that move units."""

import itertools

import jax
import numpy as np
import pytest
from curves import along, at, length
from hypothesis import given, settings, strategies as st

from mconn import paths, symmetry, trees
from mconn.errors import StructureError, SymmetryError
from mconn.paths.rearranged import _exchanges, cycles
from mconn.paths.spare import _moves
from tests import zoo

TS = np.linspace(0, 1, 21)
X = zoo.examples().inputs.astype(np.float64)


@pytest.fixture
def double():
    with jax.enable_x64(True):
        yield


def drawn(apply, seed=0):
    """A network in double precision."""
    return jax.tree.map(lambda leaf: leaf.astype(np.float64), zoo.draw(apply, seed))


def scaled(group, factor):
    """The element that multiplies the units of a ReLU network, and moves none."""
    element = symmetry.identity(group)
    for generator in group.generators:
        if generator.kind == "scaling":
            element[generator.name] = np.linspace(0.5, factor, generator.size)
    return element


def permutation(group, seed=0):
    rng = np.random.default_rng(seed)
    return {g.name: rng.permutation(g.size) for g in group.generators}


def first(group, order):
    """The element that permutes the first units of the first generator."""
    generator = group.generators[0]
    whole = np.array([*order, *range(len(order), generator.size)])
    return symmetry.identity(group) | {generator.name: whole}


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


def change(apply, path, ts=TS):
    return float(paths.largest_change(apply, path, ts, X))


def assert_ends(path, params, end):
    for t, expected in ((0.0, params), (1.0, end)):
        jax.tree.map(np.testing.assert_array_equal, at(path, t), expected)


@pytest.mark.parametrize("apply", [zoo.mlp, zoo.attention])
def test_the_function_stays_the_same_along_an_orbit(double, apply):
    params, group = drawn(apply), zoo.group(apply)
    if apply is zoo.mlp:
        path = paths.orbit(group, scaled(group, 8.0), params)
    else:
        tangent = jax.jit(lambda key: symmetry.random_tangent(group, key))(jax.random.key(0))
        along_orbit = jax.jit(lambda tangent, params: paths.orbit_along(group, tangent, params))
        path = along_orbit({n: 0.3 * np.asarray(part) for n, part in tangent.items()}, params)
    assert change(apply, path) < 1e-12
    moved = jax.tree.map(lambda x, y: np.abs(np.asarray(x) - y).max(), path.end, params)
    assert sum(jax.tree.leaves(moved)) > 0.1


def test_ends_of_an_orbit_are_exact_and_half_way_the_element_acts_twice(double):
    params, group = drawn(zoo.mlp), zoo.group(zoo.mlp)
    path = paths.orbit(group, scaled(group, 4.0), params)
    assert_ends(path, params, symmetry.act(group, scaled(group, 4.0), params))
    root = {n: p**0.5 if p.dtype == float else p for n, p in scaled(group, 4.0).items()}
    half = symmetry.act(group, root, params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), at(path, 0.5), half)


def test_an_orbit_passes_through_transformations_and_shares_its_program(double):
    run = jax.jit(jax.vmap(lambda path, t: path(t), (None, 0)))
    group = zoo.group(zoo.mlp)
    for seed in range(2):
        path = paths.orbit(group, scaled(group, 2.0 + seed), drawn(zoo.mlp, seed))
        run(path, TS)
    assert run._cache_size() == 1
    slope = jax.jit(jax.grad(lambda p: p(0.5)["params"]["Dense_1"]["kernel"].sum()))(path)
    assert np.isfinite(slope.start["params"]["Dense_1"]["kernel"]).all()
    assert float(length(path)) > 0


def test_elements_without_a_logarithm_are_refused(double):
    params, group = drawn(zoo.mlp), zoo.group(zoo.mlp)
    units = next(g for g in group.generators if g.kind == "permutation")
    element = symmetry.identity(group) | {units.name: np.roll(np.arange(units.size), 1)}
    with pytest.raises(SymmetryError, match=r"the permutation of .* has no real logarithm"):
        paths.orbit(group, element, params)
    with pytest.raises(SymmetryError, match="is no continuous generator of the group"):
        paths.orbit_along(group, {units.name: np.zeros(units.size)}, params)
    sites = symmetry.Site("in", 1, makes=True), symmetry.Site("out", 0, power=-1, reads=True)
    linear = symmetry.Group((symmetry.Generator("inner", 2, "general linear", sites),))
    with pytest.raises(SymmetryError, match="has no real logarithm"):
        paths.orbit(linear, {"inner": np.diag([-1.0, 1.0])}, {"in": np.eye(2), "out": np.eye(2)})


@pytest.mark.parametrize(("apply", "twin"), [(zoo.normalised, 3), (zoo.convolution, None)])
def test_any_permutation_through_a_spare_unit_is_a_path_of_one_function(double, apply, twin):
    group = zoo.permutations(apply)
    params = with_spare(drawn(apply), group, 1, twin)
    element = permutation(group)
    path = paths.through_spare(group, element, params)
    assert_ends(path, params, symmetry.act(group, element, params))
    assert change(apply, path, np.linspace(0, 1, 201)) < 1e-12
    name = group.generators[0].name
    assert paths.find_spare(group, name, params) in ((1,) if twin is None else (1, twin))


@pytest.mark.parametrize("order", [[0, 1, 3, 2], [3, 1, 2, 0], [1, 0]])
def test_the_spare_unit_itself_may_stay_or_move(double, order):
    group = zoo.permutations(zoo.mlp)
    params, element = with_spare(drawn(zoo.mlp), group, 1), first(group, order)
    path = paths.through_spare(group, element, params, {group.generators[0].name: 1})
    assert change(zoo.mlp, path, np.linspace(0, 1, 51)) < 1e-12
    # A move is two segments, a transposition of others three moves; and one segment gives the spare
    # unit its own weights back.
    assert path.knots == (1 if order == [1, 0] else 3) * 2 + 1 + 1
    middle = 0.5 / (path.knots - 1)
    found = trees.to_numpy(along(path, np.array([*np.linspace(0, 1, path.knots), middle])))
    end = symmetry.act(group, element, params)
    jax.tree.map(lambda leaf, a: np.testing.assert_array_equal(leaf[0], a), found, params)
    jax.tree.map(lambda leaf, b: np.testing.assert_array_equal(leaf[-2], b), found, end)
    half = jax.tree.map(lambda leaf: (leaf[0] + leaf[1]) / 2, found)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b[-1], atol=1e-12), half, found)


def test_without_a_spare_unit_the_function_changes(double):
    group, params = zoo.permutations(zoo.mlp), drawn(zoo.mlp)
    element, name = first(group, [0, 1, 3, 2]), group.generators[0].name
    assert change(zoo.mlp, paths.stepwise(group, element, params)) > 1e-3
    with pytest.raises(SymmetryError, match=r"no unit of .* is spare"):
        paths.through_spare(group, element, params)
    with pytest.raises(SymmetryError, match=r"unit 0 of .* is spare"):
        paths.through_spare(group, element, with_spare(params, group, 1), {name: 0})
    with pytest.raises(KeyError, match="no generator is named"):
        paths.find_spare(group, "none", params)


def layered(params, inputs):
    """`zoo.mlp` with a normaliser that takes its mean over the units: of the same permutations."""
    here = params["params"]
    hidden = jax.nn.relu(inputs @ here["Dense_0"]["kernel"] + here["Dense_0"]["bias"])
    hidden = (hidden - hidden.mean(-1, keepdims=True)) / (0.1 + hidden.std(-1, keepdims=True))
    hidden = jax.nn.relu(hidden @ here["Dense_1"]["kernel"] + here["Dense_1"]["bias"])
    return hidden @ here["Dense_2"]["kernel"] + here["Dense_2"]["bias"]


def test_a_normaliser_over_the_units_is_told_by_the_change(double):
    group = zoo.permutations(zoo.mlp)
    params = with_spare(drawn(zoo.mlp), group, 1)
    path = paths.through_spare(group, first(group, [0, 1, 3, 2]), params)
    assert change(layered, path, np.round(TS)) < 1e-12  # at the two ends
    assert change(layered, path) > 1e-3


def test_a_second_arc_of_as_many_moves_shares_its_program(double):
    run = jax.jit(lambda path, t: path(t))
    group = zoo.permutations(zoo.mlp)
    name = group.generators[0].name
    for seed, spare, order in ((0, 3, [1, 2, 0, 3]), (1, 0, [0, 3, 1, 2])):
        params = with_spare(drawn(zoo.mlp, seed), group, spare)
        run(paths.through_spare(group, first(group, order), params, {name: spare}), 0.2)
    assert run._cache_size() == 1


def test_what_is_no_permutation_of_units_is_refused(double):
    params, group = drawn(zoo.mlp), zoo.group(zoo.mlp)
    for arc in (paths.through_spare, paths.stepwise):
        with pytest.raises(SymmetryError, match="is the identity"):
            arc(group, symmetry.identity(group), params)
        with pytest.raises(SymmetryError, match=r"has a scaling of .* see paths\.orbit"):
            arc(group, scaled(group, 2.0), params)
        wrong = jax.tree.map(lambda leaf: leaf, params)
        wrong["params"]["Dense_2"]["kernel"] = np.zeros((4, 2))
        with pytest.raises(StructureError, match="leaf 'params/Dense_2/kernel' has shape"):
            arc(group, permutation(zoo.permutations(zoo.mlp)) | symmetry.identity(group), wrong)
    with pytest.raises(StructureError, match="leaf 'params/Dense_2/kernel' has shape"):
        paths.orbit(group, symmetry.identity(group), wrong)
    site = symmetry.Site("w", 0, makes=True, reads=True)
    unknown = symmetry.Group((symmetry.Generator("units", 3, "permutation", (site,)),))
    with pytest.raises(SymmetryError, match="leaf 'w' both makes and reads the units"):
        paths.through_spare(unknown, {"units": np.array([1, 0, 2])}, {"w": np.eye(3)})


def test_a_stepwise_curve_has_the_same_function_at_its_knots_and_is_nearer_than_the_line(double):
    group, params = zoo.permutations(zoo.mlp), drawn(zoo.tanh_mlp, 1)  # tanh has the same
    element = permutation(group, 2)
    path, end = paths.stepwise(group, element, params), symmetry.act(group, element, params)
    assert_ends(path, params, end)
    knots = np.linspace(0, 1, path.knots)
    assert change(zoo.tanh_mlp, path, knots) < 1e-12
    middles = np.concatenate([[0], (knots[1:] + knots[:-1]) / 2])
    assert change(zoo.tanh_mlp, path, middles) > 1e-3
    ts = np.linspace(0, 1, 8 * (path.knots - 1) + 1)
    assert change(zoo.tanh_mlp, path, ts) < change(zoo.tanh_mlp, paths.line(params, end), ts)
    # Many exchanges need no many networks.
    stored = sum(leaf.nbytes for leaf in jax.tree.leaves(path) if leaf.dtype == float)
    assert stored == sum(leaf.nbytes for leaf in jax.tree.leaves(params))


@settings(max_examples=40, deadline=None)
@given(order=st.permutations(range(6)), spare=st.integers(0, 5))
def test_moves_end_in_the_permutation_with_every_unit_alive(order, spare):
    table = _moves(np.array(order), spare)
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
def test_cycles_and_exchanges_are_those_of_the_permutation(order):
    rebuilt = np.arange(7)
    for cycle in cycles(np.array(order)):
        rebuilt[cycle] = np.roll(cycle, -1)
    np.testing.assert_array_equal(rebuilt, order)
    orders = _exchanges(np.array(order))
    np.testing.assert_array_equal(orders[0], range(7))
    np.testing.assert_array_equal(orders[-1], order)
    for before, after in itertools.pairwise(orders):
        places = np.flatnonzero(before != after)
        assert len(places) == 2
        np.testing.assert_array_equal(before[places], after[places[::-1]])


def test_copies_of_units_are_permuted_one_after_the_other():
    part = np.array([[1, 0, 2], [0, 2, 1]])
    orders = _exchanges(part)
    assert orders.shape == (3, 2, 3)
    np.testing.assert_array_equal(orders[1], [[1, 0, 2], [0, 1, 2]])
    np.testing.assert_array_equal(orders[-1], part)
