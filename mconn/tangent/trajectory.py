"""Kernels along a training or along a path, compared with one of them, in one compiled program."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num

from mconn import trees
from mconn.errors import ConfigError, DivergenceError
from mconn.paths import Path
from mconn.paths.domain import INTERVAL
from mconn.tangent.budget import MEMORY, Blocks, into_blocks
from mconn.tangent.gram import Request, gram
from mconn.tangent.similarity import centred, cosine, norm, relative_drift, target_alignment
from mconn.tangent.spectrum import Spectrum
from mconn.types import ApplyFn, Batch, Params


@dataclass(frozen=True)
class Trajectory:
    """Kernels, contracted over outputs, of several networks on the same examples.

    Attributes:
        t: the points of the path, or the numbers of the networks.
        norm: |K_t|, Frobenius.
        trace: the sum of the diagonal.
        drift: |K_t - R| / |R|, where R is the reference's kernel.
        cosine: that of K_t and R.
        centred_cosine: that of both centred over examples.
        target_alignment: the cosine of K_t and Y Y^T, both centred, Y the one-hot labels.
        eigenvalues: of every kernel, from the largest to the smallest; None if not asked for.
        kernels: the kernels themselves; None if not asked for.
    """

    t: Float[np.ndarray, " points"]
    norm: Float[np.ndarray, " points"]
    trace: Float[np.ndarray, " points"]
    drift: Float[np.ndarray, " points"]
    cosine: Float[np.ndarray, " points"]
    centred_cosine: Float[np.ndarray, " points"]
    target_alignment: Float[np.ndarray, " points"]
    eigenvalues: Float[np.ndarray, "points n"] | None = None
    kernels: Float[np.ndarray, "points n n"] | None = None

    def spectrum(self, point: int) -> Spectrum:
        """The spectrum at a point.

        Raises:
            ConfigError: if eigenvalues were not asked for.
        """
        if self.eigenvalues is None:
            raise ConfigError("the trajectory has no eigenvalues: measure it with spectra=True")
        return Spectrum(self.eigenvalues[point])

    def cosines(self, *, centre: bool = False) -> Float[np.ndarray, "points points"]:
        """The cosine of every two kernels, centred over examples or as they are.

        Raises:
            ConfigError: if kernels were not asked for.
        """
        if self.kernels is None:
            raise ConfigError("the trajectory has no kernels: measure it with kernels=True")
        kernels = self.kernels.astype(np.float64)
        if centre:
            kernels = np.stack([centred(kernel) for kernel in kernels])
        flat = kernels.reshape(len(kernels), -1)
        flat = flat / np.linalg.norm(flat, axis=1, keepdims=True)
        return flat @ flat.T


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Stacked:
    """Networks by their number."""

    networks: Params

    def __call__(self, number: Any) -> Params:
        """One network."""
        return trees.index(self.networks, number)


def along(
    apply: ApplyFn,
    path: Path,
    ts: Any,
    data: Batch,
    *,
    reference: Params | None = None,
    spectra: bool = False,
    kernels: bool = False,
    memory: int = MEMORY,
) -> Trajectory:
    """The kernels at points of a curve, compared with that of a reference.

    One compiled program maps over the points. It holds the reference's kernel and one more, with
    those made from it: about six times n^2 numbers.

    Args:
        apply: as in `kernel`.
        path: a curve; normaliser statistics are mixed as it mixes them.
        ts: its points.
        data: examples with fields ``inputs`` and ``labels``.
        reference: a network; None for the one at t = 0.
        spectra: whether to add all eigenvalues, at a cost of n^3 per point.
        kernels: whether to return the kernels, n^2 numbers per point.
        memory: as in `kernel`.

    Raises:
        ConfigError: if the path is a surface.
        StructureError: if a point lies outside the path, or the reference is another
            architecture; and as `kernel`.
        DivergenceError: if a kernel is not finite, or the reference's is zero.
    """
    if path.domain != INTERVAL:
        raise ConfigError(f"kernels are compared along curves, not on {path.domain.name}")
    ts = np.atleast_1d(np.asarray(ts, widest()))
    path.domain.check(ts)
    start = start_of(path, ts[:1] * 0)
    if reference is not None:
        trees.check_same_structure(start, reference, ("the path", "the reference"))
        start = reference
    return trajectory(apply, path, ts, start, data, spectra, kernels, memory)


def through(
    apply: ApplyFn,
    networks: Params,
    data: Batch,
    *,
    reference: int | Params = 0,
    spectra: bool = False,
    kernels: bool = False,
    memory: int = MEMORY,
) -> Trajectory:
    """The kernels of several networks, such as the epochs of a training, compared with one.

    Args:
        apply: as in `kernel`.
        networks: stacked along the leading axis of every leaf.
        data: examples with fields ``inputs`` and ``labels``.
        reference: the number of one of the networks, or another network.
        spectra: as in `along`.
        kernels: as in `along`.
        memory: as in `kernel`.

    Raises:
        StructureError: if the reference is another architecture; and as `kernel`.
        DivergenceError: if a kernel is not finite, or the reference's is zero.
    """
    count = len(jax.tree.leaves(networks)[0])
    first = jax.tree.map(lambda leaf: leaf[0], networks)
    if isinstance(reference, int):
        reference = jax.tree.map(lambda leaf: leaf[reference], networks)
    trees.check_same_structure(first, reference, ("the networks", "the reference"))
    numbers = np.arange(count, dtype=np.int32)
    return trajectory(apply, Stacked(networks), numbers, reference, data, spectra, kernels, memory)


def trajectory(
    apply: ApplyFn,
    networks: Path | Stacked,
    ts: np.ndarray,
    reference: Params,
    data: Batch,
    spectra: bool,
    kernels: bool,
    memory: int,
) -> Trajectory:
    """Compare the kernels of some networks with a reference."""
    blocks = into_blocks(apply, reference, data.inputs, "mean", memory)
    labels = np.asarray(data.labels)
    targets = np.eye(labels.max() + 1, dtype=widest())[labels]
    targets -= targets.mean(axis=0)
    wanted = (("eigenvalues",) if spectra else ()) + (("kernels",) if kernels else ())
    found = compare(Request(apply, "mean"), wanted, networks, ts, reference, blocks, targets)
    found = trees.to_numpy(found)
    finite = np.isfinite(found["drift"])
    if not finite.all():
        point = ts[np.flatnonzero(~finite)[0]]
        raise DivergenceError(
            f"the kernel at {point:g} cannot be compared with the reference's: one of them is not "
            "finite, or the reference's is zero"
        )
    return Trajectory(t=ts.astype(np.float64), **found)


@partial(jax.jit, static_argnums=(0, 1))
def compare(
    request: Request,
    wanted: tuple[str, ...],
    networks: Path | Stacked,
    ts: Num[Array, " points"],
    reference: Params,
    blocks: Blocks,
    targets: Float[Array, "n classes"],
) -> dict[str, Array]:
    """The numbers of a trajectory."""
    count = len(targets)
    fixed = gram(request, reference, blocks, None)[:count, :count]
    fixed_centred = centred(fixed)

    def at_point(t: Any) -> dict[str, Array]:
        kernel = gram(request, networks(t), blocks, None)[:count, :count]
        kernel_centred = centred(kernel)
        found = {
            "norm": norm(kernel),
            "trace": jnp.trace(kernel),
            "drift": relative_drift(kernel, fixed),
            "cosine": cosine(kernel, fixed),
            "centred_cosine": cosine(kernel_centred, fixed_centred),
            "target_alignment": target_alignment(kernel_centred, targets),
        }
        if "eigenvalues" in wanted:
            found["eigenvalues"] = jnp.linalg.eigvalsh(kernel)[::-1]
        if "kernels" in wanted:
            found["kernels"] = kernel
        return found

    return jax.lax.map(at_point, ts)


def widest() -> np.dtype:
    """Double precision where JAX has it turned on, otherwise single."""
    return jax.dtypes.canonicalize_dtype(np.float64)


@jax.jit
def start_of(path: Path, ts: Float[Array, " one"]) -> Params:
    """The network at the first of some points."""
    return path(ts[0])
