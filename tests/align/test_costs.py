"""What every cost promises, and what only some of them do."""

import dataclasses
import itertools
import operator

import jax
import numpy as np
import pytest
import zoo
from hypothesis import given, settings, strategies as st

from mconn import align, symmetry
from mconn.errors import ConfigError, DataError, MconnError, StructureError
from tests.align.on_host import act

INPUTS = zoo.examples(120).inputs
NETWORKS = (zoo.tanh_mlp, zoo.residual)
GROUP, A, B = zoo.permutations(zoo.tanh_mlp), zoo.draw(zoo.tanh_mlp), zoo.draw(zoo.tanh_mlp, 1)
NAMES = list(GROUP.sizes)


def costs_of(apply):
    return {
        "weights": align.WeightCost(),
        "covariance": align.CovarianceCost(apply, INPUTS, batch_size=50),
        "activations": align.ActivationCost(apply, INPUTS, batch_size=50),
        "correlations": align.ActivationCost(apply, INPUTS, centred=True, batch_size=50),
        "covariances": align.ActivationCost(apply, INPUTS, centred=True, normalised=False),
        "contribution": align.ContributionCost(apply, INPUTS, batch_size=50),
    }


ALL_COSTS = {apply: costs_of(apply) for apply in NETWORKS}
COSTS = ALL_COSTS[zoo.tanh_mlp]
OUTPUTS = {apply: jax.jit(apply) for apply in NETWORKS}


def moved(apply, element, network):
    """A network after an element, on the host."""
    return act(zoo.permutations(apply), element, network)


def scrambled(seed, network, apply=zoo.tanh_mlp):
    rng = np.random.default_rng(seed)
    sizes = zoo.permutations(apply).sizes
    return moved(apply, {name: rng.permutation(size) for name, size in sizes.items()}, network)


def inner(a, b):
    return sum(map(np.vdot, jax.tree.leaves(a), jax.tree.leaves(b)))


def assert_equal(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("apply", NETWORKS)
def test_a_permuted_copy_is_put_back(apply, cost, seed):
    a = zoo.draw(apply, 10 + seed)
    copy = scrambled(seed, a, apply)
    found = align.match(zoo.permutations(apply), a, copy, cost=ALL_COSTS[apply][cost])
    assert_equal(moved(apply, found.element, copy), a)


@pytest.mark.parametrize(
    ("start", "schedule"), [("profile", "margin"), ("identity", "random"), ("random", "margin")]
)
@pytest.mark.parametrize("cost", COSTS)
def test_the_ascent_ends_below_the_bound_with_the_same_function(cost, start, schedule):
    found = align.match(GROUP, A, B, cost=COSTS[cost], start=start, schedule=schedule)
    assert np.all(np.diff(found.history) >= 0)
    assert found.fixed_point
    assert found.objective <= found.bound * (1 + 1e-5)
    again = align.match(GROUP, A, B, cost=COSTS[cost], start=found.element)
    assert_equal(dict(again.element), dict(found.element))
    outputs = OUTPUTS[zoo.tanh_mlp]
    np.testing.assert_allclose(
        outputs(moved(zoo.tanh_mlp, found.element, B), INPUTS), outputs(B, INPUTS), atol=1e-5
    )
    for name, size in GROUP.sizes.items():
        np.testing.assert_array_equal(np.sort(found.element[name]), np.arange(size))


@pytest.mark.parametrize("cost", COSTS)
def test_the_aligned_network_does_not_depend_on_the_numbering(cost):
    results = [
        moved(zoo.tanh_mlp, align.match(GROUP, A, b, cost=COSTS[cost]).element, b)
        for b in (B, scrambled(3, B))
    ]
    assert_equal(*results)


@pytest.mark.parametrize("cost", COSTS)
def test_margins_tell_what_an_exchange_would_cost(cost):
    found = align.match(GROUP, A, B, cost=COSTS[cost])
    name = NAMES[0]
    for unit in range(3):
        losses = []
        for other in set(range(GROUP.sizes[name])) - {unit}:
            exchanged = np.array(found.element[name])
            exchanged[[unit, other]] = exchanged[[other, unit]]
            element = {**found.element, name: exchanged}
            losses.append(found.objective - found.problem.position(element).objective())
        assert found.margins[name][unit] == pytest.approx(min(losses), rel=1e-3, abs=1e-4)
        assert min(losses) >= -1e-4


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), start=st.sampled_from(["profile", "identity", "random"]))
def test_weight_matching_climbs_below_its_bound(seed, start):
    a, b = zoo.draw(zoo.residual, seed), zoo.draw(zoo.residual, seed + 2000)
    found = align.match(zoo.permutations(zoo.residual), a, b, start=start, key=jax.random.key(seed))
    assert np.all(np.diff(found.history) >= -1e-5 * abs(found.objective))
    assert found.fixed_point
    assert found.objective <= found.bound * (1 + 1e-5)
    aligned = moved(zoo.residual, found.element, b)
    assert found.objective == pytest.approx(inner(a, aligned), rel=1e-4, abs=1e-4)
    gap = jax.tree.map(operator.sub, a, aligned)
    squared = inner(a, a) + inner(b, b) - 2 * found.objective
    assert inner(gap, gap) == pytest.approx(squared, rel=1e-3)


def test_one_generator_reaches_the_optimum_of_all_permutations():
    name = NAMES[1]
    group = dataclasses.replace(GROUP, generators=(GROUP[name],))
    first, last = (A["params"][f"Dense_{i}"]["kernel"] for i in (1, 2))
    assert group.sizes == {name: 4}
    found = align.match(group, A, B)
    b = B["params"]
    rest = inner(A, B) - np.vdot(first, b["Dense_1"]["kernel"])
    rest -= np.vdot(last, b["Dense_2"]["kernel"])
    bias = A["params"]["Dense_1"]["bias"]
    rest -= np.vdot(bias, b["Dense_1"]["bias"])
    best = max(
        np.vdot(first, b["Dense_1"]["kernel"][:, order])
        + np.vdot(last, b["Dense_2"]["kernel"][list(order)])
        + np.vdot(bias, b["Dense_1"]["bias"][list(order)])
        for order in itertools.permutations(range(4))
    )
    assert found.objective == pytest.approx(best + rest, rel=1e-5)


def test_aligning_twice_changes_nothing():
    aligned = moved(zoo.tanh_mlp, align.match(GROUP, A, B).element, B)
    again = align.match(GROUP, A, aligned, start="identity")
    assert_equal(dict(again.element), {n: np.arange(size) for n, size in GROUP.sizes.items()})


def test_the_profile_start_beats_the_identity_start():
    def deep(params, x):
        for kernel in params["hidden"]:
            x = jax.nn.relu(x @ kernel)
        return x @ params["head"]

    def draw(seed):
        rng = np.random.default_rng(seed)
        hidden = [rng.normal(size=(n, 64)) / n**0.5 for n in (20, 64, 64)]
        leaves = {"hidden": hidden, "head": rng.normal(size=(64, 3)) / 8}
        return jax.tree.map(np.float32, leaves)

    group = symmetry.permutations(symmetry.discover(deep, draw(0), np.ones((2, 20), np.float32)))
    for seed in range(5):
        a, b = draw(seed), draw(seed + 100)
        found = {start: align.match(group, a, b, start=start) for start in ("profile", "identity")}
        assert found["profile"].objective > found["identity"].objective


def units_of(network):
    """The activations of both hidden layers of the tanh network, by generator."""
    first, second = (network["params"][f"Dense_{i}"] for i in range(2))
    hidden = np.tanh(INPUTS @ first["kernel"] + first["bias"])
    values = (hidden, np.tanh(hidden @ second["kernel"] + second["bias"]))
    return {
        name: value for name in NAMES for value in values if value.shape[1] == GROUP.sizes[name]
    }


@pytest.mark.parametrize(("size", "used"), [(120, 120), (50, 120), (7, 108)])
def test_correlations_are_those_of_numpy_over_any_batches(size, used):
    for centred in (True, False):
        cost = align.ActivationCost(zoo.tanh_mlp, INPUTS, centred=centred, batch_size=size)
        problem = cost.prepare(GROUP, A, B)
        for (name, in_a), in_b in zip(units_of(A).items(), units_of(B).values(), strict=True):
            in_a, in_b = (x[:used] - centred * x[:used].mean(axis=0) for x in (in_a, in_b))
            norms = np.linalg.norm(in_a, axis=0)[:, None] * np.linalg.norm(in_b, axis=0)
            found = np.asarray(problem.similarity(name, {}))
            np.testing.assert_allclose(found, in_a.T @ in_b / norms, atol=1e-5)


def test_units_that_are_silent_correlate_with_none():
    cost = align.ActivationCost(zoo.mlp, INPUTS, centred=True)
    a = zoo.draw(zoo.mlp)
    a["params"]["Dense_0"]["bias"][2] = -1000
    table = np.asarray(cost.prepare(zoo.permutations(zoo.mlp), a, a).similarity(NAMES[0], {}))
    assert not table[2].any()
    assert not table[:, 2].any()
    assert table[3, 3] == pytest.approx(1, abs=1e-5)


def test_the_contribution_objective_is_the_sum_over_weights_that_are_read():
    found = align.match(GROUP, A, B, cost=COSTS["contribution"])
    aligned = moved(zoo.tanh_mlp, found.element, B)
    alike = {}
    for (name, in_a), in_b in zip(units_of(A).items(), units_of(aligned).values(), strict=True):
        norms = np.linalg.norm(in_a, axis=0) * np.linalg.norm(in_b, axis=0)
        alike[GROUP.sizes[name]] = (in_a * in_b).sum(axis=0) / norms
    a, b = A["params"], aligned["params"]
    expected = sum(np.vdot(a[layer]["bias"], b[layer]["bias"]) for layer in a)
    expected += np.vdot(a["Dense_0"]["kernel"], b["Dense_0"]["kernel"])
    for layer, width in (("Dense_1", 6), ("Dense_2", 4)):
        expected += np.sum(alike[width][:, None] * a[layer]["kernel"] * b[layer]["kernel"])
    assert found.objective == pytest.approx(expected, rel=1e-4)


def test_weights_on_silent_units_do_not_count_in_the_metric_of_the_data():
    """Two units that never fire carry large noise into the next layer."""
    group, a, b = zoo.permutations(zoo.mlp), zoo.draw(zoo.mlp), zoo.draw(zoo.mlp)
    for network in (a, b):
        network["params"]["Dense_0"]["bias"][:2] = -100
    b["params"]["Dense_1"]["kernel"][:2] = 30 * np.random.default_rng(5).normal(size=(2, 4))
    copy = scrambled(4, b, zoo.mlp)
    costs = (align.CovarianceCost(zoo.mlp, INPUTS), align.WeightCost())
    weighed, plain = (
        moved(zoo.mlp, align.match(group, a, copy, cost=cost).element, copy) for cost in costs
    )
    last = operator.itemgetter("kernel")
    np.testing.assert_array_equal(last(weighed["params"]["Dense_2"]), last(a["params"]["Dense_2"]))
    assert not np.array_equal(last(plain["params"]["Dense_2"]), last(a["params"]["Dense_2"]))


def test_the_covariance_objective_is_in_the_metric_of_what_is_read():
    """The mean over examples of <w z, w' z'> once the square roots of moments stand in."""
    found = align.match(GROUP, A, A, cost=align.CovarianceCost(zoo.tanh_mlp, INPUTS))
    a, total = A["params"], 0.0
    values = {v.shape[1]: v for v in units_of(A).values()} | {5: INPUTS}
    for layer, width in (("Dense_0", 5), ("Dense_1", 6), ("Dense_2", 4)):
        moment = values[width].T @ values[width]
        moment /= np.trace(moment) / width
        kernel = a[layer]["kernel"]
        total += np.sum(kernel * (moment @ kernel)) + np.vdot(a[layer]["bias"], a[layer]["bias"])
    assert found.objective == pytest.approx(total, rel=1e-4)


def test_a_cost_of_ones_own():
    """A function from generators to matrices is a cost; here one that prefers to reverse units."""
    cost = align.SimilarityCost(lambda name, a, b: np.eye(GROUP.sizes[name])[::-1])
    found = align.match(GROUP, A, B, cost=cost)
    assert found.objective == found.bound == sum(GROUP.sizes.values())
    for name, size in GROUP.sizes.items():
        np.testing.assert_array_equal(found.element[name], np.arange(size)[::-1])


def test_a_coupled_cost_of_ones_own_is_weight_matching():
    def made(name, a, b):
        layer = {6: "Dense_0", 4: "Dense_1"}[GROUP.sizes[name]]
        return np.asarray(a["params"][layer]["kernel"]).T @ b["params"][layer]["kernel"]

    found = align.match(GROUP, A, B, cost=align.SimilarityCost(made, coupled=True))
    assert found.bound == np.inf
    assert np.all(np.diff(found.history) >= 0)
    a, b = A["params"], moved(zoo.tanh_mlp, found.element, B)["params"]
    expected = sum(np.vdot(a[n]["kernel"], b[n]["kernel"]) for n in ("Dense_0", "Dense_1"))
    assert found.objective == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("matrix", "error", "message"),
    [
        (np.ones((2, 2)), StructureError, r"have the shape \(2, 2\): return a matrix of shape"),
        (np.full((6, 6), np.nan), MconnError, "are not finite"),
    ],
)
def test_a_wrong_matrix_of_ones_own_names_the_generator(matrix, error, message):
    cost = align.SimilarityCost(lambda name, a, b: matrix if name == NAMES[0] else None)
    with pytest.raises(error, match=f"the similarities of '{NAMES[0]}' {message}"):
        align.match(GROUP, A, B, cost=cost)


def changed(layer, leaf, value):
    network = zoo.draw(zoo.tanh_mlp, 1)
    network["params"][layer][leaf] = value
    return network


def test_what_cannot_be_matched_is_refused():
    one = align.ActivationCost(zoo.tanh_mlp, INPUTS[:1])
    nan = changed("Dense_1", "kernel", np.full((6, 4), np.nan, np.float32))
    narrow = changed("Dense_0", "kernel", np.ones((3, 6), np.float32))
    for error, message, arguments, options in (
        (StructureError, "leaf 'params/Dense_0/kernel' is float32", (A, narrow), {}),
        (MconnError, "leaf 'params/Dense_1/kernel' of b is not finite", (A, nan), {}),
        (StructureError, "was discovered with shape", (narrow, narrow), {}),
        (ConfigError, "start 'profil' is unknown", (A, B), {"start": "profil"}),
        (ConfigError, "schedule 'margins' is unknown", (A, B), {"schedule": "margins"}),
        (ConfigError, "restarts is 0: at least one", (A, B), {"restarts": 0}),
        (DataError, "at least two examples, got 1", (A, B), {"cost": one}),
    ):
        with pytest.raises(error, match=message):
            align.match(GROUP, *arguments, **options)
    whole = zoo.group(zoo.mlp)
    for cost in (align.CovarianceCost(zoo.mlp, INPUTS), align.ContributionCost(zoo.mlp, INPUTS)):
        with pytest.raises(ConfigError, match=r"symmetry\.permutations\(group\)"):
            align.match(whole, A, B, cost=cost)


@pytest.mark.parametrize("cost", ["weights", "activations", "covariance", "contribution"])
def test_a_network_without_symmetry_stays_as_it_is(cost):
    def linear(params, x):
        return x @ params["kernel"]

    a, b = ({"kernel": A["params"]["Dense_0"]["kernel"] + i} for i in range(2))
    group = symmetry.discover(linear, a, INPUTS[:2])
    assert not group.generators
    found = align.match(group, a, b, cost=align.cost_named(cost, linear, INPUTS))
    assert found.element == {}
    assert isinstance(found.objective, float)


def test_a_posed_problem_is_as_good_as_its_cost():
    posed = COSTS["activations"].prepare(GROUP, A, B)
    found, again = (align.match(GROUP, A, B, cost=c) for c in (COSTS["activations"], posed))
    assert_equal(dict(found.element), dict(again.element))
    assert again.problem is posed


def test_restarts_never_make_it_worse_and_keys_differ_from_the_identity():
    group = zoo.permutations(zoo.residual)
    a, b = zoo.draw(zoo.residual, 3), zoo.draw(zoo.residual, 4)
    found = [align.match(group, a, b, start="identity", restarts=n).objective for n in (1, 3, 6)]
    assert found == sorted(found)
    assert found[0] < found[-1] <= align.match(group, a, b).bound
    keys = [
        align.match(group, a, b, start="random", key=jax.random.key(k)).objective for k in range(6)
    ]
    assert len({round(value, 4) for value in keys}) > 1


def test_the_precision_of_the_weights_stays():
    with jax.enable_x64(True):
        a, b = (jax.tree.map(np.float64, network) for network in (A, B))
        found = align.match(GROUP, a, b)
        assert found.objective == pytest.approx(inner(a, act(GROUP, found.element, b)), rel=1e-14)
    large = [jax.tree.map(lambda leaf: (60 * leaf).astype(np.float16), net) for net in (A, B)]
    narrow = align.match(GROUP, *large)
    assert narrow.objective == pytest.approx(3600 * found.objective, rel=0.01)
