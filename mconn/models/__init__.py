"""Flax networks: small ones whose parts are arguments, and well-known ones at any size."""

from mconn.models.parts import Activation, Initialiser, Normaliser
from mconn.models.resnet import (
    BasicBlock,
    Bottleneck,
    PreActivationBlock,
    PreResNet,
    ResNet,
    resnet20,
    resnet50,
    resnet152,
)
from mconn.models.small import CNN, MLP
from mconn.models.transformer import GPT2, Llama, grouped_attention, rotated
from mconn.models.vgg import VGG16

__all__ = [
    "CNN",
    "GPT2",
    "MLP",
    "VGG16",
    "Activation",
    "BasicBlock",
    "Bottleneck",
    "Initialiser",
    "Llama",
    "Normaliser",
    "PreActivationBlock",
    "PreResNet",
    "ResNet",
    "grouped_attention",
    "resnet20",
    "resnet50",
    "resnet152",
    "rotated",
]
