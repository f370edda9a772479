"""The network of an experiment, found without its data."""

from dataclasses import dataclass, replace

import jax
import pytest

from mconn import symmetry
from mconn.data import DataConfig
from mconn.errors import ConfigError
from mconn.models import CNN
from mconn.saved import network_of
from mconn.training import TrainConfig


@dataclass(frozen=True)
class Study:
    train: object


TRAIN = TrainConfig(CNN(width=2, depth=2, normaliser="batch"), DataConfig("digits"))


@pytest.mark.parametrize(
    ("data", "shape"),
    [("digits", (8, 8, 1)), ("fashion_mnist", (28, 28, 1)), ("cifar10", (32, 32, 3))],
)
def test_inputs_have_the_shape_of_the_data(data, shape):
    network = network_of(Study(replace(TRAIN, data=DataConfig(data))))
    assert network.inputs.shape == (2, *shape)
    group = symmetry.discover(network.apply, network.params, network.inputs)
    assert symmetry.permutations(group).sizes == {"Conv_0": 2, "Conv_1": 4}


def test_parameters_and_inputs_are_drawn(key):
    network = network_of(Study(TRAIN))
    params, inputs = network.draw(key)
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), params)
    assert shapes == network.params
    assert inputs.shape == network.inputs.shape
    assert network.apply(params, inputs).shape == (2, 10)


@pytest.mark.parametrize("experiment", [object(), Study(None), Study({"model": CNN()})])
def test_an_experiment_without_a_network(experiment):
    name = type(experiment).__name__
    with pytest.raises(ConfigError, match=f"a {name} trains no network .* a field `train`"):
        network_of(experiment)
