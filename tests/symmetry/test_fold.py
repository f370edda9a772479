"""Scales that are folded into the weights let a stream be rotated."""

import jax
import numpy as np
import pytest
from symmetry_zoo import discovered, linen, pure, tokens, vectors

from mconn import symmetry
from mconn.errors import StructureError
from mconn.models import Llama
from mconn.trees import named_leaves


def test_a_llama_without_scales_can_be_rotated(key):
    model = Llama(depth=1, width=8, heads=2, key_heads=1, hidden=5, vocabulary=11)
    case = linen(model, tokens())
    group = discovered(case)
    assert group["Embed_0"].kind == "permutation"
    apply, params = symmetry.fold(group, case.apply, case.params)
    scales = [leaf for name, leaf in named_leaves(params).items() if name.endswith("scale")]
    assert len(scales) == 3
    for scale in scales:
        np.testing.assert_allclose(scale, 1, rtol=1e-6)
    both = jax.jit(lambda one, other: (apply(one, *case.inputs), case.apply(other, *case.inputs)))
    np.testing.assert_allclose(*both(params, case.params), rtol=1e-3, atol=1e-4)
    folded = symmetry.discover(apply, params, *case.inputs)
    stream = folded["Embed_0"]
    assert (stream.kind, stream.dimension) == ("orthogonal", 8 * 7 // 2)
    assert not any("RMSNorm" in generator.name for generator in folded.generators)
    symmetry.certify(folded, apply, params, *case.inputs, key=key).check()


SHAPES = {"w": (4, 6), "scale": (6,), "out": (6, 3)}


def scaled(params, x):
    h = x @ params["w"]
    h = h * jax.lax.rsqrt((h * h).mean(-1, keepdims=True) + 1e-6)
    return h * params["scale"] @ params["out"]


def layer_norm(params, x):
    h = x @ params["w"]
    h = h - h.mean(-1, keepdims=True)
    h = h * jax.lax.rsqrt((h * h).mean(-1, keepdims=True) + 1e-6)
    return jax.nn.relu(h * params["scale"] + params["bias"]) @ params["out"]


RMS = pure(scaled, SHAPES, vectors())
LAYER = pure(layer_norm, SHAPES | {"bias": (6,)}, vectors())


def test_under_jit():
    group = discovered(RMS)

    @jax.jit
    def outputs(params, x):
        apply, folded = symmetry.fold(group, scaled, params)
        return apply(folded, x), scaled(params, x)

    np.testing.assert_allclose(*outputs(RMS.params, *RMS.inputs), rtol=1e-4, atol=1e-5)


def test_a_layer_norm_has_a_bias_that_a_scale_cannot_be_folded_past_unasked():
    _, params = symmetry.fold(discovered(LAYER), layer_norm, LAYER.params)
    jax.tree.map(np.testing.assert_array_equal, params, LAYER.params)


@pytest.mark.parametrize(
    ("case", "change", "leaf", "message"),
    [
        (RMS, lambda v: v, "w", "'w' is no vector that a scaling multiplies"),
        (RMS, lambda v: v, "nothing", "'nothing' is no vector that a scaling multiplies"),
        (RMS, lambda v: v * 0, "scale", "has an entry of zero"),
        (LAYER, lambda v: -np.abs(v), "scale", "has a negative entry, and no sign generator"),
    ],
)
def test_what_cannot_be_folded_names_the_leaf(case, change, leaf, message):
    params = jax.tree.map(change, case.params)
    with pytest.raises(StructureError, match=message):
        symmetry.fold(discovered(case), case.apply, params, [leaf])
