"""Kernels along a path or a training, and the network against its linearisation."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Num

from mconn import trees
from mconn.errors import ConfigError, DivergenceError, StructureError
from mconn.examples import parts
from mconn.measure import Examples, fold
from mconn.paths import Path
from mconn.paths.domain import INTERVAL
from mconn.tangent.gram import MEMORY, Blocks, Request, gram, into_blocks
from mconn.tangent.similarity import (
    Spectrum,
    centred,
    cosine,
    norm,
    relative_drift,
    target_alignment,
)
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
class _Stacked:
    """Networks by their number."""

    networks: Params

    def __call__(self, number: Any) -> Params:
        """One network."""
        return trees.index(self.networks, number)


def along(
    apply: ApplyFn,
    path: Path | Params,
    ts: Any,
    data: Batch,
    *,
    reference: int | Params = 0,
    spectra: bool = False,
    kernels: bool = False,
    memory: int = MEMORY,
) -> Trajectory:
    """The kernels at points of a curve, or of several networks, compared with one of them.

    One compiled program maps over the points. It holds the reference's kernel and one more, with
    those made from it: about six times n^2 numbers.

    Args:
        apply: as in `kernel`.
        path: a curve, where normaliser statistics are mixed as it mixes them; or networks, such as
            the epochs of a training, stacked along the leading axis of every leaf.
        ts: points of the curve; the numbers of the networks, or None for all.
        data: examples, with labels; whatever `mconn.examples.parts` takes.
        reference: the parameter of a point of the curve, or the number of one of the networks; or
            another network.
        spectra: whether to add all eigenvalues, at a cost of n^3 per point.
        kernels: whether to return the kernels, n^2 numbers per point.
        memory: as in `kernel`.

    Raises:
        ConfigError: if the path is a surface.
        StructureError: if a point lies outside the path, or the reference is another
            architecture; and as `kernel`.
        DivergenceError: if a kernel is not finite, or the reference's is zero.
    """
    if isinstance(path, Path):
        if path.domain != INTERVAL:
            raise ConfigError(f"kernels are compared along curves, not on {path.domain.name}")
        networks, ts = path, np.atleast_1d(np.asarray(ts, _widest()))
        path.domain.check(ts)
    else:
        count = len(jax.tree.leaves(path)[0])
        networks, ts = _Stacked(path), np.arange(count) if ts is None else np.atleast_1d(ts)
        ts = ts.astype(np.int32)
    if isinstance(reference, int | float):
        reference = _network_at(networks, np.asarray(reference, ts.dtype))
    else:
        first = jax.eval_shape(_network_at, networks, ts[0])
        trees.check_same_structure(first, reference, ("the path", "the reference"))
    inputs, labels = parts(data)
    blocks = into_blocks(apply, reference, inputs, "mean", memory)
    labels = np.asarray(labels)
    targets = np.eye(labels.max() + 1, dtype=_widest())[labels]
    targets -= targets.mean(axis=0)
    wanted = (("eigenvalues",) if spectra else ()) + (("kernels",) if kernels else ())
    found = _compare(Request(apply, "mean"), wanted, networks, ts, reference, blocks, targets)
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
def _compare(
    request: Request,
    wanted: tuple[str, ...],
    networks: Path | _Stacked,
    ts: Num[Array, " points"],
    reference: Params,
    blocks: Blocks,
    targets: Float[Array, "n classes"],
) -> dict[str, Array]:
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


def _widest() -> np.dtype:
    return jax.dtypes.canonicalize_dtype(np.float64)


@jax.jit
def _network_at(networks: Path | _Stacked, t: Any) -> Params:
    return networks(t)


@dataclass(frozen=True)
class Linearised:
    """The network at t against f(params at 0) + J (params at t - params at 0).

    Lengths are root mean squares over examples and outputs.

    Attributes:
        t: the points.
        change: of the outputs since t = 0.
        error: of the linearisation.
        agreement: the share of examples to which both give the same class.
    """

    t: Float[np.ndarray, " points"]
    change: Float[np.ndarray, " points"]
    error: Float[np.ndarray, " points"]
    agreement: Float[np.ndarray, " points"]

    @property
    def relative_error(self) -> Float[np.ndarray, " points"]:
        """The error over the change: 0 where the network is linear; 0 where nothing changes."""
        return self.error / np.where(self.change > 0, self.change, 1)


def linearise(
    apply: ApplyFn, path: Path, ts: Any, inputs: Any, *, batch_size: int = 1000
) -> Linearised:
    """Compare the network along a curve with its linearisation about the curve's start.

    All parameters that move along the curve count, normaliser statistics among them.

    Args:
        apply: (params, inputs) -> outputs, shape (n, classes); hashable.
        path: a curve.
        ts: its points.
        inputs: the examples.
        batch_size: largest number of examples in one batch.

    Raises:
        ConfigError: if the path is a surface.
        StructureError: if a point lies outside the path, or outputs are not (n, classes).
        DivergenceError: if the network is not finite at a point.
    """
    if path.domain != INTERVAL:
        raise ConfigError(f"networks are linearised along curves, not on {path.domain.name}")
    ts = np.atleast_1d(np.asarray(ts, jax.dtypes.canonicalize_dtype(np.float64)))
    path.domain.check(ts)
    count = trees.count_examples(inputs)
    squares, agreeing = trees.to_numpy(_sums(apply, path, ts, fold(inputs, batch_size)))
    finite = np.isfinite(squares).all(axis=1)
    if not finite.all():
        point = ts[np.flatnonzero(~finite)[0]]
        raise DivergenceError(
            f"the network at t = {point:g} is not finite: its weights or the examples are too "
            "large, or are not finite themselves"
        )
    lengths = np.sqrt(squares.astype(np.float64) / count)
    return Linearised(ts.astype(np.float64), lengths[:, 0], lengths[:, 1], agreeing / count)


@partial(jax.jit, static_argnums=0)
def _sums(
    apply: ApplyFn, path: Path, ts: Float[Array, " points"], examples: Examples
) -> tuple[Float[Array, "points 2"], Int[Array, " points"]]:
    start = path(jnp.zeros((), ts.dtype))

    def at_point(t: Any) -> tuple[Array, Array]:
        params = path(t)
        step = jax.tree.map(jnp.subtract, params, start)

        def on_batch(state: tuple[Array, Array], here: Examples) -> tuple[Any, None]:
            inputs, real = here
            first, change = jax.jvp(lambda params: apply(params, inputs), (start,), (step,))
            if first.ndim != 2 or len(first) != len(real):
                raise StructureError(
                    f"the network maps {len(real)} examples to {first.shape}, not to (examples, "
                    "outputs): pass an apply that returns one row of outputs per example"
                )
            outputs = apply(params, inputs)
            pair = (outputs - first, outputs - first - change)
            squares = jnp.stack([(each**2).mean(axis=1) for each in pair])
            same = outputs.argmax(axis=1) == (first + change).argmax(axis=1)
            squares, same = jnp.where(real, squares, 0).sum(axis=1), (real & same).sum()
            return (state[0] + squares, state[1] + same), None

        nothing = (jnp.zeros(2, ts.dtype), jnp.zeros((), int))
        return jax.lax.scan(on_batch, nothing, examples)[0]

    return jax.lax.map(at_point, ts)
