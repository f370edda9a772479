"""The names of what is measured during a training."""

from typing import NamedTuple

SEPARATOR = " | "


class Series(NamedTuple):
    """One number over epochs.

    Attributes:
        quantity: what is measured, in words, with its space or its treatment.
        layer: of which features; empty for a quantity of the whole network.
        networks: of which seed, or of which two, such as ``0-1``.
    """

    quantity: str
    layer: str
    networks: str

    @property
    def name(self) -> str:
        """As one word of a table."""
        return SEPARATOR.join(self)

    @classmethod
    def named(cls, name: str) -> "Series":
        """The series of a name."""
        return cls(*name.split(SEPARATOR))
