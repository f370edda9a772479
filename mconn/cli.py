"""The command line: ``mconn run``, ``mconn list``, ``mconn show``.

This is the only place that sets process-wide options of JAX.
"""

import difflib
import functools
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.table import Table
from rich.text import Text

import mconn
from mconn.errors import ConfigError, MconnError
from mconn.progress import on

HELP = """\
usage: mconn COMMAND ...

Are trained networks connected in weight space: by which path, after which symmetry is taken out?

commands:
  run FILE[:FUNCTION] [--option value ...]   run an experiment, or go on where it was stopped
  list                                       the runs in the results folder
  show RUN                                   the headline numbers and claims of a run

  mconn run FILE --help                      the options of an experiment
  mconn --version                            the version

A config FILE holds typed Python functions that return an experiment; their arguments are the
options. Try

  mconn run configs/digits_mlp.py --width 128
"""


@dataclass(frozen=True)
class Common:
    """What every command accepts."""

    results: Path = Path("results")
    """Folder of all results."""

    debug: tyro.conf.FlagCreatePairsOff[bool] = False
    """Show the traceback of an error; so does MCONN_DEBUG=1."""


@dataclass(frozen=True)
class RunOptions(Common):
    """What `mconn run` accepts beside the experiment's own options."""

    data_dir: Path | None = None
    """Folder of data sets that were downloaded before."""


@dataclass(frozen=True)
class ShowOptions(Common):
    """What `mconn show` accepts."""

    run: Annotated[str, tyro.conf.Positional] = ""
    """Name of a run or the beginning of it, or its folder; the newest run if left out."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: the words after ``mconn``; those of the process if None.

    Returns:
        The exit status: 0, or 2 for what the user can mend, or 130 after Ctrl-C.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words or os.environ.get("MCONN_DEBUG", "") not in ("", "0")
    try:
        status = dispatch(words)
        sys.stdout.flush()
        return status
    except MconnError as error:
        if debug:
            raise
        # Not through rich, which would break a path over two lines.
        sys.stderr.write(f"mconn: {error}\n")
        return 2
    except KeyboardInterrupt:
        if debug:
            raise
        sys.stderr.write("\nmconn: stopped; the same command goes on from here\n")
        return 130
    except BrokenPipeError:
        # Python would complain again when it flushes standard output at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except SystemExit as exit:  # tyro has printed its help or its own sentence
        return exit.code if isinstance(exit.code, int) else 2


def dispatch(words: list[str]) -> int:
    """Call the command that the first word names.

    Raises:
        ConfigError: if there is no such command.
    """
    commands: dict[str, Callable[[list[str]], int]] = {
        "run": run,
        "list": list_runs,
        "show": show,
    }
    if not words or words[0] in ("-h", "--help", "help"):
        sys.stdout.write(HELP)
        return 0 if words else 2
    if words[0] in ("-V", "--version", "version"):
        sys.stdout.write(f"mconn {mconn.__version__}\n")
        return 0
    if words[0] not in commands:
        nearest = difflib.get_close_matches(words[0], commands, n=1)
        hint = f" (did you mean '{nearest[0]}'?)" if nearest else ""
        raise ConfigError(
            f"there is no command '{words[0]}'{hint}: the commands are {', '.join(commands)}"
        )
    return commands[words[0]](words[1:])


def run(words: list[str]) -> int:
    """``mconn run FILE[:FUNCTION] [--option value ...]``."""
    if not words or words[0] in ("-h", "--help"):
        sys.stdout.write(HELP)
        return 0 if words else 2
    if words[0].startswith("-"):
        raise ConfigError(
            f"the config file comes first, before '{words[0]}': mconn run FILE --option value"
        )
    set_up_jax()
    from mconn.experiment import config, runner
    from mconn.experiment.terminal import print_run

    chosen = config.load(words[0])
    build, options = parse(chosen, words)
    experiment = build()
    progress = on(Console(stderr=True))
    folder = runner.run(
        experiment,
        options.results,
        name=chosen.run_name,
        data_dir=options.data_dir,
        progress=progress,
    )
    print_run(folder)
    return 0


def parse(chosen: Any, words: list[str]) -> tuple[Callable[[], Any], RunOptions]:
    """The experiment's and the run's options from the words after ``run``.

    Raises:
        ConfigError: if an argument of the function cannot be an option, or a word is no option.
    """
    taken = {field.name for field in fields(RunOptions)}
    for name, argument in inspect.signature(chosen.function).parameters.items():
        if name in taken or argument.annotation is argument.empty:
            fault = "is an option of mconn run: rename it" if name in taken else "needs a type"
            raise ConfigError(f"argument '{name}' of {chosen.name} in {chosen.file} {fault}")

    # The function is called later: what goes wrong in it is no matter of the command line.
    @functools.wraps(chosen.function)
    def later(*arguments: Any, **options: Any) -> Callable[[], Any]:
        return functools.partial(chosen.build, *arguments, **options)

    def both(
        experiment: Annotated[Any, tyro.conf.arg(constructor=later, name="")],
        options: Annotated[RunOptions, tyro.conf.arg(name="")],
    ) -> tuple[Callable[[], Any], RunOptions]:
        return experiment, options

    parsed, unknown = tyro.cli(
        both,
        args=words[1:],
        prog=f"mconn run {words[0]}",
        description=(chosen.function.__doc__ or "").partition("\n\n")[0],
        return_unknown_args=True,
    )
    if unknown:
        arguments = [*inspect.signature(chosen.function).parameters, *taken]
        refuse_option(unknown[0], [f"--{name.replace('_', '-')}" for name in arguments], words[0])
    return parsed


def refuse_option(word: str, options: list[str], file: str) -> None:
    """Refuse a word that is no option, and name the nearest that is.

    Raises:
        ConfigError: always.
    """
    nearest = difflib.get_close_matches(word.partition("=")[0], options, n=1, cutoff=0.5)
    hint = f" (did you mean '{nearest[0]}'?)" if nearest else ""
    raise ConfigError(f"there is no option '{word}'{hint}: mconn run {file} --help lists them all")


def list_runs(words: list[str]) -> int:
    """``mconn list``."""
    options = tyro.cli(Common, args=words, prog="mconn list", description="The runs, newest first.")
    from mconn.experiment.folder import all_runs

    runs = all_runs(options.results)
    if not runs:
        sys.stdout.write(f"no runs in {options.results}: `mconn run FILE` makes one\n")
        return 0
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("run", no_wrap=True)
    table.add_column("when", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("result")
    for folder in runs:
        record = folder.record
        when = record.get("started", "")[:16].replace("T", " ")
        told = record.get("error") if folder.state == "failed" else record.get("summary", "")
        style = {"failed": "red", "interrupted": "yellow", "running": "cyan"}.get(folder.state, "")
        table.add_row(folder.name, when, Text(folder.state, style=style), Text(told or ""))
    Console().print(table)
    return 0


def show(words: list[str]) -> int:
    """``mconn show RUN``."""
    options = tyro.cli(
        ShowOptions, args=words, prog="mconn show", description="The headline numbers of a run."
    )
    from mconn.experiment.folder import all_runs, find_run
    from mconn.experiment.terminal import print_run

    if options.run:
        print_run(find_run(options.results, options.run))
        return 0
    runs = all_runs(options.results)
    if not runs:
        raise ConfigError(f"there are no runs in {options.results}: `mconn run FILE` makes one")
    print_run(runs[0])
    return 0


def set_up_jax() -> None:
    """Use every core as a device and keep compiled programs, unless the user chose otherwise.

    JAX reads these when it is imported, so a process that has imported it keeps its own settings.
    """
    import pooch

    cache = os.environ.get("MCONN_CACHE") or str(pooch.os_cache("mconn"))
    defaults = {
        "JAX_COMPILATION_CACHE_DIR": str(Path(cache).absolute() / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    if "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        defaults["JAX_NUM_CPU_DEVICES"] = str(cores())
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


if __name__ == "__main__":
    sys.exit(main())
