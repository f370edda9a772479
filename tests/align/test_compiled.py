import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mconn import align, symmetry, trees
from mconn.align.compiled import climb, match_pairs, profile_start
from mconn.errors import StructureError, SymmetryError
from tests.align.test_kinds import element_of, setting as kinds_setting
from tests.align.test_match import INPUTS, NETWORKS, weights


def setting(name, seed=0):
    apply, shapes = NETWORKS[name]
    a, b = weights(shapes, seed), weights(shapes, seed + 100)
    return symmetry.permutations(symmetry.discover(apply, a, INPUTS[:2])), a, b


compiled = jax.jit(climb, static_argnums=0)


def moved_inner(group, a, element, b):
    return float(trees.inner(a, symmetry.act(group, element, b)))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("seed", range(2))
def test_it_climbs_to_a_fixed_point_of_the_match_on_the_host(name, seed):
    group, a, b = setting(name, seed)
    for start in (dict(symmetry.identity(group)), element_of(group, seed)):
        element, objective = compiled(group, a, b, start)
        assert float(objective) >= moved_inner(group, a, start, b) - 1e-5
        assert float(objective) == pytest.approx(moved_inner(group, a, element, b), rel=1e-5)
        again = align.match(group, a, b, start=trees.to_numpy(element))
        assert again.objective == pytest.approx(float(objective), rel=1e-5)
        chex.assert_trees_all_equal(dict(again.element), dict(element))


def test_sweeps_never_lower_the_objective():
    group, a, b = setting("mlp")
    start = element_of(group, 1)
    objectives = [float(compiled(group, a, b, start, sweeps=n)[1]) for n in (0, 1, 2, 3, 10)]
    assert objectives[0] == pytest.approx(moved_inner(group, a, start, b), rel=1e-5)
    assert np.all(np.diff(objectives) >= -1e-5)


def test_restarts_under_vmap_are_those_one_by_one():
    group, a, b = setting("residual")
    starts = [element_of(group, seed) for seed in range(4)]
    stacked = jax.tree.map(lambda *parts: jnp.stack(parts), *starts)
    elements, objectives = jax.jit(jax.vmap(lambda start: climb(group, a, b, start)))(stacked)
    for i, start in enumerate(starts):
        element, objective = compiled(group, a, b, start)
        chex.assert_trees_all_equal(trees.index(elements, i), element)
        assert float(objectives[i]) == pytest.approx(float(objective), rel=1e-6)


def test_all_pairs_at_once_are_the_matches_from_the_profile_start():
    group, a, b = setting("residual")
    networks = [a, b, symmetry.act(group, element_of(group, 0), a)]
    elements, objectives = match_pairs(group, trees.stack(networks))
    pairs = list(itertools.combinations(range(3), 2))
    assert objectives.shape == (len(pairs),)
    for place, (i, j) in enumerate(pairs):
        element = trees.to_numpy(trees.index(elements, place))
        found = align.match(group, networks[i], networks[j], start=element)
        assert found.objective == pytest.approx(float(objectives[place]), rel=1e-5)
    put_back = symmetry.act(group, trees.index(elements, pairs.index((0, 2))), networks[2])
    chex.assert_trees_all_equal(put_back, a)


def test_the_profile_start_is_that_of_the_host():
    group, a, b = setting("mlp")
    start = jax.jit(profile_start, static_argnums=0)(group, a, b)
    host = align.match(group, a, b, schedule=align.Schedule(sweeps=0))
    chex.assert_trees_all_equal(dict(start), dict(host.element))


def test_other_weights_and_starts_are_not_compiled_again():
    group, a, b = setting("mlp")
    traced = []

    def counted(a, b, start, sweeps):
        traced.append(1)
        return climb(group, a, b, start, sweeps=sweeps)

    program = jax.jit(counted)
    for seed in range(3):
        other = {name: leaf + seed for name, leaf in b.items()}
        program(a, other, element_of(group, seed), 20 + seed)
    assert len(traced) == 1


def test_weights_that_are_not_finite_end_in_an_objective_that_is_none():
    group, a, b = setting("mlp")
    _, objective = compiled(
        group, a, {**b, "w1": np.full_like(b["w1"], np.nan)}, element_of(group, 0)
    )
    assert np.isnan(float(objective))


def test_groups_and_networks_that_it_cannot_do_are_refused():
    for name, what in (("relu", "is a scaling"), ("grouped", "acts on copies")):
        _, group, network = kinds_setting(name)
        with pytest.raises(SymmetryError, match=f"{what}, and only permutations of single units"):
            climb(group, network, network, symmetry.identity(group))
    group, a, b = setting("mlp")
    with pytest.raises(StructureError, match="leaf 'w0'"):
        climb(group, a, {**b, "w0": b["w0"][:, :3]}, symmetry.identity(group))
