"""Frozen dataclasses as type-tagged JSON and back: the resolved config of a run.

A dataclass becomes ``{"type": "module:Name", "fields": {...}}``, a tuple ``{"tuple": [...]}``, an
enumeration's member ``{"enum": "module:Name", "name": "MEMBER"}``, and a number that JSON lacks
``{"float": "inf"}``; None, bool, int, float and str stand for themselves. Equal configs give equal
text, so the text's hash is the config's identity.
"""

import dataclasses
import enum
import hashlib
import importlib
import json
import math
import sys
from typing import Any

from mconn.errors import ConfigError

ANEW = "it was written by another version, so delete it and run again"


def encode(value: Any, where: str = "the config") -> Any:
    """A config as JSON values.

    Args:
        value: a frozen dataclass, or what its fields may hold.
        where: how errors call the value.

    Raises:
        ConfigError: naming the field that holds something else, such as a list or an array.
    """
    if isinstance(value, enum.Enum):
        return {"enum": _type_name(type(value)), "name": value.name}
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"float": repr(float(value))}
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, tuple):
        return {"tuple": [encode(item, f"{where}[{i}]") for i, item in enumerate(value)]}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {name: encode(getattr(value, name), f"{where}.{name}") for name in names(value)}
        return {"type": _type_name(type(value)), "fields": fields}
    raise ConfigError(
        f"{where} is a {type(value).__name__}, which a config cannot hold: use None, bool, int, "
        "float, str, an enumeration, a tuple or a dataclass of these"
    )


def decode(value: Any) -> Any:
    """The config that `encode` wrote.

    Only dataclasses and enumerations are built, of mconn or of a module that is imported already:
    a file cannot make Python import or call anything else.

    Raises:
        ConfigError: naming the type or the value that cannot be read.
    """
    if not isinstance(value, dict):
        if isinstance(value, list):
            raise ConfigError("a stored config holds a bare list: only mconn's own files are read")
        return value
    match value:
        case {"float": str(text)} if text in ("inf", "-inf", "nan"):
            return float(text)
        case {"tuple": list(items)}:
            return tuple(decode(item) for item in items)
        case {"enum": str(name), "name": str(member)}:
            kind = _find_type(name)
            if issubclass(kind, enum.Enum) and member in kind.__members__:
                return kind[member]
        case {"type": str(name), "fields": dict(fields)}:
            kind = _find_type(name)
            if dataclasses.is_dataclass(kind):
                return build(kind, {field: decode(item) for field, item in fields.items()})
    raise ConfigError(
        f"a stored config holds {json.dumps(value)[:80]}, which is no dataclass and no "
        f"enumeration: {ANEW}"
    )


def build(kind: type, fields: dict[str, Any]) -> Any:
    """A dataclass from its fields.

    Raises:
        ConfigError: naming the first field that the dataclass lacks or misses.
    """
    known = {field.name: field for field in dataclasses.fields(kind) if field.init}
    missing = dataclasses.MISSING
    needed = [
        name
        for name, field in known.items()
        if field.default is missing and field.default_factory is missing
    ]
    for name in [*fields, *needed]:
        if name not in known or name not in fields:
            verb = "has no" if name not in known else "needs a"
            raise ConfigError(
                f"{_type_name(kind)} {verb} field '{name}', unlike a stored config says: {ANEW}"
            )
    return kind(**fields)


def _find_type(name: str) -> type:
    module_name, _, qualified = name.partition(":")
    if module_name.startswith("mconn."):
        try:
            importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            raise ConfigError(f"type '{name}' of a stored config does not exist: {ANEW}") from error
    found: Any = sys.modules.get(module_name)
    if found is None:
        raise ConfigError(f"type '{name}' of a stored config is not known: import its module first")
    for part in qualified.split("."):
        found = getattr(found, part, None)
    if not isinstance(found, type):
        raise ConfigError(f"type '{name}' of a stored config does not exist: {ANEW}")
    return found


def names(value: Any) -> list[str]:
    """The names of a dataclass's own fields, without those that Flax adds to a module."""
    linen: Any = sys.modules.get("flax.linen")
    added = ("parent", "name") if linen and isinstance(value, linen.Module) else ()
    return [
        field.name for field in dataclasses.fields(value) if field.init and field.name not in added
    ]


def _type_name(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def canonical(value: Any) -> str:
    """JSON values as the one text that equal values share."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: Any) -> str:
    """The sha256 of JSON values, in hexadecimal."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()
