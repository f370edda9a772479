"""Curvature and kernels along a path on 8 devices of 2 processes, against one device.

A search starts from the vectors of the point before on the same device: eigenvalues agree to its
tolerance, and traces and kernels to rounding.
"""

import jax
import numpy as np

from mconn import curvature, paths, tangent
from mconn.measure import Execution
from tests import processes, zoo
from tests.curvature.problems import NORMALISED, PAIRS, examples, network

TOLERANCE = 1e-5
MEASURE = """
import os
jax.config.update("jax_disable_most_optimizations", True)
jax.config.update("jax_compilation_cache_dir", os.environ.get("MCONN_TEST_CACHE"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
import numpy as np
from pathlib import Path
from tests.curvature import test_kernel_devices as case
mesh = jax.make_mesh((jax.device_count(),), ("t",), axis_types=(jax.sharding.AxisType.Auto,))
folder = Path(sys.argv[5])
first = case.measured(folder, mesh=mesh)
for name, values in case.measured(folder, mesh=mesh).items():  # from the finished points
    np.testing.assert_array_equal(values, first[name])
np.savez(folder / f"{jax.process_index()}.npz", **first)
"""


def refreshed(params, batches):
    """The statistics of the first products, recomputed."""
    x = batches.inputs.reshape(-1, zoo.INPUTS) @ params["params"]["Dense_0"]["kernel"]
    first = {"mean": x.mean(axis=0), "var": x.var(axis=0) + 0.1}
    return {**params, "batch_stats": {**params["batch_stats"], "BatchNorm_0": first}}


def measured(folder=None, **options):
    """Eigenvalues, traces and kernels in single precision, as arrays."""
    data = examples(dtype=np.float32)
    ends = [network(seed, zoo.normalised, np.float32) for seed in range(2)]
    path = paths.line(*ends)
    operator = curvature.hessian(NORMALISED, ends[0], data, batch_size=4)

    def execution(name):
        cells = None if folder is None else folder / name
        return Execution(refresh=refreshed, refresh_data=data, cells=cells, **options)

    search = curvature.Search(**PAIRS, tolerance=TOLERANCE)
    found = curvature.along(operator, path, 5, search=search, probes=3, execution=execution("a"))
    kernels = tangent.along(
        zoo.normalised, path, 5, data, spectra=True, kernels=True, execution=execution("b")
    )
    return {
        "eigenvalues": found.values,
        "norm": found.norm,
        "traces": found.traces,
        "kernels": kernels.kernels,
        "spectra": kernels.eigenvalues,
        "drift": kernels.drift,
    }


def test_devices_and_processes_do_not_change_the_numbers(tmp_path):
    processes.run(MEASURE, str(tmp_path), devices=4, processes=2)
    mesh = jax.make_mesh((1,), ("t",), axis_types=(jax.sharding.AxisType.Auto,))
    with jax.enable_x64(False):
        expected = measured(mesh=mesh)
    for process in range(2):
        found = np.load(tmp_path / f"{process}.npz")
        assert set(found) == set(expected)
        for name, values in expected.items():
            size = abs(values).max()
            close = 2 * TOLERANCE * size if name == "eigenvalues" else 2e-5 * size
            np.testing.assert_allclose(found[name], values, rtol=0, atol=close, err_msg=name)
