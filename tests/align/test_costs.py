"""What every cost promises, and what only some of them do."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mconn import align, symmetry, trees
from mconn.errors import ConfigError

INPUTS = np.random.default_rng(7).normal(size=(120, 6)).astype(np.float32)
SHAPES = {"w0": (6, 12), "b0": (12,), "w1": (12, 9), "b1": (9,), "w2": (9, 3)}


def mlp(params, x):
    hidden = jax.nn.relu(x @ params["w0"] + params["b0"])
    return jnp.tanh(hidden @ params["w1"] + params["b1"]) @ params["w2"]


def weights(seed):
    generator = np.random.default_rng(seed)
    return {
        name: (generator.normal(size=shape) / np.sqrt(shape[0])).astype(np.float32)
        for name, shape in SHAPES.items()
    }


A, B = weights(0), weights(1)
WHOLE = symmetry.discover(mlp, A, INPUTS[:2])
GROUP = symmetry.permutations(WHOLE)
COSTS = {
    "weights": align.WeightCost(),
    "covariance": align.CovarianceCost(mlp, INPUTS, batch_size=50),
    "activations": align.ActivationCost(mlp, INPUTS, batch_size=50),
    "covariances": align.ActivationCost(mlp, INPUTS, centred=True, normalised=False),
    "contribution": align.ContributionCost(mlp, INPUTS, batch_size=50),
}


def scrambled(seed, network):
    generator = np.random.default_rng(seed)
    element = {name: generator.permutation(size) for name, size in GROUP.sizes.items()}
    return symmetry.act(GROUP, element, network)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("cost", COSTS)
def test_a_permuted_copy_is_put_back(cost, seed):
    copy = scrambled(seed, A)
    found = align.match(GROUP, A, copy, cost=COSTS[cost])
    chex.assert_trees_all_equal(symmetry.act(GROUP, found.element, copy), A)


@pytest.mark.parametrize("schedule", ["random", "margin"])
@pytest.mark.parametrize("cost", COSTS)
def test_the_ascent_is_monotone_and_ends_below_the_bound(cost, schedule):
    for start in ("profile", "identity", "random"):
        found = align.match(GROUP, A, B, cost=COSTS[cost], start=start, schedule=schedule)
        assert np.all(np.diff(found.history) >= 0)
        assert found.fixed_point
        assert found.objective <= found.bound * (1 + 1e-5)
        again = align.match(GROUP, A, B, cost=COSTS[cost], start=found.element)
        chex.assert_trees_all_equal(again.element, found.element)


@pytest.mark.parametrize("cost", COSTS)
def test_the_aligned_network_does_not_depend_on_the_numbering(cost):
    moved = [
        symmetry.act(GROUP, align.match(GROUP, A, b, cost=COSTS[cost]).element, b)
        for b in (B, scrambled(3, B))
    ]
    chex.assert_trees_all_close(*moved, atol=1e-6)


def test_a_posed_problem_is_as_good_as_its_cost():
    posed = COSTS["activations"].prepare(GROUP, A, B)
    found, again = (align.match(GROUP, A, B, cost=c) for c in (COSTS["activations"], posed))
    chex.assert_trees_all_equal(found.element, again.element)
    assert again.problem is posed


@pytest.mark.parametrize("cost", COSTS)
def test_margins_tell_what_an_exchange_would_cost(cost):
    found = align.match(GROUP, A, B, cost=COSTS[cost])
    name = GROUP.generators[0].name
    for unit in range(3):
        losses = []
        for other in range(GROUP.sizes[name]):
            if other != unit:
                exchanged = np.array(found.element[name])
                exchanged[[unit, other]] = exchanged[[other, unit]]
                element = {**found.element, name: exchanged}
                losses.append(found.objective - found.problem.position(element).objective())
        assert found.margins[name][unit] == pytest.approx(min(losses), rel=1e-3, abs=1e-4)
        assert min(losses) >= -1e-4


def test_the_contribution_objective_is_the_sum_over_weights_that_are_read():
    cost = align.ContributionCost(mlp, INPUTS)
    found = align.match(GROUP, A, B, cost=cost)
    moved = {name: np.asarray(leaf) for name, leaf in symmetry.act(GROUP, found.element, B).items()}
    units = [symmetry.activations(GROUP, mlp, network, INPUTS) for network in (A, moved)]
    alike = {}
    for (name, (in_a,)), (in_b,) in zip(units[0].items(), units[1].values(), strict=True):
        norms = np.linalg.norm(in_a, axis=0) * np.linalg.norm(in_b, axis=0)
        products = (np.asarray(in_a) * np.asarray(in_b)).sum(axis=0)
        alike[GROUP.sizes[name]] = np.where(norms > 0, products / np.where(norms > 0, norms, 1), 0)
    expected = sum(np.vdot(A[leaf], moved[leaf]) for leaf in ("w0", "b0", "b1"))
    expected += np.sum(alike[12][:, None] * A["w1"] * moved["w1"])
    expected += np.sum(alike[9][:, None] * A["w2"] * moved["w2"])
    assert found.objective == pytest.approx(expected, rel=1e-4)


def test_weights_on_silent_units_do_not_count_in_the_metric_of_the_data():
    silent = np.array([True] * 6 + [False] * 6)
    a = {**A, "b0": np.where(silent, -100, A["b0"]).astype(np.float32)}
    noise = 10 * np.random.default_rng(5).normal(size=(12, 9)).astype(np.float32)
    b = {**a, "w1": np.where(silent[:, None], noise, a["w1"])}
    copy = scrambled(4, b)
    cost = align.CovarianceCost(mlp, INPUTS)
    moved = symmetry.act(GROUP, align.match(GROUP, a, copy, cost=cost).element, copy)
    np.testing.assert_array_equal(moved["w2"], a["w2"])
    plain = symmetry.act(GROUP, align.match(GROUP, a, copy).element, copy)
    assert not np.array_equal(plain["w2"], a["w2"])


@pytest.mark.parametrize("cost", ["covariance", "contribution"])
def test_costs_that_need_permutations_say_so(cost):
    with pytest.raises(ConfigError, match=r"symmetry\.permutations\(group\)"):
        align.match(WHOLE, A, B, cost=COSTS[cost])


def test_more_restarts_never_make_it_worse():
    found = [align.match(GROUP, A, B, restarts=n).objective for n in (1, 3, 6)]
    assert found == sorted(found)
    assert found[0] < found[-1] <= align.match(GROUP, A, B).bound


def test_the_spread_over_keys_is_visible_from_the_identity():
    found = {
        round(align.match(GROUP, A, B, start="identity", key=jax.random.key(k)).objective, 4)
        for k in range(6)
    }
    assert len(found) > 1


def test_double_precision_stays():
    with jax.enable_x64(True):
        a, b = ({n: v.astype(np.float64) for n, v in net.items()} for net in (A, B))
        found = align.match(GROUP, a, b)
        moved = symmetry.act(GROUP, found.element, b)
        assert found.objective == pytest.approx(float(trees.inner(a, moved)), rel=1e-14)
