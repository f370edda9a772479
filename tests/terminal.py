"""A program on a terminal of its own, for the tests of what people see."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pexpect.fdpexpect import fdspawn


@contextmanager
def program(arguments: list[str], folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], Any]]:
    """Start Python with the arguments; gives the process and what expects its output.

    ``pexpect.spawn`` would fork this process, whose threads JAX started.
    """
    here, there = pty.openpty()
    # A process that ignores Ctrl-C, as one does that a script started with `&`, passes that on.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "110", "TERM": "xterm", "MCONN_CACHE": str(folder / "cache")},
        stdin=there,
        stdout=there,
        stderr=there,
    )
    signal.signal(signal.SIGINT, before)
    os.close(there)
    child = fdspawn(here, encoding="utf-8", timeout=60)
    try:
        yield process, child
    finally:
        process.kill()
        process.wait()
        child.close()
