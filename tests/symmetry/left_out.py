"""Which directions of the null space the group leaves out, network by network, and why.

Each direction is written down, so that `test_dimension` can check that it is one.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Leaves = dict[str, np.ndarray]


class Reason(NamedTuple):
    """Why directions are left out.

    There are as many as entries in an array t of ``shape``, and ``move(p, t)`` is how some of the
    leaves p change then, linearly in t.
    """

    text: str
    shape: tuple[int, ...]
    move: Callable[[Leaves, np.ndarray], Leaves]


def absorbed(bias: str, shape: tuple[int, ...], *readers: str) -> Reason:
    """The bias of a linear layer, undone by the biases of the layers behind it."""

    def move(p: Leaves, t: np.ndarray) -> Leaves:
        undone = {f"{r}/bias": -np.tensordot(t, p[f"{r}/kernel"], t.ndim) for r in readers}
        return {bias: t} | undone

    return Reason("translation: the next bias undoes that of a linear layer", shape, move)


def common(leaf: str, *shape: int, groups: int = 1) -> Reason:
    """The same change along the last axis, or of all channels of a group."""

    def move(p: Leaves, t: np.ndarray) -> Leaves:
        opened = t if groups > 1 else t[..., None]
        return {leaf: opened.repeat(p[leaf].shape[-1] // opened.shape[-1], -1)}

    shape = (*shape, groups) if groups > 1 else shape
    return Reason("translation: what is common to all is subtracted", shape, move)


def forgotten(bias: str, *shape: int) -> Reason:
    return Reason("translation: a bias is subtracted again", shape, lambda p, t: {bias: t})


def batch_norm(i: int, size: int, bias: str = "") -> list[Reason]:
    norm, text = f"BatchNorm_{i}", "translation: the running mean is subtracted from a bias"

    def factor(p: Leaves) -> np.ndarray:
        return 1 / np.sqrt(p[f"{norm}/var"] + 1e-5)

    def mean(p: Leaves, t: np.ndarray) -> Leaves:
        return {f"{norm}/mean": t, f"{norm}/bias": t * p[f"{norm}/scale"] * factor(p)}

    def variance(p: Leaves, t: np.ndarray) -> Leaves:
        return {f"{norm}/var": t, f"{norm}/scale": t * p[f"{norm}/scale"] * factor(p) ** 2 / 2}

    epsilon = Reason("not linear: variance has an epsilon", (size,), variance)
    before = Reason(text, (size,), lambda p, t: {bias: t, f"{norm}/mean": t})
    return [Reason(text, (size,), mean), epsilon, *([before] if bias else [])]


def unseen(norm: str, reader: str, shape: tuple[int, ...]) -> Reason:
    """What a LayerNorm's centred values cannot do to a layer that reads them."""

    def move(p: Leaves, t: np.ndarray) -> Leaves:
        weights = 1 / p[f"{norm}/scale"]
        bias = -t * (weights @ p[f"{norm}/bias"]) if f"{norm}/bias" in p else 0 * t
        return {f"{reader}/kernel": np.multiply.outer(weights, t), f"{reader}/bias": bias}

    return Reason("translation: weights that see the sum of centred values", shape, move)


def behind_layer_norm(norm: str, size: int, reader: str, readers: int) -> list[Reason]:
    """The bias of a LayerNorm, and what its centred values cannot do."""
    return [absorbed(f"{norm}/bias", (size,), reader), unseen(norm, reader, (readers,))]


def turned(size: int, writers: list[str], readers: dict[str, list[str]], centred: bool) -> Reason:
    """Rotations of a stream that only normalisers read, through their scales.

    The mean of a LayerNorm fixes the direction in which all channels are equal.
    """
    fixed = np.ones((size, 1 if centred else 0))
    frame = np.linalg.qr(np.hstack([fixed, np.eye(size)]))[0][:, fixed.shape[1] :]
    above = np.triu_indices(frame.shape[1], 1)

    def move(p: Leaves, t: np.ndarray) -> Leaves:
        inner = np.zeros([frame.shape[1]] * 2)
        inner[above] = t
        matrix = frame @ (inner - inner.T) @ frame.T
        changes = {leaf: p[leaf] @ matrix for leaf in writers}
        for norm, layers in readers.items():
            scale = p[f"{norm}/scale"]
            for layer in layers:
                kernel = np.tensordot(matrix * scale / scale[:, None], p[f"{layer}/kernel"], 1)
                changes[f"{layer}/kernel"] = -kernel
                if f"{norm}/bias" in p:
                    changes[f"{layer}/bias"] = np.tensordot(p[f"{norm}/bias"], kernel, 1)
        return changes

    return Reason("not linear: it turns the weights behind a scale", (len(above[0]),), move)


def joint(start: int, reader: str = "") -> Reason:
    """Six entries of the joint bias of queries, keys and values; the last are added up."""

    def move(p: Leaves, t: np.ndarray) -> Leaves:
        shift = {"Dense_0/bias": np.pad(t, (start, 12 - start))}
        return shift | ({f"{reader}/bias": -t @ p[f"{reader}/kernel"]} if reader else {})

    text = "translation: softmax forgets a shift of all keys, and its weights sum to one"
    return Reason(text, (6,), move)


def token(p: Leaves, t: np.ndarray) -> Leaves:
    return {"token": t, "positions": np.outer([-1, 0, 0, 0, 0], t)}


def mixer_bias(p: Leaves, t: np.ndarray) -> Leaves:
    return {"LayerNorm_0/bias": t, "Dense_1/bias": -t * p["Dense_1/kernel"].sum(0)}


def mixer_scale(p: Leaves, t: np.ndarray) -> Leaves:
    up = {leaf: t * p[leaf] for leaf in ("LayerNorm_0/scale", "LayerNorm_0/bias")}
    return up | {"Dense_1/kernel": -t * p["Dense_1/kernel"]}


def lone_channels() -> list[Reason]:
    """The first and the last channel, which padding makes segments of one entry."""
    ends = np.array([[1, 0, 0, 0, 0], [0, 0, 0, 0, 1]])

    def before(p: Leaves, t: np.ndarray) -> Leaves:
        up = {leaf: t @ ends * p[leaf] for leaf in ("Conv_2/kernel", "BatchNorm_2/mean")}
        return up | {"BatchNorm_2/scale": -(t @ ends) * p["BatchNorm_2/scale"]}

    def after(p: Leaves, t: np.ndarray) -> Leaves:
        up = {leaf: t @ ends * p[leaf] for leaf in ("BatchNorm_2/scale", "BatchNorm_2/bias")}
        return up | {"Dense_0/kernel": -(t @ ends)[:, None] * p["Dense_0/kernel"]}

    text = "scaling: an axis of one unit has no generator"
    return [Reason(text, (2,), before), Reason(text, (2,), after)]


def sum_of_biases(p: Leaves, t: np.ndarray) -> Leaves:
    return {"BatchNorm_2/bias": t, "BatchNorm_3/bias": -t}


def shifted_stream(p: Leaves, t: np.ndarray) -> Leaves:
    """A shift of the stream by the first layer and each of the stack; the later ones undo it."""
    before = np.cumsum(t, 0)
    kernels = p["ScanBlock_0/Dense_1/kernel"]
    return {
        "Dense_1/bias": t[0],
        "ScanBlock_0/Dense_0/bias": t[1:],
        "ScanBlock_0/Dense_1/bias": -np.einsum("li,lij->lj", before[:-1], kernels),
        "Dense_0/bias": -before[-1] @ p["Dense_0/kernel"],
    }


MHA = "MultiHeadDotProductAttention_0"
PROJECTIONS = [f"{MHA}/{name}" for name in ("query", "key", "value")]
WRITERS = [f"{layer}/kernel" for layer in ("Conv_0", f"{MHA}/out", "Dense_0")]


def llama(size: int) -> list[Reason]:
    block = "LlamaBlock_0/"
    writers = ["Embed_0/embedding", f"{block}mixed/kernel", f"{block}down/kernel"]
    readers = {
        f"{block}RMSNorm_0": [f"{block}{name}" for name in ("query", "key", "value")],
        f"{block}RMSNorm_1": [f"{block}{name}" for name in ("gate", "up")],
        "RMSNorm_0": ["logits"],
    }
    return [turned(size, writers, readers, centred=False)]


RESNET = [*batch_norm(0, 3), *batch_norm(1, 4), *batch_norm(2, 5)]
LEFT_OUT: dict[str, list[Reason]] = {
    "mlp identity": [
        absorbed("Dense_0/bias", (3,), "Dense_1"),
        absorbed("Dense_1/bias", (3,), "Dense_2"),
    ],
    "cnn batch norm": [*batch_norm(0, 4, "Conv_0/bias"), *batch_norm(1, 3, "Conv_1/bias")],
    "cnn layer norm": [
        *(common("Conv_0/kernel", 2, 2, 2), common("Conv_0/bias")),
        *(common("Conv_1/kernel", 2, 2, 4), common("Conv_1/bias")),
    ],
    "cnn group norm": [common("Conv_0/bias", groups=2)],
    "cnn instance norm": [forgotten("Conv_0/bias", 4), forgotten("Conv_1/bias", 3)],
    "resnet projection": [
        *RESNET,
        *batch_norm(3, 5),
        Reason("translation: a bias undoes another", (5,), sum_of_biases),
    ],
    "resnet padding": [*RESNET, *lone_channels()],
    "mlp-mixer": [
        *(common("Conv_0/kernel", 2, 2, 2), common("Conv_0/bias")),
        *(common("Dense_2/kernel", 2), common("Dense_2/bias")),
        forgotten("Dense_0/bias", 4),
        Reason("translation: the next bias undoes that of all channels", (), mixer_bias),
        Reason("scaling: one factor for all channels, undone along another axis", (), mixer_scale),
        *behind_layer_norm("LayerNorm_1", 3, "Dense_3", 2),
        *behind_layer_norm("LayerNorm_2", 3, "Dense_4", 2),
    ],
    "tied linear autoencoder": [
        Reason("translation: a bias undoes another", (3,), lambda p, t: {"b": t, "c": -p["w"] @ t})
    ],
    "vision transformer": [
        *(common("Conv_0/kernel", 2, 2, 2), common("Dense_0/kernel", 7), common("positions", 5)),
        *(common(f"{MHA}/out/kernel", 2, 3), common(f"{MHA}/out/bias")),
        Reason("translation: the position undoes the token", (4,), token),
        forgotten(f"{MHA}/key/bias", 2, 3),
        absorbed(f"{MHA}/value/bias", (2, 3), f"{MHA}/out"),
        *(unseen("LayerNorm_0", projection, (2, 3)) for projection in PROJECTIONS),
        *(unseen("LayerNorm_1", "Dense_1", (7,)), unseen("LayerNorm_2", "Dense_2", (9,))),
        turned(
            4,
            ["token", "positions", *WRITERS, f"{MHA}/out/bias"],
            {"LayerNorm_0": PROJECTIONS, "LayerNorm_1": ["Dense_1"], "LayerNorm_2": ["Dense_2"]},
            centred=True,
        ),
    ],
    # The tied embedding reads the stream too: it is neither turned nor shifted.
    "gpt-2": [
        *(common("positions", 4), common("Dense_1/kernel", 6), common("Dense_1/bias")),
        *(common("Dense_2/kernel", 7), common("Dense_2/bias")),
        *(joint(6), joint(12, "Dense_1")),
        *behind_layer_norm("LayerNorm_0", 5, "Dense_0", 18),
        *behind_layer_norm("LayerNorm_1", 5, "Dense_3", 7),
    ],
    "llama": llama(8),
    "llama, one head": llama(4),
    "mixture of experts": [common("Dense_1/kernel", 4), common("Dense_1/bias")],
    "scan": [Reason("translation: later layers undo a bias", (1 + 3, 4), shifted_stream)],
}
