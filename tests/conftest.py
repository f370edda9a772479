"""Shared by all tests: two host devices, a compilation cache, and the folder of reference data."""

import os
from pathlib import Path

import jax
import pytest

jax.config.update("jax_num_cpu_devices", 2)
# Compiling is most of the suite's time: nothing here runs long enough to earn back what optimising
# costs, and the cache, which takes every program, makes a second run several times faster.
jax.config.update("jax_disable_most_optimizations", True)
jax.config.update(
    "jax_compilation_cache_dir",
    os.environ.get("MCONN_TEST_CACHE", str(Path(__file__).parents[1] / ".pytest_cache" / "xla")),
)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


@pytest.fixture
def key() -> jax.Array:
    return jax.random.key(0)


@pytest.fixture
def shared() -> Path:
    """The folder of reference data beside the repository; skips the test where it is absent."""
    folder = Path(__file__).parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("needs the reference data in ../shared, which this machine does not have")
    return folder
