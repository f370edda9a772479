"""The networks as modules of PyTorch, for a package that traces those.

PyTorch is imported when a network is built: everything else runs without it.
"""

import functools
import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.alignment.networks import BLOCKS


def build(weights: Mapping[str, np.ndarray]) -> Any:
    """A module with these weights."""
    torch: Any = importlib.import_module("torch")
    network = network_class()(weights)
    network.load_state_dict(
        {name_of(leaf): torch.tensor(to_torch(value)) for leaf, value in weights.items()}
    )
    return network


@functools.cache
def network_class() -> type[Any]:
    """The class of modules; one class for all, since two networks are compared by theirs."""
    torch: Any = importlib.import_module("torch")

    class ChannelNorm(torch.nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.empty(channels))
            self.bias = torch.nn.Parameter(torch.empty(channels))

        def forward(self, x: Any) -> Any:
            normalise = torch.nn.functional.layer_norm
            last = x.movedim(1, -1)
            return normalise(last, self.weight.shape, self.weight, self.bias).movedim(-1, 1)

    class Network(torch.nn.Module):
        def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
            super().__init__()
            family = FAMILIES.items()
            self.apply_layers = next(apply for leaf, apply in family if leaf in weights)
            self.layers = torch.nn.ModuleDict()
            for leaf, value in weights.items():
                layer, _, kind = leaf.rpartition("/")
                has_bias = f"{layer}/bias" in weights
                if kind == "scale":
                    self.layers[layer] = ChannelNorm(len(value))
                elif kind == "kernel" and value.ndim == 2:
                    self.layers[layer] = torch.nn.Linear(*value.shape, bias=has_bias)
                elif kind == "kernel":
                    *window, before, after = value.shape
                    self.layers[layer] = torch.nn.Conv2d(
                        before, after, window, stride(layer), padding=1, bias=has_bias
                    )

        def forward(self, x: Any) -> Any:
            return self.apply_layers(torch.nn.functional, self.layers, x)

    return Network


def name_of(leaf: str) -> str:
    """The name that the module has for a leaf."""
    layer, _, kind = leaf.rpartition("/")
    return f"layers.{layer}.{'bias' if kind == 'bias' else 'weight'}"


def order_of_axes(ndim: int) -> tuple[int, ...]:
    """For every axis in PyTorch's layout the axis in Flax's."""
    return {1: (0,), 2: (1, 0), 4: (3, 2, 0, 1)}[ndim]


def to_torch(value: np.ndarray) -> np.ndarray:
    """A leaf in PyTorch's layout."""
    return value.transpose(order_of_axes(value.ndim))


def stride(layer: str) -> int:
    """The stride of a convolution."""
    halves = ("blockgroups_1/blocks_0", "blockgroups_2/blocks_0")
    return 2 if layer.startswith(halves) and not layer.endswith("conv2") else 1


def mlp(functions: Any, layers: Any, x: Any) -> Any:
    """See `networks.mlp`."""
    for layer in list(layers.values())[:-1]:
        x = functions.relu(layer(x))
    return layers[f"Dense_{len(layers) - 1}"](x)


def vgg16(functions: Any, layers: Any, x: Any) -> Any:
    """See `networks.vgg16`."""
    for i in range(13):
        x = functions.relu(layers[f"LayerNorm_{i}"](layers[f"Conv_{i}"](x)))
        if i in (1, 3, 6, 9, 12):
            x = functions.max_pool2d(x, 2)
    x = x.mean((2, 3))
    for i in range(2):
        x = functions.relu(layers[f"Dense_{i}"](x))
    return layers["Dense_2"](x)


def resnet20(functions: Any, layers: Any, x: Any) -> Any:
    """See `networks.resnet20`."""
    x = functions.relu(layers["norm1"](layers["conv1"](x)))
    for stage, block in BLOCKS:
        name = f"blockgroups_{stage}/blocks_{block}"
        y = functions.relu(layers[f"{name}/norm1"](layers[f"{name}/conv1"](x)))
        y = layers[f"{name}/norm2"](layers[f"{name}/conv2"](y))
        if f"{name}/shortcut/layers_0" in layers:
            x = layers[f"{name}/shortcut/layers_1"](layers[f"{name}/shortcut/layers_0"](x))
        x = functions.relu(x + y)
    return layers["dense"](x.mean((2, 3)))


FAMILIES = {"conv1/kernel": resnet20, "Conv_0/kernel": vgg16, "Dense_0/kernel": mlp}
"""For the first leaf of a network, what it does with its layers."""
