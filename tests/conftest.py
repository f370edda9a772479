"""Shared by all tests: two host devices, a compilation cache, and the folder of reference data."""

import gc
import os
from collections.abc import Iterator
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


MOST_MEMORY = 1_500 * 2**20
"""Bytes of a worker above which compiled programs are dropped; the cache on disk still has them."""


@pytest.fixture(autouse=True, scope="module")
def memory() -> Iterator[None]:
    """Drop compiled programs after a file of tests, once they have taken too much memory."""
    yield
    statistics = Path("/proc/self/statm")
    pages = int(statistics.read_text().split()[1]) if statistics.exists() else 0
    if pages * os.sysconf("SC_PAGESIZE") > MOST_MEMORY:
        jax.clear_caches()
        gc.collect()


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
