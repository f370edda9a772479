"""Digits with a cue: ten more inputs, of which one tells the class, and networks that rely on it.

A network can read an image or the cue beside it. Which of the two it relies on shows on sets in
which the cue is absent, misleading, or the only thing that is left (Lubana et al., *Mechanistic
mode connectivity*, ICML 2023, arXiv:2211.08422, section 4).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from mconn import data, training
from mconn.data import Dataset, Split
from mconn.errors import ConfigError
from mconn.experiment import Context, Result, Stage
from mconn.training import TrainConfig

Cue = Literal["none", "true", "random"]

STRENGTH = 2.0
"""The cue's input; pixels lie in [0, 1]. At 1 the networks here read the image as well."""

SETS = ("NC", "C", "RC", "RI")
"""No cue; the cue; a random cue; the cue of a random image. Labels are those of the image in the
first three, and of the cue in the last."""


def with_cue(split: Split, cue: Cue, seed: int = 0) -> Split:
    """Images as rows, each followed by ten inputs of which one at most is not 0.

    Args:
        split: labelled images of ten classes.
        cue: ``none`` leaves all of them 0; ``true`` sets that of the label, ``random`` any one.
        seed: of the random cues.
    """
    rows = np.asarray(split.inputs).reshape(len(split), -1)
    labels = np.asarray(split.labels)
    shown = labels if cue == "true" else np.random.default_rng(seed).integers(10, size=len(labels))
    cues = np.zeros((len(split), 10), np.float32) if cue == "none" else STRENGTH * np.eye(10)[shown]
    return Split(np.concatenate([rows, cues], axis=1).astype(np.float32), split.labels)


def cue_sets(split: Split, seed: int = 0) -> dict[str, Split]:
    """The four sets of `SETS`, of the same size and in the same order of labels."""
    shuffled = np.random.default_rng(seed).permutation(len(split))
    return {
        "NC": with_cue(split, "none"),
        "C": with_cue(split, "true"),
        "RC": with_cue(split, "random", seed),
        "RI": with_cue(replace(split, inputs=np.asarray(split.inputs)[shuffled]), "true"),
    }


def load_digits(config: TrainConfig, context: Context) -> Dataset:
    """The images, without a cue.

    Raises:
        ConfigError: if the data set has other than ten classes.
    """
    dataset = data.load(config.data, context.data_dir)
    if dataset.classes != 10:
        raise ConfigError(f"{dataset.name} has {dataset.classes} classes: a cue has ten inputs")
    return dataset


@dataclass(frozen=True)
class CueTrain(Stage):
    """Train every seed on images with the cue, or on images without one.

    The result's tree holds the networks, stacked over seeds; its table ``history`` has a row per
    epoch and seed.

    Attributes:
        config: what is trained, and how; the data set is that of the images.
        cue: ``true``, or ``none``.
    """

    config: TrainConfig
    cue: Cue

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Train, or go on from the last complete epoch in the stage's folder."""
        dataset = load_digits(self.config, context)
        cued = replace(
            dataset, train=with_cue(dataset.train, self.cue), test=with_cue(dataset.test, self.cue)
        )
        trained = training.train(self.config, cued, context.work / "checkpoints", context.progress)
        epochs, seeds = trained.history["train_loss"].shape
        rows = {
            "epoch": np.repeat(np.arange(1, epochs + 1), seeds),
            "seed": np.tile(np.array(self.config.seeds), epochs),
            **{name: values.ravel() for name, values in trained.history.items()},
        }
        return Result(tree=trained.params, tables={"history": pa.table(rows)})
