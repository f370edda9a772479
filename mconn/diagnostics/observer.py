"""The observer of a training that tracks features and barriers of its seeds."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from mconn import features, symmetry, trees
from mconn.data import Dataset, Split
from mconn.diagnostics.measures import MATCHED, NAIVE, Layers, Measure, Moment, Series
from mconn.errors import ConfigError
from mconn.progress import Field
from mconn.training import Observed, Observer, TrainConfig
from mconn.types import Params

Shower = Callable[[Observed], None]
"""Draws, or logs, all measurements so far."""


class Diagnostics(Observer):
    """Tracks what the seeds of a training have in common while they are trained.

    As an observer::

        watch = Diagnostics(config, dataset, [RunningBarrier(), ReferenceSimilarity()])
        trained = training.train(config, dataset, observer=watch)
        watch.table(trained.observed)

    All seeds are measured on the same examples of the training split.
    """

    def __init__(
        self,
        config: TrainConfig,
        dataset: Dataset,
        measures: Sequence[Measure],
        *,
        every: int = 1,
        examples: int = 1000,
        show: Shower | None = None,
    ) -> None:
        """Discover the network's group, by which its features are read.

        Args:
            config: the training.
            dataset: what it is trained on.
            measures: what to track.
            every: epochs between measurements.
            examples: the first ones of the training split, on which all is measured.
            show: called after every measurement, such as to draw.

        Raises:
            ConfigError: if there is one seed only, or nothing to measure.
        """
        if len(config.seeds) < 2:
            raise ConfigError(f"seeds are {config.seeds}: two networks are compared, train two")
        if not measures:
            raise ConfigError("there is nothing to measure: name at least one measure")
        self.every = every
        self.seeds = config.seeds
        self.examples: Split = dataset.train.head(examples)
        self.apply = config.model.apply
        self.shower = show
        self.measures = tuple(measures)
        inputs = np.asarray(self.examples.inputs[:2])
        shapes = jax.eval_shape(config.model.init, jax.random.key(0), inputs)
        group = symmetry.discover(self.apply, shapes, inputs)
        self.group = symmetry.permutations(group)
        self.read = features.Units(group, self.apply)
        self.layers = tuple(jax.eval_shape(self.read, shapes, inputs))
        self.series = tuple(
            series for measure in measures for series in measure.series(self.seeds, self.layers)
        )
        self.first: list[Layers] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all series."""
        return tuple(series.name for series in self.series)

    def measure(self, networks: Params, initial: Params) -> Mapping[str, float]:
        """See `mconn.training.Observer.measure`."""
        if self.first is None:
            self.first = self._features_of(initial)
        moment = Moment(
            self.apply,
            self.group,
            self.seeds,
            trees.to_numpy(networks),
            self._features_of(networks),
            self.first,
            self.examples,
        )
        values = [value for measure in self.measures for value in measure.measure(moment)]
        return dict(zip(self.names, values, strict=True))

    def _features_of(self, networks: Params) -> list[Layers]:
        stacked = trees.to_numpy(networks)
        return [
            features.capture(self.read, trees.index(stacked, i), self.examples.inputs)
            for i in range(len(self.seeds))
        ]

    def show(self, observed: Observed) -> Mapping[str, Field]:
        """Draw, and show the barriers of the last measurement beside the progress."""
        if self.shower is not None:
            self.shower(observed)
        barriers = [series for series in self.series if series.quantity in (NAIVE, MATCHED)]
        return {f"{s.quantity} {s.networks}": _last(observed[s.name]) for s in barriers[:2]}

    def table(self, observed: Observed) -> Any:
        """All measurements as a tidy ``pyarrow.Table``.

        Columns ``epoch``, ``quantity``, ``layer``, ``networks``, ``value``.
        """
        return table(observed)


def table(observed: Observed) -> Any:
    """The measurements of `Diagnostics` as a tidy table; see `Diagnostics.table`."""
    import pyarrow as pa

    return pa.Table.from_pylist(
        [
            {"epoch": epoch, **Series.named(name)._asdict(), "value": float(value)}
            for name, values in observed.items()
            for epoch, value in enumerate(values)
            if np.isfinite(value)
        ]
    )


def _last(values: np.ndarray) -> float:
    return float(values[np.isfinite(values)][-1])
