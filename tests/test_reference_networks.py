"""The networks that earlier studies stored: published numbers, reproduced."""

import jax
import numpy as np
import pytest
from stored_networks import CLASSIFY, MODEL, network

from mconn import align, data, landscape, paths, symmetry


@pytest.fixture(scope="module")
def digits():
    return data.load(data.DataConfig("digits", normalise="unit"))


def chord(a, b, split):
    ts = np.linspace(0, 1, 25)
    profile = landscape.evaluate(CLASSIFY, paths.line(a, b), ts, split)
    return landscape.barrier(profile, resamples=100).value


def aligned(a, b, digits, cost, key=None):
    group = symmetry.permutations(symmetry.discover(MODEL.apply, a, digits.train.inputs[:2]))
    assert group.sizes == {"Dense_0": 512, "Dense_1": 512, "Dense_2": 512}
    found = align.match(group, a, b, cost=cost, key=key)
    return symmetry.act(group, found.element, b), found


def test_naive_barriers_of_the_adam_pair(shared, digits):
    a, b = network(shared, "adam_0"), network(shared, "adam_1")
    assert chord(a, b, digits.train) == pytest.approx(1.036, abs=5e-4)
    assert chord(a, b, digits.test) == pytest.approx(0.998, abs=5e-4)


def test_weight_matching_of_the_adam_pair(shared, digits):
    a, b = network(shared, "adam_0"), network(shared, "adam_1")
    moved, found = aligned(a, b, digits, align.WeightCost())
    assert found.objective == pytest.approx(653.5, abs=0.1)
    assert chord(a, moved, digits.train) == pytest.approx(0.327, abs=5e-3)


@pytest.mark.parametrize("centred", [False, True])
def test_activation_matching_of_the_adam_pair(shared, digits, centred):
    a, b = network(shared, "adam_0"), network(shared, "adam_1")
    cost = align.ActivationCost(MODEL.apply, digits.train.inputs, centred=centred)
    moved, _ = aligned(a, b, digits, cost)
    assert chord(a, moved, digits.train) <= 0.03


@pytest.mark.parametrize("key", range(3))
def test_weight_matching_of_the_decayed_pair_for_every_key(shared, digits, key):
    a, b = network(shared, "decay_0"), network(shared, "decay_1")
    moved, _ = aligned(a, b, digits, align.WeightCost(), key=jax.random.key(key))
    assert chord(a, moved, digits.train) <= 0.01
