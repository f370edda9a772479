"""Results of stages: from memory, from the store, or made now."""

import datetime
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mconn.experiment.stage import Context, Result, Stage
from mconn.experiment.store import Store
from mconn.experiment.versions import versions
from mconn.progress import Progress, seconds


class Executor:
    """Obtains results of stages, inputs first, each at most once; keeps a log."""

    def __init__(
        self, store: Store, names: Mapping[str, str], data_dir: Path | None, progress: Progress
    ) -> None:
        """Remember where to look.

        Args:
            store: where results are kept.
            names: how to call a stage, by its key; others are called by their class.
            data_dir: the user's folder of data sets.
            progress: where to report to.
        """
        self.store = store
        self.names = names
        self.data_dir = data_dir
        self.progress = progress
        self.results: dict[str, Result] = {}
        self.log: list[dict[str, Any]] = []

    def obtain(self, stage: Stage) -> Result:
        """The result of a stage, as it comes back from the store."""
        if stage.key in self.results:
            return self.results[stage.key]
        name = self.names.get(stage.key, type(stage).__name__)
        stored = self.store.has(stage) or not self.make(stage, name)
        began = time.monotonic()
        result = self.results[stage.key] = self.store.load(stage)
        made = self.store.made(stage)
        if stored:
            self.progress.note(f"{name}: from the store ({seconds(made['seconds'])} when made)")
        self.log.append(
            {
                "name": name,
                "stage": type(stage).__name__,
                "key": stage.key,
                "from_store": stored,
                "seconds": round(time.monotonic() - began, 2) if stored else made["seconds"],
                "made": made,
            }
        )
        return result

    def make(self, stage: Stage, name: str) -> bool:
        """Run a stage and store its result; False if another process just did."""
        inputs = {
            field: tuple(map(self.obtain, value))
            if isinstance(value, tuple)
            else self.obtain(value)
            for field, value in stage.inputs.items()
        }

        def waiting() -> None:
            self.progress.note(f"{name}: another process makes the same result; waiting for it")

        with self.store.lock(stage, waiting):
            if self.store.has(stage):
                return False
            work = self.store.work(stage).absolute()
            work.mkdir(parents=True, exist_ok=True)
            began = time.monotonic()
            result = stage.run(inputs, Context(self.data_dir, work, self.progress))
            made = {
                "seconds": round(time.monotonic() - began, 2),
                "when": now(),
                "by": versions(source_folder(stage)),
            }
            self.store.save(stage, result, made)
        return True


def now() -> str:
    """The time of day with its zone, to the second."""
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")


def source_folder(value: object) -> Path:
    """The folder of the module that defines an object's class; the current one in a notebook."""
    file = getattr(sys.modules.get(type(value).__module__), "__file__", None)
    return Path(file).absolute().parent if file else Path.cwd()
