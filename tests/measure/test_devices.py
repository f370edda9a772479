"""Every measure on 8 devices, and in 2 processes, against the same in this process."""

import jax
import numpy as np
import pytest

from tests import processes
from tests.measure.cases import LINES, MEASURES, measured

MEASURE = """
import numpy as np
from pathlib import Path
from tests.measure import test_devices as case
shape = tuple(map(int, sys.argv[5].split(",")))
mesh = jax.make_mesh(shape, ("pair", "t", "data"), axis_types=(jax.sharding.AxisType.Auto,) * 3)
folder = Path(sys.argv[6])
first = case.everything(mesh, folder / "cells")
again = case.everything(mesh, folder / "cells")
for name, values in first.items():
    np.testing.assert_array_equal(values, again[name])
# Every process writes what it got, and each must have got everything.
np.savez(folder / f"{jax.process_index()}.npz", **first)
"""


def everything(mesh=None, cells=None):
    """All measures along two paths, as arrays."""
    found = {
        name: measured(name, LINES[:2], mesh=mesh, cells=None if cells is None else cells / name)
        for name in MEASURES
    }
    found["whole"].result.pop("before")  # which depends on the device
    return {
        jax.tree_util.keystr(place): leaf
        for place, leaf in jax.tree_util.tree_leaves_with_path(found)
    }


@pytest.mark.parametrize(
    ("devices", "count"), [(8, 1), (4, 2)], ids=["8 devices", "2 processes of 4 devices"]
)
def test_devices_and_processes_do_not_change_the_numbers(tmp_path, devices, count):
    processes.run(MEASURE, "2,2,2", str(tmp_path), devices=devices, processes=count)
    expected = everything()
    for process in range(count):
        found = np.load(tmp_path / f"{process}.npz")
        assert set(found) == set(expected)
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, rtol=2e-4, atol=1e-5, err_msg=name)
