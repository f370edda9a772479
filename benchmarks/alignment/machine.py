"""On which machine, and by which code, the numbers were measured."""

import importlib.metadata
from pathlib import Path
from typing import Any

from mconn.experiment import versions

CPUS = Path("/proc/cpuinfo")
PEERS = ("scipy", "torch", "rebasin")


def machine() -> dict[str, Any]:
    """Versions, processor and commit, as JSON values."""
    found = versions(Path(__file__).parent)
    installed = {each.name for each in importlib.metadata.distributions()}
    peers = {name: importlib.metadata.version(name) for name in PEERS if name in installed}
    return {**found, "packages": {**found["packages"], **peers}, "processor": processor()}


def processor() -> str:
    """The name of the processor, where Linux tells it."""
    lines = CPUS.read_text().splitlines() if CPUS.exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "")
