"""Learned matching: the relaxed group in float64, gradients, planted answers, stored networks."""

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import zoo
from stored_networks import CLASSIFY, MODEL, network

from mconn import align, data, landscape, paths, symmetry, trees
from mconn.align import LearnConfig as Config
from mconn.align.learned.descent import matrices, relax
from mconn.align.learned.nearest import (
    assign_on_device,
    nearest_permutation,
    polar,
    sinkhorn,
    straight_through,
)
from mconn.errors import ConfigError, DataError, DivergenceError, StructureError
from mconn.symmetry import draw_part
from mconn.training import Optimiser
from tests.align.on_host import act

INPUTS = zoo.examples(160).inputs
INVERSE = jax.jit(symmetry.inverse, static_argnums=0)


def experts(params, x):
    """Three experts of 4 hidden units, summed."""
    hidden = jax.nn.relu(jnp.einsum("bi,eiu->beu", x, params["in"]))
    return jnp.einsum("beu,euo->bo", hidden, params["out"])


def grouped(params, x):
    """Two groups of 3 hidden units side by side along one axis, each with a layer of its own."""
    hidden = jax.nn.relu(x @ params["in"]).reshape(-1, 2, 3)
    hidden = jax.nn.relu(jnp.einsum("bgu,guv->bgv", hidden, params["mid"]))
    return hidden.reshape(-1, 8) @ params["out"]


def stream(params, x):
    """A stream of 8 behind a root-mean-square norm without a scale: it can be rotated."""

    def normalised(x):
        return x / jnp.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-6)

    x = x @ params["embed"]
    x = x + jax.nn.relu(normalised(x) @ params["in"]) @ params["out"]
    return normalised(x) @ params["head"]


SHAPES = {
    experts: {"in": (3, 5, 4), "out": (3, 4, 3)},
    grouped: {"in": (5, 6), "mid": (2, 3, 4), "out": (8, 3)},
    stream: {"embed": (5, 8), "in": (8, 6), "out": (6, 8), "head": (8, 3)},
}
NETWORKS = (zoo.mlp, zoo.attention, *SHAPES)
ESTIMATORS = ("straight-through", "sinkhorn")


def weights(apply, seed=0):
    if apply not in SHAPES:
        return zoo.draw(apply, seed)
    rng = np.random.default_rng(seed)
    shapes = SHAPES[apply]
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


@functools.cache
def group_of(apply, *kinds):
    group = symmetry.discover(apply, weights(apply), INPUTS[:2])
    return group.restricted(kinds or ["permutation"])


def draw(group, seed=1):
    rng = np.random.default_rng(seed)
    return {generator.name: draw_part(generator, rng) for generator in group.generators}


@functools.cache
def distance_to(apply):
    """The loss whose minimum are the networks that compute what the batch's targets are."""

    def loss(params, batch):
        inputs, targets = batch
        return ((apply(params, inputs) - targets) ** 2).mean()

    return loss


@functools.cache
def jitted(function):
    return jax.jit(function)


@functools.cache
def planted(apply, *kinds, seed=1):
    """A network, a moved copy, the element that undoes the move, and the network's own outputs."""
    group, a = group_of(apply, *kinds), weights(apply)
    element = draw(group, seed)
    answer, b = trees.to_numpy(INVERSE(group, element)), act(group, element, a)
    inputs = INPUTS.reshape(4, -1, INPUTS.shape[-1])
    return group, a, b, answer, (inputs, np.stack([jitted(apply)(a, x) for x in inputs]))


def identity(group):
    return {g.name: np.broadcast_to(np.arange(g.size), g.shape) for g in group.generators}


# The relaxed group


@pytest.mark.parametrize("apply", NETWORKS)
def test_the_matrices_of_an_element_act_like_the_element(apply):
    group = group_of(apply, *symmetry.KINDS)
    if apply in (experts, grouped, zoo.attention):
        assert any(generator.fibres for generator in group.generators)
    with jax.enable_x64():
        params, element = jax.tree.map(np.float64, weights(apply)), draw(group)

        @jax.jit
        def both(element, params):
            relaxed = symmetry.act(relax(group, params), matrices(group, element), params)
            return relaxed, symmetry.act(group, element, params)

        chex.assert_trees_all_close(*both(element, params), rtol=1e-13, atol=1e-13)


def test_whole_numbers_that_are_permuted_cannot_be_relaxed():
    params = weights(zoo.mlp)
    params["params"]["Dense_0"]["bias"] = np.arange(6)
    group = symmetry.permutations(symmetry.discover(zoo.mlp, params, INPUTS[:2]))
    with pytest.raises(StructureError, match=r"'params/Dense_0/bias' of dtype int.* cannot be mix"):
        relax(group, params)


# Nearest elements and their gradients


def test_the_nearest_permutation_of_a_stack():
    random = np.random.default_rng(0)
    answer = np.stack([random.permutation(7) for _ in range(6)]).reshape(2, 3, 7)
    latents = np.eye(7)[answer] + 0.1 * random.normal(size=(2, 3, 7, 7))
    for function in (nearest_permutation, jax.jit(nearest_permutation), assign_on_device):
        np.testing.assert_array_equal(function(jnp.asarray(latents)), answer)


def test_the_gradient_of_the_nearest_permutation_passes_through():
    random = np.random.default_rng(0)
    latents, cotangent = jnp.asarray(random.normal(size=(2, 2, 5, 5)))
    matrix, pull = jax.vjp(straight_through, latents)
    np.testing.assert_array_equal(matrix, jnp.eye(5)[nearest_permutation(latents)])
    np.testing.assert_array_equal(pull(cotangent)[0], cotangent)


def numeric(function, point, step):
    """The gradient by central differences."""
    gradient = np.zeros_like(point)
    for index in np.ndindex(*point.shape):
        moved = np.zeros_like(point)
        moved[index] = step
        gradient[index] = (function(point + moved) - function(point - moved)) / (2 * step)
    return gradient


def test_the_polar_factor_and_its_gradient():
    random = np.random.default_rng(0)
    with jax.enable_x64():
        general, goal = random.normal(size=(2, 2, 4, 4))
        # At an orthogonal matrix the singular values are equal.
        factor = polar(jnp.asarray(general))
        np.testing.assert_allclose(factor @ factor.swapaxes(1, 2), [np.eye(4)] * 2, atol=1e-14)
        positive = factor.swapaxes(1, 2) @ general
        np.testing.assert_allclose(positive, positive.swapaxes(1, 2), atol=1e-13)
        assert np.all(np.linalg.eigvalsh(positive) > 0)
        loss = jax.jit(lambda latents: (polar(latents) * goal).sum())
        for latents in (general, 3 * np.asarray(factor)):
            gradient = jax.grad(loss)(jnp.asarray(latents))
            np.testing.assert_allclose(gradient, numeric(loss, latents, 1e-6), atol=1e-7)


def test_the_relaxed_permutation_and_its_gradient():
    rng = np.random.default_rng(0)
    with jax.enable_x64():
        latents = np.eye(5)[[rng.permutation(5) for _ in range(2)]]
        latents += 0.3 * rng.normal(size=latents.shape)
        goal = rng.normal(size=latents.shape)
        start = (jnp.zeros((2, 5)), jnp.zeros((2, 5)))

        @jax.jit
        def relaxed(latents, epsilon):
            def loss(latents):
                matrix = sinkhorn(latents / epsilon, start, 1e-13, 20_000)[0]
                return (matrix * goal).sum(), matrix

            (value, matrix), gradient = jax.value_and_grad(loss, has_aux=True)(latents)
            return value, matrix, gradient

        for epsilon in (0.2, 1.0):
            _, matrix, gradient = trees.to_numpy(relaxed(latents, epsilon))
            np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-10)
            np.testing.assert_allclose(matrix.sum(axis=2), 1, atol=1e-10)
            # P = exp(Z / epsilon) with scaled rows and columns.
            ratio = np.log(matrix) - latents / epsilon
            ratio -= ratio.mean(axis=1, keepdims=True) + ratio.mean(axis=2, keepdims=True)
            np.testing.assert_allclose(ratio, ratio[:, :1, :1] + np.zeros((5, 5)), atol=1e-9)
            for direction in 1e-5 * rng.normal(size=(6, *latents.shape)):
                ends = (relaxed(latents + each, epsilon)[0] for each in (direction, -direction))
                expected = np.sum(gradient * direction) * 2
                assert np.subtract(*map(float, ends)) == pytest.approx(expected, rel=1e-3, abs=1e-9)


# Learning


@pytest.mark.parametrize("apply", [zoo.mlp, experts])
def test_learning_from_the_identity_lowers_the_loss(apply):
    group, a, b, _, batches = planted(apply)
    loss = distance_to(apply)
    found = align.learn(group, a, b, loss, batches, start=identity(group))
    assert found.best < 0.7 * found.start
    assert (found.start, found.best) == (found.midpoints[0], min(found.midpoints))
    assert (len(found.losses), len(found.midpoints)) == (60, 13)
    moved = act(group, found.element, b)
    outputs = jitted(apply)
    np.testing.assert_allclose(outputs(moved, INPUTS), outputs(b, INPUTS), rtol=1e-3, atol=1e-3)
    middle = jax.tree.map(lambda x, y: (x + y) / 2, a, moved)
    measured = [jitted(loss)(middle, (batches[0][i], batches[1][i])) for i in range(4)]
    assert found.best == pytest.approx(np.mean(measured), rel=1e-4)


def test_a_planted_permutation_is_found_and_its_match_is_the_start():
    group, a, b, answer, batches = planted(zoo.mlp)
    found = align.learn(group, a, b, distance_to(zoo.mlp), batches, start=identity(group))
    chex.assert_trees_all_equal(trees.to_numpy(found.element), answer)
    assert found.best <= 1e-8 * found.start
    matched = align.learn(group, a, b, distance_to(zoo.mlp), batches)
    assert matched.start == pytest.approx(found.best, abs=1e-12)


@pytest.mark.parametrize("temperature", [1.0, 2.0, 0.5])
def test_the_first_step_sees_the_relaxation_of_its_temperature(temperature):
    """Of n units a start has n^(1/T) parts in its own place, and one in every other."""
    group, a, b, *_, batches = planted(zoo.mlp)
    config = Config(temperature=temperature)
    loss = distance_to(zoo.mlp)
    found = align.learn(group, a, b, loss, batches, start=identity(group), config=config)

    def mixture(size):
        parts = np.ones((size, size)) + (size ** (1 / temperature) - 1) * np.eye(size)
        return np.float32(parts / parts[0].sum())

    (first, second, last), (one, two) = b["params"].values(), map(mixture, zoo.WIDTHS)
    relaxed = {
        "Dense_0": {"kernel": first["kernel"] @ one.T, "bias": one @ first["bias"]},
        "Dense_1": {"kernel": one @ second["kernel"] @ two.T, "bias": two @ second["bias"]},
        "Dense_2": {"kernel": two @ last["kernel"], "bias": last["bias"]},
    }
    middle = jax.tree.map(lambda x, y: (x + y) / 2, a, {"params": relaxed})
    losses = [float(jitted(loss)(middle, (batches[0][i], batches[1][i]))) for i in range(4)]
    assert min(abs(found.losses[0] / expected - 1) for expected in losses) < 2e-3


def test_straight_through_estimation_lowers_the_loss_of_units_in_each_others_place():
    group, a, b, answer, batches = planted(experts)
    start = {name: np.array(part) for name, part in answer.items()}
    for part in start.values():
        part[..., :2] = part[..., 1::-1]
    config = Config("straight-through")
    found = align.learn(group, a, b, distance_to(experts), batches, start=start, config=config)
    assert found.best < 0.9 * found.start


@pytest.mark.parametrize(
    ("apply", "estimator"), [(experts, "straight-through"), (experts, "sinkhorn")]
)
def test_the_planted_answer_stays(apply, estimator):
    group, a, b, answer, batches = planted(apply)
    config = Config(estimator)
    found = align.learn(group, a, b, distance_to(apply), batches, start=answer, config=config)
    assert found.best <= found.start <= 1e-6
    chex.assert_trees_all_close(act(group, found.element, b), a, atol=1e-4)


def test_a_planted_rotation_is_learned():
    group, a, b, _, batches = planted(stream, "orthogonal")
    assert [generator.kind for generator in group.generators] == ["orthogonal"]
    start = {name: np.eye(8) for name in group.sizes}
    config = Config("straight-through")
    found = align.learn(group, a, b, distance_to(stream), batches, start=start, config=config)
    assert found.best < 0.25 * found.start
    (matrix,) = found.element.values()
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(8), atol=1e-5)


def test_rotations_and_permutations_are_learned_together_and_the_rest_stays():
    group, a, b, _, batches = planted(stream, *symmetry.KINDS)
    assert {g.kind for g in group.generators} == {"orthogonal", "permutation", "scaling"}
    start = draw(group, seed=2)
    found = align.learn(group, a, b, distance_to(stream), batches, start=start)
    assert found.best < 0.5 * found.start
    for generator in group.generators:
        if generator.kind == "scaling":
            part = found.element[generator.name]
            np.testing.assert_allclose(part, start[generator.name], rtol=1e-6)


def test_the_start_is_kept_where_no_step_improves_on_it():
    group, a, b, answer, batches = planted(experts)
    options = {"interval": (0.0, 0.9), "optimiser": optax.sgd(1e3), "steps": 10}
    config = Config("straight-through", **options)
    found = align.learn(group, a, b, distance_to(experts), batches, start=answer, config=config)
    chex.assert_trees_all_equal(trees.to_numpy(found.element), answer)
    assert found.best == found.start


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_key_decides_all_and_a_second_call_does_not_compile(estimator, caplog):
    group, a, b, _, batches = planted(zoo.mlp)
    loss, start = distance_to(zoo.mlp), identity(group)

    def learned(key, b=b, temperature=2.0):
        config = Config(estimator, interval=(0.25, 0.75), temperature=temperature)
        return align.learn(
            group, a, b, loss, batches, start=start, config=config, key=jax.random.key(key)
        )

    first, again, other = learned(0), learned(0), learned(1)
    assert first.losses == again.losses
    assert first.losses != other.losses
    with jax.log_compiles():
        learned(0, b=weights(zoo.mlp, 1), temperature=1.5)
    assert not [line for line in caplog.messages if "compil" in line.lower()]


# A curve and the element of its end, in turns


def squares(params, batch):
    inputs, targets = batch
    return {"loss": ((zoo.mlp(params, inputs) - targets) ** 2).mean(axis=-1)}


def turns(epochs, **options):
    optimiser = Optimiser("adam", 0.01, schedule="constant")
    fit = paths.FitConfig(epochs=epochs, batch_size=40, optimiser=optimiser)
    return align.JointConfig(fit, **options)


@pytest.mark.slow
def test_turns_find_a_lower_curve_than_a_fit_to_the_end_as_it_is():
    group, a, b, _, (inputs, targets) = planted(zoo.mlp)
    examples, key = (inputs.reshape(-1, 5), targets.reshape(-1, 3)), jax.random.key(0)
    alone = paths.fit(squares, paths.bezier(a, b), examples, turns(30).fit, key).path
    joint = align.fit_jointly(
        group, squares, paths.bezier(a, b), examples, start=identity(group), config=turns(10)
    )
    ts = np.linspace(0, 1, 11)
    before, after = (
        landscape.evaluate(squares, path, ts, examples).mean("loss") for path in (alone, joint.path)
    )
    assert after.max() < 0.7 * before.max()
    assert len(joint.losses) == 3


def test_the_ends_are_a_and_the_moved_b_to_the_bit():
    group, a, b, _, (inputs, targets) = planted(zoo.mlp)
    joint = align.fit_jointly(
        group,
        squares,
        paths.bezier(a, b, bends=2),
        (inputs.reshape(-1, 5), targets.reshape(-1, 3)),
        start=identity(group),
        config=turns(1, rounds=2, learn=Config(steps=5)),
    )
    end = act(group, joint.element, b)
    chex.assert_trees_all_equal(joint.path(0), a)
    chex.assert_trees_all_equal(joint.path(1), end)
    outputs = jitted(zoo.mlp)
    np.testing.assert_allclose(outputs(end, INPUTS), outputs(b, INPUTS), atol=1e-4)
    with pytest.raises(ConfigError, match="rounds is 0"):
        align.JointConfig(rounds=0)


# What is refused

OPTIONS = {field.name for field in dataclasses.fields(Config)}


def wrong(**changes):
    group, a, b, answer, batches = planted(zoo.mlp)
    config = Config(**{k: changes.pop(k) for k in OPTIONS & set(changes)})
    arguments = {"start": answer, "batches": batches, "loss_fn": distance_to(zoo.mlp), "b": b}
    arguments |= {"group": group, "config": config} | changes
    return align.learn(a=a, **arguments)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"estimator": "sinkorn"}, ConfigError, "did you mean 'sinkhorn'"),
        ({"interval": (0.5, 1.5)}, ConfigError, r"interval is \(0.5, 1.5\)"),
        ({"interval": (0.6, 0.4)}, ConfigError, r"interval is \(0.6, 0.4\)"),
        ({"temperature": 0.0}, ConfigError, "temperature is 0.0"),
        ({"steps": 12}, ConfigError, "steps is 12 and evaluate_every is 5"),
        ({"steps": 0}, ConfigError, "steps is 0"),
        ({"evaluate_every": 0}, ConfigError, "evaluate_every is 0"),
        (
            {"start": {}},
            StructureError,
            "has no permutation of 6 units for the gen",
        ),
        ({"b": {"params": {}}}, StructureError, "'params/Dense_0/bias' of a is missing in b"),
        ({"batches": (INPUTS[None], INPUTS)}, DataError, "arrays of batches start with the axes"),
        ({"evaluation": ()}, DataError, "arrays of evaluation start with the axes"),
    ],
)
def test_one_sentence_names_what_is_wrong(changes, error, message):
    with pytest.raises(error, match=message):
        wrong(**changes)


def test_a_group_without_a_learnable_generator():
    group = group_of(zoo.mlp, "scaling")
    with pytest.raises(StructureError, match="no permutation and no orthogonal generator"):
        wrong(group=group, start={g.name: np.ones(g.size) for g in group.generators})


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_step_that_is_not_finite_is_named(estimator):
    group, *_, (inputs, targets) = planted(zoo.mlp)
    wanted = {"start": identity(group), "estimator": estimator}
    targets = targets.copy()
    targets[1] = np.inf  # each of the four batches is seen once in the first four steps
    clean = (inputs[:1], targets[:1])
    with pytest.raises(DivergenceError, match=r"not finite at step [1-4]:"):
        wrong(batches=(inputs, targets), evaluation=clean, **wanted)
    with pytest.raises(DivergenceError, match="not finite at the start"):
        wrong(batches=(inputs, targets), **wanted)


# Networks that an earlier study stored


def cross_entropy(params, batch):
    return CLASSIFY(params, batch)["loss"].mean()


@pytest.fixture(scope="module")
def digits():
    return data.load(data.DataConfig("digits", normalise="unit"))


@pytest.mark.parametrize(
    ("estimator", "start", "limit"),
    [
        pytest.param("sinkhorn", "identity", 0.015, marks=pytest.mark.slow),
        pytest.param("sinkhorn", "activations", 0.01, marks=pytest.mark.slow),
        pytest.param("straight-through", "activations", 0.02, marks=pytest.mark.slow),
    ],
)
def test_the_barrier_of_the_adam_pair(shared, digits, estimator, start, limit):
    a, b = network(shared, "adam_0"), network(shared, "adam_1")
    group = symmetry.permutations(symmetry.discover(MODEL.apply, a, digits.train.inputs[:2]))
    element = symmetry.identity(group)
    if start == "activations":
        cost = align.ActivationCost(MODEL.apply, digits.train.inputs, centred=False)
        element = align.match(group, a, b, cost=cost).element
    batches = jax.tree.map(lambda x: x[:1400].reshape(7, 200, *x.shape[1:]), digits.train)
    found = align.learn(
        group, a, b, cross_entropy, batches, start=element, config=Config(estimator)
    )
    line = paths.line(a, symmetry.act(group, found.element, b))
    profile = landscape.evaluate(CLASSIFY, line, np.linspace(0, 1, 25), digits.train)
    assert landscape.barrier(profile, resamples=100).value <= limit
