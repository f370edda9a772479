"""Kernels of two blocks of examples, from the factors of their derivatives."""

from functools import partial

import jax.numpy as jnp
from jaxtyping import Array, Float

from mconn.tangent.factors import Factors, Pair

CONTRACTIONS = ("mean", "sum", "full")
"""What is done with outputs: the mean or sum over them of the kernel of each, or nothing."""

einsum = partial(jnp.einsum, precision="highest")


def contract(
    rows: Factors, columns: Factors, outputs: str
) -> Float[Array, "n1 n2"] | Float[Array, "n1 n2 classes classes"]:
    """The kernel of two blocks of examples.

    Args:
        rows: of the first block.
        columns: of the second.
        outputs: the contraction over outputs.
    """
    pairs = zip(rows.pairs, columns.pairs, strict=True)
    others = zip(rows.others, columns.others, strict=True)
    terms = [
        *(of_pair(*each, outputs == "full") for each in pairs),
        *(of_derivatives(*each, outputs == "full") for each in others),
    ]
    return sum(terms[1:], terms[0]) / (classes_of(rows) if outputs == "mean" else 1)


def classes_of(factors: Factors) -> int:
    """The number of outputs."""
    return (factors.pairs[0].slopes if factors.pairs else factors.others[0]).shape[1]


def of_pair(rows: Pair, columns: Pair, full: bool) -> Array:
    """The share of a weight that is given by factors."""
    activations = einsum("ipk,jqk->ijpq", rows.activations, columns.activations)
    if full:
        slopes = einsum("icpo,jdqo->ijcdpq", rows.slopes, columns.slopes)
        return (activations[:, :, None, None] * slopes).sum(axis=(-2, -1))
    slopes = einsum("icpo,jcqo->ijpq", rows.slopes, columns.slopes)
    return (activations * slopes).sum(axis=(-2, -1))


def of_derivatives(rows: Array, columns: Array, full: bool) -> Array:
    """The share of parameters whose derivatives are given as they are."""
    return einsum("icp,jdp->ijcd" if full else "icp,jcp->ij", rows, columns)
