"""The stage that compares trained networks with permuted copies of themselves."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import jax
import numpy as np
import pyarrow as pa
from jaxtyping import Float

from mconn import align, data, features, landscape, paths, symmetry, trees
from mconn.errors import ConfigError
from mconn.experiment import Context, Result, Stage
from mconn.experiment.stages import Train, group_of
from mconn.features import linear_cka, neuron_space_angles, sample_space_angles

NAIVE, ALIGNED = "permuted copy", "copy, aligned"


@dataclass(frozen=True)
class PermutedCopies(Stage):
    """Every seed beside a randomly permuted copy of itself, which computes the same function.

    On training examples. The table ``similarities`` has a row per seed and layer: debiased linear
    CKA, and the largest principal angle (degrees) between the subspaces of the leading directions
    of both networks' features, in sample space and in neuron space. The table ``copies`` has a row
    per seed, line and point: the loss, and how far the copy's outputs are from the network's; the
    lines lead to the copy as it is, and to the copy moved back by matching activations. The table
    ``copy_barriers`` has the chord barrier of every line.

    Attributes:
        train: the networks.
        directions: leading directions of a subspace.
        points: equispaced points on each line.
    """

    train: Train
    directions: int = 10
    points: int = 25

    def __post_init__(self) -> None:
        if self.directions < 1:
            raise ConfigError(f"directions is {self.directions}: take at least one")

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Compare the seeds one after the other."""
        config, networks = self.train.config, inputs["train"].tree
        apply = config.model.apply
        split = data.load(config.data, context.data_dir).train
        group = group_of(apply, networks, split)
        units = features.Units(group, apply)
        ts = np.linspace(0, 1, self.points)
        similarities, copies, barriers = [], [], []
        for number, seed in enumerate(config.seeds):
            network = trees.index(networks, number)
            element = symmetry.random_element(group, jax.random.key(100 + seed))
            copy = symmetry.act(group, element, network)
            back = align.find(
                group,
                network,
                copy,
                "activations",
                apply=apply,
                examples=split,
                keys=1,
                key=jax.random.key(seed),
            )
            own, theirs = (features.capture(units, each, split.inputs) for each in (network, copy))
            similarities += [
                {
                    "seed": seed,
                    "layer": layer,
                    **similarity(own[name], theirs[name], self.directions),
                }
                for layer, name in enumerate(own, start=1)
            ]
            expected, found = (np.asarray(apply(each, split.inputs)) for each in (network, copy))
            change = float(abs(found - expected).max() / abs(expected).max())
            for method, end in (
                (NAIVE, copy),
                (ALIGNED, symmetry.act(group, back.element, copy)),
            ):
                profile = landscape.evaluate(
                    landscape.Classification(apply), paths.line(network, end), ts, split
                )
                labels = {"method": method, "seed": seed}
                copies += [
                    {**labels, "t": float(t), "loss": float(loss), "change": change}
                    for t, loss in zip(ts, profile.mean("loss"), strict=True)
                ]
                barriers.append({**labels, **asdict(landscape.barrier(profile))})
        return Result(
            tables={
                "similarities": pa.Table.from_pylist(similarities),
                "copies": pa.Table.from_pylist(copies),
                "copy_barriers": pa.Table.from_pylist(barriers),
            }
        )


def similarity(
    first: Float[np.ndarray, "samples units"],
    second: Float[np.ndarray, "samples units"],
    directions: int,
) -> dict[str, float]:
    """Debiased linear CKA, and the largest principal angle in either space, in degrees."""
    samples = sample_space_angles(first, second, dimension=directions)
    neurons = neuron_space_angles(first, second, dimension=directions)
    return {
        "cka": linear_cka(first, second),
        "sample_space_angle": float(np.degrees(samples.max())),
        "neuron_space_angle": float(np.degrees(neurons.max())),
    }
