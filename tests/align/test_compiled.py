"""The ascent as one compiled program: that of the host, for restarts and pairs at once."""

import functools
import itertools

import chex
import jax
import numpy as np
import pytest
import zoo

from mconn import align, trees
from mconn.errors import StructureError, SymmetryError
from tests.align.on_host import act
from tests.align.test_kinds import draw, element_of, group_of, grouped

NETWORKS = (zoo.tanh_mlp, zoo.residual)


@functools.cache
def program(apply):
    """One compiled program for each network, of which the number of sweeps is an argument."""
    group = zoo.permutations(apply)
    return jax.jit(lambda a, b, start, sweeps: align.climb(group, a, b, start, sweeps=sweeps))


def setting(apply, seed=0):
    return zoo.permutations(apply), zoo.draw(apply, seed), zoo.draw(apply, seed + 100)


def objective_at(group, a, element, b):
    return align.WeightCost().prepare(group, a, b).position(trees.to_numpy(element)).objective()


@pytest.mark.parametrize("apply", NETWORKS)
def test_it_climbs_to_a_fixed_point_of_the_match_on_the_host(apply):
    for seed in range(2):
        group, a, b = setting(apply, seed)
        for start in (align.match(group, a, a).element, element_of(group, seed)):
            element, objective = program(apply)(a, b, start, 20)
            assert float(objective) >= objective_at(group, a, start, b) - 1e-5
            expected = objective_at(group, a, element, b)
            assert float(objective) == pytest.approx(expected, rel=1e-5)
            again = align.match(group, a, b, start=trees.to_numpy(element))
            assert again.objective == pytest.approx(float(objective), rel=1e-5)
            chex.assert_trees_all_equal(dict(again.element), dict(element))


def test_sweeps_never_lower_the_objective():
    group, a, b = setting(zoo.residual)
    start = element_of(group, 1)
    climb = program(zoo.residual)
    objectives = [float(climb(a, b, start, n)[1]) for n in (0, 1, 2, 3, 10)]
    assert objectives[0] == pytest.approx(objective_at(group, a, start, b), rel=1e-5)
    assert np.all(np.diff(objectives) >= -1e-5)
    assert objectives[0] < objectives[-1]


def test_restarts_under_vmap_are_those_one_by_one():
    group, a, b = setting(zoo.residual)
    starts = [element_of(group, seed) for seed in range(4)]
    stacked = jax.tree.map(lambda *parts: np.stack(parts), *starts)
    elements, objectives = jax.jit(jax.vmap(lambda start: align.climb(group, a, b, start)))(stacked)
    for i, start in enumerate(starts):
        element, objective = program(zoo.residual)(a, b, start, 20)
        chex.assert_trees_all_equal({name: p[i] for name, p in elements.items()}, element)
        assert float(objectives[i]) == pytest.approx(float(objective), rel=1e-6)


def test_all_pairs_at_once_are_the_matches_from_the_profile_start():
    group, a, b = setting(zoo.residual)
    networks = [a, b, trees.to_numpy(act(group, element_of(group, 0), a))]
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *networks)
    elements, objectives = trees.to_numpy(align.match_pairs(group, stacked))
    pairs = list(itertools.combinations(range(3), 2))
    assert objectives.shape == (len(pairs),)
    for place, (i, j) in enumerate(pairs):
        element = {name: p[place] for name, p in elements.items()}
        found = align.match(group, networks[i], networks[j], start=element)
        assert found.objective == pytest.approx(float(objectives[place]), rel=1e-5)
    element = {name: p[pairs.index((0, 2))] for name, p in elements.items()}
    chex.assert_trees_all_equal(act(group, element, networks[2]), a)


def test_the_profile_start_is_that_of_the_host():
    group, a, b = setting(zoo.tanh_mlp)
    start = jax.jit(align.profile_start, static_argnums=0)(group, a, b)
    host = align.match(group, a, b, schedule=align.Schedule(sweeps=0))
    chex.assert_trees_all_equal(dict(start), dict(host.element))


def test_other_weights_and_starts_are_not_compiled_again():
    group, a, b = setting(zoo.tanh_mlp)
    program(zoo.tanh_mlp)(a, b, element_of(group, 0), 20)
    before = program(zoo.tanh_mlp)._cache_size()
    for seed in range(3):
        other = jax.tree.map(lambda leaf, s=seed: leaf + np.float32(s), b)
        program(zoo.tanh_mlp)(a, other, element_of(group, seed), 20 + seed)
    assert program(zoo.tanh_mlp)._cache_size() == before


def test_weights_that_are_not_finite_end_in_an_objective_that_is_none():
    group, a, b = setting(zoo.tanh_mlp)
    b["params"]["Dense_1"]["kernel"][0, 0] = np.nan
    _, objective = program(zoo.tanh_mlp)(a, b, element_of(group, 0), 20)
    assert np.isnan(float(objective))


def test_groups_and_networks_that_it_cannot_do_are_refused():
    for apply, what in ((zoo.mlp, "is a scaling"), (grouped, "acts on copies")):
        group, network = group_of(apply), draw(apply)
        with pytest.raises(SymmetryError, match=f"{what}, and only permutations of single units"):
            align.climb(group, network, network, element_of(group, 0))
    group, a, b = setting(zoo.tanh_mlp)
    b["params"]["Dense_0"]["kernel"] = b["params"]["Dense_0"]["kernel"][:, :3]
    with pytest.raises(StructureError, match="leaf 'params/Dense_0/kernel'"):
        align.climb(group, a, b, element_of(group, 0))
