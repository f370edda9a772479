"""How values are multiplied: the second thing that the rules write down, beside the labels.

Let every unit i of a label be multiplied by t_i to some power, its *weight*, wherever it appears in
a parameter. Every axis of every value inside the network has such a weight then, and every
primitive ties the weights of its operands to those of its output by a *law*. The powers that solve
all these equations are symmetries: over the rationals positive scalings, over the field of two
elements signs, for planes of two units angles (`mconn.symmetry.solutions`). A weight of 1 or -1
under nothing but linear laws stands for any invertible matrix (`mconn.symmetry.solutions`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

ONE = Fraction(1)


class Law(Enum):
    """What a primitive does to the weights w of its operands along one axis.

    An operand that is constant along the axis has weight 0, and an operand that is zero has any.
    """

    EQUAL = "linear in all operands together: all weights are equal, and that of the output too"
    PRODUCT = "a monomial: the output's weight is the sum of power * w"
    POSITIVE = "commutes with positive scalings only (max): equal under scalings, no sign"
    ABSOLUTE = "the absolute value: scalings pass, signs vanish"
    ODD = "an odd function: signs pass, no scaling"
    EVEN = "an even function: signs vanish, no scaling"
    SIGN = "the sign: signs pass, scalings vanish"
    ORDER = "comparison by size: equal under scalings, which vanish; no sign"
    EQUALITY = "comparison for equality: equal weights, which vanish"
    SELECT = "the first operand chooses among the others: it has no weight, these are equal"
    EPSILON = "a normaliser adds its epsilon: no weight, or the operand's if epsilon counts as zero"
    TURN = "pairs are turned by constant angles: rotations of the same planes pass, nothing else"
    DUAL = "the two operands are summed over together: the weights cancel"
    SUM = "the operand is summed over: it has no weight"
    FIXED = "anything else: no weight"


@dataclass(frozen=True, slots=True)
class Constraint:
    """A law between the unknowns of one output and of some operands (None for weight 0).

    ``powers`` are those of a PRODUCT; ``varying`` tells whether a constant that varies along the
    axis is among the operands.
    """

    law: Law
    out: int | None
    operands: tuple[int | None, ...]
    powers: tuple[Fraction, ...] = ()
    varying: bool = False


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A label in a value, with the labels of the other axes and factors of all its blocks."""

    label: int
    weight: int | None
    companions: tuple[int, ...]


class Weights:
    """The unknown weights, the laws between them, and where labels occur together.

    ``labels[u]`` is the label of unknown u. ``parted`` has pairs (label, companion) such that what
    a generator does to the first cannot depend on the entry of the second, and ``mixed`` the labels
    of axes along which entries with different indices meet.
    """

    def __init__(self) -> None:
        self.labels: list[int] = []
        self.constraints: list[Constraint] = []
        self.occurrences: list[Occurrence] = []
        self.parted: set[tuple[int, int]] = set()
        self.mixed: set[int] = set()

    def new(self, label: int) -> int:
        """A new unknown."""
        self.labels.append(label)
        return len(self.labels) - 1

    def require(
        self,
        law: Law,
        out: int | None,
        operands: Sequence[int | None],
        powers: Sequence[Fraction] = (),
        varying: bool = False,
    ) -> None:
        """Write a law down."""
        if out is not None or any(operand is not None for operand in operands):
            self.constraints.append(Constraint(law, out, tuple(operands), tuple(powers), varying))

    def mark(self) -> tuple[int, int, int]:
        """A point to return to with `rewind`."""
        return len(self.labels), len(self.constraints), len(self.occurrences)

    def rewind(self, mark: tuple[int, int, int]) -> None:
        """Forget the unknowns, laws and occurrences written down since the mark."""
        del self.labels[mark[0] :]
        del self.constraints[mark[1] :]
        del self.occurrences[mark[2] :]
