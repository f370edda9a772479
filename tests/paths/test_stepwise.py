import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from mconn import paths, symmetry
from mconn.errors import StructureError, SymmetryError
from mconn.paths.rearranged import _exchanges as exchanges

WIDTH = 24


def apply(params, x):
    hidden = jnp.tanh(x @ params["first"])
    return jnp.tanh(hidden @ params["second"]) @ params["third"]


def network(seed):
    random = np.random.default_rng(seed)
    shapes = {"first": (4, WIDTH), "second": (WIDTH, WIDTH), "third": (WIDTH, 3)}
    return {name: random.normal(size=shape) / shape[0] ** 0.5 for name, shape in shapes.items()}


X = np.random.default_rng(9).normal(size=(16, 4))


@pytest.fixture
def group():
    with jax.enable_x64(True):
        yield symmetry.discover(apply, network(0), X).restricted(["permutation"])


def random_element(group, seed=0):
    random = np.random.default_rng(seed)
    return {g.name: random.permutation(g.size) for g in group.generators}


def test_the_ends_are_the_network_and_the_permuted_one_bit_for_bit(group):
    params, element = network(0), random_element(group)
    path = paths.stepwise(group, element, params)
    end = symmetry.act(group, element, params)
    for t, expected in ((0, params), (1, end)):
        jax.tree.map(np.testing.assert_array_equal, path(t), expected)


def test_every_knot_has_the_same_function_and_the_curve_between_has_not(group):
    path = paths.stepwise(group, random_element(group), network(0))
    knots = np.linspace(0, 1, path.knots)
    assert float(paths.largest_change(apply, path, knots, X)) < 1e-12
    middles = np.concatenate([[0], (knots[1:] + knots[:-1]) / 2])
    assert float(paths.largest_change(apply, path, middles, X)) > 1e-3


def test_single_exchanges_change_less_than_the_straight_line(group):
    params, element = network(0), random_element(group)
    path = paths.stepwise(group, element, params)
    line = paths.line(params, symmetry.act(group, element, params))
    ts = np.linspace(0, 1, 8 * (path.knots - 1) + 1)
    stepped, straight = (float(paths.largest_change(apply, p, ts, X)) for p in (path, line))
    assert stepped < straight


@settings(max_examples=40, deadline=None)
@given(order=st.permutations(range(6)))
def test_every_step_exchanges_two_units(order):
    orders = exchanges(np.array(order))
    np.testing.assert_array_equal(orders[0], range(6))
    np.testing.assert_array_equal(orders[-1], order)
    for before, after in itertools.pairwise(orders):
        places = np.flatnonzero(before != after)
        assert len(places) == 2
        np.testing.assert_array_equal(before[places], after[places[::-1]])


def test_copies_of_units_are_permuted_one_after_the_other():
    part = np.array([[1, 0, 2], [0, 2, 1]])
    orders = exchanges(part)
    assert orders.shape == (3, 2, 3)
    np.testing.assert_array_equal(orders[1], [[1, 0, 2], [0, 1, 2]])
    np.testing.assert_array_equal(orders[-1], part)


def test_a_hundred_exchanges_need_no_hundred_networks(group):
    path = paths.stepwise(group, random_element(group), network(0))
    leaves = jax.tree.leaves(path)
    assert sum(leaf.nbytes for leaf in leaves if leaf.dtype == float) == sum(
        leaf.nbytes for leaf in network(0).values()
    )


def test_the_identity_and_other_networks_are_refused(group):
    with pytest.raises(SymmetryError, match="is the identity"):
        paths.stepwise(group, symmetry.identity(group), network(0))
    wrong = network(0) | {"third": np.zeros((WIDTH, 2))}
    with pytest.raises(StructureError, match="leaf 'third' has shape"):
        paths.stepwise(group, random_element(group), wrong)
