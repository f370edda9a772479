import jax
import numpy as np
import pytest

from mconn import features
from mconn.errors import DataError
from tests.features.perceptrons import after, apply, group, inputs, network, square

A = network(0)
STEPS = np.array([0.125, 0.5, 1.0])


def defect(of, x, others, steps=STEPS, params=A):
    with jax.enable_x64(True):
        return features.linearity_defect(of, params, x, others, steps, batch_size=16)


def test_it_is_the_second_difference_over_the_first():
    x, others = inputs(40), inputs(40, seed=1)
    found = defect(features.Units(group(), apply), x, others)
    for row, step in enumerate(STEPS):
        places = [(x + others) / 2 + place * step * (others - x) / 2 for place in (-1, 0, 1)]
        low, middle, high = (after(A, each) for each in places)
        for layer, values in found.items():
            second = square(low[layer] - 2 * middle[layer] + high[layer])
            expected = second / square(high[layer] - low[layer])
            assert values[row] == pytest.approx(expected, rel=1e-8, abs=1e-12)


def test_the_first_pre_activation_is_affine_and_what_follows_is_not():
    x = inputs(40)
    before = defect(features.Units(group(), apply, "before"), x, x[::-1])
    np.testing.assert_allclose(before["first"], 0, atol=1e-20)
    assert before["second"].min() > 1e-3


def test_of_a_quadratic_map_the_defect_grows_with_the_square_of_the_step():
    def squares(params, x):
        return {"layer": params * x + x**2}

    x = inputs(40)
    found = defect(squares, x, x[::-1], np.array([0.25, 0.5, 1.0]), np.float64(1))["layer"]
    np.testing.assert_allclose(found[1:] / found[:-1], 4, rtol=1e-6)


def test_pairs_of_the_same_input_are_refused():
    x = inputs(10)
    with pytest.raises(DataError, match="layer 'first' are the same on both sides"):
        defect(features.Units(group(), apply), x, x)
