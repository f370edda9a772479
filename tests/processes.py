"""Programs in processes of their own, on as many host devices as one likes."""

import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

PREAMBLE = """
import sys
import jax
devices, process, processes, port = map(int, sys.argv[1:5])
jax.config.update("jax_num_cpu_devices", devices)
if processes > 1:
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(f"127.0.0.1:{port}", processes, process)
"""


COMPILING = {
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    "JAX_COMPILATION_CACHE_DIR": str(jax.config.jax_compilation_cache_dir),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
"""Programs are compiled as in the tests, and kept with theirs."""


class Examples(NamedTuple):
    inputs: np.ndarray
    labels: np.ndarray


def run(
    program: str, *arguments: str, devices: int, processes: int = 1, timeout: float = 300
) -> None:
    """Run a program in ``processes`` processes that see each other, with ``devices`` each.

    The program finds its own arguments after the fourth of ``sys.argv``. None of the processes
    outlives the call, and ``timeout`` seconds are all they have.
    """
    code = textwrap.dedent(PREAMBLE) + textwrap.dedent(program)
    root = Path(__file__).parents[1]
    running = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                code,
                *map(str, (devices, process, processes, free_port if processes > 1 else 0)),
                *arguments,
            ],
            cwd=root,
            env={**os.environ, **COMPILING, "PYTHONPATH": str(root)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for free_port in [unused_port()]
        for process in range(processes)
    ]
    try:
        outputs = [each.communicate(timeout=timeout)[0] for each in running]
    finally:
        for each in running:
            each.kill()
            each.wait()
    for each, output in zip(running, outputs, strict=True):
        assert each.returncode == 0, output


def unused_port() -> int:
    """A port of the loopback address that the system just had free."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
