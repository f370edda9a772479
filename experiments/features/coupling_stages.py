"""The stage that walks from networks to others of the same function, and follows their features."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pyarrow as pa

from experiments.features.coupling_constructions import with_copy, without_unit
from experiments.features.permuted_copies import similarity
from mconn import data, features, landscape, paths, symmetry, trees
from mconn.errors import ConfigError
from mconn.experiment import Context, Result, Stage
from mconn.experiment.stages import Align, Train
from mconn.paths import Path
from mconn.types import ApplyFn, Params

UNREAD, RESCALED = "unread unit", "rescaled units"
ALIGNED, NAIVE, COPY = "aligned pair", "naive pair", "permuted copy"


@dataclass(frozen=True)
class CoupledPaths(Stage):
    """Loss and features of the last hidden layer along five paths from the first seed.

    On training examples. The paths lead

    - ``unread unit``: from the network with a unit that computes nothing and that nothing reads,
      to the one in which this unit computes ``growth`` times what another one does;
    - ``rescaled units``: along an orbit that multiplies every unit by a positive factor, and
      divides what is read from it;
    - ``aligned pair`` and ``naive pair``: to the second seed, moved by matching activations or not;
    - ``permuted copy``: to a randomly permuted copy of the network.

    The table ``paths`` has a row per path and point: ``loss``, ``height`` above the chord, and of
    the features ``drift``, ``rotation_residual`` and ``attribute_angle``: that between the
    difference of two classes' mean features and the same at t = 0, in degrees. The table ``ends``
    has a row per path: the chord ``barrier``, the largest relative ``change`` of an output along
    the path, ``cka`` and the ``sample_space_angle`` of the ends' features, and for the unread
    unit ``ratio``, by which the attribute's angle follows in closed form: tan(angle) = ratio t.

    Attributes:
        train: the networks.
        align: matches the second seed's activations.
        points: equispaced points on each path.
        growth: how much more than another unit the unread one computes in the end.
        spread: standard deviation of the logarithm of the units' factors.
        classes: the two classes whose difference is the attribute.
    """

    train: Train
    align: Align
    points: int = 21
    growth: float = 30.0
    spread: float = 1.0
    classes: tuple[int, int] = (0, 1)

    def __post_init__(self) -> None:
        if len(self.train.config.seeds) < 2:
            raise ConfigError("there is one seed only: a pair needs two networks")

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Walk along the paths one after the other."""
        config, networks = self.train.config, inputs["train"].tree
        apply: ApplyFn = config.model.apply
        split = data.load(config.data, context.data_dir).train
        first, second = (trees.index(networks, i) for i in (0, 1))
        group = symmetry.discover(apply, first, np.asarray(split.inputs[:2]))
        units = features.Units(symmetry.permutations(group), apply)
        layer = list(units(first, split.inputs[:2]))[-1]
        element = inputs["align"].tree[f"{config.seeds[0]}-{config.seeds[1]}"]
        ts = np.linspace(0, 1, self.points)
        here = features.capture(units, first, split.inputs)[layer]
        unread, ratio = self.unread(group, layer, first, here, split.labels)
        walked: dict[str, Path] = {
            UNREAD: unread,
            RESCALED: self.rescaled(group, first),
            ALIGNED: paths.line(first, symmetry.act(units.group, element, second)),
            NAIVE: paths.line(first, second),
            COPY: paths.line(first, self.copy(units.group, first)),
        }
        rows, ends = [], []
        for name, path in walked.items():
            profile = landscape.evaluate(landscape.Classification(apply), path, ts, split)
            coupled = features.coupling_along(units, path, ts, split.inputs)[layer]
            captured = [
                features.capture(units, network_at(path, np.float32(t)), split.inputs)[layer]
                for t in ts
            ]
            angles = list(self.angles(captured, split.labels))
            loss = profile.mean("loss")
            chord = (1 - ts) * loss[0] + ts * loss[-1]
            rows += [
                {
                    "path": name,
                    "t": float(ts[i]),
                    "loss": float(loss[i]),
                    "height": float(loss[i] - chord[i]),
                    "drift": float(coupled.drift[i]),
                    "rotation_residual": float(coupled.rotation_residual[i]),
                    "attribute_angle": float(angles[i]),
                }
                for i in range(self.points)
            ]
            alike = similarity(captured[0], captured[-1], 10)
            ends.append(
                {
                    "path": name,
                    "barrier": float((loss - chord).max()),
                    "change": float(paths.largest_change(apply, path, ts, split.inputs)),
                    "cka": alike["cka"],
                    "sample_space_angle": alike["sample_space_angle"],
                    "ratio": ratio if name == UNREAD else None,
                }
            )
        return Result(
            tables={"paths": pa.Table.from_pylist(rows), "ends": pa.Table.from_pylist(ends)},
            facts={"layer": layer, "examples": len(split)},
        )

    def unread(
        self,
        group: symmetry.Group,
        layer: str,
        network: Params,
        here: np.ndarray,
        labels: np.ndarray,
    ) -> tuple[Path, float]:
        """The path that changes a unit which nothing reads, and the ratio of its attribute.

        The unit tells the two classes apart least of all; it becomes a multiple of that which tells
        them apart best.
        """
        attribute = self.attribute(here, labels)
        unit, source = (int(each(abs(attribute))) for each in (np.argmin, np.argmax))
        start = without_unit(group, layer, network, unit)
        stop = with_copy(group, layer, start, unit, source, self.growth)
        rest = np.delete(attribute, unit)
        ratio = self.growth * abs(attribute[source]) / np.linalg.norm(rest)
        return paths.line(start, stop), float(ratio)

    def rescaled(self, group: symmetry.Group, network: Params) -> Path:
        """The orbit of log-normal factors of all hidden units."""
        random = np.random.default_rng(0)
        tangent = {
            generator.name: random.normal(0, self.spread, generator.shape).astype(np.float32)
            for generator in group.generators
            if generator.kind == "scaling"
        }
        return paths.orbit_along(group, tangent, network)

    def copy(self, group: symmetry.Group, network: Params) -> Params:
        """A randomly permuted copy."""
        return symmetry.act(group, symmetry.random_element(group, jax.random.key(1)), network)

    def angles(self, captured: list[np.ndarray], labels: np.ndarray) -> Iterator[float]:
        """The angle of the attribute with that of the first features, in degrees."""
        first = self.attribute(captured[0], labels)
        for each in captured:
            found = self.attribute(each, labels)
            across = np.linalg.norm(found - first * (found @ first) / (first @ first))
            along = (found @ first) / np.linalg.norm(first)
            yield float(np.degrees(np.arctan2(across, along)))

    def attribute(self, values: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """The difference of the mean features of two classes."""
        means = [values[labels == each].mean(axis=0, dtype=np.float64) for each in self.classes]
        return means[0] - means[1]


@jax.jit
def network_at(path: Path, t: Any) -> Params:
    """The network at a point."""
    return path(t)
