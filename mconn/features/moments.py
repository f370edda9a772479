"""Second moments of pairs of features, summed in one pass: all that linear similarity needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from mconn.errors import DataError
from mconn.features.capture import Features, Reduction, Shapes


class Moments(NamedTuple):
    """Sums over examples of two matrices of features x and y.

    All are of features less a fixed vector near their mean, so that single precision suffices;
    what is computed from them does not depend on that vector.

    Attributes:
        count: the number of rows.
        sum_x: shape (p,).
        sum_y: shape (q,).
        cross: the sum of x_i y_i^T, shape (p, q).
        squares_x: the sum of |x_i|^2.
        squares_y: the sum of |y_i|^2.
        squares: the sum of |x_i|^2 |y_i|^2.
        weighted_x: the sum of |y_i|^2 x_i, shape (p,).
        weighted_y: the sum of |x_i|^2 y_i, shape (q,).
    """

    count: Any
    sum_x: Any
    sum_y: Any
    cross: Any
    squares_x: Any
    squares_y: Any
    squares: Any
    weighted_x: Any
    weighted_y: Any

    def covariance(self) -> Float[np.ndarray, "p q"]:
        """The sum of products of centred features, in double precision."""
        one = Moments(*(np.asarray(part, np.float64) for part in self))
        return one.cross - np.outer(one.sum_x, one.sum_y) / one.count

    def hsic(self, debiased: bool) -> float:
        """The Hilbert-Schmidt independence criterion of both linear kernels, unnormalised.

        Debiased it is HSIC_1 of Song et al. 2012 (Journal of Machine Learning Research 13,
        equation 5) times n (n - 3), with the diagonals of both kernels left out; its expected value
        is 0 for independent features, whatever their width. Otherwise it is |Y^T X|_F^2.

        Raises:
            DataError: if there are fewer than 4 rows to be debiased from.
        """
        if not debiased:
            return float(np.square(self.covariance()).sum())
        n, sx, sy, cross, kx, ky, both, wx, wy = (np.asarray(part, np.float64) for part in self)
        check_four(int(n))
        trace = np.square(cross).sum() - both
        totals = (sx @ sx - kx) * (sy @ sy - ky)
        rows = sx @ cross @ sy - sx @ wx - sy @ wy + both
        return float(trace + totals / ((n - 1) * (n - 2)) - 2 / (n - 2) * rows)


def check_four(count: int) -> None:
    """Refuse fewer examples than the debiased estimate is defined for."""
    if count < 4:
        raise DataError(
            f"{count} examples are given and the debiased estimate needs at least 4: take more"
        )


class Comparison(NamedTuple):
    """The moments of two matrices of features with themselves and with each other."""

    xx: Moments
    yy: Moments
    xy: Moments


def moments(
    x: Float[Array, "n p"], y: Float[Array, "n q"], real: Bool[Array, "n"] | None = None
) -> Moments:
    """The sums of one batch; rows that are not real do not count. Works inside ``jit``."""
    if real is not None:
        x, y = (jnp.where(real[:, None], each, 0) for each in (x, y))
    count = jnp.asarray(len(x) if real is None else real.sum(), x.dtype)
    of_x, of_y = (jnp.einsum("ij,ij->i", each, each) for each in (x, y))
    return Moments(
        count,
        x.sum(axis=0),
        y.sum(axis=0),
        x.T @ y,
        of_x.sum(),
        of_y.sum(),
        of_x @ of_y,
        of_y @ x,
        of_x @ y,
    )


@dataclass(frozen=True)
class Similarities(Reduction):
    """The moments of every layer of the first network with the same layer of each other one.

    The result is, by layer, the moments of the first network with itself, and a tuple of those of
    the others with themselves and with the first.

    Attributes:
        alone: whether the others are compared with themselves as well; None in their place if not.
    """

    alone: bool = True

    def start(self, shapes: Shapes) -> Any:
        """Zeros, and no mean yet."""
        first, *others = shapes

        def zeros(a: Any, b: Any) -> Moments:
            p, q, dtype = a.shape[1], b.shape[1], a.dtype
            forms = ((), (p,), (q,), (p, q), (), (), (), (p,), (q,))
            return Moments(*(jnp.zeros(form, dtype) for form in forms))

        sums = {
            layer: (
                zeros(a, a),
                tuple(
                    (zeros(o[layer], o[layer]) if self.alone else None, zeros(a, o[layer]))
                    for o in others
                ),
            )
            for layer, a in first.items()
        }
        means = tuple(
            {layer: jnp.zeros(a.shape[1], a.dtype) for layer, a in each.items()} for each in shapes
        )
        return sums, means

    def update(
        self,
        state: Any,
        features: tuple[Features, ...],
        real: Mapping[str, Bool[Array, "samples"]],
        t: Any,
    ) -> Any:
        """Add the moments of a batch."""
        sums, means = state
        first_layer = next(iter(sums))
        is_first = sums[first_layer][0].count == 0
        means = tuple(
            {layer: jnp.where(is_first, x.mean(axis=0), mean[layer]) for layer, x in each.items()}
            for each, mean in zip(features, means, strict=True)
        )
        first, *others = (
            {layer: x - mean[layer] for layer, x in each.items()}
            for each, mean in zip(features, means, strict=True)
        )

        def added(old: Moments, x: Array, y: Array, layer: str) -> Moments:
            return Moments(*map(jnp.add, old, moments(x, y, real[layer])))

        sums = {
            layer: (
                added(of_first, first[layer], first[layer], layer),
                tuple(
                    (
                        added(alone, other[layer], other[layer], layer) if self.alone else None,
                        added(together, first[layer], other[layer], layer),
                    )
                    for other, (alone, together) in zip(others, of_others, strict=True)
                ),
            )
            for layer, (of_first, of_others) in sums.items()
        }
        return sums, means

    def finish(self, state: Any, t: Any) -> Any:
        """The sums."""
        return state[0]
