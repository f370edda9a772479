"""Progress that remembers what it was told."""

from mconn.progress import Progress


class Notes(Progress):
    """Keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)
