import importlib.util
import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mconn import align, symmetry, trees
from mconn.align.many import match_many
from mconn.errors import ConfigError, MconnError, StructureError
from tests.align.test_kinds import NETWORKS as KINDS, element_of, setting as kinds_setting
from tests.align.test_match import INPUTS, NETWORKS, mlp, weights

COSTS = ["weights", "activations"]


def setting(name, count=3, seed=0):
    apply, shapes = NETWORKS[name]
    networks = [weights(shapes, seed + 100 * i) for i in range(count)]
    return symmetry.permutations(symmetry.discover(apply, networks[0], INPUTS[:2])), networks


def cost_named(name, apply):
    return align.WeightCost() if name == "weights" else align.ActivationCost(apply, INPUTS)


def sum_of_pairs(networks):
    return sum(float(trees.inner(a, b)) for a, b in itertools.combinations(networks, 2))


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_cycle_composes_to_the_identity(name, cost):
    group, networks = setting(name, count=4)
    found = match_many(group, networks, cost=cost_named(cost, NETWORKS[name][0]))
    identity = symmetry.identity(group)
    chex.assert_trees_all_equal(dict(found.elements[0]), identity)
    for length in (2, 3, 4):
        for cycle in itertools.permutations(range(4), length):
            around = identity
            for i, j in zip(cycle, (*cycle[1:], cycle[0]), strict=True):
                around = symmetry.compose(group, around, found.between(i, j))
            chex.assert_trees_all_equal(around, identity)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_element_between_two_networks_is_that_of_the_common_place(name):
    group, networks = setting(name)
    found = match_many(group, networks)
    for i, j in itertools.permutations(range(3), 2):
        undone = symmetry.inverse(group, found.elements[i])
        expected = symmetry.compose(group, undone, found.elements[j])
        chex.assert_trees_all_equal(found.between(i, j), expected)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("seed", range(3))
def test_the_objective_is_the_sum_over_pairs_and_never_falls(name, seed):
    group, networks = setting(name, count=4, seed=seed)
    for start in ("profile", "identity", "random"):
        found = match_many(group, networks, start=start, key=jax.random.key(seed))
        assert np.all(np.diff(found.history) >= 0)
        assert found.fixed_point
        aligned = found.aligned(networks)
        assert found.objective == pytest.approx(sum_of_pairs(aligned), rel=1e-5)
        for (i, j), value in found.pairs.items():
            assert value == pytest.approx(float(trees.inner(aligned[i], aligned[j])), rel=1e-4)
            moved = symmetry.act(group, found.between(i, j), networks[j])
            assert value == pytest.approx(float(trees.inner(networks[i], moved)), rel=1e-4)
        for original, moved in zip(networks, aligned, strict=True):
            apply = NETWORKS[name][0]
            np.testing.assert_allclose(apply(moved, INPUTS), apply(original, INPUTS), atol=1e-5)


def test_no_network_can_come_closer_to_the_mean_of_the_others():
    group, networks = setting("residual", count=4)
    aligned = match_many(group, networks).aligned(networks)
    for i in range(4):
        others = [network for j, network in enumerate(aligned) if j != i]
        mean = jax.tree.map(lambda *leaves: np.mean(leaves, axis=0), *others)
        again = align.match(group, mean, aligned[i], start="identity")
        chex.assert_trees_all_equal(again.element, symmetry.identity(group))


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("name", NETWORKS)
def test_permuted_copies_of_one_network_are_put_back(name, cost):
    group, (network, *_) = setting(name)
    copies = [
        network,
        *(symmetry.act(group, element_of(group, seed), network) for seed in range(3)),
    ]
    found = match_many(group, copies, cost=cost_named(cost, NETWORKS[name][0]))
    for moved in found.aligned(copies):
        chex.assert_trees_all_equal(moved, network)


def test_restarts_reach_the_optimum_of_all_elements():
    def shallow(params, x):
        return jnp.tanh(x @ params["in"]) @ params["out"]

    networks = [weights({"in": (6, 4), "out": (4, 3)}, seed) for seed in range(3)]
    group = symmetry.discover(shallow, networks[0], INPUTS[:2])
    group = symmetry.permutations(group)
    (name,) = group.sizes
    orders = [np.array(order) for order in itertools.permutations(range(4))]
    units = [np.concatenate([n["in"], n["out"].T]).T for n in networks]
    best = max(
        np.sum(units[0] * (b + c)) + np.sum(b * c)
        for b, c in itertools.product(*([each[order] for order in orders] for each in units[1:]))
    )
    found = match_many(group, networks, restarts=4)
    assert found.objective == pytest.approx(best, rel=1e-5)
    assert set(found.elements[1]) == {name}


def test_two_networks_are_a_pair():
    group, (a, b) = setting("mlp", count=2)
    found, pair = match_many(group, [a, b]), align.match(group, a, b)
    assert found.objective == pytest.approx(pair.objective, rel=1e-6)
    chex.assert_trees_all_equal(found.elements[1], dict(pair.element))


@pytest.mark.parametrize("cost", COSTS)
def test_perturbations_and_elements_to_start_from_never_lower_the_sum(cost):
    group, networks = setting("mlp", count=4)
    chosen = cost_named(cost, mlp)
    first = match_many(group, networks, cost=chosen, start="identity")
    perturbed = match_many(group, networks, cost=chosen, start="identity", perturbations=5)
    assert perturbed.objective >= first.objective
    again = match_many(group, networks, cost=chosen, start=first.elements)
    assert again.objective == pytest.approx(first.objective, rel=1e-6)
    assert again.history[0] == again.history[-1]
    stars = [align.match(group, networks[0], network, cost=chosen).element for network in networks]
    joined = match_many(group, networks, cost=chosen, start=stars, key=jax.random.key(1))
    assert joined.history[0] <= joined.objective


@pytest.mark.parametrize(
    "name",
    [pytest.param(k, marks=pytest.mark.slow) if k == "attention" else k for k in KINDS],
)
def test_copies_moved_by_elements_of_any_kind_come_together(name):
    apply, group, network = kinds_setting(name)
    copies = [
        network,
        *(symmetry.act(group, element_of(group, seed), network) for seed in (10, 11)),
    ]
    found = match_many(group, copies)
    assert np.all(np.diff(found.history) >= -1e-5 * abs(found.objective))
    norm = float(jnp.sqrt(trees.inner(network, network)))
    # Matrices that share leaves approach their optimum by turns, ever slower.
    tolerance = 5e-2 if name == "attention" else 5e-3
    for original, moved in zip(copies, found.aligned(copies), strict=True):
        assert float(trees.distance(network, moved)) <= tolerance * norm
        np.testing.assert_allclose(apply(moved, INPUTS), apply(original, INPUTS), atol=1e-3)
    around = symmetry.compose(
        group,
        found.between(0, 1),
        symmetry.compose(group, found.between(1, 2), found.between(2, 0)),
    )
    chex.assert_trees_all_close(around, symmetry.identity(group), atol=1e-3)


@pytest.mark.parametrize("name", ["relu", "linear", "stream"])
def test_objectives_of_pairs_are_distances_but_for_a_constant(name):
    _, group, network = kinds_setting(name)
    networks = [
        network,
        *(jax.tree.map(lambda leaf, s=s: np.roll(leaf, s) * (1 + s), network) for s in (1, 2)),
    ]
    found = match_many(group, networks)
    aligned = found.aligned(networks)
    for (i, j), value in found.pairs.items():
        squares = [float(trees.inner(networks[k], networks[k])) for k in (i, j)]
        expected = (sum(squares) - float(trees.distance(aligned[i], aligned[j])) ** 2) / 2
        assert value == pytest.approx(expected, rel=1e-4, abs=1e-4)


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
    group, networks = setting("mlp")
    with pytest.raises(StructureError, match="1 networks are given: a universe needs"):
        match_many(group, networks[:1])
    with pytest.raises(StructureError, match="2 elements are given for 3 networks"):
        match_many(group, networks, start=[symmetry.identity(group)] * 2)
    with pytest.raises(StructureError, match="leaf 'w0' is float32"):
        match_many(group, [networks[0], {**networks[1], "w0": networks[1]["w0"][:, :3]}])
    with pytest.raises(MconnError, match="leaf 'w1' of network 2 is not finite"):
        match_many(group, [*networks[:2], {**networks[2], "w1": np.full((12, 9), np.nan)}])
    with pytest.raises(ConfigError, match="start 'profil' is unknown"):
        match_many(group, networks, start="profil")
    with pytest.raises(ConfigError, match="restarts is 0"):
        match_many(group, networks, restarts=0)
    coupled = align.SimilarityCost(lambda name, a, b: None, coupled=True)
    with pytest.raises(ConfigError, match="SimilarityCost gives no matrix of similarities that"):
        match_many(group, networks, cost=coupled)
    with pytest.raises(StructureError, match="3 networks were matched and 2 are given"):
        match_many(group, networks).aligned(networks[:2])


def test_a_network_without_symmetry_stays_as_it_is():
    networks = [weights({"kernel": (6, 3)}, seed) for seed in range(3)]
    group = symmetry.discover(lambda p, x: x @ p["kernel"], networks[0], INPUTS[:2])
    found = match_many(group, networks)
    assert found.elements == ({}, {}, {})
    assert found.objective == pytest.approx(sum_of_pairs(networks), rel=1e-5)
