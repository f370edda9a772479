import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as arrays

from mconn.training.packing import pack, packed_size, unpack

DTYPES = (np.float32, np.float64, np.int32, np.uint32, np.bool_)
LEAVES = st.sampled_from(DTYPES).flatmap(
    lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, max_dims=3, max_side=4))
)


@settings(max_examples=100, deadline=None)
@given(leaves=st.lists(LEAVES, min_size=1, max_size=6))
def test_a_tree_comes_back_bit_for_bit(leaves):
    tree = {"a": tuple(leaves[::2]), "b": {"c": leaves[1::2]}}
    packed = pack(tree)
    assert packed.size == packed_size(tree)
    again = unpack(packed, tree)
    assert jax.tree.structure(again) == jax.tree.structure(tree)
    for leaf, other in zip(jax.tree.leaves(tree), jax.tree.leaves(again), strict=True):
        assert (leaf.shape, leaf.dtype) == (other.shape, other.dtype)
        assert leaf.tobytes() == other.tobytes()


def test_arrays_on_a_device_and_bfloat16_are_packed():
    tree = {"w": jnp.arange(6, dtype=jnp.bfloat16).reshape(2, 3), "n": jnp.int32(4)}
    again = unpack(pack(tree), jax.eval_shape(lambda: tree))
    np.testing.assert_array_equal(again["w"], tree["w"])
    assert again["n"] == 4


def test_a_changed_bit_is_noticed():
    tree = {"w": np.arange(9, dtype=np.float32), "n": np.arange(3, dtype=np.int32)}
    packed = pack(tree)
    packed[5] ^= 1
    with pytest.raises(ValueError, match="checksum"):
        unpack(packed, tree)
