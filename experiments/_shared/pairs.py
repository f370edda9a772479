"""A stage over pairs of trained networks: its author writes what is measured of one pair."""

import abc
import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mconn import data, paths, symmetry, trees
from mconn.experiment import Context, Result, Stage
from mconn.experiment.stages import Align, Train, group_of
from mconn.types import ApplyFn, Params


@dataclass(frozen=True)
class Setting:
    """What all pairs of a stage share.

    Attributes:
        apply: the model.
        dataset: with its splits.
        networks: stacked over seeds.
        group: the permutations of their units.
    """

    apply: ApplyFn
    dataset: data.Dataset
    networks: Params
    group: symmetry.Group

    @property
    def splits(self) -> dict[str, data.Split]:
        """The examples by the name of the split."""
        return {"train": self.dataset.train, "test": self.dataset.test}


@dataclass(frozen=True)
class Pair:
    """Two networks, of which the second was moved onto the first.

    Attributes:
        name: of the seeds, such as ``0-1``.
        method: how the second was aligned, or ``naive``.
        a: the first.
        b: the second, moved.
    """

    name: str
    method: str
    a: Params
    b: Params

    @property
    def line(self) -> paths.ControlledPath:
        """The straight line between them."""
        return paths.line(self.a, self.b)

    @property
    def labels(self) -> dict[str, str]:
        """The columns that say which pair a row is of."""
        return {"method": self.method, "pair": self.name}


Rows = Mapping[str, Sequence[Mapping[str, Any]]]
"""Rows by the name of their table."""


@dataclass(frozen=True)
class PairStage(Stage):
    """Measure every pair of seeds; the tables hold the rows of all pairs, with their labels.

    Attributes:
        train: the networks.
        align: moves the second network of each pair first; None leaves it as it is.
    """

    train: Train
    align: Align | None = None

    @abc.abstractmethod
    def measure(self, pair: Pair, setting: Setting) -> Rows:
        """The rows of one pair, without its labels."""

    @property
    def method(self) -> str:
        """How the second networks are aligned."""
        return "naive" if self.align is None else self.align.method

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Pair after pair."""
        setting, tables = self.setting(inputs, context), defaultdict(list)
        pairs = list(self.pairs(inputs, setting))
        with context.progress.task(
            f"{type(self).__name__} {self.method}", total=len(pairs), unit="pair"
        ) as task:
            for done, pair in enumerate(pairs, start=1):
                for name, rows in self.measure(pair, setting).items():
                    tables[name] += [{**pair.labels, **row} for row in rows]
                task.update(done, pair=pair.name)
        return Result(tables=tables)

    def setting(self, inputs: Mapping[str, Any], context: Context) -> Setting:
        """The data, the networks and their group."""
        config, networks = self.train.config, inputs["train"].tree
        dataset = data.load(config.data, context.data_dir)
        group = group_of(config.model.apply, networks, dataset.train)
        return Setting(config.model.apply, dataset, networks, group)

    def pairs(self, inputs: Mapping[str, Any], setting: Setting) -> Iterator[Pair]:
        """Every two seeds, the second moved onto the first."""
        for i, j in itertools.combinations(range(len(self.train.config.seeds)), 2):
            name = f"{self.train.config.seeds[i]}-{self.train.config.seeds[j]}"
            a, b = (trees.index(setting.networks, each) for each in (i, j))
            if self.align is not None:
                b = symmetry.act(setting.group, inputs["align"].tree[name], b)
            yield Pair(name, self.method, a, b)
