"""How far the tangent picture holds between two networks: the network against its linearisation."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from mconn import trees
from mconn.errors import ConfigError, DivergenceError, StructureError
from mconn.landscape.batches import fold
from mconn.landscape.program import Examples
from mconn.paths import Path
from mconn.paths.domain import INTERVAL
from mconn.types import ApplyFn


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
    squares, agreeing = trees.to_numpy(sums(apply, path, ts, fold(inputs, batch_size)))
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
def sums(
    apply: ApplyFn, path: Path, ts: Float[Array, " points"], examples: Examples
) -> tuple[Float[Array, "points 2"], Int[Array, " points"]]:
    """Sums over examples of squared change and error, and the number of equal answers."""
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
