import pytest

from mconn.data import DataConfig
from mconn.errors import ConfigError
from mconn.models import MLP
from mconn.training import Optimiser, TrainConfig


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
