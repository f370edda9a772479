"""Reads the words of a command line, runs the command, and turns errors into sentences."""

import os
import signal
import sys
from collections.abc import Sequence

import tyro

import mconn
from mconn.cli.align import Align
from mconn.cli.analogy import Analogy
from mconn.cli.claims import Claims
from mconn.cli.list import List
from mconn.cli.options import reader
from mconn.cli.path import Path
from mconn.cli.plane import Plane
from mconn.cli.run import Run
from mconn.cli.show import Show
from mconn.cli.symmetry import Symmetry
from mconn.errors import MconnError

COMMANDS = {
    "run": Run,
    "symmetry": Symmetry,
    "align": Align,
    "path": Path,
    "plane": Plane,
    "analogy": Analogy,
    "list": List,
    "show": Show,
    "claims": Claims,
}

ABOUT = """\
Are trained networks connected in weight space: by which path, after which symmetry is taken out?

A config FILE holds typed Python functions that return an experiment; their arguments are options:

  mconn run configs/digits_mlp.py --help
  mconn run configs/digits_mlp.py --width 128
  mconn --version
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
        _run(words)
        sys.stdout.flush()
        return 0
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


def _run(words: list[str]) -> None:
    if words[:1] in (["-V"], ["--version"]):
        sys.stdout.write(f"mconn {mconn.__version__}\n")
        return
    # Only the command that is called has to know the options of its config.
    readers = {
        name: reader(kind, words[1:] if words[:1] == [name] else None)
        for name, kind in COMMANDS.items()
    }
    tyro.extras.subcommand_cli_from_dict(readers, prog="mconn", description=ABOUT, args=words)()
