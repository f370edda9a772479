"""A tree of arrays as one row of bytes with a checksum: what a checkpoint holds."""

import zlib
from collections.abc import Iterable
from typing import Any

import jax
import numpy as np
from jaxtyping import UInt8

from mconn.types import PyTree

CHECKSUM_BYTES = 4


def pack(tree: PyTree) -> UInt8[np.ndarray, " bytes"]:
    """The bytes of all leaves, one after the other, and their CRC-32.

    Orbax spends a millisecond on every array of a checkpoint, longer than a small network needs
    for a step; and it returns an array whose bytes have changed on the disk without a word.
    """
    leaves = [np.ravel(leaf).view(np.uint8) for leaf in jax.tree.leaves(jax.device_get(tree))]
    return np.concatenate([*leaves, checksum(leaves)])


def packed_size(like: PyTree) -> int:
    """How many bytes ``pack`` makes of a tree like this one."""
    sizes = [leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(like)]
    return sum(sizes) + CHECKSUM_BYTES


def unpack(packed: UInt8[np.ndarray, " bytes"], like: PyTree) -> PyTree:
    """The tree that was packed, on the host.

    Args:
        packed: what ``pack`` returned.
        like: a tree of arrays or ``jax.ShapeDtypeStruct`` with the structure of the packed one.

    Raises:
        ValueError: if the checksum is not that of the bytes.
    """
    content, stored = packed[:-CHECKSUM_BYTES], packed[-CHECKSUM_BYTES:]
    if not np.array_equal(checksum([content]), stored):
        raise ValueError("the checksum does not fit the content")
    start = 0

    def take(leaf: Any) -> np.ndarray:
        nonlocal start
        array = np.frombuffer(content.data, leaf.dtype, leaf.size, start).reshape(leaf.shape)
        start += array.nbytes
        return array.copy()  # aligned, and free of the other leaves

    return jax.tree.map(take, like)


def checksum(parts: Iterable[UInt8[np.ndarray, " _"]]) -> UInt8[np.ndarray, "4"]:
    """The CRC-32 of some bytes that follow each other, as four more."""
    value = 0
    for part in parts:
        value = zlib.crc32(part.tobytes(), value)
    return np.frombuffer(value.to_bytes(CHECKSUM_BYTES), np.uint8)
