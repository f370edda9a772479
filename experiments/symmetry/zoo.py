"""Architectures as families in depth and width, with closed forms of the size of their groups.

A closed form counts, from the architecture alone, what can be done to the weights without changing
the function: it is written down independently of how the group is discovered.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from experiments.symmetry.group_count import GroupCount, permutations_of
from experiments.symmetry.stacks import Stack
from mconn.models import GPT2, MLP, VGG16, BasicBlock, Bottleneck, Llama, ResNet

VECTORS = jax.ShapeDtypeStruct((2, 784), jnp.float32)
IMAGES = jax.ShapeDtypeStruct((2, 32, 32, 3), jnp.float32)
TOKENS = jax.ShapeDtypeStruct((2, 16), jnp.int32)

FamilyName = Literal[
    "MLP, ReLU", "MLP, tanh", "CNN", "VGG16", "ResNet-20", "ResNet-50", "GPT-2", "Llama"
]

HEAD = 64
"""Entries of an attention head of GPT-2."""


@dataclass(frozen=True)
class Family:
    """One architecture at every depth and width.

    Attributes:
        build: the network of a depth and a width.
        inputs: what it is applied to.
        count: the closed form of its group.
        dimension: the closed form of its continuous part, in words.
        layers: its hidden layers, or blocks of a transformer, for a depth.
    """

    build: Callable[[int, int], nn.Module]
    inputs: jax.ShapeDtypeStruct
    count: Callable[[int, int], GroupCount]
    dimension: str
    layers: Callable[[int], int] = lambda depth: depth


def count_relu(depth: int, width: int) -> GroupCount:
    """Hidden ReLU units are permuted, and each is scaled by a positive number."""
    return GroupCount(permutations_of((width, depth)), dimension=depth * width)


def count_tanh(depth: int, width: int) -> GroupCount:
    """Hidden tanh units are permuted, and each can change its sign (Chen et al. 1993)."""
    return GroupCount(permutations_of((width, depth)), signs=depth * width)


def count_convolutions(depth: int, width: int) -> GroupCount:
    """As for dense layers: a stack of blocks has an input layer and two layers per block."""
    return count_relu(2 * depth + 1, width)


def count_vgg(depth: int, width: int) -> GroupCount:
    """LayerNorm's scale and bias make up for the scaling of a channel after it."""
    del depth
    layers = ((width, 2), (2 * width, 2), (4 * width, 3), (8 * width, 6 + 2))
    return GroupCount(
        permutations_of(*layers), dimension=sum(channels * count for channels, count in layers)
    )


def count_resnet(
    blocks: Sequence[int], width: int, bottleneck: bool = False, skip: bool = True
) -> GroupCount:
    """Sizes for `ResNet`, in use: running means and variances are parameters.

    A convolution's channel is multiplied by any number if its running mean is, too, and BatchNorm's
    scale is divided by it: one scaling and one sign for every channel of every BatchNorm. What a
    ReLU sees is scaled by a positive number, once for every unit that is permuted by itself: those
    inside a block, and those of a stream, which all blocks of a stage share.
    """
    expansion = 4 if bottleneck else 1
    inside = 2 if bottleneck else 1
    normalised, permuted, stream = width, [], width
    permuted.append((width, 1))
    for stage, count in enumerate(blocks):
        channels = width * 2**stage
        wide = expansion * channels
        normalised += count * (inside * channels + wide)
        permuted.append((channels, count * inside))
        if not skip:
            permuted.append((wide, count))
        elif wide != stream:
            normalised += wide
            permuted.append((wide, 1))
        stream = wide
    units = sum(size * count for size, count in permuted)
    return GroupCount(permutations_of(*permuted), signs=normalised, dimension=normalised + units)


def count_basic_resnet(depth: int, width: int) -> GroupCount:
    """ResNet-20 and its kind: three stages of ``depth`` blocks."""
    return count_resnet((depth,) * 3, width)


def count_bottleneck_resnet(depth: int, width: int) -> GroupCount:
    """ResNet-50 and its kind: ``depth`` blocks in the third stage."""
    return count_resnet((3, 4, depth, 3), width, bottleneck=True)


def count_gpt2(depth: int, width: int) -> GroupCount:
    """The stream is permuted; each layer has its heads, their matrices and its hidden units.

    Queries and keys of a head can be multiplied by any invertible matrix and its inverse transpose,
    values and the mixed output as well. The scale and bias of a LayerNorm can be moved into the
    next layer, with either sign, but for the last one, whose next layer is the tied embedding.
    """
    heads = width // HEAD
    return GroupCount(
        permutations_of((width, 1), (heads, depth), (4 * width, depth)),
        signs=depth * 2 * width,
        matrices=depth * 2 * heads,
        dimension=depth * (2 * heads * HEAD**2 + 2 * width),
    )


def count_llama(depth: int, width: int) -> GroupCount:
    """As for GPT-2, but for rotary positions, RMSNorm, SwiGLU and an output layer of its own.

    Rotary positions leave of the matrices of queries and keys only those that commute with the
    rotations: a turn and a scaling of each pair of entries. The stream has signs, too, for RMSNorm
    subtracts no mean; the hidden units have scalings and signs, for the gate multiplies something
    linear. There is one RMSNorm before the logits.
    """
    heads, hidden = llama_sizes(width)
    size = width // heads
    return GroupCount(
        permutations_of((width, 1), (heads, depth), (hidden, depth)),
        signs=width + (2 * depth + 1) * width + depth * hidden,
        matrices=depth * heads,
        dimension=(2 * depth + 1) * width + depth * (heads * size**2 + heads * size + hidden),
    )


def llama_sizes(width: int) -> tuple[int, int]:
    """Heads of 128 entries (but at least two) and hidden units: 11008 at width 4096."""
    return max(2, width // 128), width * 11008 // 4096


def llama(depth: int, width: int) -> Llama:
    """Llama of a width, with keys of its own for every head."""
    heads, hidden = llama_sizes(width)
    return Llama(depth, width, heads, heads, hidden)


FAMILIES: dict[FamilyName, Family] = {
    "MLP, ReLU": Family(
        lambda depth, width: MLP(width, depth),
        VECTORS,
        count_relu,
        "the dimension is the number of hidden units",
    ),
    "MLP, tanh": Family(
        lambda depth, width: MLP(width, depth, activation="tanh"),
        VECTORS,
        count_tanh,
        "the dimension is zero, and there is a sign for every hidden unit",
    ),
    "CNN": Family(
        lambda depth, width: Stack(depth, width, layer="convolution"),
        IMAGES,
        count_convolutions,
        "the dimension is the number of hidden channels",
        lambda depth: 2 * depth + 1,
    ),
    "VGG16": Family(
        lambda depth, width: VGG16(width),
        IMAGES,
        count_vgg,
        "the dimension is the number of hidden channels and units",
        lambda depth: 15,
    ),
    "ResNet-20": Family(
        lambda depth, width: ResNet((depth,) * 3, width, BasicBlock),
        IMAGES,
        count_basic_resnet,
        "the dimension is 7 (3 b + 2) times the width, with b blocks per stage",
        lambda depth: 6 * depth + 1,
    ),
    "ResNet-50": Family(
        lambda depth, width: ResNet((3, 4, depth, 3), width, Bottleneck, classes=1000),
        IMAGES,
        count_bottleneck_resnet,
        "a dimension for every channel that is normalised, and for every permuted one",
        lambda depth: 3 * (depth + 10) + 1,
    ),
    "GPT-2": Family(
        lambda depth, width: GPT2(depth, width, width // HEAD),
        TOKENS,
        count_gpt2,
        "the dimension of a layer is 2 d^2 for every head of d entries, and twice the width",
    ),
    "Llama": Family(
        llama,
        TOKENS,
        count_llama,
        "the dimension of a layer is d^2 + d for every head of d entries, twice the width, and the "
        "hidden units; that of the last RMSNorm is the width",
    ),
}


Kind = Literal["linear", "ReLU MLP", "ReLU CNN", "ResNet"]
"""Kinds of stacks."""


def build(kind: Kind, depth: int, width: int, skip: bool) -> tuple[nn.Module, jax.ShapeDtypeStruct]:
    """A stack of blocks, or a ResNet with three stages of as many, and the shape of two examples.

    Args:
        kind: of layers.
        depth: blocks.
        width: units of every layer, or channels of a ResNet's first stage.
        skip: whether there are skip connections.
    """
    images = kind in ("ResNet", "ReLU CNN")
    shape = jax.ShapeDtypeStruct((2, 16, 16, 3) if images else (2, 20), jnp.float32)
    if kind == "ResNet":
        shortcut = "projection" if skip else "none"
        return ResNet((depth,) * 3, width, BasicBlock, shortcut=shortcut), shape
    layer = "convolution" if images else "dense"
    return Stack(depth, width, skip, layer=layer, linear=kind == "linear"), shape


def closed_form(kind: Kind, depth: int, width: int, skip: bool) -> GroupCount:
    """The size of the group: of 2 L + 1 hidden layers a skip leaves L + 1 that can be moved."""
    if kind == "ResNet":
        return count_resnet((depth,) * 3, width, skip=skip)
    free = depth + 1 if skip else 2 * depth + 1
    if kind == "linear":
        return GroupCount(matrices=free, dimension=free * width**2)
    return GroupCount(permutations_of((width, free)), dimension=free * width)
