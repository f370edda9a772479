"""Device meshes with the axes ``pair``, ``t`` and ``data``: paths, their points, and examples."""

import jax
import numpy as np
from jax.sharding import AxisType, Mesh
from jaxtyping import Array

from mconn.errors import ConfigError
from mconn.types import PyTree

AXES = ("pair", "t", "data")


def complete(mesh: Mesh | None) -> Mesh:
    """The mesh with all three axes; the first local device if there is none.

    Raises:
        ConfigError: if an axis has another name.
    """
    if mesh is None:
        return of(np.array(jax.local_devices()[:1]), {"data": 1})
    return of(mesh.devices, dict(mesh.shape))


def of(devices: np.ndarray, shape: dict[str, int]) -> Mesh:
    """A mesh of devices whose axes are named in order, each with its length.

    Raises:
        ConfigError: if an axis has another name than the three.
    """
    unknown = [name for name in shape if name not in AXES]
    if unknown:
        raise ConfigError(f"the mesh has the axis '{unknown[0]}': its axes are {', '.join(AXES)}")
    given = list(shape)
    ordered = devices.reshape(*shape.values()).transpose(
        [given.index(name) for name in AXES if name in shape]
    )
    return Mesh(
        ordered.reshape([shape.get(name, 1) for name in AXES]),
        AXES,
        axis_types=(AxisType.Auto,) * len(AXES),
    )


def on_host(tree: PyTree) -> PyTree:
    """Every array, of all processes, on the host of each."""
    return jax.tree.map(array_on_host, tree)


def array_on_host(array: Array | np.ndarray) -> np.ndarray:
    """One array on the host."""
    if isinstance(array, jax.Array) and not array.is_fully_addressable:
        from jax.experimental.multihost_utils import process_allgather

        return np.asarray(process_allgather(array, tiled=True))
    return np.asarray(array)
