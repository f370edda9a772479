"""Learned matching: the relaxed group in float64, gradients, planted answers, stored networks."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from stored_networks import CLASSIFY, MODEL, network

from mconn import align, data, landscape, paths, symmetry
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
from mconn.symmetry.certify import draw_part

INPUTS = np.random.default_rng(7).normal(size=(160, 6)).astype(np.float32)


def mlp(params, x):
    """One hidden layer of 16 units."""
    return jax.nn.relu(x @ params["in"] + params["bias"]) @ params["out"]


def experts(params, x):
    """Three experts of 4 hidden units, summed."""
    hidden = jax.nn.relu(jnp.einsum("bi,eiu->beu", x, params["in"]))
    return jnp.einsum("beu,euo->bo", hidden, params["out"])


def grouped(params, x):
    """Two groups of 3 hidden units side by side along one axis, each with a layer of its own."""
    hidden = jax.nn.relu(x @ params["in"]).reshape(-1, 2, 3)
    hidden = jax.nn.relu(jnp.einsum("bgu,guv->bgv", hidden, params["mid"]))
    return hidden.reshape(-1, 8) @ params["out"]


def attention(params, x):
    """Two heads of three, over examples as if they were positions."""
    q, k, v = (jnp.einsum("bi,ihd->hbd", x, params[name]) for name in ("q", "k", "v"))
    mixed = jax.nn.softmax(q @ k.swapaxes(1, 2)) @ v
    return jnp.einsum("hbd,hdo->bo", mixed, params["o"])


def normalised(x):
    return x / jnp.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-6)


def stream(params, x):
    """A stream of 8 behind a root-mean-square norm without a scale: it can be rotated."""
    x = x @ params["embed"]
    x = x + jax.nn.relu(normalised(x) @ params["in"]) @ params["out"]
    return normalised(x) @ params["head"]


SHAPES = {
    mlp: {"in": (6, 16), "bias": (16,), "out": (16, 3)},
    experts: {"in": (3, 6, 4), "out": (3, 4, 3)},
    grouped: {"in": (6, 6), "mid": (2, 3, 4), "out": (8, 3)},
    attention: {"q": (6, 2, 3), "k": (6, 2, 3), "v": (6, 2, 3), "o": (2, 3, 3)},
    stream: {"embed": (6, 8), "in": (8, 10), "out": (10, 8), "head": (8, 3)},
}
PERMUTED = (mlp, experts, grouped, attention)
ESTIMATORS = ("straight-through", "sinkhorn")


def weights(apply, seed=0):
    random = np.random.default_rng(seed)
    shapes = SHAPES[apply]
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def group_of(apply, *kinds):
    return symmetry.discover(apply, weights(apply), INPUTS[:2]).restricted(kinds or ["permutation"])


def draw(group, seed=1):
    random = np.random.default_rng(seed)
    return {generator.name: draw_part(generator, random) for generator in group.generators}


def distance_to(apply):
    """The loss whose minimum are the networks that compute what the batch's targets are."""

    def loss(params, batch):
        inputs, targets = batch
        return ((apply(params, inputs) - targets) ** 2).mean()

    return loss


LOSSES = {apply: distance_to(apply) for apply in SHAPES}


def batches_of(apply, params, number=4):
    inputs = INPUTS.reshape(number, -1, INPUTS.shape[-1])
    return inputs, np.stack([apply(params, batch) for batch in inputs])


def planted(apply, *kinds, seed=1):
    """A network, a moved copy, the element that undoes the move, and the network's own outputs."""
    group, a = group_of(apply, *kinds), weights(apply)
    moved = draw(group, seed)
    answer = symmetry.inverse(group, moved)
    return group, a, symmetry.act(group, moved, a), answer, batches_of(apply, a)


# The relaxed group


@pytest.mark.parametrize("apply", SHAPES)
def test_the_matrices_of_an_element_act_like_the_element(apply):
    whole = symmetry.discover(apply, weights(apply), INPUTS[:2])
    for group in (whole, whole.restricted(["permutation"])):
        with jax.enable_x64():
            params = jax.tree.map(np.float64, weights(apply))
            element = draw(group)

            @jax.jit
            def both(element, params, group=group):
                relaxed = symmetry.act(relax(group, params), matrices(group, element), params)
                return relaxed, symmetry.act(group, element, params)

            chex.assert_trees_all_close(*both(element, params), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("apply", [experts, grouped, attention])
def test_the_groups_with_copies_have_copies(apply):
    assert any(generator.fibres for generator in group_of(apply).generators)


def test_whole_numbers_that_are_permuted_cannot_be_relaxed():
    def gathered(params, x):
        return jax.nn.relu(x @ params["in"] + params["bias"]) @ params["out"]

    params = {**weights(mlp), "bias": np.arange(16)}
    group = symmetry.discover(gathered, params, INPUTS[:2]).restricted(["permutation"])
    with pytest.raises(StructureError, match=r"'bias' of dtype int.* cannot be mixed"):
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


@pytest.mark.parametrize("epsilon", [0.2, 1.0])
def test_the_relaxed_permutation_and_its_gradient(epsilon):
    random = np.random.default_rng(0)
    with jax.enable_x64():
        latents = np.eye(5)[[random.permutation(5) for _ in range(2)]]
        latents += 0.3 * random.normal(size=latents.shape)
        goal = random.normal(size=latents.shape)
        start = (jnp.zeros((2, 5)), jnp.zeros((2, 5)))

        def relaxed(latents):
            return sinkhorn(latents / epsilon, start, 1e-13, 20_000)[0]

        matrix = jax.jit(relaxed)(jnp.asarray(latents))
        np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-10)
        np.testing.assert_allclose(matrix.sum(axis=2), 1, atol=1e-10)
        # P = exp(Z / epsilon) with scaled rows and columns.
        ratio = np.log(matrix) - latents / epsilon
        ratio -= ratio.mean(axis=1, keepdims=True) + ratio.mean(axis=2, keepdims=True)
        np.testing.assert_allclose(ratio, ratio[:, :1, :1] + np.zeros((5, 5)), atol=1e-9)
        loss = jax.jit(lambda latents: (relaxed(latents) * goal).sum())
        gradient = jax.grad(loss)(jnp.asarray(latents))
        expected = numeric(loss, latents, 1e-5)
        np.testing.assert_allclose(gradient, expected, atol=1e-4 * np.abs(expected).max())


# Learning


@pytest.mark.parametrize("apply", PERMUTED)
def test_learning_from_the_identity_lowers_the_loss(apply):
    group, a, b, _, batches = planted(apply)
    start = symmetry.identity(group)
    found = align.learn(group, a, b, LOSSES[apply], batches, start=start)
    assert found.best < 0.7 * found.start
    assert (found.start, found.best) == (found.midpoints[0], min(found.midpoints))
    assert (len(found.losses), len(found.midpoints)) == (60, 13)
    moved = symmetry.act(group, found.element, b)
    np.testing.assert_allclose(apply(moved, INPUTS), apply(b, INPUTS), rtol=1e-3, atol=1e-3)
    middle = paths.line(a, moved)(0.5)
    measured = np.mean(
        [LOSSES[apply](middle, jax.tree.map(lambda x, i=i: x[i], batches)) for i in range(4)]
    )
    assert found.best == pytest.approx(measured, rel=1e-4)


def test_straight_through_estimation_lowers_the_loss_of_units_in_each_others_place():
    group, a, b, answer, batches = planted(experts)
    start = {name: np.array(part) for name, part in answer.items()}
    for part in start.values():
        part[..., :2] = part[..., 1::-1]
    found = align.learn(
        group,
        a,
        b,
        LOSSES[experts],
        batches,
        start=start,
        config=Config("straight-through"),
    )
    assert found.best < 0.8 * found.start


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("apply", [experts, stream])
def test_the_planted_answer_stays(apply, estimator):
    group, a, b, answer, batches = planted(apply)
    loss = LOSSES[apply]
    found = align.learn(group, a, b, loss, batches, start=answer, config=Config(estimator))
    assert found.best <= found.start <= 1e-6
    chex.assert_trees_all_close(symmetry.act(group, found.element, b), a, atol=1e-4)


def test_a_planted_permutation_is_found():
    group, a, b, answer, batches = planted(mlp)
    start = symmetry.identity(group)
    found = align.learn(group, a, b, LOSSES[mlp], batches, start=start, config=Config(steps=200))
    chex.assert_trees_all_equal(found.element, jax.tree.map(jnp.asarray, answer))
    assert found.best <= 1e-8 * found.start


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_planted_rotation_is_learned(estimator):
    group, a, b, _, batches = planted(stream, "orthogonal")
    assert [generator.kind for generator in group.generators] == ["orthogonal"]
    found = align.learn(
        group,
        a,
        b,
        LOSSES[stream],
        batches,
        start=symmetry.identity(group),
        config=Config(estimator),
    )
    assert found.best < 0.25 * found.start
    (matrix,) = found.element.values()
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(8), atol=1e-5)


def test_rotations_and_permutations_are_learned_together_and_the_rest_stays():
    group = symmetry.discover(stream, weights(stream), INPUTS[:2])
    kinds = {generator.kind for generator in group.generators}
    assert kinds == {"orthogonal", "permutation", "scaling"}
    a, start = weights(stream), draw(group, seed=2)
    b = symmetry.act(group, draw(group), a)
    found = align.learn(group, a, b, LOSSES[stream], batches_of(stream, a), start=start)
    assert found.best < 0.5 * found.start
    for generator in group.generators:
        if generator.kind == "scaling":
            part = found.element[generator.name]
            np.testing.assert_allclose(part, start[generator.name], rtol=1e-6)


def test_the_start_is_kept_where_no_step_improves_on_it():
    group, a, b, answer, batches = planted(experts)
    found = align.learn(
        group,
        a,
        b,
        LOSSES[experts],
        batches,
        start=answer,
        config=Config("straight-through", interval=(0.0, 0.9), optimiser=optax.sgd(1e3)),
    )
    chex.assert_trees_all_equal(found.element, jax.tree.map(jnp.asarray, answer))
    assert found.best == found.start


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_key_decides_all_and_a_second_call_does_not_compile(estimator, caplog):
    group, a, b, _, batches = planted(mlp)

    def learned(key, b=b, temperature=2.0):
        return align.learn(
            group,
            a,
            b,
            LOSSES[mlp],
            batches,
            start=symmetry.identity(group),
            config=Config(estimator, interval=(0.25, 0.75), temperature=temperature),
            key=jax.random.key(key),
        )

    first, again, other = learned(0), learned(0), learned(1)
    assert first.losses == again.losses
    assert first.losses != other.losses
    with jax.log_compiles():
        learned(0, b=weights(mlp, 1), temperature=1.5)
    assert not [line for line in caplog.messages if "compil" in line.lower()]


# What is refused


OPTIONS = {field.name for field in dataclasses.fields(Config)}


def wrong(**changes):
    group, a, b, answer, batches = planted(mlp)
    config = Config(**{k: changes.pop(k) for k in OPTIONS & set(changes)})
    arguments = {"start": answer, "batches": batches, "loss_fn": LOSSES[mlp], "b": b}
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
        ({"start": {}}, StructureError, "has no permutation of 16 units for the generator 'in'"),
        ({"b": {"in": INPUTS}}, StructureError, "'bias' of a is missing in b"),
        ({"batches": (INPUTS[None], INPUTS)}, DataError, "arrays of batches start with the axes"),
        ({"evaluation": ()}, DataError, "arrays of evaluation start with the axes"),
    ],
)
def test_one_sentence_names_what_is_wrong(changes, error, message):
    with pytest.raises(error, match=message):
        wrong(**changes)


def test_a_group_without_a_learnable_generator():
    group = group_of(mlp, "scaling")
    with pytest.raises(StructureError, match="no permutation and no orthogonal generator"):
        wrong(group=group, start=symmetry.identity(group))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_step_that_is_not_finite_is_named(estimator):
    group, *_, (inputs, targets) = planted(mlp)
    wanted = {"start": symmetry.identity(group), "estimator": estimator}
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
