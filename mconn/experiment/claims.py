"""Claims: statements that numbers can refute, each with an id by which the ledger finds it.

The functions here own the test. They compute whether a claim holds, and write what was expected,
the tolerance and the measured number from the same values, so that words and test cannot differ::

    claims.at_most("certificate", "the group keeps the outputs", changes, 1e-10, source="control")
    claims.ordered("falls/naive", "the barrier falls with width", means, falling=True, source=PAPER)

Numbers may be single ones or arrays, of which every entry must pass. Nothing measured never holds.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mconn.errors import ConfigError

Numbers = Any
"""A number, or several: anything that NumPy makes an array of, such as a column of a frame."""


@dataclass(frozen=True)
class Claim:
    """A statement that the numbers can refute: what was expected, what came out, does it hold.

    Attributes:
        statement: one sentence, such as "weight matching lowers the train barrier".
        source: who says so: a paper with its figure, or "this project's pilots".
        expected: the source's number or relation, as shown to the reader.
        measured: ours.
        holds: whether the claim holds. A claim that fails is shown as failing; it is no error.
        tolerance: how far apart the two may be, in words; empty where the relation is exact.
        interval: of the measured number, with what it is taken over, such as "[1.12, 1.15] over
            pairs"; empty where the number is exact or tells its spread itself.
        id: what the claim is called, unique within a study: ``falls/naive``. The part before a
            slash names a group of claims. It is written in small letters, with a dash between
            words, whatever is given.

    Raises:
        ConfigError: if there is no id.
    """

    statement: str
    source: str
    expected: str | float | int
    measured: str | float | int
    holds: bool
    tolerance: str = ""
    interval: str = ""
    id: str = field(kw_only=True)

    def __post_init__(self) -> None:
        name = _normal(self.id)
        if not all(name.split("/")):
            raise ConfigError(
                f"the claim '{self.statement}' has the id '{self.id}': give it one or more words, "
                "such as 'falls/naive'"
            )
        object.__setattr__(self, "id", name)

    def is_called(self, name: str) -> bool:
        """Whether ``name`` is this claim's id, or that of a group it belongs to."""
        return f"{self.id}/".startswith(f"{_normal(name)}/")


def at_most(
    id: str,
    statement: str,
    values: Numbers,
    limit: float | int,
    *,
    source: str,
    of: str = "",
    unit: str = "",
    strict: bool = False,
) -> Claim:
    """No number is above the limit.

    Args:
        id: of the claim.
        statement: one sentence.
        values: ours.
        limit: what the largest is compared with.
        source: who says so.
        of: what the numbers are, such as "relative change".
        unit: of the numbers.
        strict: whether the limit itself is too much.
    """
    found = _numbers(values)
    word, holds = ("below", found < limit) if strict else ("at most", found <= limit)
    return _claim(id, statement, found, holds, f"{of} {word} {_text(limit)} {unit}", source)


def at_least(
    id: str,
    statement: str,
    values: Numbers,
    limit: float | int,
    *,
    source: str,
    of: str = "",
    unit: str = "",
    strict: bool = False,
) -> Claim:
    """No number is below the limit; arguments as of `at_most`."""
    found = _numbers(values)
    word, holds = ("above", found > limit) if strict else ("at least", found >= limit)
    return _claim(id, statement, found, holds, f"{of} {word} {_text(limit)} {unit}", source)


def between(
    id: str,
    statement: str,
    values: Numbers,
    low: float | int,
    high: float | int,
    *,
    source: str,
    of: str = "",
    unit: str = "",
) -> Claim:
    """Every number lies between two others, or is one of them; arguments as of `at_most`."""
    found = _numbers(values)
    expected = f"{of} {_text(low)} to {_text(high)} {unit}"
    return _claim(id, statement, found, (found >= low) & (found <= high), expected, source)


def near(
    id: str,
    statement: str,
    values: Numbers,
    expected: float | int,
    *,
    source: str,
    relative: float | int | None = None,
    absolute: float | int = 0,
    over: str = "",
    interval: str = "",
) -> Claim:
    """The number, or the mean of several, is the expected one within a tolerance.

    Args:
        id: of the claim.
        statement: one sentence.
        values: ours.
        expected: the source's number.
        source: who says so.
        relative: the largest difference that is accepted, as a share of the expected number.
        absolute: the largest difference, where no share is given; 0 asks for equality.
        over: what several numbers are: "pairs". Their mean is compared, and their lowest and
            highest are shown.
        interval: of our number, in words, where it is not that of ``over``.
    """
    found = _numbers(values)
    mean = float(found.mean()) if found.size else float("nan")
    allowed = absolute if relative is None else relative * abs(expected)
    tolerance = f"± {absolute:g}" if relative is None else f"± {100 * relative:g} %"
    if over and found.size:
        interval = f"[{found.min():.3g}, {found.max():.3g}] over {over}"
    return Claim(
        statement,
        source,
        expected,
        mean,
        bool(abs(mean - expected) <= allowed),
        tolerance if allowed else "",
        interval,
        id=id,
    )


def equal(id: str, statement: str, measured: Any, expected: Any, *, source: str) -> Claim:
    """What was found is what was expected, exactly: counts, or tuples of them."""
    holds = bool(np.all(measured == expected))
    if not isinstance(expected, int | float):
        expected, measured = (
            ", ".join(map(str, np.atleast_1d(each))) for each in (expected, measured)
        )
    return Claim(statement, source, expected, measured, holds, id=id)


def counts(id: str, statement: str, outcomes: Numbers, *, source: str, of: str = "pairs") -> Claim:
    """Something is so in every case.

    Args:
        id: of the claim.
        statement: one sentence.
        outcomes: for every case, whether it is so.
        source: who says so.
        of: what the cases are.
    """
    found = np.ravel(np.asarray(outcomes, bool))
    total, right = found.size, int(found.sum())
    expected, measured = (f"{count} of {total} {of}" for count in (total, right))
    return Claim(statement, source, expected, measured, 0 < total == right, id=id)


def ordered(
    id: str,
    statement: str,
    values: Numbers,
    *,
    falling: bool,
    source: str,
    of: str = "",
) -> Claim:
    """Numbers fall, or rise, from each to the next.

    Args:
        id: of the claim.
        statement: one sentence.
        values: in their order, shape (places,); or (cases, places), where every case must pass.
        falling: whether they fall.
        source: who says so.
        of: what is counted; by default the steps of one row, and the "pairs" of several.
    """
    steps = np.diff(np.asarray(values, float), axis=-1)
    right = steps < 0 if falling else steps > 0
    cases = right.all(axis=-1) if right.ndim > 1 else right
    return counts(
        id, statement, cases, source=source, of=of or ("pairs" if right.ndim > 1 else "steps")
    )


def share_of(
    id: str,
    statement: str,
    values: Numbers,
    whole: Numbers,
    *,
    source: str,
    least: float | int | None = None,
    most: float | int | None = None,
    of: str = "",
) -> Claim:
    """Every number is at least, or at most, a share of another.

    Args:
        id: of the claim.
        statement: one sentence.
        values: ours.
        whole: what they are compared with, one number or as many.
        source: who says so.
        least: the lowest share that is accepted.
        most: the highest.
        of: what the whole is, such as "the naive barrier".
    """
    shares = np.ravel(np.asarray(values, float) / np.asarray(whole, float))
    bounds = [(each, word) for each, word in ((least, "at least"), (most, "at most")) if each]
    expected = " and ".join(f"{word} {100 * each:g} %" for each, word in bounds)
    holds = shares.size > 0 and all(
        (shares >= each).all() if word == "at least" else (shares <= each).all()
        for each, word in bounds
    )
    measured = _range(100 * shares, "{:.0f}") + " %"
    return Claim(statement, source, f"{expected} of {of or 'it'}", measured, bool(holds), id=id)


def each_with(part: str, found: Iterable[Claim]) -> list[Claim]:
    """The claims with a part added to their ids: the same ones of several networks of a study."""
    return [replace(claim, id=f"{claim.id}/{part}") for claim in found]


def _normal(id: str) -> str:
    return "/".join("-".join(re.findall(r"[a-z0-9.]+", part)) for part in id.lower().split("/"))


def _claim(
    id: str, statement: str, found: np.ndarray, holds: np.ndarray, expected: str, source: str
) -> Claim:
    measured = float(found[0]) if found.size == 1 else _range(found)
    passed = bool(found.size and holds.all())
    return Claim(statement, source, " ".join(expected.split()), measured, passed, id=id)


def _numbers(values: Numbers) -> np.ndarray:
    return np.ravel(np.asarray(values, float))


def _range(values: np.ndarray, form: str = "{:.3g}") -> str:
    if not values.size:
        return "nothing"
    low, high = form.format(values.min()), form.format(values.max())
    return low if low == high else f"{low} to {high}"


def _text(number: float | int) -> str:
    return f"{number:.0e}" if 0 < abs(number) < 1e-3 else f"{number:g}"
