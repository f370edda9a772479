"""A fit on 8 devices, and in 2 processes, against the same on one device of this process."""

import chex
import jax
import numpy as np
import pytest

from mconn import landscape, paths
from mconn.models import MLP
from mconn.training import Optimiser
from tests import processes

FIT = """
import numpy as np
from tests.paths import test_fit_devices as case
import mconn
shape = tuple(map(int, sys.argv[5].split(",")))
mesh = jax.make_mesh(shape, ("pair", "t", "data"), axis_types=(jax.sharding.AxisType.Auto,) * 3)
fitted = case.fitted(mesh)
if jax.process_index() == 0:
    leaves = [leaf for each in fitted for leaf in jax.tree.leaves(each.path.controls)]
    losses = [each.history["loss"] for each in fitted]
    np.savez(sys.argv[6], *leaves, losses=losses)
"""

MODEL = MLP(width=8, depth=2, classes=3, normaliser="batch")


def fitted(mesh=None):
    """Two curves of a network with BatchNorm, whose statistics are those of the whole batch."""
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(64, 5)).astype(np.float32)
    data = processes.Examples(inputs, np.argmax(inputs[:, :3], axis=1).astype(np.int32))
    ends = [
        jax.tree.map(
            lambda leaf: generator.normal(size=leaf.shape).astype(np.float32),
            jax.eval_shape(MODEL.init, jax.random.key(0), inputs[:1]),
        )
        for _ in range(4)
    ]
    return paths.fit_many(
        landscape.Classification(landscape.TrainingMode(MODEL)),
        [paths.bezier(*ends[:2]), paths.bezier(*ends[2:])],
        data,
        paths.FitConfig(
            epochs=2, batch_size=16, points=2, optimiser=Optimiser("sgd", 0.05), weight_decay=1e-3
        ),
        jax.random.split(jax.random.key(0), 2),
        mesh=mesh,
    )


@pytest.mark.parametrize(
    ("devices", "count", "shape"),
    [
        (8, 1, "2,2,2"),
        pytest.param(8, 1, "1,1,8", marks=pytest.mark.slow),
        (4, 2, "2,2,2"),
    ],
    ids=["8 devices, all axes", "8 devices, examples", "2 processes of 4 devices"],
)
def test_devices_and_processes_do_not_change_a_fit(tmp_path, devices, count, shape):
    processes.run(FIT, shape, str(tmp_path / "fit.npz"), devices=devices, processes=count)
    found, expected = np.load(tmp_path / "fit.npz"), fitted()
    leaves = [leaf for each in expected for leaf in jax.tree.leaves(each.path.controls)]
    chex.assert_trees_all_close([found[f"arr_{i}"] for i in range(len(leaves))], leaves, atol=1e-5)
    np.testing.assert_allclose(found["losses"], [e.history["loss"] for e in expected], rtol=1e-5)
