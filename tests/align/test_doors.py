"""What a researcher types first, and one sentence where the argument is of another kind."""

import jax
import jaxtyping
import numpy as np
import pytest
import zoo

from mconn import align, symmetry
from mconn.errors import ConfigError, StructureError

A, B = zoo.draw(zoo.mlp), zoo.draw(zoo.mlp, 1)
GROUP = zoo.permutations(zoo.mlp)
ACT = jax.jit(symmetry.act, static_argnums=0)
EXAMPLES = zoo.examples()


@pytest.fixture
def as_installed():
    """Without the checks of annotations, which only the tests switch on."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def test_a_match_moves_the_network():
    found = align.match(GROUP, A, B, cost="weights")
    assert found.objective == align.match(GROUP, A, B).objective
    moved, expected = found.apply(B), symmetry.act(GROUP, found.element, B)
    jax.tree.map(np.testing.assert_array_equal, moved, expected)


@pytest.mark.parametrize("name", ["activations", "covariance", "contribution"])
def test_a_cost_that_needs_data_is_made_by_name(name):
    with pytest.raises(
        ConfigError, match=rf"cost '{name}' compares .*: pass align\.\w+\(apply, in"
    ):
        align.match(GROUP, A, B, cost=name)
    cost = align.cost_named(name, zoo.mlp, EXAMPLES.inputs)
    assert type(cost).__name__.lower().startswith(name[:5])
    assert align.match(GROUP, A, B, cost=cost).fixed_point


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((zoo.mlp, A, B), "group is a function, not a Group: make it with symmetry.discover"),
        ((GROUP, A, B, zoo.mlp), "cost is a function, not a Cost or Problem: pass 'weights'"),
        ((GROUP, A, B, align.WeightCost), "cost is the class WeightCost, not a Cost or Problem"),
    ],
)
def test_arguments_of_another_kind_are_refused(as_installed, arguments, message):
    group, a, b, *cost = arguments
    with pytest.raises(StructureError, match=message):
        align.match(group, a, b, **({"cost": cost[0]} if cost else {}))


def test_every_door_checks_its_group(as_installed):
    for door in (
        lambda: align.match_many(zoo.mlp, [A, B]),
        lambda: align.match_partial(zoo.mlp, A, B, budget=0.5),
        lambda: align.match_unequal(zoo.mlp, A, GROUP, B),
        lambda: align.learn(zoo.mlp, A, B, zoo.mlp, EXAMPLES),
        lambda: align.find(zoo.mlp, A, B),
        lambda: align.climb(zoo.mlp, A, B),
    ):
        with pytest.raises(StructureError, match="group is a function, not a Group"):
            door()
    with pytest.raises(StructureError, match="method is the class Transport, not a Method"):
        align.match_unequal(GROUP, A, GROUP, B, method=align.Transport)
    with pytest.raises(ConfigError, match=r"cost 'activations' is not .*UnequalActivation"):
        align.match_unequal(GROUP, A, GROUP, B, cost="activations")


def test_climbing_needs_no_start():
    element, objective = jax.jit(align.climb, static_argnums=0)(GROUP, A, B)
    assert float(objective) == pytest.approx(align.match(GROUP, A, B).objective, rel=1e-5)
    assert set(element) == set(GROUP.sizes)


@pytest.mark.parametrize("method", [name for name in align.METHODS if name != "sinkhorn"])
def test_methods_by_name_find_elements_and_controls(method):
    moved = ACT(GROUP, {name: np.arange(size)[::-1] for name, size in GROUP.sizes.items()}, A)
    found = align.find(GROUP, A, moved, method, apply=zoo.mlp, examples=EXAMPLES, keys=2)
    put_back = ACT(GROUP, found.element, moved)
    assert found.objective >= found.start
    if method == "straight-through":  # the loss half way may want another element
        assert np.isnan(found.identity)
        outputs = jax.jit(zoo.mlp)
        expected = outputs(moved, EXAMPLES.inputs)
        np.testing.assert_allclose(outputs(put_back, EXAMPLES.inputs), expected, atol=1e-5)
        return
    same = map(np.array_equal, jax.tree.leaves(put_back), jax.tree.leaves(A))
    assert all(same) == (method != "random")
    assert found.lowest <= found.objective <= found.bound * (1 + 1e-6)
    assert method == "random" or max(found.random, found.identity) <= found.objective


def test_methods_that_need_data_say_so():
    assert align.find(GROUP, A, B, keys=1).fixed_point
    with pytest.raises(ConfigError, match="method 'sinkhorn' needs the network and examples"):
        align.find(GROUP, A, B, "sinkhorn")
    with pytest.raises(ConfigError, match=r"method 'weigths' is unknown .*'weights'"):
        align.find(GROUP, A, B, "weigths")
