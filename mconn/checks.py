"""Checks of arguments that every floor shares: one sentence with the thing and the way out."""

import difflib
from collections.abc import Iterable
from typing import Any

from mconn.errors import ConfigError, StructureError


def check_choice(option: str, value: str, choices: Iterable[str]) -> None:
    """Refuse a name that is none of the choices.

    Raises:
        ConfigError: naming the option, the nearest choice and all the others.
    """
    names = list(choices)
    if value not in names:
        nearest = difflib.get_close_matches(str(value), names, n=1)
        hint = f" (did you mean '{nearest[0]}'?)" if nearest else ""
        raise ConfigError(f"{option} '{value}' is unknown{hint}: choose one of {', '.join(names)}")


def check_kind(name: str, value: Any, kind: type | tuple[type, ...], way_out: str) -> None:
    """Refuse an argument of another kind than the function works with.

    Args:
        name: of the argument.
        value: what was given.
        kind: the class, or classes, that it must be of.
        way_out: how to make one, such as "make it with symmetry.discover".

    Raises:
        StructureError: naming the argument, its kind and the way out.
    """
    # A class has the methods of its instances, and would pass for one where a kind is a protocol.
    is_class = isinstance(value, type)
    if is_class or not isinstance(value, kind):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        wanted = " or ".join(each.__name__ for each in kinds)
        given = f"the class {value.__name__}" if is_class else f"a {type(value).__name__}"
        raise StructureError(f"{name} is {given}, not a {wanted}: {way_out}")
