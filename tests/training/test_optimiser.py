import jax
import numpy as np
import pytest

from mconn import trees
from mconn.data import DataConfig
from mconn.errors import ConfigError
from mconn.models import MLP
from mconn.training import Optimiser, TrainConfig, learning_rate, transformation

PARAMS = {"w": np.array([1.0, -2.0, 3.0], np.float32)}
GRADIENT = {"w": np.array([0.5, 0.25, -1.0], np.float32)}


def stepped(optimiser, steps=1):
    """The parameters after some steps along the same gradient."""
    method = transformation(optimiser, epochs=10, steps=10)
    update, params, state = jax.jit(method.update), PARAMS, jax.jit(method.init)(PARAMS)
    for _ in range(steps):
        change, state = update(GRADIENT, state, params)
        params = jax.tree.map(np.add, params, trees.to_numpy(change))
    return params["w"]


def test_cosine_falls_from_the_rate_to_zero_over_all_steps():
    rate = jax.jit(learning_rate(Optimiser(learning_rate=0.1), epochs=4, steps=25))
    steps = np.arange(101)
    expected = 0.05 * (1 + np.cos(np.pi * steps / 100))
    np.testing.assert_allclose(rate(steps), expected, atol=1e-7)


def test_a_plateau_ends_half_way_and_falls_to_a_hundredth_at_nine_tenths():
    rate = jax.jit(
        learning_rate(Optimiser(learning_rate=0.1, schedule="plateau"), epochs=10, steps=10)
    )
    at = rate(np.asarray([0, 50, 70, 90, 100]))
    np.testing.assert_allclose(at, [0.1, 0.1, 0.0505, 0.001, 0.001], rtol=1e-5)


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_the_warm_up_rises_on_a_line_and_the_rest_follows(schedule):
    optimiser = Optimiser(learning_rate=0.1, schedule=schedule, warmup_epochs=2)
    rate = jax.jit(learning_rate(optimiser, epochs=6, steps=10))
    np.testing.assert_allclose(rate(np.arange(21)), np.arange(21) / 200, atol=1e-7)
    later = rate(np.asarray([40, 60]))
    expected = [0.1, 0.1] if schedule == "constant" else [0.05, 0.0]
    np.testing.assert_allclose(later, expected, atol=1e-7)


def test_sgd_adds_its_decay_to_the_gradient_before_the_momentum():
    optimiser = Optimiser("sgd", 0.1, momentum=0.5, weight_decay=0.2, schedule="constant")
    w, g, velocity = *(np.asarray(tree["w"], np.float64) for tree in (PARAMS, GRADIENT)), 0.0
    for _ in range(3):
        velocity = 0.5 * velocity + g + 0.2 * w
        w = w - 0.1 * velocity
    np.testing.assert_allclose(stepped(optimiser, 3), w, rtol=1e-6)


def test_adamw_decays_apart_from_the_gradient():
    adam = Optimiser("adam", 0.1, schedule="constant")
    adamw = Optimiser("adamw", 0.1, weight_decay=0.2, schedule="constant")
    decay = 0.1 * 0.2 * np.asarray(PARAMS["w"])
    np.testing.assert_allclose(stepped(adamw), stepped(adam) - decay, rtol=1e-6)
    # Adam's first step has the size of the learning rate, whatever the gradient's.
    np.testing.assert_allclose(stepped(adam), PARAMS["w"] - 0.1 * np.sign(GRADIENT["w"]), rtol=1e-5)


def test_sgd_without_momentum_is_the_plain_formula():
    plain = Optimiser("sgd", 0.1, momentum=0.0, schedule="constant")
    np.testing.assert_allclose(stepped(plain), PARAMS["w"] - 0.1 * GRADIENT["w"], rtol=1e-6)
    state = transformation(plain, 1, 1).init(PARAMS)
    assert all(leaf.size == 1 for leaf in jax.tree.leaves(state))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "adma", r"optimiser 'adma' is unknown \(did you mean 'adamw?'"),
        ("schedule", "linear", r"schedule 'linear' is unknown.*: choose one of constant, cosine"),
        ("learning_rate", 0.0, "learning_rate is 0.0"),
        ("learning_rate", float("nan"), "learning_rate is nan"),
        ("momentum", 1.0, "momentum is 1.0"),
        ("weight_decay", -0.1, "weight_decay is -0.1"),
        ("weight_decay", 0.1, "adam has no weight decay: choose adamw"),
        ("warmup_epochs", -1, "warmup_epochs is -1"),
    ],
)
def test_a_wrong_optimiser_names_the_field(field, value, message):
    optimiser = Optimiser()
    object.__setattr__(optimiser, field, value)  # around the type checker of the tests
    with pytest.raises(ConfigError, match=message):
        optimiser.__post_init__()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"seeds": ()}, r"seeds are \(\)"),
        ({"seeds": (1, 2, 1)}, r"seeds are \(1, 2, 1\)"),
        ({"seeds": (0, -1)}, "at least 0"),
        ({"seeds": (2**31,)}, r"below 2\*\*31"),
        ({"epochs": 3, "optimiser": Optimiser(warmup_epochs=3)}, "the warm-up must end"),
    ],
)
def test_a_wrong_training_names_the_field(arguments, message):
    with pytest.raises(ConfigError, match=message):
        TrainConfig(MLP(), DataConfig("digits"), **arguments)


def test_a_training_is_hashable():
    same = [TrainConfig(MLP(8), DataConfig("digits")) for _ in range(2)]
    assert same[0] == same[1]
    assert len(set(same)) == 1
