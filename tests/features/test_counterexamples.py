"""Loss and rotated features do not go together, in either direction: exact constructions."""

import jax
import numpy as np
import pytest

from experiments.features.coupling_constructions import with_copy, without_unit
from mconn import features, paths, symmetry
from tests.features.perceptrons import SECOND, after, apply, group, inputs, network, square

A, B = network(0), network(1)
X = inputs(80)
TS = np.array([0.0, 0.25, 0.5, 1.0])
LAYER = "second"
AT = jax.jit(lambda path, t: apply(path(t), X))


def outputs(params):
    return np.asarray(apply(params, X))


def coupled(path):
    with jax.enable_x64(True):
        return features.coupling_along(features.Units(group(), apply), path, TS, X)[LAYER]


def changes_along(path):
    with jax.enable_x64(True):
        found = [np.asarray(AT(path, t)) for t in TS]
    return [square(each - found[0]) for each in found]


def unread(scale):
    start = without_unit(group(), LAYER, A, 0)
    return start, with_copy(group(), LAYER, start, 0, 1, scale)


def test_a_unit_that_nothing_reads_changes_features_by_no_rotation_and_no_output():
    start, stop = unread(10.0)
    np.testing.assert_array_equal(outputs(start), outputs(stop))
    with jax.enable_x64(True):
        line = paths.line(start, stop)
    np.testing.assert_allclose(changes_along(line), 0, atol=1e-24)
    assert coupled(line).rotation_residual[-1] > 0.1


@pytest.mark.parametrize("scale", [0.5, 5.0, 500.0])
def test_an_attribute_turns_by_any_angle_at_a_barrier_of_nothing(scale):
    start, stop = unread(scale)
    np.testing.assert_array_equal(outputs(start), outputs(stop))
    positive = X[:, 0] > 0
    of = [after(each, X)[LAYER] for each in (start, stop)]
    first, last = (each[positive].mean(axis=0) - each[~positive].mean(axis=0) for each in of)
    cosine = first @ last / np.linalg.norm(first) / np.linalg.norm(last)
    # The unit's own share of the attribute is the tangent of the angle.
    expected = scale * abs(first[1]) / np.linalg.norm(first)
    np.testing.assert_allclose(np.tan(np.arccos(cosine)), expected, rtol=1e-6)


def test_rescaled_units_are_no_rotation_and_keep_the_outputs():
    with jax.enable_x64(True):
        found = symmetry.discover(apply, A, X[:2])
        tangent = {
            generator.name: np.linspace(-1, 1, generator.size)
            for generator in found.generators
            if generator.kind == "scaling"
        }
        orbit = paths.orbit_along(found, tangent, A)
        stop = jax.tree.map(np.asarray, orbit.end)
    np.testing.assert_allclose(outputs(stop), outputs(A), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(changes_along(orbit), 0, atol=1e-20)
    assert coupled(orbit).rotation_residual[-1] > 0.02
    # The features are those of A times positive factors: a rotation of them only if all are 1.
    np.testing.assert_allclose(
        after(stop, X)[LAYER], after(A, X)[LAYER] * np.exp(tangent[f"{LAYER} scaling"]), rtol=1e-9
    )


def test_the_rotation_between_the_ends_is_the_same_for_every_permutation_of_one():
    """So that it cannot tell an aligned pair, with a low barrier, from another."""
    residuals, drifts = [], []
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [1, 0, 3, 2]):
        with jax.enable_x64(True):
            element = {"first": np.arange(6), LAYER: np.array(order)}
            line = paths.line(A, symmetry.act(group(), element, B))
        found = coupled(line)
        residuals.append(found.rotation_residual[-1])
        drifts.append(found.rotation_residual[2])
    np.testing.assert_allclose(residuals, residuals[0], rtol=1e-10)
    assert np.ptp(drifts) > 1e-3


def test_a_permuted_copy_is_a_rotation_with_the_same_outputs_and_another_network_half_way():
    with jax.enable_x64(True):
        element = {"first": np.roll(np.arange(6), 1), LAYER: np.roll(np.arange(SECOND), 1)}
        line = paths.line(A, symmetry.act(group(), element, A))
    found = coupled(line)
    assert found.rotation_residual[-1] == pytest.approx(0, abs=1e-12)
    assert found.drift[-1] > 0.1
    middle, end = changes_along(line)[2:]
    assert end == pytest.approx(0, abs=1e-20)
    assert middle > 1
