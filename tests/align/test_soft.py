import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mconn import symmetry
from mconn.align.unequal.methods import shares
from mconn.align.unequal.soft import blend, carry, embed, made
from mconn.errors import ConfigError, StructureError, SymmetryError
from tests.align.unequal_networks import INPUTS, network, outputs

PLAIN = ["mlp", "cnn", "residual"]


def random_semi_permutations(here, there, generator, evenly=False):
    """Maps from every generator's units to at least as many others, with any shares."""
    maps = {}
    for name, old in here.sizes.items():
        new = there.sizes[name]
        whose = generator.permutation(np.arange(new) % old)
        if not evenly:
            whose[generator.permutation(new)[: new - old]] = 0
            whose = np.where(np.isin(np.arange(old), whose).all(), whose, np.arange(new) % old)
        maps[name] = shares(whose, generator.uniform(0.2, 1, (new, old)))
    return maps


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("how", ["copies", "zeros"])
def test_an_embedded_network_computes_the_same(name, how):
    apply, here, params = network(name, (5, 4))
    _, there, _ = network(name, (8, 11))
    wide = embed(symmetry.permutations(here), there, params, how)
    np.testing.assert_allclose(outputs(apply, wide), outputs(apply, params), atol=1e-12)


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("seed", range(3))
def test_semi_permutations_keep_the_function(name, seed):
    apply, here, params = network(name, (5, 4), seed)
    _, there, _ = network(name, (8, 11))
    generator = np.random.default_rng(seed)
    maps = random_semi_permutations(symmetry.permutations(here), there, generator)
    wide = carry(here, there, maps, params)
    assert {k: v.shape for k, v in wide.items()} == dict(there.leaves)
    np.testing.assert_allclose(outputs(apply, wide), outputs(apply, params), atol=1e-12)
    # The way back sums what the copies send out and averages what makes them.
    back = carry(there, here, {name: m.T for name, m in maps.items()}, wide)
    for leaf, value in params.items():
        np.testing.assert_allclose(back[leaf], value, atol=1e-12)


def test_layer_norm_needs_equally_many_copies():
    apply, here, params = network("layer norm", (4, 0))
    _, there, _ = network("layer norm", (8, 0))
    (name,) = symmetry.permutations(here).sizes
    expected = outputs(apply, params)

    def difference(whose):
        wide = carry(here, there, {name: shares(np.array(whose))}, params)
        return np.abs(outputs(apply, wide) - expected).max()

    assert difference([0, 1, 2, 3, 3, 1, 0, 2]) < 1e-12
    assert difference([0, 0, 0, 0, 0, 1, 2, 3]) > 0.01


def test_rectified_units_are_split_at_either_side():
    def relu(params, x):
        return jax.nn.relu(x @ params["in"]) @ params["out"]

    generator = np.random.default_rng(0)
    params = {"in": generator.normal(size=(16, 4)), "out": generator.normal(size=(4, 2))}
    whose = np.array([0, 1, 2, 3, 1, 1])
    parts = shares(whose, generator.uniform(size=(6, 4)))
    # f(x) = f(a x) + f((1 - a) x): the parts may be taken where units are made as well.
    split = {"in": params["in"] @ parts.T, "out": (parts > 0) @ params["out"]}
    np.testing.assert_allclose(outputs(relu, split), outputs(relu, params), atol=1e-12)
    wide = {"in": np.zeros((16, 6)), "out": np.zeros((6, 2))}
    groups = [symmetry.discover(relu, each, INPUTS[:2]) for each in (params, wide)]
    (name,) = symmetry.permutations(groups[0]).sizes
    carried = carry(*groups, {name: parts}, params)
    np.testing.assert_allclose(outputs(relu, carried), outputs(relu, params), atol=1e-12)
    np.testing.assert_allclose(carried["in"], ((parts > 0) @ params["in"].T).T)


def test_narrower_networks_have_means_of_units():
    _, here, params = network("mlp", (4, 4))
    _, there, _ = network("mlp", (2, 4))
    names = list(symmetry.permutations(here).sizes)
    first = next(name for name in names if there.sizes[name] == 2)
    maps = {name: np.eye(there.sizes[name], here.sizes[name]) for name in names}
    maps[first] = np.array([[3.0, 1, 0, 0], [0, 0, 1, 1]])
    narrow = carry(here, there, maps, params)
    np.testing.assert_allclose(
        narrow["w0"],
        np.stack(
            [
                0.75 * params["w0"][:, 0] + 0.25 * params["w0"][:, 1],
                params["w0"][:, 2:].mean(axis=1),
            ],
            axis=1,
        ),
    )
    np.testing.assert_allclose(
        narrow["w1"], np.stack([params["w1"][:2].sum(axis=0), params["w1"][2:].sum(axis=0)])
    )


def test_permutations_act_as_the_group_does():
    _, group, params = network("residual", (6, 5))
    group = symmetry.permutations(group)
    rng = np.random.default_rng(1)
    element = {name: rng.permutation(size) for name, size in group.sizes.items()}
    maps = {name: np.eye(len(p))[np.asarray(p)] for name, p in element.items()}
    moved = jax.jit(symmetry.act, static_argnums=0)(group, element, params)
    carried = carry(group, group, maps, params)
    for leaf, value in moved.items():
        np.testing.assert_allclose(carried[leaf], value, rtol=1e-6)


def test_dtypes_stay_and_whole_numbers_are_permuted_only():
    def masked(params, x):
        hidden = jax.nn.relu(x @ params["in"]) * params["mask"]
        return hidden @ params["out"]

    params = {
        "in": np.ones((16, 3), np.float16),
        "mask": np.array([1, 0, 1], np.int32),
        "out": np.ones((3, 2), np.float32),
    }
    group = symmetry.discover(masked, params, INPUTS[:2].astype(np.float32))
    (name,) = symmetry.permutations(group).sizes
    order = np.array([2, 0, 1])
    moved = carry(group, group, {name: np.eye(3)[order]}, params)
    assert {k: v.dtype for k, v in moved.items()} == {k: v.dtype for k, v in params.items()}
    np.testing.assert_array_equal(moved["mask"], params["mask"][order])
    with pytest.raises(StructureError, match="leaf 'mask' of dtype int32"):
        carry(group, group, {name: np.full((3, 3), 1 / 3)}, params)


def test_tied_weights_are_permuted_only():
    def tied(params, x):
        return jax.nn.relu(x @ params["w"]) @ params["w"].T

    params = {"w": np.random.default_rng(0).normal(size=(16, 4))}
    group = symmetry.discover(tied, params, INPUTS[:2])
    (name,) = symmetry.permutations(group).sizes
    carry(group, group, {name: np.eye(4)[::-1]}, params)
    with pytest.raises(SymmetryError, match="leaf 'w' both makes and reads the units"):
        carry(group, group, {name: np.full((4, 4), 1 / 4)}, params)


def test_hand_written_groups_are_permuted_only():
    table = {"in": (None, "units"), "out": ("units", None)}
    group = symmetry.from_specification(table, {"in": (16, 4), "out": (4, 2)})
    params = {"in": np.ones((16, 4)), "out": np.ones((4, 2))}
    carry(group, group, {"units": np.eye(4)[::-1]}, params)
    with pytest.raises(SymmetryError, match="leaf 'in' is not known to make or read"):
        carry(group, group, {"units": np.full((4, 4), 1 / 4)}, params)


def test_units_that_only_meet_each_other_are_permuted_only():
    def scores(params, x):
        return (x @ params["query"]) @ (x @ params["key"]).T

    generator = np.random.default_rng(0)
    params = {"query": generator.normal(size=(16, 4)), "key": generator.normal(size=(16, 4))}
    group = symmetry.permutations(symmetry.discover(scores, params, INPUTS[:5]))
    (name,) = group.sizes
    with pytest.raises(SymmetryError, match=f"no leaf reads the units of '{name}'"):
        carry(group, group, {name: np.full((4, 4), 1 / 4)}, params)


def test_maps_that_do_not_fit_are_refused():
    _, here, params = network("mlp", (5, 4))
    _, there, _ = network("mlp", (8, 11))
    maps = {
        name: np.eye(there.sizes[name], size)
        for name, size in symmetry.permutations(here).sizes.items()
    }
    first = next(iter(maps))
    with pytest.raises(StructureError, match=f"no map for the generator '{first}'"):
        carry(here, there, {k: m for k, m in maps.items() if k != first}, params)
    with pytest.raises(StructureError, match="units become"):
        carry(here, there, {**maps, first: maps[first].T}, params)
    with pytest.raises(StructureError, match="negative or not finite"):
        carry(here, there, {**maps, first: -maps[first]}, params)
    with pytest.raises(ConfigError, match="embed the narrower network"):
        embed(there, here, params)
    with pytest.raises(ConfigError, match="how 'copys' is unknown"):
        embed(here, there, params, "copys")


def test_networks_that_differ_in_more_than_widths_are_refused():
    _, mlp, params = network("mlp", (5, 4))
    _, cnn, _ = network("cnn", (5, 4))
    with pytest.raises(StructureError, match="is missing in group_to"):
        carry(mlp, cnn, {}, params)

    def other(params, x):
        hidden = jax.nn.relu(x @ params["w0"] + params["b0"])
        hidden = jax.nn.gelu(hidden @ params["w1"] + params["b1"])
        return jnp.concatenate([x @ params["skip"], hidden], axis=1) @ params["w2"] + params["b2"]

    classes = {**params, "w2": np.ones((7, 3)), "b2": np.ones(3)}
    group = symmetry.discover(other, classes, INPUTS[:2])
    with pytest.raises(StructureError, match=r"leaf '(w2|b2)' has shape"):
        carry(mlp, group, {}, params)


def test_merges_lie_between_the_networks():
    _, group, a = network("mlp", (5, 4), 0)
    _, _, b = network("mlp", (5, 4), 1)
    for weight, end in ((0.0, a), (1.0, b)):
        merged = blend(a, b, weight)
        for leaf, value in end.items():
            np.testing.assert_array_equal(merged[leaf], value)
    (first, *_) = symmetry.permutations(group).sizes
    masks = made(group, {first: np.arange(group.sizes[first]) == 1}, a)
    kept = blend(a, b, 1.0, (masks, {}))
    np.testing.assert_array_equal(kept["b0"][1], a["b0"][1] + b["b0"][1])
    with pytest.raises(ConfigError, match=r"weight is 1\.5"):
        blend(a, b, 1.5)
