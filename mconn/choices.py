"""Options that are chosen by name."""

import difflib
from collections.abc import Iterable

from mconn.errors import ConfigError


def check_choice(option: str, value: str, choices: Iterable[str]) -> None:
    """Refuse a name that is none of the choices.

    Raises:
        ConfigError: naming the option, the nearest choice and all the others.
    """
    names = list(choices)
    if value not in names:
        nearest = difflib.get_close_matches(value, names, n=1)
        hint = f" (did you mean '{nearest[0]}'?)" if nearest else ""
        raise ConfigError(f"{option} '{value}' is unknown{hint}: choose one of {', '.join(names)}")
