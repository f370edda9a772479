"""Stages of the study of features along paths: what layers compute, and what networks answer."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float

from mconn import data, features, functions, paths, symmetry, trees
from mconn.errors import ConfigError
from mconn.experiment import Context, Result, Stage
from mconn.experiment.stages import Align, Connect, Train, group_of
from mconn.types import Params

MEASURES = tuple(name for name in features.LayerCoupling._fields if name != "samples")


@dataclass(frozen=True)
class FeatureDrift(Stage):
    """How the features on the line of every pair of seeds are related to those of its ends.

    On training examples, without augmentation. Layers are counted from 1. The table ``coupling``
    has a row per pair, layer and point, with the measures of `mconn.features.LayerCoupling` of the
    features after the nonlinearity, and the ``variance_ratio`` of those before it as
    ``pre_activation_ratio``. The table ``conditions`` has a row per pair and layer, the outputs
    included: the distance of weak additivity half way (none for the outputs), and that of
    commutativity. The table ``cosines`` has a row per layer and example of the first pair:
    1 - cos between the features half way and the blend, and between those of the ends.

    Attributes:
        train: the networks.
        align: moves the second network of each pair first; None leaves it as it is.
        points: equispaced points on each line, an odd number.
        shown: examples in ``cosines``.
    """

    train: Train
    align: Align | None = None
    points: int = 11
    shown: int = 300

    def __post_init__(self) -> None:
        if self.points < 3 or self.points % 2 == 0:
            raise ConfigError(
                f"points is {self.points}: take an odd number of at least 3, so that t = 1/2 and "
                "the ends are among them"
            )

    @property
    def method(self) -> str:
        """The name of the alignment."""
        return "naive" if self.align is None else self.align.method

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Measure the pairs one after the other, all with the same compiled programs."""
        config, networks = self.train.config, inputs["train"].tree
        apply = config.model.apply
        dataset = data.load(config.data, context.data_dir)
        examples = dataset.train.inputs
        group = group_of(apply, networks, dataset.train)
        after, before = (features.Units(group, apply, moment) for moment in ("after", "before"))
        ts = np.linspace(0, 1, self.points)
        coupling, conditions, cosines = [], [], []
        element = inputs["align"].tree if self.align is not None else {}
        for pair, a, b in pairs(self.train, networks):
            if self.align is not None:
                b = symmetry.act(group, element[pair], b)
            labels = {"method": self.method, "pair": pair}
            line = paths.line(a, b)
            found = features.coupling_along(after, line, ts, examples)
            bent = features.coupling_along(before, line, ts, examples, rotations=False)
            additive = features.weak_additivity(group, apply, line, [0.5], examples)
            commuting = features.commutativity(group, apply, a, b, examples)
            for layer, name in enumerate(found, start=1):
                coupling += [
                    {**labels, "layer": layer, "t": float(t), **row}
                    for t, row in zip(ts, coupling_rows(found[name], bent[name]), strict=True)
                ]
            for layer, (name, measured) in enumerate(commuting.items(), start=1):
                defect = None if name == features.OUTPUTS else additive[name].blend_distance[0]
                conditions.append(
                    {
                        **labels,
                        "layer": layer,
                        "outputs": name == features.OUTPUTS,
                        "additivity": defect,
                        "commutativity": measured.distance,
                    }
                )
            if not cosines:
                some = examples[: self.shown]
                middle = trees.to_numpy(line(np.float32(0.5)))
                cosines = [{**labels, **row} for row in cosine_rows(after, (middle, a, b), some)]
        return Result(
            tables={
                "coupling": pa.Table.from_pylist(coupling),
                "conditions": pa.Table.from_pylist(conditions),
                "cosines": pa.Table.from_pylist(cosines),
            },
            facts={"examples": len(examples)},
        )


@dataclass(frozen=True)
class OutputsAlong(Stage):
    """What the networks on the path of every pair answer, on the test split.

    The table ``outputs`` has a row per pair and point; the table ``energies`` one per pair.

    Attributes:
        train: the networks.
        align: moves the second network of each pair first; None leaves it as it is.
        curve: the fitted curves to walk along; None walks along the straight lines.
        points: equispaced points on each path.
        resamples: for intervals of the calibration.
    """

    train: Train
    align: Align | None = None
    curve: Connect | None = None
    points: int = 11
    resamples: int = 1000

    def __post_init__(self) -> None:
        if self.curve is not None and self.align is not None:
            raise ConfigError("a curve has its own alignment: set that of Connect, not of this")

    @property
    def method(self) -> str:
        """The name of the path."""
        if self.curve is not None:
            return self.curve.name
        return "naive" if self.align is None else self.align.method

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Measure the pairs one after the other, all with the same compiled programs."""
        config, networks = self.train.config, inputs["train"].tree
        apply = config.model.apply
        dataset = data.load(config.data, context.data_dir)
        group = None if self.align is None else group_of(apply, networks, dataset.train)
        ts = np.linspace(0, 1, self.points)
        outputs, energies = [], []
        for pair, a, b in pairs(self.train, networks):
            if self.curve is not None:
                path = self.curve.path(inputs["curve"].tree[pair])
            elif group is not None:
                path = paths.line(a, symmetry.act(group, inputs["align"].tree[pair], b))
            else:
                path = paths.line(a, b)
            labels = {"method": self.method, "pair": pair}
            found = functions.outputs_along(apply, path, ts, dataset.test)
            outputs += [{**labels, **row} for row in output_rows(found, self.resamples)]
            energy = functions.path_energy(apply, path, ts, dataset.test)
            energies.append(
                {
                    **labels,
                    "energy": energy.energy(),
                    "standard_error": energy.standard_error(),
                    "motion": energy.motion(),
                    "geodesic": float(energy.geodesic.mean()),
                    "disagreement": float(found.profile.mean("disagreement_0")[-1]),
                }
            )
        return Result(
            tables={
                "outputs": pa.Table.from_pylist(outputs),
                "energies": pa.Table.from_pylist(energies),
            },
            facts={"examples": len(dataset.test)},
        )


@dataclass(frozen=True)
class LayerLinearity(Stage):
    """How far the layers of trained networks are from affine maps of the inputs.

    The table ``linearity`` has a row per seed, layer, moment and step, on training examples, each
    paired with another one at random.

    Attributes:
        train: the networks.
        steps: of the differences, relative to half the distance of a pair.
    """

    train: Train
    steps: tuple[float, ...] = (1 / 64, 1 / 16, 1 / 4, 1.0)

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Measure the networks one after the other."""
        config, networks = self.train.config, inputs["train"].tree
        dataset = data.load(config.data, context.data_dir)
        examples = dataset.train.inputs
        others = examples[np.random.default_rng(0).permutation(len(examples))]
        group = group_of(config.model.apply, networks, dataset.train)
        rows = []
        for number, seed in enumerate(config.seeds):
            network = trees.index(networks, number)
            for moment in ("before", "after"):
                of = features.Units(group, config.model.apply, moment)
                found = features.linearity_defect(of, network, examples, others, self.steps)
                rows += [
                    {
                        "seed": seed,
                        "layer": layer,
                        "moment": moment,
                        "step": step,
                        "defect": float(defect),
                    }
                    for layer, defects in enumerate(found.values(), start=1)
                    for step, defect in zip(self.steps, defects, strict=True)
                ]
        return Result(tables={"linearity": pa.Table.from_pylist(rows)})


def pairs(train: Train, networks: Params) -> Iterator[tuple[str, Params, Params]]:
    """The name and the networks of every pair of seeds."""
    seeds = train.config.seeds
    for i, j in itertools.combinations(range(len(seeds)), 2):
        yield f"{seeds[i]}-{seeds[j]}", trees.index(networks, i), trees.index(networks, j)


def coupling_rows(
    after: features.LayerCoupling, before: features.LayerCoupling
) -> Iterator[dict[str, float]]:
    """The measures of one layer, point by point."""
    for row in range(len(after.drift)):
        yield {
            **{name: float(getattr(after, name)[row]) for name in MEASURES},
            "pre_activation_ratio": float(before.variance_ratio[row]),
        }


def cosine_rows(
    of: features.FeatureFn, networks: tuple[Params, Params, Params], examples: Any
) -> Iterator[dict[str, Any]]:
    """1 - cos of every example and layer, half way and between the ends."""
    half_way, first, last = (features.capture(of, each, examples) for each in networks)
    for layer, name in enumerate(half_way, start=1):
        blend = (first[name] + last[name]) / 2
        for middle, ends in zip(
            opening(half_way[name], blend), opening(first[name], last[name]), strict=True
        ):
            yield {"layer": layer, "half_way": float(middle), "ends": float(ends)}


def opening(
    a: Float[np.ndarray, "samples units"], b: Float[np.ndarray, "samples units"]
) -> Float[np.ndarray, "samples"]:
    """1 - cos of the angle of rows."""
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return 1 - (a * b).sum(axis=1) / lengths


def output_rows(found: functions.FunctionProfile, resamples: int) -> Iterator[dict[str, float]]:
    """The measures of the outputs, point by point."""
    mean, error = found.profile.mean, found.profile.standard_error
    gain = found.ensemble_gain(0)
    calibrated = functions.calibration(found, resamples=resamples)
    intervals = {
        "accuracy": calibrated.accuracy,
        "loss": calibrated.loss,
        "brier": calibrated.brier,
        "calibration_error": calibrated.error,
    }
    columns = {
        "t": found.profile.t,
        "disagreement_0": mean("disagreement_0"),
        "disagreement_0_error": error("disagreement_0"),
        "disagreement_1": mean("disagreement_1"),
        "divergence_0": mean("divergence_0"),
        "divergence_1": mean("divergence_1"),
        "gain_accuracy": gain.accuracy,
        "gain_accuracy_error": gain.accuracy_error,
        "gain_loss": gain.loss,
        "gain_loss_error": gain.loss_error,
        "calibration_floor": calibrated.floor,
        "calibration_squared_error": calibrated.squared_error,
    }
    for name, each in intervals.items():
        columns |= {name: each.value, f"{name}_low": each.low, f"{name}_high": each.high}
    for row in range(len(found.profile.t)):
        yield {name: float(values[row]) for name, values in columns.items()}
