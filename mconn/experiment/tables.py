"""Reading the tables of several stages."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mconn.experiment.stage import Result, Table

Frame = Any
"""A ``pandas.DataFrame``: how studies read their tables."""


def gather(results: Mapping[str, Result], name: str) -> Table:
    """The tables of one name of all results, one below the other; empty if none has it."""
    import pyarrow as pa

    found = [result.tables[name] for result in results.values() if name in result.tables]
    return pa.concat_tables(found) if found else pa.table({})


def frame(results: Mapping[str, Result], name: str) -> Frame:
    """The tables of one name of all results as one frame; empty if none has it."""
    return gather(results, name).to_pandas()


def where(table: Table, **wanted: str | int | float) -> Table:
    """The rows whose columns have the wanted entries."""
    import pyarrow.compute as pc

    for column, value in wanted.items():
        table = table.filter(pc.field(column) == value)
    return table


def numbers(table: Table, column: str) -> np.ndarray:
    """One column as an array."""
    return table[column].to_numpy()
