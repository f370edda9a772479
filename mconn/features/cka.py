"""Centred kernel alignment: how alike two representations of the same examples are, in [0, 1].

Kornblith et al., *Similarity of Neural Network Representations Revisited*, ICML 2019:
HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)). Permutations, rotations and one scale for all units leave
it as it is. The plain estimate of HSIC is biased: it goes to 1 for wide features of few examples,
related or not. The debiased one (Song et al. 2012) does not, and can fall below 0.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn.errors import ConfigError, DataError, StructureError
from mconn.features.subspaces import (
    check_enough,
    check_four,
    check_same_rows,
    checked,
    checked_pair,
)

_KERNEL_ROWS = 512
"""Rows of a kernel that are in memory at a time."""

_MEDIAN_EXAMPLES = 1000
"""Examples whose distances the median is taken of."""


def linear_cka(x: Any, y: Any, *, debiased: bool = True) -> float:
    """Linear CKA of two matrices of features of the same examples.

    Args:
        x: shape (n, p).
        y: shape (n, q).
        debiased: whether HSIC is estimated without bias.

    Raises:
        StructureError: if they are no matrices of the same number of rows.
        DataError: if one is constant or not finite, or there are fewer than 4 examples.
    """
    return float(cka_table({"x": x}, {"y": y}, debiased=debiased)[0, 0])


def cka_table(
    xs: Mapping[str, Any], ys: Mapping[str, Any], *, debiased: bool = True
) -> Float[np.ndarray, "layers_x layers_y"]:
    """Linear CKA of every layer of one network with every layer of another.

    Every product of a layer with itself is computed once, and half of it, as it is symmetric.

    Args:
        xs: features by layer, each (n, units).
        ys: those of the other network on the same examples in the same order.
        debiased: whether HSIC is estimated without bias.

    Warns:
        FewExamplesWarning: if it is biased, and there are no more examples than units.

    Raises:
        StructureError: if they are no matrices of the same number of rows, or there is none.
        DataError: naming a layer that is constant or not finite; if there are fewer than 4
            examples.
    """
    if not xs or not ys:
        raise StructureError("a network without layers is given: pass at least one of each")
    left, right = (
        tuple(checked(layer, f"'{name}'") for name, layer in layers.items()) for layers in (xs, ys)
    )
    first = next(iter(xs))
    for name, each in zip([*xs, *ys], left + right, strict=True):
        check_same_rows(left[0], each, (f"'{first}'", f"'{name}'"))
    count = len(left[0])
    if debiased:
        check_four(count)
    else:
        widest = max(each.shape[1] for each in left + right)
        check_enough(count, widest, "biased CKA", refuse=False)
    cross, of_x, of_y = _table_of_criteria(left, right, debiased)
    return _normalised(cross, of_x, of_y, [*xs], [*ys])


def _normalised(
    cross: Any, of_x: Any, of_y: Any, names_x: list[str], names_y: list[str]
) -> Float[np.ndarray, "layers_x layers_y"]:
    cross, of_x, of_y = (np.asarray(each, np.float64) for each in (cross, of_x, of_y))
    for names, own in ((names_x, of_x), (names_y, of_y)):
        for name, value in zip(names, own, strict=True):
            if not value > 0:
                raise DataError(
                    f"the features '{name}' do not vary enough on these examples for CKA, which "
                    f"would divide by {value:.1e}: take more examples"
                )
    return cross / np.sqrt(np.outer(of_x, of_y))


def ratio(xx: Any, yy: Any, xy: Any, layer: str = "x") -> float:
    """CKA of one pair, from three criteria.

    Raises:
        DataError: naming the layer, if its features do not vary.
    """
    cross, of_x, of_y = (
        np.reshape(each, shape) for each, shape in ((xy, (1, 1)), (xx, 1), (yy, 1))
    )
    return float(_normalised(cross, of_x, of_y, [layer], [layer])[0, 0])


def _table_of_criteria(
    xs: tuple[np.ndarray, ...], ys: tuple[np.ndarray, ...], debiased: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """HSIC of every pair, and of every layer with itself.

    On the host: BLAS computes half of a product of a matrix with itself, XLA all of it.
    """
    xs, ys = (tuple(map(_centred, layers)) for layers in (xs, ys))
    diagonals_x, diagonals_y = (
        [np.einsum("ij,ij->i", x, x) for x in layers] for layers in (xs, ys)
    )
    count = len(xs[0])

    def criterion(x: np.ndarray, y: np.ndarray, kx: np.ndarray, ky: np.ndarray) -> float:
        product = float(np.square(x.T @ y).sum(dtype=np.float64))
        if not debiased:
            return product
        # Of centred features: the sums over rows are minus the diagonal.
        kx, ky = kx.astype(np.float64), ky.astype(np.float64)
        both = kx @ ky
        totals = kx.sum() * ky.sum() / ((count - 1) * (count - 2))
        return product - both + totals - 2 / (count - 2) * both

    of_x = [criterion(x, x, k, k) for x, k in zip(xs, diagonals_x, strict=True)]
    of_y = [criterion(y, y, k, k) for y, k in zip(ys, diagonals_y, strict=True)]
    cross = [
        [criterion(x, y, kx, ky) for y, ky in zip(ys, diagonals_y, strict=True)]
        for x, kx in zip(xs, diagonals_x, strict=True)
    ]
    return np.array(cross), np.array(of_x), np.array(of_y)


def _centred(x: np.ndarray) -> np.ndarray:
    return x - x.mean(axis=0)


def minibatch_cka(x: Any, y: Any, *, batch_size: int = 256) -> float:
    """Linear CKA from the debiased HSIC of minibatches, whose means are taken before the ratio.

    Nguyen et al., ICLR 2021 (*Do Wide and Deep Networks Learn the Same Things?*), equation 4:
    the mean does not depend on the size of the batches but for its noise. Batches are of equal
    size, or differ by one; no batch counts for more than another.

    Args:
        x: shape (n, p).
        y: shape (n, q).
        batch_size: largest number of examples of a batch; at least 4.

    Raises:
        ConfigError: if a batch would have fewer than 4 examples; and as `linear_cka`.
    """
    x, y = checked_pair(x, y)
    batches = -(-len(x) // batch_size) if batch_size >= 1 else 0
    if batches < 1 or len(x) // batches < 4:
        raise ConfigError(
            f"batch_size is {batch_size} for {len(x)} examples: every batch needs at least 4"
        )
    parts = zip(np.array_split(x, batches), np.array_split(y, batches), strict=True)
    return ratio(*np.mean([_batch_criteria(a, b) for a, b in parts], axis=0))


def _batch_criteria(x: Any, y: Any) -> tuple[float, float, float]:
    cross, of_x, of_y = _table_of_criteria((x,), (y,), True)
    scale = len(x) * (len(x) - 3)
    return float(of_x[0]) / scale, float(of_y[0]) / scale, float(cross[0, 0]) / scale


class _KernelSums(NamedTuple):
    """What HSIC of two kernels K and L needs of them."""

    product: Array
    rows_x: Array
    rows_y: Array


def rbf_cka(x: Any, y: Any, *, bandwidth: float = 1.0, debiased: bool = True) -> float:
    """CKA with Gaussian kernels exp(-|a - b|^2 / (2 s^2)).

    Kernels are computed ``KERNEL_ROWS`` rows at a time, so that memory is linear in the examples.

    Args:
        x: shape (n, p).
        y: shape (n, q).
        bandwidth: s as a multiple of the median distance between two examples (of at most 1000 of
            them, evenly spaced).
        debiased: whether HSIC is estimated without bias.

    Raises:
        ConfigError: if the bandwidth is not above 0; and as `linear_cka`.
    """
    if not bandwidth > 0:
        raise ConfigError(f"bandwidth is {bandwidth}: it must be above 0")
    x, y = checked_pair(x, y)
    if debiased:
        check_four(len(x))
    scales = [1 / (2 * (bandwidth * _median_distance(each)) ** 2) for each in (x, y)]
    xx, yy, xy = (
        float(_kernel_criterion(a, b, s, r, debiased))
        for (a, s), (b, r) in (
            ((x, scales[0]), (x, scales[0])),
            ((y, scales[1]), (y, scales[1])),
            ((x, scales[0]), (y, scales[1])),
        )
    )
    return ratio(xx, yy, xy)


def _median_distance(x: np.ndarray) -> float:
    from scipy.spatial.distance import pdist

    some = np.linspace(0, len(x) - 1, min(len(x), _MEDIAN_EXAMPLES)).astype(int)
    found = float(np.median(pdist(x[some].astype(np.float64))))
    if not found > 0:
        raise DataError("half of the examples have the same features: no bandwidth can be chosen")
    return found


@partial(jax.jit, static_argnums=4)
def _kernel_criterion(
    x: Float[Array, "n p"], y: Float[Array, "n q"], scale_x: Any, scale_y: Any, debiased: bool
) -> Float[Array, ""]:
    count = len(x)
    blocks = -(-count // _KERNEL_ROWS)
    rows = jnp.arange(blocks * _KERNEL_ROWS).reshape(blocks, _KERNEL_ROWS)

    x, y = (each - each.mean(axis=0) for each in (x, y))

    def of_block(numbers: Array) -> _KernelSums:
        mask = numbers < count
        numbers = jnp.minimum(numbers, count - 1)
        kept = mask[:, None] & (~debiased | (numbers[:, None] != jnp.arange(count)))
        kx, ky = (
            jnp.where(kept, jnp.exp(-s * _distances(each[numbers], each)), 0)
            for each, s in ((x, scale_x), (y, scale_y))
        )
        return _KernelSums((kx * ky).sum(), kx.sum(axis=1), ky.sum(axis=1))

    found = jax.lax.map(of_block, rows)
    product, rows_x, rows_y = found.product.sum(), found.rows_x.ravel(), found.rows_y.ravel()
    totals, joint = rows_x.sum() * rows_y.sum(), rows_x @ rows_y
    if debiased:
        return product + totals / ((count - 1) * (count - 2)) - 2 / (count - 2) * joint
    return product - 2 / count * joint + totals / count**2


def _distances(a: Float[Array, "m p"], b: Float[Array, "n p"]) -> Float[Array, "m n"]:
    squares = [jnp.einsum("ij,ij->i", each, each) for each in (a, b)]
    return jnp.maximum(squares[0][:, None] + squares[1] - 2 * a @ b.T, 0)
