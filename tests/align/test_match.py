import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from mconn import align, symmetry, trees
from mconn.errors import ConfigError, DataError, MconnError, StructureError

INPUTS = np.random.default_rng(7).normal(size=(200, 6)).astype(np.float32)


def mlp(params, x):
    """Two hidden layers of 12 and 9 units; the second is concatenated to the inputs' embedding."""
    hidden = jax.nn.relu(x @ params["w0"] + params["b0"])
    hidden = jax.nn.relu(hidden @ params["w1"] + params["b1"])
    return jnp.concatenate([hidden, x @ params["skip"]], axis=1) @ params["w2"]


def residual(params, x):
    """A stream of 10 units with two residual blocks of 8, and a linear map of the stream."""
    stream = x @ params["embed"]
    for block in ("first", "second"):
        stream = stream + jnp.tanh(stream @ params[block]["in"]) @ params[block]["out"]
    return (stream @ params["mix"]) @ params["head"]


def weights(shapes, seed):
    generator = np.random.default_rng(seed)
    return jax.tree.map(
        lambda shape: (generator.normal(size=shape) / np.sqrt(shape[0])).astype(np.float32),
        shapes,
        is_leaf=lambda node: isinstance(node, tuple),
    )


MLP = {"w0": (6, 12), "b0": (12,), "w1": (12, 9), "b1": (9,), "skip": (6, 4), "w2": (13, 3)}
RESIDUAL = {
    "embed": (6, 10),
    "first": {"in": (10, 8), "out": (8, 10)},
    "second": {"in": (10, 8), "out": (8, 10)},
    "mix": (10, 10),
    "head": (10, 3),
}
NETWORKS = {"mlp": (mlp, MLP), "residual": (residual, RESIDUAL)}


def setting(name, seed=0):
    apply, shapes = NETWORKS[name]
    a, b = weights(shapes, seed), weights(shapes, seed + 100)
    return apply, symmetry.permutations(symmetry.discover(apply, a, INPUTS[:2])), a, b


def costs(apply):
    return {
        "weights": align.WeightCost(),
        "cosine": align.ActivationCost(apply, INPUTS, batch_size=64),
        "correlation": align.ActivationCost(apply, INPUTS, centred=True, batch_size=64),
    }


COSTS = ["weights", "cosine", "correlation"]


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_aligned_network_computes_the_same(name, cost):
    apply, group, a, b = setting(name)
    found = align.match(group, a, b, cost=costs(apply)[cost])
    moved = symmetry.act(group, found.element, b)
    np.testing.assert_allclose(apply(moved, INPUTS), apply(b, INPUTS), atol=1e-5)
    for name, size in group.sizes.items():
        np.testing.assert_array_equal(np.sort(found.element[name]), np.arange(size))


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("seed", range(4))
def test_a_planted_permutation_is_undone(name, cost, seed):
    apply, group, a, _ = setting(name, seed)
    scramble = symmetry.random_element(group, jax.random.key(seed))
    copy = symmetry.act(group, scramble, a)
    found = align.match(group, a, copy, cost=costs(apply)[cost])
    chex.assert_trees_all_equal(symmetry.act(group, found.element, copy), a)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), start=st.sampled_from(["profile", "identity", "random"]))
def test_weight_matching_climbs_below_its_bound(seed, start):
    _, group, a, b = setting("residual", seed)
    found = align.match(group, a, b, start=start, key=jax.random.key(seed))
    climb = np.diff(found.history)
    assert np.all(climb >= -1e-5 * abs(found.objective))
    assert found.fixed_point
    assert found.objective <= found.bound * (1 + 1e-5)
    moved = symmetry.act(group, found.element, b)
    assert found.objective == pytest.approx(float(trees.inner(a, moved)), rel=1e-4, abs=1e-4)
    squared = trees.inner(a, a) + trees.inner(b, b) - 2 * found.objective
    assert float(trees.distance(a, moved)) ** 2 == pytest.approx(float(squared), rel=1e-3)


def test_one_generator_reaches_the_optimum_of_all_permutations():
    import itertools

    def shallow(params, x):
        return jnp.tanh(x @ params["in"]) @ params["out"]

    shapes = {"in": (6, 5), "out": (5, 3)}
    a, b = weights(shapes, 0), weights(shapes, 1)
    group = symmetry.permutations(symmetry.discover(shallow, a, INPUTS[:2]))
    (name,) = group.sizes
    best = max(
        float(trees.inner(a, symmetry.act(group, {name: jnp.array(p)}, b)))
        for p in itertools.permutations(range(5))
    )
    assert align.match(group, a, b).objective == pytest.approx(best, rel=1e-5)


@pytest.mark.parametrize("cost", COSTS)
def test_alignment_does_not_depend_on_how_the_units_were_numbered(cost):
    apply, group, a, b = setting("mlp")
    scrambled = symmetry.act(group, symmetry.random_element(group, jax.random.key(3)), b)
    moved = [
        symmetry.act(group, align.match(group, a, each, cost=costs(apply)[cost]).element, each)
        for each in (b, scrambled)
    ]
    chex.assert_trees_all_close(*moved, atol=1e-6)


def test_aligning_twice_changes_nothing():
    _, group, a, b = setting("residual")
    moved = symmetry.act(group, align.match(group, a, b).element, b)
    again = align.match(group, a, moved, start="identity")
    chex.assert_trees_all_equal(again.element, symmetry.identity(group))


def test_the_profile_start_beats_the_identity_start():
    def deep(params, x):
        for kernel in params["hidden"]:
            x = jax.nn.relu(x @ kernel)
        return x @ params["head"]

    shapes = {"hidden": [(20, 64), (64, 64), (64, 64)], "head": (64, 3)}
    group = symmetry.discover(deep, weights(shapes, 0), INPUTS[:2, :1].repeat(20, axis=1))
    for seed in range(5):
        a, b = weights(shapes, seed), weights(shapes, seed + 100)
        found = {start: align.match(group, a, b, start=start) for start in ("profile", "identity")}
        assert found["profile"].objective > found["identity"].objective


def test_correlations_are_those_of_numpy_over_any_batches():
    apply, group, a, b = setting("mlp")
    units_a, units_b = (symmetry.activations(group, apply, p, INPUTS) for p in (a, b))
    for size in (200, 50, 33):
        cost = align.ActivationCost(apply, INPUTS, centred=True, batch_size=size)
        problem = cost.prepare(group, a, b)
        # 200 examples do not fold into batches of 33 without a rest.
        used = 200 if size != 33 else 7 * 28
        for name, n in group.sizes.items():
            (in_a,), (in_b,) = (
                (np.asarray(u[name][0])[:used] for u in ({name: units_a[name]},)),
                (np.asarray(u[name][0])[:used] for u in ({name: units_b[name]},)),
            )
            alive = (in_a.std(axis=0) > 0)[:, None] & (in_b.std(axis=0) > 0)
            with np.errstate(invalid="ignore", divide="ignore"):
                expected = np.corrcoef(in_a.T, in_b.T)[:n, n:]
            found = np.asarray(problem.similarity(name, {}))  # the table of one generator
            np.testing.assert_allclose(found[alive], expected[alive], atol=1e-4)
            assert np.all(found[~alive] == 0)


def test_a_cost_of_ones_own():
    """A function from generators to matrices is a cost; here one that prefers to reverse units."""
    _, group, a, b = setting("mlp")
    sizes = group.sizes
    cost = align.SimilarityCost(lambda name, a, b: np.eye(sizes[name])[::-1])
    found = align.match(group, a, b, cost=cost)
    assert found.objective == found.bound == sum(sizes.values())
    for name, size in sizes.items():
        np.testing.assert_array_equal(found.element[name], np.arange(size)[::-1])


def test_a_coupled_cost_of_ones_own_is_weight_matching():
    _, group, a, b = setting("mlp")

    def first_layers(name, a, b):
        layer = {12: "w0", 9: "w1", 4: "skip"}[group.sizes[name]]
        return np.asarray(a[layer]).T @ np.asarray(b[layer])

    found = align.match(group, a, b, cost=align.SimilarityCost(first_layers, coupled=True))
    assert found.bound == np.inf
    assert np.all(np.diff(found.history) >= 0)
    moved = symmetry.act(group, found.element, b)
    expected = sum(np.vdot(a[layer], moved[layer]) for layer in ("w0", "w1", "skip"))
    assert found.objective == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("matrix", "error", "message"),
    [
        (np.ones((2, 2)), StructureError, r"have the shape \(2, 2\): return a matrix of shape"),
        (np.full((12, 12), np.nan), MconnError, "are not finite"),
    ],
)
def test_a_wrong_matrix_of_ones_own_names_the_generator(matrix, error, message):
    _, group, a, b = setting("mlp")
    first = group.generators[0]
    assert first.size == 12
    cost = align.SimilarityCost(lambda name, a, b: matrix if name == first.name else None)
    with pytest.raises(error, match=f"the similarities of '{first.name}' {message}"):
        align.match(group, a, b, cost=cost)


def test_networks_of_two_architectures_name_the_first_leaf():
    _, group, a, b = setting("mlp")
    with pytest.raises(StructureError, match="leaf 'w0' is float32"):
        align.match(group, a, {**b, "w0": b["w0"][:, :3]})


def test_weights_that_are_not_finite_name_the_leaf():
    _, group, a, b = setting("mlp")
    with pytest.raises(MconnError, match="leaf 'w1' of b is not finite"):
        align.match(group, a, {**b, "w1": np.full_like(b["w1"], np.nan)})


def test_unknown_choices_are_refused():
    _, group, a, b = setting("mlp")
    with pytest.raises(ConfigError, match="start 'profil' is unknown"):
        align.match(group, a, b, start="profil")
    with pytest.raises(ConfigError, match="schedule 'margins' is unknown"):
        align.match(group, a, b, schedule="margins")
    with pytest.raises(ConfigError, match="restarts is 0: at least one"):
        align.match(group, a, b, restarts=0)


def test_one_example_has_no_correlations():
    apply, group, a, b = setting("mlp")
    with pytest.raises(DataError, match="at least two examples, got 1"):
        align.match(group, a, b, cost=align.ActivationCost(apply, INPUTS[:1]))


def test_another_network_than_the_groups_is_refused():
    _, group, _, _ = setting("mlp")
    other = {name: leaf[:-1] for name, leaf in weights(MLP, 0).items()}
    with pytest.raises(StructureError, match="the symmetry was discovered with shape"):
        align.match(group, other, other)


@pytest.mark.parametrize("cost", COSTS)
def test_a_network_without_symmetry_stays_as_it_is(cost):
    def linear(params, x):
        return x @ params["kernel"]

    a, b = weights({"kernel": (6, 3)}, 0), weights({"kernel": (6, 3)}, 1)
    group = symmetry.discover(linear, a, INPUTS[:2])
    assert not group.generators
    found = align.match(group, a, b, cost=costs(linear)[cost])
    assert found.element == {}
    assert isinstance(found.objective, float)


def test_narrow_weights_do_not_overflow():
    _, group, a, b = setting("mlp")
    large = [jax.tree.map(lambda leaf: (60 * leaf).astype(np.float16), net) for net in (a, b)]
    found, expected = align.match(group, *large), align.match(group, a, b)
    assert found.objective == pytest.approx(3600 * expected.objective, rel=0.01)
    assert float(trees.distance(*large)) == pytest.approx(
        60 * float(trees.distance(a, b)), rel=0.01
    )
