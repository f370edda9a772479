from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax

from mconn.data import DataConfig
from mconn.models import MLP
from mconn.training import Optimiser, TrainConfig, build, train, transformation
from mconn.training.program import _seed_keys, _seed_mesh, _shuffled_batches
from mconn.trees import index, named_leaves, to_numpy

CONFIG = TrainConfig(
    MLP(width=12, depth=2, classes=4),
    DataConfig("digits"),
    Optimiser(learning_rate=1e-2),
    seeds=(0, 1),
    epochs=3,
    batch_size=25,
)


def test_batches_hold_every_example_at_most_once_and_change_with_seed_and_epoch():
    batches = np.asarray(
        [
            [_shuffled_batches(jnp.int32(seed), jnp.int32(epoch), 13, 4) for epoch in range(3)]
            for seed in range(2)
        ]
    )
    assert batches.shape == (2, 3, 3, 4)  # the last, incomplete batch is dropped
    flat = batches.reshape(6, 12)
    for order in flat:
        assert len(set(order)) == 12
        assert set(order) <= set(range(13))
    assert len({tuple(order) for order in flat}) == 6


def test_the_weights_and_the_batches_of_a_seed_have_different_keys():
    keys = np.asarray([jax.random.key_data(_seed_keys(jnp.int32(seed))) for seed in range(50)])
    assert len({tuple(key) for key in keys.reshape(100, -1)}) == 100


def test_an_epoch_is_the_plain_loop(dataset):
    """The compiled epoch of all seeds against one step after another, written down plainly."""
    model, optimiser = CONFIG.model, transformation(CONFIG.optimiser, 3, 5)

    @jax.jit
    def step(params, state, x, y):
        def loss(params):
            logits = model.apply({"params": params}, x)
            return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

        value, gradient = jax.value_and_grad(loss)(params)
        change, state = optimiser.update(gradient, state, params)
        return optax.apply_updates(params, change), state, value

    program = build(CONFIG, len(dataset.train), (3, 3, 1))
    seeds = jnp.asarray(CONFIG.seeds)
    state = program.initialise(seeds)
    first = to_numpy(state.variables["params"])
    after, measured, _ = to_numpy(program.epoch(state, seeds, 0, dataset.train, None))
    shuffled = jax.jit(_shuffled_batches, static_argnums=(2, 3))
    for i, seed in enumerate(CONFIG.seeds):
        params = index(first, i)
        moments, losses = jax.jit(optimiser.init)(params), []
        for rows in np.asarray(shuffled(np.int32(seed), np.int32(0), 130, 25)):
            x, y = dataset.train.inputs[rows], dataset.train.labels[rows]
            params, moments, loss = step(params, moments, x, y)
            losses.append(loss)
        np.testing.assert_allclose(measured["loss"][:, i], losses, rtol=1e-5)
        expected = named_leaves(params)
        for name, leaf in named_leaves(index(after.variables["params"], i)).items():
            np.testing.assert_allclose(leaf, expected[name], rtol=1e-4, atol=1e-6)


def test_a_seed_does_not_depend_on_those_beside_it(dataset):
    """On one device, and as the second of four on two devices."""
    alone = train(replace(CONFIG, seeds=(7,)), dataset)
    beside = train(replace(CONFIG, seeds=(3, 7, 5, 4)), dataset)
    expected = named_leaves(index(to_numpy(alone.params), 0))
    for name, leaf in named_leaves(index(to_numpy(beside.params), 1)).items():
        np.testing.assert_allclose(leaf, expected[name], rtol=1e-5, atol=1e-5)
    for name, values in alone.history.items():
        np.testing.assert_allclose(beside.history[name][:, 1], values[:, 0], rtol=1e-5)


def test_seeds_use_as_many_devices_as_divide_them():
    assert len(jax.devices()) == 2
    assert [_seed_mesh(count).size for count in (1, 2, 3, 4, 6)] == [1, 2, 1, 2, 2]


def test_the_programs_are_compiled_once(dataset, monkeypatch):
    calls = []
    original = MLP.__call__

    def counted(self, x, train=False):
        calls.append(train)
        return original(self, x, train)

    monkeypatch.setattr(MLP, "__call__", counted)
    counts = []
    for epochs in (2, 5):
        calls.clear()
        train(replace(CONFIG, epochs=epochs), dataset)
        counts.append(len(calls))
    assert counts[0] == counts[1]
