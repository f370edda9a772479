"""What each network of the zoo must have: the generators by kind, with their sizes.

``query#2 2 x 4`` is a generator of 4 units inside each of 2 copies; a scaling or a sign is named
without its kind.
"""

from collections.abc import Iterator

from mconn.symmetry import Group

Table = dict[str, dict[str, str]]


def table(group: Group) -> Table:
    """The generators of a group in the form of the tables."""
    found: Table = {}
    for generator in group.generators:
        copies = [fibre.size for fibre in generator.fibres]
        size = " x ".join(map(str, [*copies, generator.size]))
        found.setdefault(generator.kind, {})[generator.name.replace(f" {generator.kind}", "")] = (
            size
        )
    return found


def residual(block: str, inner: int, blocks: tuple[int, ...], width: int, wide: int) -> Table:
    """The table of a ResNet with BatchNorm and projections.

    BatchNorm divides the scale and the sign of every convolution out, but for its statistics; its
    own scale goes through the ReLU to the next convolutions. A stream has one scale, that of all
    its blocks.
    """
    convolutions, streams, inside = {"Conv_0": width}, {"Conv_0": width}, {}
    scales = {"BatchNorm_0": width}
    for stage, i, name in numbered(block, blocks):
        narrow, outer = width * 2**stage, wide * 2**stage
        inside |= {f"{name}/Conv_{j}": narrow for j in range(inner)}
        scales |= {f"{name}/BatchNorm_{j}": narrow for j in range(inner)}
        convolutions |= {f"{name}/Conv_{inner}": outer}
        if i == 0 and (stage > 0 or wide != width):
            streams[f"{name}/Conv_{inner}"] = outer
            scales[f"{name}/BatchNorm_{inner}"] = outer
            convolutions[f"{name}/shortcut"] = outer
    convolutions |= inside
    found = {
        "permutation": streams | inside,
        "scaling": convolutions | scales,
        "sign": convolutions,
    }
    return {kind: {name: str(n) for name, n in sizes.items()} for kind, sizes in found.items()}


def numbered(block: str, blocks: tuple[int, ...]) -> Iterator[tuple[int, int, str]]:
    """The stage, the place in the stage and the name of every block."""
    places = [(stage, i) for stage, count in enumerate(blocks) for i in range(count)]
    for number, (stage, i) in enumerate(places):
        yield stage, i, f"{block}_{number}"


TEXT = """
mlp relu
    permutation, scaling: Dense_0 6, Dense_1 7
mlp tanh
    permutation, sign: Dense_0 6, Dense_1 7
mlp gelu
    permutation: Dense_0 6, Dense_1 7
mlp leaky relu
    permutation, scaling: Dense_0 6, Dense_1 7
mlp silu
    permutation: Dense_0 6, Dense_1 7
mlp identity
    general linear: Dense_0 6, Dense_1 7
mlp softplus
    permutation: Dense_0 6, Dense_1 7
mlp layer norm
    permutation: Dense_0 6, Dense_1 7
    scaling: LayerNorm_0 6, LayerNorm_1 7
mlp batch norm
    permutation, sign: Dense_0 6, Dense_1 7
    scaling: Dense_0 6, BatchNorm_0 6, Dense_1 7, BatchNorm_1 7
mlp batch norm training
    permutation, sign: Dense_0 6, Dense_1 7
    scaling: BatchNorm_0 6, BatchNorm_1 7
cnn
    permutation, scaling: Conv_0 4, Conv_1 6, Dense_0 5
cnn layer norm
    permutation: Conv_0 4, Conv_1 6, Dense_0 5
    scaling: LayerNorm_0 4, LayerNorm_1 6, Dense_0 5
cnn batch norm
    permutation: Conv_0 4, Conv_1 6, Dense_0 5
    scaling: Conv_0 4, BatchNorm_0 4, Conv_1 6, BatchNorm_1 6, Dense_0 5
    sign: Conv_0 4, Conv_1 6
cnn instance norm
    permutation: Conv_0 4, Conv_1 6, Dense_0 5
    scaling: InstanceNorm_0 4, InstanceNorm_1 6, Dense_0 5
    sign: Conv_0 4, Conv_1 6
cnn average pool
    permutation, scaling: Conv_0 4, Conv_1 6, Dense_0 5
cnn group norm
    permutation: Conv_0 2, Conv_0#2 2 x 2, Conv_1 2, Conv_1#2 2 x 3, Dense_0 5
    sign: Conv_0 2, Conv_1 2
    scaling: GroupNorm_0 2 x 2, GroupNorm_1 2 x 3, Dense_0 5
residual mlp
    permutation: Dense_0 6, Dense_1 7, Dense_3 7
    scaling: LayerNorm_0 6, LayerNorm_1 6, Dense_1 7, Dense_3 7
    sign: LayerNorm_0 6, LayerNorm_1 6
resnet projection
    permutation: Conv_0 4, Conv_1 4, Conv_3 8, Conv_4 8
    scaling: LayerNorm_0 4, LayerNorm_1 4, LayerNorm_3 8, LayerNorm_4 8
resnet padding
    permutation: Conv_0 4, Conv_1 4, Conv_3 8, Conv_4 2, Conv_4#2 2
    scaling: LayerNorm_0 4, LayerNorm_1 4, LayerNorm_3 8
densenet
    permutation, scaling: Conv_0 4, Conv_1 3, Conv_2 3
densenet flatten
    permutation, scaling: Conv_0 4, Conv_1 3, Conv_2 3
separable convolutions
    permutation: Conv_0 4, Conv_1 4 x 2, Conv_2 6
    scaling: Conv_0 4, Conv_1 4 x 2, Conv_2 6, Conv_3 6
squeeze and excitation
    permutation, scaling: Conv_0 4, Dense_0 3
root mean square norm
    orthogonal: Dense_0 6
    permutation: Dense_2 5, Dense_4 5
attention
    permutation: Dense_0 6, MultiHeadDotProductAttention_0/query 2
    scaling, sign: LayerNorm_0 6
    general linear: MultiHeadDotProductAttention_0/query#2 2 x 4,
        MultiHeadDotProductAttention_0/value 2 x 4
lstm
    permutation, sign: OptimizedLSTMCell_0/hi 3
gru
    permutation: GRUCell_0/ir 3
    sign: GRUCell_0/hr 3
vision transformer
    permutation: Conv_0 4, MultiHeadDotProductAttention_0/query 2, Dense_1 7
    scaling, sign: LayerNorm_1 4, LayerNorm_2 4, LayerNorm_0 4
    general linear: MultiHeadDotProductAttention_0/query#2 2 x 3,
        MultiHeadDotProductAttention_0/value 2 x 3
half precision
    permutation, sign: Dense_0 6, Dense_1 7
scanned layers
    general linear: Dense_1 4
    permutation, sign: ScanBlock_0/Dense_0 3 x 2
named tuples
    permutation, sign: 0 6
lists
    permutation: 0 6, 1 7
tied autoencoder
    permutation: w 6
recurrent
    permutation, sign: in 6
low rank
    permutation, scaling: b 6
    general linear: a 2
gated
    permutation, scaling, sign: in 6
summed products
    general linear: w 6
committee
    permutation: w 6
softmax
    permutation: w 6
sort
    permutation: w 6
cond
    permutation: w 6
loop
    permutation, sign: w 6
scan over time
    permutation, sign: in 6
wrapped
    permutation, sign: w 6
u-net
    permutation: Conv_0 3, Conv_1 4, Conv_3 5
    general linear: ConvTranspose_0 2
mlp-mixer
    permutation: Conv_0 3, Dense_1 5, Dense_3 2
    scaling, sign: LayerNorm_1 3, LayerNorm_2 3
mixture of experts
    general linear: Dense_0 4
    permutation: Dense_1 3, params/up 3 x 2
gpt-2
    permutation: Embed_0 8, GPT2Block_0/Dense_0 2, GPT2Block_0/Dense_3 32, GPT2Block_1/Dense_0 2,
        GPT2Block_1/Dense_3 32
    scaling, sign: GPT2Block_0/LayerNorm_0 8, GPT2Block_0/LayerNorm_1 8, GPT2Block_1/LayerNorm_0
        8, GPT2Block_1/LayerNorm_1 8
    general linear: GPT2Block_0/Dense_0#2 2 x 4, GPT2Block_0/Dense_0#3 2 x 4,
        GPT2Block_1/Dense_0#2 2 x 4, GPT2Block_1/Dense_0#3 2 x 4
llama
    permutation: Embed_0 24, LlamaBlock_0/query 2, LlamaBlock_0/query#2 2 x 3, LlamaBlock_0/gate
        10, LlamaBlock_1/query 2, LlamaBlock_1/query#2 2 x 3, LlamaBlock_1/gate 10
    scaling: LlamaBlock_0/RMSNorm_0 24, LlamaBlock_0/RMSNorm_1 24, LlamaBlock_1/RMSNorm_0 24,
        LlamaBlock_1/RMSNorm_1 24, RMSNorm_0 24, LlamaBlock_0/query 2 x 2, LlamaBlock_0/up 10,
        LlamaBlock_1/query 2 x 2, LlamaBlock_1/up 10
    sign: Embed_0 24, LlamaBlock_0/RMSNorm_0 24, LlamaBlock_0/RMSNorm_1 24, LlamaBlock_1/RMSNorm_0
        24, LlamaBlock_1/RMSNorm_1 24, RMSNorm_0 24, LlamaBlock_0/up 10, LlamaBlock_1/up 10
    rotation: LlamaBlock_0/query 2 x 2 x 2, LlamaBlock_1/query 2 x 2 x 2
    general linear: LlamaBlock_0/value 2 x 4, LlamaBlock_1/value 2 x 4
vgg16
    permutation: Conv_0 2, Conv_1 2, Conv_2 4, Conv_3 4, Conv_4 8, Conv_5 8, Conv_6 8, Conv_7 16,
        Conv_8 16, Conv_9 16, Conv_10 16, Conv_11 16, Conv_12 16, Dense_0 16, Dense_1 16
    scaling: LayerNorm_0 2, LayerNorm_1 2, LayerNorm_2 4, LayerNorm_3 4, LayerNorm_4 8,
        LayerNorm_5 8, LayerNorm_6 8, LayerNorm_7 16, LayerNorm_8 16, LayerNorm_9 16, LayerNorm_10
        16, LayerNorm_11 16, LayerNorm_12 16, Dense_0 16, Dense_1 16
deep resnet padding
    permutation: Conv_0 2, BasicBlock_0/Conv_0 2, BasicBlock_1/Conv_0 4, BasicBlock_2/Conv_0 8,
        BasicBlock_2/Conv_1 2, BasicBlock_2/Conv_1#2 2
    scaling: BasicBlock_0/Conv_1 2, BasicBlock_1/Conv_1 2, BasicBlock_2/Conv_1 2, Conv_0 2,
        BatchNorm_0 2, BasicBlock_0/Conv_0 2, BasicBlock_0/BatchNorm_0 2, BasicBlock_1/Conv_0 4,
        BasicBlock_1/BatchNorm_0 4, BasicBlock_2/Conv_0 8, BasicBlock_2/BatchNorm_0 8,
        BasicBlock_2/Conv_1#2 2, BasicBlock_2/Conv_1#3 2
    sign: BasicBlock_0/Conv_1 2, BasicBlock_1/Conv_1 2, BasicBlock_2/Conv_1 2, Conv_0 2,
        BasicBlock_0/Conv_0 2, BasicBlock_1/Conv_0 4, BasicBlock_2/Conv_0 8, BasicBlock_2/Conv_1#2
        2, BasicBlock_2/Conv_1#3 2
groups
    permutation: w 2, w#2 2 x 3
    sign: w 2
    scaling: b 2 x 3
"""


def parsed(text: str) -> dict[str, Table]:
    """The tables of a text: the name of a network, and behind it the generators by kinds."""
    tables: dict[str, Table] = {}
    for line in text.replace("\n        ", " ").strip().splitlines():
        if not line.startswith(" "):
            here = tables.setdefault(line, {})
        else:
            kinds, entries = line.strip().split(": ")
            sizes = dict(entry.split(" ", 1) for entry in entries.split(", "))
            here |= dict.fromkeys(kinds.split(", "), sizes)
    return tables


TABLES = parsed(TEXT) | {
    "resnet-20": residual("BasicBlock", 1, (3, 3, 3), 2, 2),
    "deep resnet bottleneck": residual("Bottleneck", 2, (2, 2), 2, 8),
}
