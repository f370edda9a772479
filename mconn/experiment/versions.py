"""By which code and on which machine a run was made."""

import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import Any

PACKAGES = ("mconn", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "ott-jax", "numpy")


def versions(folder: Path) -> dict[str, Any]:
    """Versions, device and commit, as JSON values.

    Args:
        folder: a folder of the repository that holds the experiment's code.
    """
    import jax

    device = jax.devices()[0]
    return {
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": f"{len(jax.devices())} x {device.device_kind}",
        "matmul_precision": jax.config.values["jax_default_matmul_precision"] or "default",
        "code": commit(folder),
    }


def commit(folder: Path) -> dict[str, Any] | None:
    """The git commit that is checked out around ``folder``, and whether files differ from it."""
    head = git(folder, "rev-parse", "HEAD")
    if head is None:
        return None
    return {"commit": head, "changed": bool(git(folder, "status", "--porcelain"))}


def git(folder: Path, *arguments: str) -> str | None:
    """What git prints, or None where there is no git or no repository."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
