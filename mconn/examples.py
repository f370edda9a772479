"""Examples in the forms in which users have them: fields, a mapping, or a pair."""

from collections.abc import Mapping
from typing import Any

from mconn.errors import DataError
from mconn.types import Batch


def parts(batch: Batch) -> tuple[Any, Any]:
    """The inputs and the labels of examples.

    Args:
        batch: anything with the fields ``inputs`` and ``labels``, such as `mconn.data.Split`; a
            mapping with these two keys; or the pair ``(inputs, labels)``.

    Raises:
        DataError: if it is none of these.
    """
    if hasattr(batch, "inputs") and hasattr(batch, "labels"):
        return batch.inputs, batch.labels
    if isinstance(batch, Mapping) and "inputs" in batch and "labels" in batch:
        return batch["inputs"], batch["labels"]
    if isinstance(batch, tuple | list) and len(batch) == 2:
        return batch[0], batch[1]
    raise DataError(
        f"the examples are a {type(batch).__name__} without inputs and labels: pass the pair "
        "(inputs, labels), a mapping with these two keys, or a mconn.data.Split"
    )
