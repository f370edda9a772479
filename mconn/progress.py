"""Progress of long work: bars on a terminal, a few lines in a log file, nothing by default.

A function that takes long accepts ``progress: Progress = SILENT`` and reports to it from the host,
never from inside a compiled program::

    with progress.task("train", total=epochs, unit="epoch") as task:
        for epoch in range(epochs):
            ...
            task.update(epoch + 1, loss=loss, accuracy=accuracy)
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console

Field = str | float | int
"""A value shown beside the bar; numbers are rounded to four digits."""


class Task:
    """One piece of work whose progress is shown; this base shows nothing."""

    def update(self, completed: int, **fields: Field) -> None:
        """Say how much is done in all, counted in the task's unit, and what to show beside it."""


class Progress:
    """Where long work reports to; this base is silent."""

    @contextmanager
    def task(self, description: str, *, total: int | None, unit: str = "step") -> Iterator[Task]:
        """Show a piece of work until the block ends, also when it ends by an exception.

        Args:
            description: a word or two, such as ``train``.
            total: how many units there are; None where nobody knows.
            unit: what is counted, in the singular.
        """
        yield Task()

    def note(self, text: str) -> None:
        """Show one line, such as ``train: from the store``."""


SILENT = Progress()


def on(console: Console) -> Progress:
    """Bars if the console is a terminal, otherwise a line now and then."""
    return Bars(console) if console.is_terminal else Lines(console)


class Bars(Progress):
    """Live bars with the fields, the speed and the time left, for a terminal."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.live: Any = None
        self.running = 0

    @contextmanager
    def task(self, description: str, *, total: int | None, unit: str = "step") -> Iterator[Task]:
        """See `Progress.task`; tasks inside a task share the display."""
        if self.live is None:
            self.live = new_display(self.console)
            self.live.start()
        self.running += 1
        live = self.live
        number = live.add_task(description, total=total, unit=unit, shown={})
        try:
            yield BarTask(live, number)
        finally:
            live.stop_task(number)
            self.running -= 1
            if self.running == 0:
                self.live = None
                live.stop()  # also gives the cursor back

    def note(self, text: str) -> None:
        """See `Progress.note`; the line appears above the running bars."""
        self.console.print(text, style="dim", markup=False, highlight=False)


class BarTask(Task):
    """One bar of a live display."""

    def __init__(self, live: Any, number: Any) -> None:
        self.live = live
        self.number = number

    def update(self, completed: int, **fields: Field) -> None:
        """See `Task.update`."""
        self.live.update(self.number, completed=completed, shown=fields)


def new_display(console: Console) -> Any:
    """A live display; on a narrow terminal the fields are cut, never wrapped."""
    from rich import progress as rich_progress
    from rich.table import Column
    from rich.text import Text

    class Count(rich_progress.ProgressColumn):
        def render(self, task: rich_progress.Task) -> Text:
            unit = task.fields["unit"]
            if task.total is None:
                text = plural(task.completed, unit)
            else:
                text = f"{task.completed:g}/{plural(task.total, unit)}"
            if task.speed is not None and "speed" not in task.fields["shown"]:
                text += f"  {rate(task.speed, unit)}"
            return Text(text)

    class Fields(rich_progress.ProgressColumn):
        def render(self, task: rich_progress.Task) -> Text:
            return Text("  ".join(fields_as_words(task.fields["shown"])), style="cyan")

    return rich_progress.Progress(
        rich_progress.TextColumn("{task.description}", markup=False),
        rich_progress.BarColumn(bar_width=24),
        Count(Column(no_wrap=True)),
        rich_progress.TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        Fields(Column(no_wrap=True, overflow="ellipsis")),
        console=console,
        # Long enough to hold several epochs that take a minute each.
        speed_estimate_period=600.0,
    )


class Lines(Progress):
    """One line when a task starts, one when it ends, and sparse ones between: for log files."""

    def __init__(
        self,
        console: Console,
        every: float | int = 30,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Print to ``console`` at most once in ``every`` seconds of ``clock`` within a task."""
        self.console = console
        self.every = every
        self.clock = clock

    @contextmanager
    def task(self, description: str, *, total: int | None, unit: str = "step") -> Iterator[Task]:
        """See `Progress.task`."""
        task = LineTask(self, description, total, unit)
        size = "started" if total is None else plural(total, unit)
        self.note(f"{description}: {size}")
        try:
            yield task
        except BaseException:  # Ctrl-C, too, leaves a line that says how far the work came
            self.note(f"{task.state()}, stopped after {seconds(self.clock() - task.began)}")
            raise
        self.note(f"{task.state()}, done in {seconds(self.clock() - task.began)}")

    def note(self, text: str) -> None:
        """See `Progress.note`."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)


class LineTask(Task):
    """A task that remembers its state and prints it now and then."""

    def __init__(self, lines: Lines, description: str, total: int | None, unit: str) -> None:
        self.lines = lines
        self.description = description
        self.total = total
        self.unit = unit
        self.completed: int = 0
        self.fields: dict[str, Field] = {}
        self.began = self.printed = lines.clock()

    def update(self, completed: int, **fields: Field) -> None:
        """See `Task.update`."""
        self.completed = completed
        self.fields = fields
        now = self.lines.clock()
        if now - self.printed >= self.lines.every and completed != self.total:
            self.printed = now
            self.lines.note(self.state())

    def state(self) -> str:
        """``train: 20 of 150 epochs, loss 0.1, accuracy 0.97``."""
        if self.total is None:
            done = plural(self.completed, self.unit)
        else:
            done = f"{self.completed:g} of {plural(self.total, self.unit)}"
        return ", ".join([f"{self.description}: {done}", *fields_as_words(self.fields)])


def fields_as_words(fields: dict[str, Field]) -> list[str]:
    """Each field as its name and its value, with numbers rounded to four digits."""
    return [
        f"{name.replace('_', ' ')} {value if isinstance(value, str) else format(value, '.4g')}"
        for name, value in fields.items()
    ]


def plural(count: float | int, unit: str) -> str:
    """``1 epoch`` and ``2 epochs``."""
    return f"{count:g} {unit}{'' if count == 1 else 's'}"


def rate(speed: float | int, unit: str) -> str:
    """``3.2 epochs/s``, or ``7.5 s/epoch`` for slow work."""
    return f"{speed:.3g} {unit}s/s" if speed >= 1 or speed == 0 else f"{1 / speed:.3g} s/{unit}"


def seconds(duration: float | int) -> str:
    """A duration for people: ``0.3 s``, ``42 s``, ``3 min 5 s``, ``1 h 2 min``."""
    if duration < 9.95:
        return f"{duration:.1f} s"
    whole = round(duration)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
