"""Many networks in one common place."""

import importlib.util
import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import zoo

from mconn import align, symmetry, trees
from mconn.align import match_many
from mconn.errors import ConfigError, MconnError, StructureError
from tests.align.test_kinds import (
    NETWORKS as KINDS,
    act,
    assert_same_function,
    draw,
    element_of,
    gap,
    group_of,
    linear,
    norm,
    stream,
)

COSTS = ["weights", "activations"]
NETWORKS = (zoo.tanh_mlp, zoo.residual)
INPUTS = zoo.examples(120).inputs


def setting(apply, count=3, seed=0):
    return zoo.permutations(apply), [zoo.draw(apply, seed + 100 * i) for i in range(count)]


def moved(group, element, network):
    return trees.to_numpy(act(group, element, network))


def composed(group, first, *others):
    """A product of permutations, on the host."""
    for other in others:
        first = {name: np.asarray(other[name])[np.asarray(first[name])] for name in group.sizes}
    return first


def inner(a, b):
    return float(sum(map(np.vdot, jax.tree.leaves(a), jax.tree.leaves(b))))


def sum_of_pairs(networks):
    return sum(inner(a, b) for a, b in itertools.combinations(networks, 2))


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("apply", NETWORKS)
def test_every_cycle_composes_to_the_identity(apply, cost):
    group, networks = setting(apply, count=4)
    found = match_many(group, networks, cost=align.cost_named(cost, apply, INPUTS))
    identity = {name: np.arange(size) for name, size in group.sizes.items()}
    chex.assert_trees_all_equal(dict(found.elements[0]), identity)
    for length in (2, 3, 4):
        for cycle in itertools.permutations(range(4), length):
            steps = zip(cycle, (*cycle[1:], cycle[0]), strict=True)
            around = composed(group, identity, *(found.between(i, j) for i, j in steps))
            chex.assert_trees_all_equal(around, identity)


def test_the_element_between_two_networks_is_that_of_the_common_place():
    group, networks = setting(zoo.residual)
    found = match_many(group, networks)
    for i, j in itertools.permutations(range(3), 2):
        undone = symmetry.inverse(group, found.elements[i])
        expected = symmetry.compose(group, undone, found.elements[j])
        chex.assert_trees_all_equal(found.between(i, j), expected)


@pytest.mark.parametrize("apply", NETWORKS)
@pytest.mark.parametrize(("seed", "start"), list(enumerate(["profile", "identity", "random"])))
def test_the_objective_is_the_sum_over_pairs_and_never_falls(apply, seed, start):
    group, networks = setting(apply, count=4, seed=seed)
    found = match_many(group, networks, start=start, key=jax.random.key(seed))
    assert np.all(np.diff(found.history) >= 0)
    assert found.fixed_point
    aligned = found.aligned(networks)
    assert found.objective == pytest.approx(sum_of_pairs(aligned), rel=1e-5)
    for (i, j), value in found.pairs.items():
        assert value == pytest.approx(inner(aligned[i], aligned[j]), rel=1e-4)
        between = moved(group, found.between(i, j), networks[j])
        assert value == pytest.approx(inner(networks[i], between), rel=1e-4)
    for original, each in zip(networks, aligned, strict=True):
        assert_same_function(apply, each, original, 1e-5)


def test_no_network_can_come_closer_to_the_mean_of_the_others():
    group, networks = setting(zoo.residual, count=4)
    aligned = trees.to_numpy(match_many(group, networks).aligned(networks))
    for i in range(4):
        others = [network for j, network in enumerate(aligned) if j != i]
        mean = jax.tree.map(lambda *leaves: np.mean(leaves, axis=0), *others)
        again = align.match(group, mean, aligned[i], start="identity")
        for name, size in group.sizes.items():
            np.testing.assert_array_equal(again.element[name], np.arange(size))


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("apply", NETWORKS)
def test_permuted_copies_of_one_network_are_put_back(apply, cost):
    group, (network, *_) = setting(apply, seed=7)
    copies = [network, *(moved(group, element_of(group, seed), network) for seed in range(3))]
    found = match_many(group, copies, cost=align.cost_named(cost, apply, INPUTS))
    for each in found.aligned(copies):
        chex.assert_trees_all_equal(each, network)


def test_restarts_reach_the_optimum_of_all_elements():
    def shallow(params, x):
        return jnp.tanh(x @ params["in"]) @ params["out"]

    def weights(seed):
        rng = np.random.default_rng(seed)
        shapes = {"in": (5, 4), "out": (4, 3)}
        return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}

    networks = [weights(seed) for seed in range(3)]
    group = symmetry.permutations(symmetry.discover(shallow, networks[0], INPUTS[:2]))
    orders = [np.array(order) for order in itertools.permutations(range(4))]
    units = [np.concatenate([n["in"], n["out"].T]).T for n in networks]
    best = max(
        np.sum(units[0] * (b + c)) + np.sum(b * c)
        for b, c in itertools.product(*([each[order] for order in orders] for each in units[1:]))
    )
    found = match_many(group, networks, restarts=4)
    assert found.objective == pytest.approx(best, rel=1e-5)
    assert set(found.elements[1]) == set(group.sizes)


def test_two_networks_are_a_pair():
    group, (a, b) = setting(zoo.tanh_mlp, count=2)
    found, pair = match_many(group, [a, b]), align.match(group, a, b)
    assert found.objective == pytest.approx(pair.objective, rel=1e-6)
    chex.assert_trees_all_equal(found.elements[1], dict(pair.element))


@pytest.mark.parametrize("cost", COSTS)
def test_perturbations_and_elements_to_start_from_never_lower_the_sum(cost):
    group, networks = setting(zoo.tanh_mlp, count=4)
    chosen = align.cost_named(cost, zoo.tanh_mlp, INPUTS)
    first = match_many(group, networks, cost=chosen, start="identity")
    perturbed = match_many(group, networks, cost=chosen, start="identity", perturbations=5)
    assert perturbed.objective >= first.objective
    again = match_many(group, networks, cost=chosen, start=first.elements)
    assert again.objective == pytest.approx(first.objective, rel=1e-6)
    assert again.history[0] == again.history[-1]
    stars = [align.match(group, networks[0], network, cost=chosen).element for network in networks]
    joined = match_many(group, networks, cost=chosen, start=stars, key=jax.random.key(1))
    assert joined.history[0] <= joined.objective


@pytest.mark.parametrize("apply", KINDS)
def test_copies_moved_by_elements_of_any_kind_come_together(apply):
    group, network = group_of(apply), draw(apply)
    copies = [network, *(moved(group, element_of(group, seed), network) for seed in (10, 11))]
    # Matrices that share leaves approach their optimum by turns, ever slower.
    slow = apply is zoo.attention
    found = match_many(group, copies, sweeps=10 if slow else 100)
    assert np.all(np.diff(found.history) >= -1e-5 * abs(found.objective))
    for original, each in zip(copies, found.aligned(copies), strict=True):
        assert gap(network, each) <= (5e-2 if slow else 5e-3) * norm(network)
        assert_same_function(apply, each, original, 1e-3)
    around = found.between(0, 1)
    for i, j in ((1, 2), (2, 0)):
        around = symmetry.compose(group, around, found.between(i, j))
    chex.assert_trees_all_close(around, symmetry.identity(group), atol=1e-3)


@pytest.mark.parametrize("apply", [zoo.mlp, linear, stream])
def test_objectives_of_pairs_are_distances_but_for_a_constant(apply):
    group, network = group_of(apply), draw(apply)
    networks = [
        jax.tree.map(lambda leaf, s=s: np.roll(leaf, s) * (1 + s), network) for s in range(3)
    ]
    found = match_many(group, networks)
    aligned = found.aligned(networks)
    for (i, j), value in found.pairs.items():
        squares = norm(networks[i]) ** 2 + norm(networks[j]) ** 2
        expected = (squares - gap(aligned[i], aligned[j]) ** 2) / 2
        assert value == pytest.approx(float(expected), rel=1e-4, abs=1e-4)


def test_three_random_networks_of_the_reference_cases_beat_frank_wolfe(shared):
    description = importlib.util.spec_from_file_location("cases", shared / "bench/align_cases.py")
    assert description is not None
    assert description.loader is not None
    cases = importlib.util.module_from_spec(description)
    description.loader.exec_module(cases)
    _, shapes = cases.mlp(128)
    generator = np.random.default_rng(0)
    networks = [cases.draw(shapes, generator) for _ in range(3)]

    def apply(params, x):
        for i in range(3):
            x = jax.nn.relu(x @ params[f"Dense_{i}/kernel"] + params[f"Dense_{i}/bias"])
        return x @ params["Dense_3/kernel"] + params["Dense_3/bias"]

    group = symmetry.discover(apply, networks[0], jax.ShapeDtypeStruct((2, 784), jnp.float32))
    found = match_many(symmetry.permutations(group), networks)
    assert found.objective > 175  # C2M3: 165.9
    assert found.objective == pytest.approx(sum_of_pairs(found.aligned(networks)), rel=1e-5)


def test_what_cannot_be_aligned_is_refused():
    group, networks = setting(zoo.tanh_mlp)
    narrow, nan = zoo.draw(zoo.tanh_mlp), zoo.draw(zoo.tanh_mlp)
    narrow["params"]["Dense_0"]["kernel"] = np.ones((5, 3), np.float32)
    nan["params"]["Dense_1"]["kernel"][0, 0] = np.nan
    one = symmetry.identity(group)
    coupled = align.SimilarityCost(lambda name, a, b: None, coupled=True)
    for error, message, given, options in (
        (StructureError, "1 networks are given: a universe needs", networks[:1], {}),
        (StructureError, "2 elements are given for 3 networks", networks, {"start": [one] * 2}),
        (StructureError, "leaf 'params/Dense_0/kernel' is", [networks[0], narrow], {}),
        (MconnError, "kernel' of network 2 is not finite", [*networks[:2], nan], {}),
        (ConfigError, "start 'profil' is unknown", networks, {"start": "profil"}),
        (ConfigError, "restarts is 0", networks, {"restarts": 0}),
        (ConfigError, "SimilarityCost gives no matrix of similar", networks, {"cost": coupled}),
    ):
        with pytest.raises(error, match=message):
            match_many(group, given, **options)
    with pytest.raises(StructureError, match="3 networks were matched and 2 are given"):
        match_many(group, networks).aligned(networks[:2])


def test_a_network_without_symmetry_stays_as_it_is():
    networks = [{"kernel": zoo.draw(zoo.mlp, s)["params"]["Dense_0"]["kernel"]} for s in range(3)]
    group = symmetry.discover(lambda p, x: x @ p["kernel"], networks[0], INPUTS[:2])
    found = match_many(group, networks)
    assert found.elements == ({}, {}, {})
    assert found.objective == pytest.approx(sum_of_pairs(networks), rel=1e-5)
