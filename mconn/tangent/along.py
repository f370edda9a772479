"""Kernels along a path or a training, and the network against its linearisation."""

from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn import measure, trees
from mconn.errors import ConfigError, DivergenceError, StructureError
from mconn.examples import parts
from mconn.measure import Execution, Networks, Point, Streamed, Whole, is_curve
from mconn.paths import Path
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
class _Kernels(Whole):
    reference: Params
    blocks: Blocks
    targets: Float[Any, "n classes"]
    apply: ApplyFn = field(metadata={"static": True})
    wanted: tuple[str, ...] = field(metadata={"static": True})

    def _of(self, params: Params) -> tuple[Array, Array]:
        count = len(self.targets)
        kernel = gram(Request(self.apply, "mean"), params, self.blocks, None)[:count, :count]
        return kernel, centred(kernel)

    def shared(self, ends: Any, examples: Any) -> tuple[Array, Array]:
        return self._of(self.reference)

    def at_point(self, point: Point, examples: Any, carry: None) -> tuple[dict[str, Array], None]:
        (kernel, about), (fixed, fixed_about) = self._of(point.params), point.shared
        found = {
            "norm": norm(kernel),
            "trace": jnp.trace(kernel),
            "drift": relative_drift(kernel, fixed),
            "cosine": cosine(kernel, fixed),
            "centred_cosine": cosine(about, fixed_about),
            "target_alignment": target_alignment(about, self.targets),
        }
        if "eigenvalues" in self.wanted:
            found["eigenvalues"] = jnp.linalg.eigvalsh(kernel)[::-1]
        if "kernels" in self.wanted:
            found["kernels"] = kernel
        return found, None


def along(
    apply: ApplyFn,
    path: Path | Params,
    ts: Any,
    data: Batch,
    *,
    reference: int | float | Params = 0,
    spectra: bool = False,
    kernels: bool = False,
    execution: Execution = Execution(),
) -> Trajectory:
    """The kernels at points of a curve, or of several networks, compared with one of them.

    One compiled program maps over the points. It holds the reference's kernel and one more, with
    those made from it: about six times n^2 numbers.

    Args:
        apply: as in `kernel`.
        path: a curve, where normaliser statistics are mixed as it mixes them; or networks, such as
            the epochs of a training, stacked along the leading axis of every leaf.
        ts: points of the curve, or how many equispaced ones; the numbers of the networks, or None
            for all.
        data: examples, with labels; whatever `mconn.examples.parts` takes.
        reference: the parameter of a point of the curve, or the number of one of the networks; or
            another network.
        spectra: whether to add all eigenvalues, at a cost of n^3 per point.
        kernels: whether to return the kernels, n^2 numbers per point.
        execution: devices over points, memory (half of it as in `kernel`), refreshed statistics
            (of the points, not of the reference; without ``refresh_data`` from these examples in
            batches), and finished points on disk.

    Raises:
        ConfigError: if the path is a surface.
        StructureError: if a point lies outside the path, or the reference is another
            architecture; and as `kernel`.
        DivergenceError: if a kernel is not finite, or the reference's is zero.
    """
    path = _curve(path, "kernels are compared")
    ts = measure.points_of([path], ts)
    first = jax.eval_shape(_network_at, path, ts[0])
    if isinstance(reference, int | float):
        reference = _network_at(path, measure.points_of([path], [reference])[0])
    trees.check_same_structure(first, reference, ("the path", "the reference"))
    inputs, labels = parts(data)
    memory = MEMORY if execution.memory is None else execution.memory // 2
    labels = np.asarray(labels)
    targets = np.eye(labels.max() + 1, dtype=jax.dtypes.canonicalize_dtype(np.float64))[labels]
    measured = _Kernels(
        trees.to_numpy(reference),
        into_blocks(apply, reference, inputs, "mean", memory),
        targets - targets.mean(axis=0),
        apply,
        (("eigenvalues",) if spectra else ()) + (("kernels",) if kernels else ()),
    )
    if execution.refresh is not None and execution.refresh_data is None:
        execution = replace(execution, refresh_data=data)
    found = measure.along(measured, path, ts, None, execution).result
    finite = np.isfinite(found["drift"])
    if not finite.all():
        raise DivergenceError(
            f"the kernel at {ts[np.argmin(finite)]:g} cannot be compared with the reference's: one "
            "of them is not finite, or the reference's is zero"
        )
    return Trajectory(t=ts.astype(np.float64), **found)


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


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _Linearisation(Streamed):
    origin: Params
    apply: ApplyFn = field(metadata={"static": True})

    def start(self, point: Point, batch: Batch) -> tuple[Array, Array]:
        return jnp.zeros(2, jax.dtypes.canonicalize_dtype(np.float64)), jnp.zeros((), int)

    def update(
        self, state: tuple[Array, Array], point: Point, batch: Batch, mask: Any
    ) -> tuple[tuple[Array, Array], None]:
        step = jax.tree.map(jnp.subtract, point.params, self.origin)
        first, change = jax.jvp(lambda params: self.apply(params, batch), (self.origin,), (step,))
        if first.ndim != 2 or len(first) != len(mask):
            raise StructureError(
                f"the network maps {len(mask)} examples to {first.shape}, not to (examples, "
                "outputs): pass an apply that returns one row of outputs per example"
            )
        outputs = self.apply(point.params, batch)
        pair = (outputs - first, outputs - first - change)
        squares = jnp.stack([(each**2).mean(axis=1) for each in pair])
        same = outputs.argmax(axis=1) == (first + change).argmax(axis=1)
        squares = jnp.where(mask, squares, 0).sum(axis=1)
        return (state[0] + squares, state[1] + (mask & same).sum()), None


def linearise(
    apply: ApplyFn,
    path: Path | Params,
    ts: Any,
    inputs: Any,
    execution: Execution = Execution(),
) -> Linearised:
    """Compare the network along a curve with its linearisation about the curve's start.

    All parameters that move along the curve count, normaliser statistics among them.

    Args:
        apply: (params, inputs) -> outputs, shape (n, classes); hashable.
        path: a curve, or stacked networks, as in `along`.
        ts: as in `along`.
        inputs: the examples.
        execution: batches, devices, memory, refreshed statistics, and finished points on disk.

    Raises:
        ConfigError: if the path is a surface.
        StructureError: if a point lies outside the path, or outputs are not (n, classes).
        DivergenceError: if the network is not finite at a point.
    """
    path = _curve(path, "networks are linearised")
    ts = measure.points_of([path], ts)
    origin = trees.to_numpy(_network_at(path, np.zeros((), ts.dtype)))
    measured = _Linearisation(origin, apply)
    squares, agreeing = measure.along(measured, path, ts, inputs, execution).result
    finite = np.isfinite(squares).all(axis=1)
    if not finite.all():
        raise DivergenceError(
            f"the network at t = {ts[np.argmin(finite)]:g} is not finite: its weights or the "
            "examples are too large, or are not finite themselves"
        )
    count = trees.count_examples(inputs)
    lengths = np.sqrt(squares.astype(np.float64) / count)
    return Linearised(ts.astype(np.float64), lengths[:, 0], lengths[:, 1], agreeing / count)


def _curve(path: Path | Params, what: str) -> Path:
    curve = path if isinstance(path, Path) else Networks(path)
    if not is_curve(curve):
        raise ConfigError(f"{what} along curves, not on {curve.domain.name}")
    return curve


@jax.jit
def _network_at(path: Path, t: Any) -> Params:
    return path(t)
