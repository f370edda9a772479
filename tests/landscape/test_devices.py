"""An evaluation on 8 devices, and in 2 processes, against the same in this process."""

import jax
import numpy as np
import pytest

from mconn import landscape, paths
from mconn.measure import Execution
from mconn.models import MLP
from tests import processes

EVALUATE = """
import numpy as np
from pathlib import Path
from tests.landscape import test_devices as case
shape = tuple(map(int, sys.argv[5].split(",")))
mesh = jax.make_mesh(shape, ("pair", "t", "data"), axis_types=(jax.sharding.AxisType.Auto,) * 3)
folder = Path(sys.argv[6])
first = case.measured(mesh=mesh, cells=folder / "cells")
again = case.measured(mesh=mesh, cells=folder / "cells")
for name, values in first.items():
    np.testing.assert_array_equal(values, again[name])
# Every process writes what it got, and each must have got everything.
np.savez(folder / f"{jax.process_index()}.npz", **first)
"""

MODEL = MLP(width=8, depth=2, classes=3, normaliser="batch")


def measured(**options):
    """Everything that two curves of a network with BatchNorm have, and a plane, as arrays."""
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(30, 5)).astype(np.float32)
    data = processes.Examples(inputs, np.argmax(inputs[:, :3], axis=1).astype(np.int32))
    shapes = jax.eval_shape(MODEL.init, jax.random.key(0), inputs[:1])
    ends = [
        jax.tree.map(lambda leaf: generator.normal(size=leaf.shape).astype(np.float32), shapes)
        for _ in range(4)
    ]
    profiles = landscape.evaluate_many(
        landscape.Classification(MODEL.apply),
        [paths.bezier(*ends[:2]), paths.bezier(*ends[2:])],
        np.linspace(0, 1, 5),
        data,
        execution=Execution(batch_size=16, refresh=landscape.BatchNormStatistics(MODEL), **options),
        gradients=True,
    )
    plane = landscape.evaluate_plane(
        landscape.Classification(MODEL.apply),
        paths.plane(*ends[:3]),
        np.linspace(-1, 1, 3),
        np.linspace(-1, 1, 2),
        data,
        execution=Execution(batch_size=16, refresh=landscape.BatchNormStatistics(MODEL)),
        **{**options, "cells": options["cells"] / "plane" if "cells" in options else None},
    )
    return {
        f"{number} {name}": array
        for number, profile in enumerate(profiles)
        for name, array in [*profile.values.items(), ("gradient", profile.gradient_norm)]
    } | {
        f"plane {part} {metric}": array
        for part in ("mean", "standard_error")
        for metric, array in getattr(plane, part).items()
    }


@pytest.mark.parametrize(
    ("devices", "count", "shape"),
    [
        (8, 1, "2,2,2"),
        pytest.param(8, 1, "1,1,8", marks=pytest.mark.slow),
        (4, 2, "2,2,2"),
    ],
    ids=["8 devices, all axes", "8 devices, examples", "2 processes of 4 devices"],
)
def test_devices_and_processes_do_not_change_the_numbers(tmp_path, devices, count, shape):
    processes.run(EVALUATE, shape, str(tmp_path), devices=devices, processes=count)
    expected = measured()
    for process in range(count):
        found = np.load(tmp_path / f"{process}.npz")
        assert set(found) == set(expected)
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, rtol=2e-4, atol=1e-5, err_msg=name)
