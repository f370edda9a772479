"""Layers applied alone: additive nonlinearities, commuting weights, affine features."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mconn import features, landscape, paths, symmetry
from mconn.errors import DataError, StructureError
from mconn.measure import Execution
from tests import zoo
from tests.features.perceptrons import (
    after,
    apply,
    before,
    dense,
    group,
    inputs,
    network,
    square,
    units,
)

TS = np.array([0.0, 0.3, 0.5, 1.0])
STEPS = np.array([0.125, 0.5, 1.0])
A, B, X = network(0), network(1), inputs()
SMALL = Execution(batch_size=16)


def commuting_pair():
    """Two networks whose nonlinearities are additive and whose weights commute.

    The units of layer 1 have the same directions and differ in scale, the first three of them, so
    that they are active on the same inputs. Layer 2 differs only in what it reads from the other
    three, and all its units are active; so the outputs must read it alike.
    """
    a, b = network(2), network(2)
    scale = np.array([0.5, 2.0, 3.0, 1.0, 1.0, 1.0])
    b["params"]["Dense_0"] = {k: leaf * scale for k, leaf in a["params"]["Dense_0"].items()}
    b["params"]["Dense_1"]["kernel"][3:] = network(3)["params"]["Dense_1"]["kernel"][3:]
    for each in (a, b):
        each["params"]["Dense_1"]["bias"] += 100
    return a, b


def additivity(a, b, of=None, apply=apply):
    with jax.enable_x64(True):
        return features.weak_additivity(of or group(), apply, paths.line(a, b), TS, X, SMALL)


def commutes(a, b):
    with jax.enable_x64(True):
        return features.commutativity(group(), apply, a, b, X, SMALL)


def connectivity(a, b):
    with jax.enable_x64(True):
        of = features.WithOutputs(units(), apply)
        return features.coupling_along(of, paths.line(a, b), TS, X, SMALL, rotations=False)


def test_additivity_compares_the_nonlinearity_of_the_blend_with_the_blend():
    found = additivity(A, B)
    assert set(found) == {"Dense_0", "Dense_1"}
    for row, t in enumerate(TS):
        for layer, each in found.items():
            z0, z1 = before(A, X)[layer], before(B, X)[layer]
            bent = ((1 - t) * z0 + t * z1).clip(0)
            blend = (1 - t) * z0.clip(0) + t * z1.clip(0)
            expected = square(bent - blend) / square(bent)
            np.testing.assert_allclose(each.blend_distance[row], expected, rtol=1e-9, atol=1e-14)


def test_commutativity_is_the_product_of_the_differences():
    found = commutes(A, B)
    assert set(found) == {"Dense_0", "Dense_1", "outputs"}
    assert found["Dense_0"].distance == found["Dense_0"].norm == 0
    for layer, number, read in (("Dense_1", 1, "Dense_0"), ("outputs", 2, "Dense_1")):
        of_a, of_b = after(A, X)[read], after(B, X)[read]
        kernels = [each["params"][f"Dense_{number}"]["kernel"] for each in (A, B)]
        product = (of_a - of_b) @ (kernels[0] - kernels[1])
        straight = dense(A, number, of_a) + dense(B, number, of_b)
        crossed = dense(A, number, of_b) + dense(B, number, of_a)
        scale = np.sqrt(square(straight) * square(crossed))
        assert found[layer].distance == pytest.approx(square(product) / scale, rel=1e-9)
        assert found[layer].norm == pytest.approx(np.sqrt(square(product) / len(X)), rel=1e-9)
    assert all(each.distance == 0 for each in commutes(A, A).values())


def test_weak_additivity_and_commutativity_give_exactly_the_blend_of_the_features():
    """Zhou et al. 2023, theorem 1; both networks and both conditions are no trivial ones."""
    a, b = commuting_pair()
    assert square(np.asarray(apply(a, X)) - np.asarray(apply(b, X))) > 1
    for each in additivity(a, b).values():
        np.testing.assert_allclose(each.blend_distance, 0, atol=1e-24)
    for each in commutes(a, b).values():
        assert each.distance < 1e-24
    for each in connectivity(a, b).values():
        np.testing.assert_allclose(each.blend_distance, 0, atol=1e-24)
        np.testing.assert_allclose(each.coefficient, 1, rtol=1e-12)
        assert each.end_cosine_distance.max() > 1e-6


def test_without_them_the_features_are_no_blend():
    assert all(each.blend_distance[2] > 0.01 for each in additivity(A, B).values())
    assert min(commutes(A, B)[layer].distance for layer in ("Dense_1", "outputs")) > 0.1
    assert all(each.blend_residual[2] > 0.01 for each in connectivity(A, B).values())


def some_networks(**shapes):
    return [
        {name: np.random.default_rng(seed).normal(size=shape) for name, shape in shapes.items()}
        for seed in range(2)
    ]


def test_a_parameter_between_keeps_a_layer_out():
    def scaled(params, x):
        return (jnp.maximum(x @ params["a"], 0) * params["scale"]) @ params["b"]

    a, b = some_networks(a=(zoo.INPUTS, 3), scale=3, b=(3, 2))
    found = symmetry.permutations(symmetry.discover(scaled, a, X[:2]))
    assert found.generators
    with pytest.raises(StructureError, match="no layer's nonlinearity stands alone"):
        additivity(a, b, found, scaled)


def test_layers_of_a_residual_network_are_taken_alone():
    def residual(params, x):
        stream = jnp.maximum(x @ params["in"], 0)
        stream = jnp.maximum(stream + jnp.maximum(stream @ params["a"], 0) @ params["b"], 0)
        return stream @ params["out"]

    a, b = some_networks(**{"in": (zoo.INPUTS, 4), "a": (4, 3), "b": (3, 4), "out": (4, 2)})
    found = symmetry.permutations(symmetry.discover(residual, a, X[:2]))
    blend = features.ActivatedBlend(found, residual)
    with jax.enable_x64(True):
        path = landscape.WithEnds(paths.line(a, b))
        additive = jax.eval_shape(lambda path, x: blend(path(jnp.zeros(())), x), path, X)
        measured = features.commutativity(found, residual, a, b, X, SMALL)
    assert set(additive) == {"in/0", "in/1", "a"}
    assert set(measured) == {*additive, "outputs"}
    streams = [(X @ each["in"]).clip(0) for each in (a, b)]
    inner = [(h @ each["a"]).clip(0) for h, each in zip(streams, (a, b), strict=True)]
    product = (inner[0] - inner[1]) @ (a["b"] - b["b"])
    # The identity that is added has no weights: it commutes.
    assert measured["in/1"].norm == pytest.approx(np.sqrt(square(product) / len(X)), rel=1e-9)
    assert measured["in/0"].norm == 0


def test_pre_activations_that_vanish_are_refused():
    zero = network(0)
    for leaf in zero["params"]["Dense_0"].values():
        leaf[:] = 0
    with pytest.raises(DataError, match="pre-activations of layer 'Dense_0' are zero"):
        commutes(zero, zero)


def defect(of, x, others, steps=STEPS, params=A):
    with jax.enable_x64(True):
        return features.linearity_defect(of, params, x, others, steps, SMALL)


def test_the_defect_is_the_second_difference_over_the_first():
    others = inputs(1)
    found = defect(units(), X, others)
    for row, step in enumerate(STEPS):
        places = [(X + others) / 2 + place * step * (others - X) / 2 for place in (-1, 0, 1)]
        low, middle, high = (after(A, each) for each in places)
        for layer, values in found.items():
            second = square(low[layer] - 2 * middle[layer] + high[layer])
            expected = second / square(high[layer] - low[layer])
            assert values[row] == pytest.approx(expected, rel=1e-8, abs=1e-12)


def test_the_first_pre_activation_is_affine_and_what_follows_is_not():
    found = defect(units("before"), X, X[::-1])
    np.testing.assert_allclose(found["Dense_0"], 0, atol=1e-20)
    assert found["Dense_1"].min() > 1e-3


def test_of_a_quadratic_map_the_defect_grows_with_the_square_of_the_step():
    def squares(params, x):
        return {"layer": params * x + x**2}

    found = defect(squares, X, X[::-1], np.array([0.25, 0.5, 1.0]), np.float64(1))["layer"]
    np.testing.assert_allclose(found[1:] / found[:-1], 4, rtol=1e-6)


def test_pairs_of_the_same_input_are_refused():
    with pytest.raises(DataError, match=r"'Dense_0' are the same on both sides .* step of 0.125"):
        defect(units(), X, X)
