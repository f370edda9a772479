import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mconn import features, paths, symmetry
from mconn.errors import DataError, StructureError
from tests.features.perceptrons import (
    INPUTS,
    after,
    apply,
    before,
    dense,
    group,
    inputs,
    network,
    square,
)

TS = np.array([0.0, 0.3, 0.5, 1.0])
A, B = network(0), network(1)


def commuting_pair():
    """Two networks whose nonlinearities are additive and whose weights commute.

    The units of layer 1 have the same directions and differ in scale, the first three of them, so
    that they are active on the same inputs. Layer 2 differs only in what it reads from the other
    three, and all its units are active; so the outputs must read it alike.
    """
    a, b = network(2), network(2)
    scale = np.array([0.5, 2.0, 3.0, 1.0, 1.0, 1.0])
    b["first"] = {"kernel": a["first"]["kernel"] * scale, "bias": a["first"]["bias"] * scale}
    b["second"]["kernel"][3:] = network(3)["second"]["kernel"][3:]
    for each in (a, b):
        each["second"]["bias"] = each["second"]["bias"] + 100
    return a, b


def additivity(a, b, x):
    with jax.enable_x64(True):
        return features.weak_additivity(group(), apply, paths.line(a, b), TS, x, batch_size=16)


def commutes(a, b, x):
    with jax.enable_x64(True):
        return features.commutativity(group(), apply, a, b, x, batch_size=16)


def connectivity(a, b, x):
    with jax.enable_x64(True):
        of = features.WithOutputs(features.Units(group(), apply), apply)
        return features.coupling_along(of, paths.line(a, b), TS, x, rotations=False)


def test_additivity_compares_the_nonlinearity_of_the_blend_with_the_blend():
    x = inputs(40)
    found = additivity(A, B, x)
    assert set(found) == {"first", "second"}
    for row, t in enumerate(TS.astype(np.float32)):
        for layer, each in found.items():
            z0, z1 = before(A, x)[layer], before(B, x)[layer]
            bent = ((1 - t) * z0 + t * z1).clip(0)
            blend = (1 - t) * z0.clip(0) + t * z1.clip(0)
            expected = square(bent - blend) / square(bent)
            np.testing.assert_allclose(each.blend_distance[row], expected, rtol=1e-9, atol=1e-14)


def test_commutativity_is_the_product_of_the_differences():
    x = inputs(40)
    found = commutes(A, B, x)
    assert set(found) == {"first", "second", "outputs"}
    assert found["first"].distance == found["first"].norm == 0
    for layer, name, read in (("second", "second", "first"), ("outputs", "last", "second")):
        of_a, of_b = after(A, x)[read], after(B, x)[read]
        product = (of_a - of_b) @ (A[name]["kernel"] - B[name]["kernel"])
        straight = dense(A[name], of_a) + dense(B[name], of_b)
        crossed = dense(A[name], of_b) + dense(B[name], of_a)
        scale = np.sqrt(square(straight) * square(crossed))
        assert found[layer].distance == pytest.approx(square(product) / scale, rel=1e-9)
        assert found[layer].norm == pytest.approx(np.sqrt(square(product) / 40), rel=1e-9)


def test_weak_additivity_and_commutativity_give_exactly_the_blend_of_the_features():
    """Zhou et al. 2023, theorem 1; both networks and both conditions are no trivial ones."""
    a, b = commuting_pair()
    x = inputs(40)
    assert square(np.asarray(apply(a, x)) - np.asarray(apply(b, x))) > 1
    for each in additivity(a, b, x).values():
        np.testing.assert_allclose(each.blend_distance, 0, atol=1e-24)
    for each in commutes(a, b, x).values():
        assert each.distance < 1e-24
    for each in connectivity(a, b, x).values():
        np.testing.assert_allclose(each.blend_distance, 0, atol=1e-24)
        np.testing.assert_allclose(each.coefficient, 1, rtol=1e-12)
        assert each.end_cosine_distance.max() > 1e-6


def test_without_them_the_features_are_no_blend():
    x = inputs(40)
    assert all(each.blend_distance[2] > 0.01 for each in additivity(A, B, x).values())
    assert min(commutes(A, B, x)[layer].distance for layer in ("second", "outputs")) > 0.1
    assert all(each.blend_residual[2] > 0.01 for each in connectivity(A, B, x).values())


def test_the_same_network_commutes_with_itself():
    assert all(each.distance == 0 for each in commutes(A, A, inputs(20)).values())


def some_networks(shapes):
    return [
        {name: np.random.default_rng(seed).normal(size=shape) for name, shape in shapes.items()}
        for seed in range(2)
    ]


def test_a_parameter_between_keeps_a_layer_out():
    def scaled(params, x):
        return (jnp.maximum(x @ params["a"], 0) * params["scale"]) @ params["b"]

    a, b = some_networks({"a": (INPUTS, 3), "scale": 3, "b": (3, 2)})
    x = inputs(20)
    with jax.enable_x64(True):
        found = symmetry.permutations(symmetry.discover(scaled, a, x))
        assert found.generators
        with pytest.raises(StructureError, match="no layer's nonlinearity stands alone"):
            features.weak_additivity(found, scaled, paths.line(a, b), TS, x)


def test_layers_of_a_residual_network_are_taken_alone():
    def residual(params, x):
        stream = jnp.maximum(x @ params["in"], 0)
        stream = jnp.maximum(stream + jnp.maximum(stream @ params["a"], 0) @ params["b"], 0)
        return stream @ params["out"]

    a, b = some_networks({"in": (INPUTS, 4), "a": (4, 3), "b": (3, 4), "out": (4, 2)})
    x = inputs(20)
    with jax.enable_x64(True):
        found = symmetry.permutations(symmetry.discover(residual, a, x))
        additive = features.weak_additivity(found, residual, paths.line(a, b), TS, x)
        measured = features.commutativity(found, residual, a, b, x)
    assert set(additive) == {"in/0", "in/1", "a"}
    assert set(measured) == {*additive, "outputs"}
    streams = [(x @ each["in"]).clip(0) for each in (a, b)]
    inner = [(h @ each["a"]).clip(0) for h, each in zip(streams, (a, b), strict=True)]
    product = (inner[0] - inner[1]) @ (a["b"] - b["b"])
    # The identity that is added has no weights: it commutes.
    assert measured["in/1"].norm == pytest.approx(np.sqrt(square(product) / 20), rel=1e-9)
    assert measured["in/0"].norm == 0


def test_pre_activations_that_vanish_are_refused():
    def silent(params, x):
        return jnp.maximum(x @ params["a"], 0) @ params["b"]

    zero = {"a": np.zeros((INPUTS, 3), np.float32), "b": np.ones((3, 2), np.float32)}
    some = {**zero, "a": np.ones((INPUTS, 3), np.float32)}
    x = inputs(8, dtype=np.float32)
    found = symmetry.discover(silent, some, x)
    with pytest.raises(DataError, match="pre-activations of layer"):
        features.commutativity(found, silent, zero, zero, x)
