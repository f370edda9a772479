"""Scales that are folded into the weights let a stream be rotated."""

import flax.linen as nn
import jax
import numpy as np
import pytest
from symmetry_architectures import ARCHITECTURES
from symmetry_zoo import MLP, linen, vectors

from mconn import symmetry
from mconn.errors import StructureError
from mconn.trees import named_leaves


def discovered(case):
    return symmetry.discover(case.apply, case.params, *case.inputs)


def test_a_llama_without_scales_can_be_rotated(key):
    case = ARCHITECTURES["llama"]()
    group = discovered(case)
    assert group["Embed_0"].kind == "permutation"
    apply, params = symmetry.fold(group, case.apply, case.params)
    scales = [leaf for name, leaf in named_leaves(params).items() if name.endswith("scale")]
    assert len(scales) == 5
    for scale in scales:
        np.testing.assert_allclose(scale, 1, rtol=1e-6)
    expected = case.apply(case.params, *case.inputs)
    np.testing.assert_allclose(apply(params, *case.inputs), expected, rtol=1e-3, atol=1e-4)
    folded = symmetry.discover(apply, params, *case.inputs)
    stream = folded["Embed_0"]
    assert (stream.kind, stream.dimension) == ("orthogonal", 24 * 23 // 2)
    assert not any("RMSNorm" in generator.name for generator in folded.generators)
    symmetry.certify(folded, apply, params, *case.inputs, key=key).check()


class Scaled(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(3)(nn.RMSNorm()(nn.Dense(6)(x)))


def test_under_jit():
    case = linen(Scaled(), vectors())
    group = discovered(case)

    @jax.jit
    def outputs(params, x):
        apply, folded = symmetry.fold(group, case.apply, params)
        return apply(folded, x), case.apply(params, x)

    np.testing.assert_allclose(*outputs(case.params, *case.inputs), rtol=1e-4, atol=1e-5)


def test_a_layer_norm_has_a_bias_that_a_scale_cannot_be_folded_past_unasked():
    case = linen(MLP(normaliser="layer"), vectors())
    group = discovered(case)
    _, params = symmetry.fold(group, case.apply, case.params)
    jax.tree.map(np.testing.assert_array_equal, params, case.params)


@pytest.mark.parametrize(
    ("change", "leaf", "message"),
    [
        (lambda v: v, "params/Dense_0/bias", "is no vector that a scaling multiplies"),
        (lambda v: v, "nothing", "'nothing' is no vector that a scaling multiplies"),
        (lambda v: v * 0, "params/RMSNorm_0/scale", "has an entry of zero"),
    ],
)
def test_what_cannot_be_folded_names_the_leaf(change, leaf, message):
    case = linen(Scaled(), vectors())
    params = jax.tree.map(change, case.params)
    with pytest.raises(StructureError, match=message):
        symmetry.fold(discovered(case), case.apply, params, [leaf])


def test_a_negative_entry_needs_a_sign():
    case = linen(MLP(normaliser="layer"), vectors())
    params = jax.tree.map(lambda leaf: -np.abs(leaf), case.params)
    with pytest.raises(StructureError, match="has a negative entry, and no sign generator"):
        symmetry.fold(discovered(case), case.apply, params, ["params/LayerNorm_0/scale"])
