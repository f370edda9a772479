"""Progress that keeps what it hears."""

from contextlib import contextmanager

from mconn.progress import Progress, Task


class Notes(Progress):
    """Keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


class Recorder(Progress):
    """Progress that keeps its updates, and stops the training after some of them."""

    def __init__(self, stop_after=None):
        self.updates = []
        self.lines = []
        self.stop_after = stop_after

    @contextmanager
    def task(self, description, *, total, unit="step"):
        recorder = self

        class Recording(Task):
            def update(self, completed, **fields):
                recorder.updated(completed, fields)

        self.started = (description, total, unit)
        yield Recording()

    def updated(self, completed, fields):
        self.updates.append((completed, fields))
        if completed == self.stop_after:
            raise KeyboardInterrupt

    def note(self, text):
        self.lines.append(text)
