"""Curves and the elements of their ends in turns, on a copy of a network that was moved."""

import jax
import numpy as np
import pytest

from mconn import align, landscape, paths, symmetry
from mconn.errors import ConfigError
from mconn.training import Optimiser

INPUTS = np.random.default_rng(7).normal(size=(160, 6)).astype(np.float32)
KEY = jax.random.key(0)


def apply(params, x):
    return jax.nn.relu(x @ params["in"] + params["bias"]) @ params["out"]


def squares(params, batch):
    inputs, targets = batch
    return {"loss": ((apply(params, inputs) - targets) ** 2).mean(axis=-1)}


@pytest.fixture(scope="module")
def problem():
    random = np.random.default_rng(0)
    shapes = {"in": (6, 16), "bias": (16,), "out": (16, 3)}
    a = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    group = symmetry.permutations(symmetry.discover(apply, a, INPUTS[:2]))
    (generator,) = group.generators
    element = {generator.name: random.permutation(16)}
    b = symmetry.act(group, element, a)
    return group, a, b, (INPUTS, np.asarray(apply(a, INPUTS)))


def fit(epochs):
    return paths.FitConfig(
        epochs=epochs, batch_size=40, optimiser=Optimiser("adam", 0.01, schedule="constant")
    )


@pytest.mark.slow
def test_turns_find_a_lower_curve_than_a_fit_to_the_end_as_it_is(problem):
    group, a, b, data = problem
    start = symmetry.identity(group)
    alone = paths.fit(squares, paths.bezier(a, b), data, fit(30), KEY).path
    joint = align.fit_jointly(
        group, squares, paths.bezier(a, b), data, start=start, config=align.JointConfig(fit(10))
    )
    ts = np.linspace(0, 1, 11)
    before, after = (
        landscape.evaluate(squares, path, ts, data).mean("loss") for path in (alone, joint.path)
    )
    assert after.max() < 0.7 * before.max()
    assert len(joint.losses) == 3


def test_the_ends_are_a_and_the_moved_b_to_the_bit(problem):
    group, a, b, data = problem
    joint = align.fit_jointly(
        group,
        squares,
        paths.bezier(a, b, bends=2),
        data,
        start=symmetry.identity(group),
        config=align.JointConfig(fit(1), rounds=2, learn=align.LearnConfig(steps=5)),
    )
    end = symmetry.act(group, joint.element, b)
    for name in a:
        np.testing.assert_array_equal(joint.path(0)[name], a[name])
        np.testing.assert_array_equal(joint.path(1)[name], end[name])
    np.testing.assert_allclose(apply(end, INPUTS), apply(b, INPUTS), atol=1e-4)


def test_no_round_is_refused():
    with pytest.raises(ConfigError, match="rounds is 0"):
        align.JointConfig(rounds=0)
