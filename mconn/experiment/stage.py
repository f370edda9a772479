"""A stage: one cacheable step of an experiment, such as training the seeds."""

import abc
import dataclasses
import enum
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mconn.experiment.code import code_digest
from mconn.experiment.serialise import digest, encode, names
from mconn.progress import SILENT, Progress

Table = Any
"""A ``pyarrow.Table``."""


@dataclass(frozen=True)
class Result:
    """What a stage made.

    Attributes:
        tree: arrays in nested dicts with string keys, or None; NumPy arrays when read back.
        tables: tidy tables by name; rows as a list of mappings, or a pandas frame, become one.
        facts: anything else worth keeping, as JSON values by name.
    """

    tree: Any = None
    tables: Mapping[str, Table] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        tables = {name: as_table(rows) for name, rows in self.tables.items()}
        object.__setattr__(self, "tables", tables)

    def frame(self, name: str) -> Any:
        """A table as a ``pandas.DataFrame``."""
        return self.tables[name].to_pandas()


def as_table(rows: Any) -> Table:
    """A table from its rows, mappings, or from a pandas frame; a table stays as it is."""
    import pyarrow as pa

    if isinstance(rows, pa.Table):
        return rows
    if isinstance(rows, list | tuple):
        return pa.Table.from_pylist(list(rows))
    return pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata()


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

    A field that holds a stage, or a tuple of stages, is an input. Its result is stored under its
    `key`, which other sizes, other inputs and other code change.
    """

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
        """The sha256 of the fields, of the keys of the inputs, and of the stage's own code.

        The code is all that the class of the stage, and those of what its fields hold, use of the
        user's own modules; see `mconn.experiment.code`.
        """
        return self.keyed([stage.key for stage in self.input_stages])

    def keyed(self, inputs: Sequence[str]) -> str:
        """The key of the result that is made from results with these keys, by the code as it is."""
        parts = {"config": self.encoded, "code": code_digest(_kinds(self)), "inputs": [*inputs]}
        return digest(parts)

    @property
    def encoded(self) -> Any:
        """The stage with all of its inputs, as JSON values."""
        return encode(self, type(self).__name__)

    @property
    def input_stages(self) -> "tuple[Stage, ...]":
        """The stages that are its inputs, in the order of its fields."""
        return tuple(
            stage
            for value in self.inputs.values()
            for stage in (value if isinstance(value, tuple) else (value,))
        )


def _kinds(value: Any, outermost: bool = True) -> Iterator[type]:
    if isinstance(value, tuple):
        for each in value:
            yield from _kinds(each, False)
    elif isinstance(value, enum.Enum):
        yield type(value)
    elif dataclasses.is_dataclass(value) and (outermost or not isinstance(value, Stage)):
        yield type(value)  # pyright: ignore[reportReturnType]
        for name in names(value):
            yield from _kinds(getattr(value, name), False)
