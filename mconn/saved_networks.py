"""What the commands on saved networks share: their words, their data, their folder of results."""

import shutil
from pathlib import Path
from typing import Any, TypeVar

from mconn.errors import ConfigError, DataError
from mconn.options import RunOptions, parse
from mconn.progress import Progress

Options = TypeVar("Options", bound=RunOptions)

DONE = "numbers.json"
"""The file that a complete folder of results has, written last."""

NUMBERS = ("none", "one", "two", "three")

WORK = "work"
"""The part of a folder of results that an incomplete command leaves, to go on from."""


def read_words(
    command: str, words: list[str], kind: type[Options], names: str, least: int, most: int
) -> tuple[list[str], Any, Options]:
    """The named networks, the experiment of ``--model``, and the command's options.

    Args:
        command: its name.
        words: all after it.
        kind: of the options.
        names: how the networks are named in messages, such as ``A B``.
        least: networks that must be named.
        most: networks that may be named.

    Raises:
        ConfigError: if there are too few or too many, or no ``--model``.
    """
    model, rest = without_model(command, words, names)
    if any(word in ("-h", "--help") for word in rest):
        parse(command, [model, "--help"], kind, usage=f"{command} {names} --model")
    count = next((i for i, word in enumerate(rest) if word.startswith("-")), len(rest))
    if not least <= count <= most:
        few, many = NUMBERS[least], NUMBERS[most]
        raise ConfigError(
            f"{few if least == most else f'{few} to {many}'} saved networks come first: mconn "
            f"{command} {names} --model FILE --out OUT --option value"
        )
    _, build, options = parse(
        command, [model, *rest[count:]], kind, usage=f"{command} {names} --model"
    )
    return rest[:count], build, options


def without_model(command: str, words: list[str], names: str) -> tuple[str, list[str]]:
    """The value of ``--model``, and the other words.

    Raises:
        ConfigError: if there is none.
    """
    for i, word in enumerate(words):
        if word == "--model" and i + 1 < len(words):
            return words[i + 1], [*words[:i], *words[i + 2 :]]
        if word.startswith("--model="):
            return word.partition("=")[2], [*words[:i], *words[i + 1 :]]
    raise ConfigError(
        "there is no --model: name the config file of the network, "
        f"mconn {command} {names} --model FILE --out OUT"
    )


def load_data(config: Any, options: RunOptions) -> Any:
    """The config's data."""
    from mconn import data

    return data.load(config.data, options.data_dir)


def load_data_if_there(config: Any, options: RunOptions, progress: Progress) -> Any:
    """The config's data, or None where they are not there, which a line says."""
    try:
        return load_data(config, options)
    except DataError as error:
        progress.note(f"no barrier is measured, without data: {error}")
        return None


def open_folder(out: Path | None, force: bool) -> Path:
    """The folder of results, made if need be; what an incomplete command left is kept in it.

    Raises:
        ConfigError: if there is no ``--out``, or the folder holds something else or is complete.
    """
    if out is None:
        raise ConfigError("there is no --out: name the folder to write to")
    if not out.parent.is_dir():
        raise ConfigError(f"'{out}' cannot be written: name a folder inside one that exists")
    if out.exists() and not out.is_dir():
        raise ConfigError(f"'{out}' is a file: name a folder to write to")
    if (out / DONE).exists():
        if not force:
            raise ConfigError(
                f"'{out}' has results: name another folder, or overwrite them with --force"
            )
        (out / DONE).unlink()
    elif out.is_dir() and any(each.name != WORK for each in out.iterdir()):
        raise ConfigError(f"'{out}' exists and holds other things: name another folder")
    (out / WORK).mkdir(parents=True, exist_ok=True)
    return out


def close_folder(out: Path, numbers: Any) -> None:
    """Write the numbers, which completes the folder, and remove what only an unfinished one needs.

    Raises:
        ConfigError: if the folder cannot be written.
    """
    from mconn.experiment.store import write_json

    try:
        write_json(out / DONE, numbers)
        shutil.rmtree(out / WORK, ignore_errors=True)
    except OSError as error:
        raise ConfigError(
            f"'{out}' cannot be written ({error.strerror}): name another folder, or make space"
        ) from error
