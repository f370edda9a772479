"""What is spread over devices, on 8 of 2 processes, against one device of this process.

Meshes of two devices in one process are in ``test_along``, for every measure.
"""

import dataclasses

import jax
import numpy as np
import pytest

from mconn import curvature, features, landscape, paths, tangent
from mconn.measure import Execution
from mconn.training import Optimiser
from tests import processes, zoo
from tests.features import perceptrons
from tests.measure.cases import LINES, measured

CHILD = """
import numpy as np
from pathlib import Path
from tests.measure import test_devices as case
folder = Path(sys.argv[5])
found = case.everything(case.mesh, folder / "cells")
for name in ("losses", "eigenvalues"):  # from the finished points
    again = case.QUANTITIES[name](case.mesh, folder / "cells")
    jax.tree.map(np.testing.assert_array_equal, again, found[name])
# Every process writes what it got, and each must have got everything.
np.savez(folder / f"{jax.process_index()}.npz", **case.arrays(found))
"""
TOLERANCE = 1e-5


def mesh(pair, t, data):
    """All devices, and one where that is all there is to have."""
    shape = (pair, t, data) if jax.device_count() == 8 else (1, 1, 1)
    kinds = (jax.sharding.AxisType.Auto,) * 3
    return jax.make_mesh(shape, ("pair", "t", "data"), axis_types=kinds)


def of_measure(name, mesh, cells):
    cells = None if cells is None else cells / name
    found = measured(name, LINES[:2], mesh=mesh(2, 2, 2), cells=cells)
    if name == "whole":
        found.result.pop("before")  # which depends on the device
    return found


def refreshed(params, batches):
    """The statistics of the first products, recomputed."""
    x = batches.inputs.reshape(-1, zoo.INPUTS) @ params["params"]["Dense_0"]["kernel"]
    first = {"mean": x.mean(axis=0), "var": x.var(axis=0) + 0.1}
    return {**params, "batch_stats": {**params["batch_stats"], "BatchNorm_0": first}}


def of_normalised(kind, mesh, cells):
    """Curvature or kernels of a network whose statistics are recomputed at every point."""
    data, ends = zoo.examples().head(11), [zoo.draw(zoo.normalised, seed) for seed in range(2)]
    path = paths.line(*ends)
    execution = Execution(
        refresh=refreshed,
        refresh_data=data,
        mesh=mesh(1, 8, 1),
        cells=None if cells is None else cells / kind,
    )
    if kind == "kernels":
        found = tangent.along(
            zoo.normalised, path, 5, data, spectra=True, kernels=True, execution=execution
        )
        return {"kernels": found.kernels, "spectra": found.eigenvalues, "drift": found.drift}
    loss = landscape.Classification(zoo.normalised)
    operator = curvature.hessian(loss, ends[0], data, batch_size=4)
    search = curvature.Search(top=3, bottom=2, tolerance=TOLERANCE)
    found = curvature.along(operator, path, 5, search=search, probes=3, execution=execution)
    return {"eigenvalues": found.values, "norm": found.norm, "traces": found.traces}


def of_features(kind, mesh, cells):
    """Reductions with means, of networks, or with shifts, along a path; in double precision."""
    execution = Execution(batch_size=16, mesh=mesh(1, 2, 4))
    networks, x = [perceptrons.network(seed) for seed in range(2)], perceptrons.inputs() + 2
    with jax.enable_x64(True):
        if kind == "similarity":
            found = features.similarity_between(perceptrons.units(), networks, x, execution)
            return {layer: dataclasses.asdict(each) for layer, each in found.items()}
        path, ts = paths.line(*networks), np.array([0.0, 0.25, 0.5, 1.0])
        found = features.coupling_along(perceptrons.units(), path, ts, x, execution)
        return {layer: each._asdict() for layer, each in found.items()}


def centred(params, inputs):
    """Logits that take their mean over the batch off, so that a loss needs all of the batch."""
    logits = zoo.mlp(params, inputs)
    return logits - logits.mean(axis=0)


def of_fit(mesh, cells):
    ends = [zoo.draw(zoo.mlp, seed) for seed in range(4)]
    config = paths.FitConfig(
        epochs=3,
        points=2,
        batch_size=4,
        sampling=paths.UniformLength(),
        average=0.5,
        weight_decay=1e-3,
        optimiser=Optimiser("sgd", 0.1),
    )
    fitted = paths.fit_many(
        landscape.Classification(centred),
        [paths.bezier(*ends[:2]), paths.bezier(*ends[2:])],
        zoo.examples(),
        config,
        jax.random.split(jax.random.key(0), 2),
        mesh=mesh(2, 2, 2),
    )
    return [(each.path.controls, each.history["loss"]) for each in fitted]


QUANTITIES = {
    **{
        name: lambda *options, name=name: of_measure(name, *options)
        for name in ("losses", "largest", "products", "distance", "whole")
    },
    "eigenvalues": lambda *options: of_normalised("eigenvalues", *options),
    "kernels": lambda *options: of_normalised("kernels", *options),
    "similarity": lambda *options: of_features("similarity", *options),
    "coupling": lambda *options: of_features("coupling", *options),
    "fit": of_fit,
}
CLOSE = {
    "eigenvalues": {"rtol": 0, "atol": 2 * TOLERANCE},
    "kernels": {"rtol": 0, "atol": 2e-5},
    "similarity": {"rtol": 1e-7, "atol": 1e-7},
    "coupling": {"rtol": 1e-7, "atol": 1e-7},
    "fit": {"rtol": 1e-3, "atol": 1e-4},
}


def everything(mesh, cells):
    return {name: measure(mesh, cells) for name, measure in QUANTITIES.items()}


def arrays(found):
    """The arrays of a tree, by their places in it."""
    return {
        jax.tree_util.keystr(place): np.asarray(leaf)
        for place, leaf in jax.tree_util.tree_leaves_with_path(found)
    }


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What each of two processes of four devices got."""
    folder = tmp_path_factory.mktemp("devices")
    processes.run(CHILD, str(folder), devices=4, processes=2)
    return [dict(np.load(folder / f"{process}.npz")) for process in range(2)]


@pytest.mark.parametrize("name", QUANTITIES)
def test_devices_and_processes_do_not_change_the_numbers(name, found):
    expected = arrays({name: QUANTITIES[name](mesh, None)})
    for process in found:
        assert {place for place in process if place.startswith(f"['{name}']")} == set(expected)
        for place, values in expected.items():
            close = CLOSE.get(name, {"rtol": 2e-4, "atol": 1e-5})
            # Of eigenvalues and kernels, errors are relative to the largest.
            size = 1.0 if close["rtol"] else abs(values).max()
            np.testing.assert_allclose(process[place] / size, values / size, err_msg=place, **close)
