"""The study of tangent kernels."""

import numpy as np
import pytest

from experiments.tangent.network import Wide, descend


def test_both_parametrisations_draw_the_same_functions():
    inputs = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    outputs = []
    for parametrisation in ("tangent", "standard"):
        network = Wide(16, 2, parametrisation)
        weights = [leaf[0] for leaf in network.draw((3,), 7, 2)]
        outputs.append(np.asarray(network(weights, inputs)))
    np.testing.assert_allclose(outputs[0], outputs[1], rtol=1e-4)


@pytest.mark.parametrize("adam", [False, True])
def test_descent_stops_at_the_goal(adam):
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(12, 4)).astype(np.float32)
    targets = generator.normal(size=(12, 2)).astype(np.float32)
    network = Wide(32)
    start = network.draw((0, 1), 4, 2)
    rate = 0.01 if adam else 0.1
    found = descend(network, start, inputs, targets, rate, 0.5, 2000, adam=adam)
    assert (np.asarray(found.loss) <= 0.5).all()
    assert (np.asarray(found.steps) > 1).all()
    stopped = descend(network, start, inputs, targets, rate, 0.0, 3, adam=adam)
    assert (np.asarray(stopped.steps) == 3).all()
