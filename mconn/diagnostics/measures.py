"""What can be tracked during a training: angles of subspaces, similarity, the running barrier."""

import abc
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np

from mconn import align, features, landscape, paths, trees
from mconn.data import Split
from mconn.diagnostics.subspaces import Attribute, Classes, directions
from mconn.symmetry import Group
from mconn.types import ApplyFn, Params

_SEPARATOR = " | "


class Series(NamedTuple):
    """One number over epochs.

    Attributes:
        quantity: what is measured, in words, with its space or its treatment.
        layer: of which features; empty for a quantity of the whole network.
        networks: of which seed, or of which two, such as ``0-1``.
    """

    quantity: str
    layer: str
    networks: str

    @property
    def name(self) -> str:
        """As one word of a table."""
        return _SEPARATOR.join(self)

    @classmethod
    def named(cls, name: str) -> "Series":
        """The series of a name."""
        return cls(*name.split(_SEPARATOR))


_CLASSES = Classes()

Layers = dict[str, np.ndarray]
"""Features on the host, (n, units) by layer."""

NAIVE, MATCHED = "barrier, naive", "barrier, matched"
SAMPLE_SPACE, TURNED = "angle between seeds, sample space", "angle from the start, neuron space"
SIMILARITY = "CKA to the reference, debiased"


class Moment(NamedTuple):
    """All networks at one moment of a training.

    Attributes:
        apply: the network.
        group: its permutations.
        seeds: the seeds' numbers.
        networks: stacked over seeds, on the host.
        features: of every seed, on the examples.
        start: the same before the first epoch.
        examples: what is measured on.
    """

    apply: ApplyFn
    group: Group
    seeds: tuple[int, ...]
    networks: Params
    features: list[Layers]
    start: list[Layers]
    examples: Split


class Measure(abc.ABC):
    """One thing that is tracked; a hashable dataclass."""

    @abc.abstractmethod
    def series(self, seeds: tuple[int, ...], layers: tuple[str, ...]) -> tuple[Series, ...]:
        """What `measure` yields, in its order."""

    @abc.abstractmethod
    def measure(self, moment: Moment) -> Iterator[float]:
        """The numbers of a moment."""


@dataclass(frozen=True)
class ReferenceSimilarity(Measure):
    """Debiased linear CKA of every layer between the first seed, the reference, and the others."""

    def series(self, seeds: tuple[int, ...], layers: tuple[str, ...]) -> tuple[Series, ...]:
        """One per layer and other seed."""
        return tuple(
            Series(SIMILARITY, layer, f"{seeds[0]}-{s}") for s in seeds[1:] for layer in layers
        )

    def measure(self, moment: Moment) -> Iterator[float]:
        """The numbers of a moment."""
        reference, *others = moment.features
        for other in others:
            for layer, here in reference.items():
                yield float(features.linear_cka(here, other[layer], debiased=True))


@dataclass(frozen=True)
class SubspaceAngles(Measure):
    """Where an attribute's subspace lies, in every layer, as its largest principal angle (degrees).

    Two different things. Between the first seed and another: the angle in sample space, between
    what the examples' features are along each network's own directions, which no symmetry of a
    network changes. Of every seed from its own start: the angle in neuron space, between
    directions among the same units; between two seeds this one would say nothing, as it changes
    with the order of the units.

    Attributes:
        attribute: the subspace.
    """

    attribute: Attribute = _CLASSES

    def series(self, seeds: tuple[int, ...], layers: tuple[str, ...]) -> tuple[Series, ...]:
        """One per layer and other seed, then one per layer and seed."""
        name = self.attribute.name
        between = [
            Series(f"{SAMPLE_SPACE}: {name}", layer, f"{seeds[0]}-{s}")
            for s in seeds[1:]
            for layer in layers
        ]
        turned = [Series(f"{TURNED}: {name}", layer, str(s)) for s in seeds for layer in layers]
        return (*between, *turned)

    def measure(self, moment: Moment) -> Iterator[float]:
        """The numbers of a moment."""
        codes = self.attribute(np.asarray(moment.examples.labels))
        now, before = (
            [{layer: directions(x, codes) for layer, x in each.items()} for each in network]
            for network in (moment.features, moment.start)
        )
        along = [
            {layer: _centred(x) @ found[layer] for layer, x in each.items()}
            for each, found in zip(moment.features, now, strict=True)
        ]
        for other in along[1:]:
            for layer, here in along[0].items():
                yield _degrees(features.sample_space_angles(here, other[layer]))
        for found, first in zip(now, before, strict=True):
            for layer, here in found.items():
                yield _degrees(features.subspace_angles(here, first[layer]))


@dataclass(frozen=True)
class RunningBarrier(Measure):
    """The chord barrier of the loss on the line from the first seed to each other one, in nats.

    Attributes:
        points: equispaced points on the line.
        matched: whether to measure it as well to the other seed with its units permuted to match
            the first one's weights.
    """

    points: int = 11
    matched: bool = True

    def series(self, seeds: tuple[int, ...], layers: tuple[str, ...]) -> tuple[Series, ...]:
        """One or two per other seed."""
        kinds = (NAIVE, MATCHED) if self.matched else (NAIVE,)
        return tuple(Series(kind, "", f"{seeds[0]}-{s}") for s in seeds[1:] for kind in kinds)

    def measure(self, moment: Moment) -> Iterator[float]:
        """The numbers of a moment."""
        first, *others = (trees.index(moment.networks, i) for i in range(len(moment.seeds)))
        for other in others:
            yield self._height(moment, first, other)
            if self.matched:
                found = align.match(moment.group, first, other)
                yield self._height(moment, first, found.apply(other))

    def _height(self, moment: Moment, a: Params, b: Params) -> float:
        losses, line = landscape.Classification(moment.apply), paths.line(a, b)
        profile = landscape.evaluate(losses, line, np.linspace(0, 1, self.points), moment.examples)
        return landscape.barrier(profile, resamples=1).value


def _centred(x: np.ndarray) -> np.ndarray:
    wide = x.astype(np.float64)
    return wide - wide.mean(axis=0)


def _degrees(angles: np.ndarray | jax.Array) -> float:
    return float(np.degrees(np.max(np.asarray(angles))))
