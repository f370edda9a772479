"""The command line: ``mconn run``, and one file for every other command.

main -- runs one command and gives its exit status
"""

from mconn.cli.main import main as main

__all__ = ["main"]
