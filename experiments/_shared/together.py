"""Claims of several parts, each of which must hold, with its threshold said once."""

from mconn.experiment import Claim, claims


def most(
    of: str, values: claims.Numbers, limit: float | int, unit: str = "", strict: bool = False
) -> Claim:
    """A part: no number is above the limit."""
    return claims.at_most("part", of, values, limit, of=of, unit=unit, strict=strict, source="")


def least(
    of: str, values: claims.Numbers, limit: float | int, unit: str = "", strict: bool = False
) -> Claim:
    """A part: no number is below the limit."""
    return claims.at_least("part", of, values, limit, of=of, unit=unit, strict=strict, source="")


def together(id: str, statement: str, *parts: Claim, source: str) -> Claim:
    """All parts hold."""
    measured = ", ".join(
        f"{part.statement} {part.measured:.3g}"
        if isinstance(part.measured, float)
        else f"{part.statement} {part.measured}"
        for part in parts
    )
    expected = ", ".join(str(part.expected) for part in parts)
    return Claim(statement, source, expected, measured, all(p.holds for p in parts), id=id)
