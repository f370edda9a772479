"""Work whose progress is shown."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from mconn.experiment import Context

T = TypeVar("T")


def shown(context: Context, what: str, items: Iterable[T], unit: str) -> Iterator[T]:
    """The items one after the other; each counts as done when the next one is asked for."""
    todo = list(items)
    with context.progress.task(what, total=len(todo), unit=unit) as task:
        for done, item in enumerate(todo, start=1):
            yield item
            task.update(done)
