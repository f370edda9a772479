import numpy as np
import pytest

from mconn import align, symmetry
from mconn.align.unequal.partial import match_partial
from mconn.errors import ConfigError, SymmetryError
from tests.align.on_host import act
from tests.align.unequal_networks import network, outputs

SIZES = {"mlp": (6, 5), "cnn": (5, 4), "residual": (6, 5)}


def pair(name):
    apply, group, a = network(name, SIZES[name], 0)
    _, _, b = network(name, SIZES[name], 1)
    return apply, symmetry.permutations(group), a, b


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_networks_side_by_side_average_their_outputs(name, weight):
    apply, group, a, b = pair(name)
    found = match_partial(group, a, b, budget=1.0)
    merged = found.merge(weight)
    assert found.widths == {name: 2 * size for name, size in group.sizes.items()}
    expected = (1 - weight) * outputs(apply, a) + weight * outputs(apply, b)
    np.testing.assert_allclose(outputs(apply, merged), expected, atol=1e-12)


@pytest.mark.parametrize("name", SIZES)
def test_without_a_budget_the_merge_is_the_ordinary_one(name):
    _, group, a, b = pair(name)
    merged = match_partial(group, a, b, budget=0.0).merge(0.25)
    moved = act(group, align.match(group, a, b).element, b)
    for leaf, value in a.items():
        np.testing.assert_allclose(merged[leaf], 0.75 * value + 0.25 * moved[leaf], atol=1e-6)


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("budget", [0.2, 0.5, 1.0])
def test_two_copies_of_a_network_merge_to_it(name, budget):
    apply, group, a, _ = pair(name)
    rng = np.random.default_rng(0)
    scramble = {name: rng.permutation(size) for name, size in group.sizes.items()}
    copy = act(group, scramble, a)
    copy = {k: np.asarray(v, a[k].dtype) for k, v in copy.items()}
    merged = match_partial(group, a, copy, budget=budget).merge()
    np.testing.assert_allclose(outputs(apply, merged), outputs(apply, a), atol=1e-6)


def test_the_least_alike_units_stay_alone():
    _, group, a, b = pair("mlp")
    first = next(iter(group.sizes))
    found = match_partial(group, a, b, budget={first: 0.5})
    assert all(len(apart) == 0 for name, apart in found.alone.items() if name != first)
    size = group.sizes[first]
    assert found.widths == {**group.sizes, first: size + round(size / 2)}
    apart = found.alone[first]
    together = np.setdiff1d(np.arange(size), apart)
    values = found.distances[first]
    assert values[apart].min() >= values[together].max()
    # Of a hidden unit that is one entry of each leaf's axis.
    made = found.a["w0"] - found.b["w0"], found.a["b0"] - found.b["b0"]
    read = found.a["w1"] - found.b["w1"]
    squares = (made[0] ** 2).sum(axis=0) + made[1] ** 2 + (read**2).sum(axis=1)
    which = next(name for name in group.sizes if group.sizes[name] == 6)
    np.testing.assert_allclose(found.distances[which], squares, atol=1e-9)
    wide = {name: leaf.shape[0] for name, leaf in found.merge().items() if leaf.ndim == 1}
    assert wide == {"b0": 9, "b1": 5, "b2": 2}


def test_budgets_are_fractions_of_generators():
    _, group, a, b = pair("mlp")
    first = next(iter(group.sizes))
    with pytest.raises(ConfigError, match=f"budget of '{first}' is 1.5"):
        match_partial(group, a, b, budget=1.5)
    with pytest.raises(ConfigError, match="the budget names the generator 'last'"):
        match_partial(group, a, b, budget={"last": 0.5})


def test_hand_written_groups_cannot_keep_units_apart():
    table = {"in": (None, "units"), "out": ("units", None)}
    group = symmetry.from_specification(table, {"in": (16, 4), "out": (4, 2)})
    params = {"in": np.ones((16, 4)), "out": np.ones((4, 2))}
    with pytest.raises(SymmetryError, match="leaf 'in' is not known to make or read"):
        match_partial(group, params, params, budget=0.5)
