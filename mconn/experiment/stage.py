"""A stage: one cacheable step of an experiment, such as training the seeds."""

import abc
import dataclasses
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from mconn.experiment.serialise import digest, encode, type_name
from mconn.progress import SILENT, Progress

Table = Any
"""A ``pyarrow.Table``."""


@dataclass(frozen=True)
class Result:
    """What a stage made.

    Attributes:
        tree: arrays in nested dicts with string keys, or None; NumPy arrays when read back.
        tables: tidy tables by name.
        facts: anything else worth keeping, as JSON values by name.
    """

    tree: Any = None
    tables: Mapping[str, Table] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Context:
    """What a stage may use beside its inputs; nothing here may change its result.

    Attributes:
        data_dir: the user's folder of data sets, or None.
        work: the stage's own folder for checkpoints. It survives a kill, and is removed when the
            stage is complete.
        progress: where to report to.
    """

    data_dir: Path | None
    work: Path
    progress: Progress = SILENT


@dataclass(frozen=True)
class Stage(abc.ABC):
    """One step of an experiment: a frozen dataclass whose fields determine its result.

    A field that holds a stage, or a tuple of stages, is an input. ``version`` is raised when the
    code of a stage changes its result, which makes the stored results of older code unused.
    """

    version: ClassVar[int] = 1

    @abc.abstractmethod
    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Make the result.

        Args:
            inputs: for each field that is an input, the `Result`, or the tuple of results.
            context: folders and progress.
        """

    @property
    def inputs(self) -> "dict[str, Stage | tuple[Stage, ...]]":
        """The fields that hold stages; an empty tuple holds none."""
        found = {}
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            items = value if isinstance(value, tuple) else (value,)
            if items and all(isinstance(item, Stage) for item in items):
                found[each.name] = value
        return found

    @functools.cached_property
    def key(self) -> str:
        """The sha256 of the resolved config, the inputs' configs, and the versions of them all."""
        versions = {type_name(type(stage)): stage.version for stage in self.ancestry()}
        return digest({"config": encode(self, type(self).__name__), "versions": versions})

    @property
    def label(self) -> str:
        """The stage's name in the store: its class and the head of its key."""
        return f"{type(self).__name__}-{self.key[:10]}"

    def ancestry(self) -> "Iterator[Stage]":
        """The stage, its inputs, their inputs, and so on."""
        yield self
        for value in self.inputs.values():
            for stage in value if isinstance(value, tuple) else (value,):
                yield from stage.ancestry()
