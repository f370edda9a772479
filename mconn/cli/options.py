"""What commands share: options, the options of a config, settings of JAX, files of results.

A command is a frozen dataclass: its fields are its options, its docstring is its help, `run` is
what it does. Nothing here imports JAX before a command has been read.
"""

import functools
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, NoReturn

import tyro
from rich.console import Console

from mconn.errors import ConfigError, DataError
from mconn.machine import cores
from mconn.progress import Progress, on

Flag = tyro.conf.FlagCreatePairsOff[bool]
ConfigFile = Annotated[str, tyro.conf.arg(metavar="FILE[:FUNCTION]")]


def _no_experiment() -> NoReturn:
    raise ConfigError("no config file was named")


@dataclass(frozen=True)
class Call:
    """How a command was called.

    Attributes:
        words: all after ``mconn``.
        name: what runs of the config are called.
        build: makes the config's experiment.
    """

    words: Sequence[str]
    name: str = ""
    build: Callable[[], Any] = field(default=_no_experiment)


@dataclass(frozen=True, kw_only=True)
class Command:
    """What every command accepts."""

    debug: Flag = False
    """Show the traceback of an error; so does MCONN_DEBUG=1."""

    @staticmethod
    def config_file(words: Sequence[str]) -> str | None:
        """The word among those after the command that names a config, whose options follow."""
        return None

    def run(self, call: Call) -> None:
        """Do what the command is for."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class ResultsCommand(Command):
    """What a command accepts that works with runs."""

    results: Path = Path("results")
    """Folder of all results."""


@dataclass(frozen=True, kw_only=True)
class DataCommand(ResultsCommand):
    """What a command accepts that may load data."""

    data_dir: Path | None = None
    """Folder of data sets that were downloaded before."""

    def load(self, config: Any) -> Any:
        """The data of a `TrainConfig`."""
        from mconn import data

        return data.load(config.data, self.data_dir)


@dataclass(frozen=True, kw_only=True)
class SavedCommand(DataCommand):
    """What a command on saved networks accepts."""

    model: ConfigFile
    """The config whose networks they are; its own options may follow, such as --width 512."""

    out: Path
    """Where to write to."""

    seed: int = 0
    """Of all random choices."""

    force: Flag = False
    """Overwrite what was written before."""

    @staticmethod
    def config_file(words: Sequence[str]) -> str | None:
        """The word after ``--model``."""
        for word, following in zip(words, [*words[1:], ""], strict=False):
            if word.startswith("--model="):
                return word.partition("=")[2]
            if word == "--model" and following:
                return following
        return None

    def load_if_there(self, config: Any, progress: Progress) -> Any:
        """The data, or None where they are not there, which a line says."""
        try:
            return self.load(config)
        except DataError as error:
            progress.note(f"no barrier is measured, without data: {error}")
            return None


def first_word(words: Sequence[str]) -> str | None:
    """The config file of a command that takes it first.

    Raises:
        ConfigError: if an option stands before it.
    """
    if not words or {"-h", "--help"} & set(words[:1]):
        return None
    if words[0].startswith("-"):
        raise ConfigError(
            f"the config file comes first, before '{words[0]}': mconn COMMAND FILE --option value"
        )
    return words[0]


def reader(kind: type[Command], words: Sequence[str] | None) -> Callable[..., Callable[[], None]]:
    """What tyro makes the options of a command from: its class, and the config that is named.

    Args:
        kind: the command.
        words: all after its name; None if another command is called.

    Raises:
        ConfigError: if the config cannot be read, or an argument of it cannot be an option.
    """
    target = None if words is None else kind.config_file(words)
    about = kind.__doc__ or ""
    if words is None or target is None:

        def alone(command: Annotated[Any, tyro.conf.arg(name="", constructor=kind)]) -> Any:
            return functools.partial(command.run, Call(words or ()))

        alone.__doc__ = about if words is not None else about.partition("\n")[0]
        return alone
    set_up_jax()
    from mconn.experiment import load_config

    chosen = load_config(target)
    taken = {each.name for each in fields(kind)}
    for name, argument in inspect.signature(chosen.function).parameters.items():
        if name in taken or argument.annotation is argument.empty:
            own = "is an option of the command: rename it"
            fault = own if name in taken else "needs a type"
            raise ConfigError(f"argument '{name}' of {chosen.name} in {chosen.file} {fault}")

    # The function is called later: what goes wrong in it is no matter of the command line.
    @functools.wraps(chosen.function)
    def later(*arguments: Any, **options: Any) -> Callable[[], Any]:
        return functools.partial(chosen.build, *arguments, **options)

    def both(
        experiment: Annotated[Any, tyro.conf.arg(name="", constructor=later)],
        command: Annotated[Any, tyro.conf.arg(name="", constructor=kind)],
    ) -> Any:
        return functools.partial(command.run, Call(words, chosen.run_name, experiment))

    both.__doc__ = (chosen.function.__doc__ or about).partition("\n\n")[0]
    return both


def terminal() -> Progress:
    """Progress on standard error."""
    return on(Console(stderr=True))


def say(text: str) -> None:
    """Write a line of plain text, which no terminal breaks."""
    sys.stdout.write(f"{text}\n")


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """Turn what the system says of a file that is written into one sentence.

    Raises:
        ConfigError: if the file cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"'{file}' cannot be written ({error.strerror}): name a file in a folder that exists"
        ) from error


def set_up_jax() -> None:
    """Use every core as a device, keep compiled programs, and multiply float32 in float32.

    All of this only where the user's environment does not choose otherwise. Accelerators multiply
    float32 with fewer bits by default (10 of the mantissa in TF32, 7 in bfloat16): an error of
    1e-3, which is as large as some barriers. JAX reads these when it is imported, so a process
    that has imported it keeps its own settings.
    """
    import pooch

    cache = os.environ.get("MCONN_CACHE") or str(pooch.os_cache("mconn"))
    defaults = {
        "JAX_COMPILATION_CACHE_DIR": str(Path(cache).absolute() / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "JAX_DEFAULT_MATMUL_PRECISION": "highest",
    }
    if "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        defaults["JAX_NUM_CPU_DEVICES"] = str(cores())
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
