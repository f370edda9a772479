"""The command line: ``mconn run``, and what the other words of `HELP` do.

This is the only place that sets process-wide options of JAX.
"""

import difflib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import tyro
from rich.console import Console
from rich.table import Table
from rich.text import Text

import mconn
from mconn.errors import ConfigError, MconnError
from mconn.machine import cores
from mconn.options import ListOptions, RunOptions, ShowOptions, SymmetryOptions, parse
from mconn.progress import on

HELP = """\
usage: mconn COMMAND ...

Are trained networks connected in weight space: by which path, after which symmetry is taken out?

commands:
  run FILE[:FUNCTION] [--option value ...]   run an experiment, or go on where it was stopped
  symmetry FILE[:FUNCTION] [--json FILE]     the symmetry group of the network it would train
  align A B --model FILE --out OUT           move one saved network onto another
  path A B --model FILE --out OUT            fit a path between two saved networks
  plane A B C --model FILE --out OUT         the loss on the plane through saved networks
  analogy VECTORS --questions FILE           what word vectors know: a is to b as c is to ?
  list                                       the runs in the results folder
  show RUN                                   the headline numbers and claims of a run
  claims [ROW ...]                           the notes' statements, put to the test, and verdicts

  mconn run FILE --help                      the options of an experiment
  mconn align --help                         what a saved network may be
  mconn path --help, mconn plane --help      what they write
  mconn analogy --help                       what a file of vectors or questions may be
  mconn --version                            the version

A config FILE holds typed Python functions that return an experiment; their arguments are the
options. Try

  mconn run configs/digits_mlp.py --width 128
"""


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
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the interpreter's end is no place for more
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
        "symmetry": show_symmetry,
        "align": align,
        "path": path,
        "plane": plane,
        "analogy": analogy,
        "list": list_runs,
        "show": show,
        "claims": claims,
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
    if asks_for_help("run", words):
        return 0 if words else 2
    set_up_jax()
    from mconn.experiment import runner
    from mconn.experiment.terminal import print_run

    chosen, build, options = parse("run", words, RunOptions)
    experiment = build()
    progress = on(Console(stderr=True))
    folder = runner.run(
        experiment,
        options.results,
        name=chosen.run_name,
        data_dir=options.data_dir,
        accept_older=options.accept_older,
        progress=progress,
    )
    print_run(folder)
    return 0


def show_symmetry(words: list[str]) -> int:
    """``mconn symmetry FILE[:FUNCTION] [--option value ...] [--json FILE]``."""
    if asks_for_help("symmetry", words):
        return 0 if words else 2
    set_up_jax()
    import jax

    from mconn import symmetry
    from mconn.experiment.network import network_of

    _, build, options = parse("symmetry", words, SymmetryOptions)
    network = network_of(build())
    group = symmetry.discover(
        network.apply, network.params, network.inputs, ignore_epsilon=options.ignore_epsilon
    )
    sys.stdout.write(f"{group.describe()}\n")
    params, inputs = network.draw(jax.random.key(0))
    certificate = symmetry.certify(group, network.apply, params, inputs, key=jax.random.key(1))
    sys.stdout.write("certificate: largest relative change of the outputs, in float64\n")
    for name, change in certificate.changes.items():
        approximate = certificate.approximate.get(name)
        note = "" if approximate is None else f" with epsilon at zero, {approximate:.1e} as it is"
        sys.stdout.write(f"  {name}: {change:.1e}{note}\n")
    certificate.check()
    if options.json is not None:
        export(options.json, symmetry.to_json(group))
    return 0


def align(words: list[str]) -> int:
    """``mconn align A B --model FILE[:FUNCTION] --out OUT [--option value ...]``."""
    from mconn import align_command

    if not words or words[0] in ("-h", "--help"):
        sys.stdout.write(align_command.HELP)
        return 0 if words else 2
    set_up_jax()
    return align_command.align(words)


def path(words: list[str]) -> int:
    """``mconn path A B --model FILE[:FUNCTION] --out OUT [--option value ...]``."""
    from mconn import path_command

    if not words or words[0] in ("-h", "--help"):
        sys.stdout.write(path_command.HELP)
        return 0 if words else 2
    set_up_jax()
    return path_command.connect(words)


def plane(words: list[str]) -> int:
    """``mconn plane A B C --model FILE[:FUNCTION] --out OUT [--option value ...]``."""
    from mconn import plane_command

    if not words or words[0] in ("-h", "--help"):
        sys.stdout.write(plane_command.HELP)
        return 0 if words else 2
    set_up_jax()
    return plane_command.draw(words)


def analogy(words: list[str]) -> int:
    """``mconn analogy VECTORS --questions FILE [--option value ...]``."""
    from mconn import analogy_command

    if not words or words[0] in ("-h", "--help"):
        sys.stdout.write(analogy_command.HELP)
        return 0 if words else 2
    return analogy_command.analogy(words)


def export(file: Path, stored: Any) -> None:
    """Write a file of JSON.

    Raises:
        ConfigError: if the file cannot be written.
    """
    from mconn.experiment.store import write_json

    try:
        write_json(file, stored)
    except OSError as error:
        raise ConfigError(
            f"'{file}' cannot be written ({error.strerror}): name a file in a folder that exists"
        ) from error


def asks_for_help(command: str, words: list[str]) -> bool:
    """Print the help if no config file is named.

    Raises:
        ConfigError: if an option stands before the file.
    """
    if not words or words[0] in ("-h", "--help"):
        sys.stdout.write(HELP)
        return True
    if words[0].startswith("-"):
        raise ConfigError(
            f"the config file comes first, before '{words[0]}': mconn {command} FILE --option value"
        )
    return False


def list_runs(words: list[str]) -> int:
    """``mconn list``."""
    options = tyro.cli(
        ListOptions, args=words, prog="mconn list", description="The runs, newest first."
    )
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
    colours = {"failed": "red", "corrupt": "red", "interrupted": "yellow", "running": "cyan"}
    for folder in runs:
        record = {} if folder.state == "corrupt" else folder.record
        when = record.get("started", "")[:16].replace("T", " ")
        told = record.get("error") if folder.state == "failed" else record.get("summary")
        told = (told or "").partition("\n")[0]
        style = colours.get(folder.state, "")
        table.add_row(folder.name, when, Text(folder.state, style=style), Text(told))
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


def claims(words: list[str]) -> int:
    """``mconn claims [ROW ...] [--all] [--study NAME] [--record] [--markdown FILE]``."""
    from mconn import claims_command

    set_up_jax()  # the configs of runs are read, to see whether they have changed
    return claims_command.claims(words)


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


if __name__ == "__main__":
    sys.exit(main())
