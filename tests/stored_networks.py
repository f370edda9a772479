"""The networks 3 x 512 for the digits that an earlier study stored, beside the repository."""

import numpy as np

from mconn import landscape
from mconn.models import MLP

MODEL = MLP(width=512, depth=3)
CLASSIFY = landscape.Classification(MODEL.apply)


def network(shared, name):
    layers = {}
    with np.load(shared / "data" / "digits_mlp" / f"{name}.npz") as stored:
        for leaf, value in stored.items():
            layer, _, kind = leaf.partition("|")
            layers.setdefault(layer, {})[kind] = value
    return {"params": layers}
