"""The empirical tangent kernel of a network."""

from typing import Any

import numpy as np
from jaxtyping import Float

from mconn import trees
from mconn.checks import check_choice
from mconn.errors import DivergenceError
from mconn.tangent.budget import MEMORY, into_blocks
from mconn.tangent.contraction import CONTRACTIONS
from mconn.tangent.gram import Request, compiled_gram
from mconn.types import ApplyFn, Params


def kernel(
    apply: ApplyFn,
    params: Params,
    inputs: Any,
    others: Any = None,
    *,
    outputs: str = "mean",
    memory: int = MEMORY,
) -> Float[np.ndarray, "n1 n2"] | Float[np.ndarray, "n1 n2 classes classes"]:
    """K(x, x') = J(x) J(x')^T, where J(x) is the derivative of the outputs by all parameters.

    Derivatives by a weight that is used once in a matrix product are kept as two factors, unless
    their product is cheaper, as it is for convolutions; those by other parameters are written out
    (Novak, Sohl-Dickstein and Schoenholz, ICML 2022: structured derivatives, and contraction of
    Jacobians). On one thread, 1000 examples of the MLP 784-512-512-512-10 take half a second; with
    written-out derivatives they take minutes.

    The kernel is unchanged when hidden units are permuted. It changes when a unit of a ReLU is
    scaled by a positive number and its outgoing weights by the inverse: the network does the same,
    and its derivatives do not.

    Args:
        apply: (params, inputs) -> outputs, shape (n, classes), each example by itself: BatchNorm
            uses stored statistics. Hashable, so that calls share the program.
        params: the network. Leaves whose names begin with ``batch_stats`` are held, and so are
            those that are no real numbers.
        inputs: n1 examples: an array, or a pytree of arrays, with a leading axis.
        others: n2 examples; None for the same again.
        outputs: ``mean`` and ``sum`` over outputs of the kernel of each; or ``full``, the kernel of
            every pair of outputs.
        memory: bytes that temporaries may take. Parameters, examples and the kernel itself come on
            top.

    Returns:
        The kernel on the host, read-only.

    Raises:
        StructureError: if ``apply`` does not return one row of outputs per example, or no leaf is
            a parameter.
        ConfigError: if the memory does not hold one example, or the contraction is unknown.
        DataError: if there is no example.
        DivergenceError: if an entry is not finite; names the first example.
    """
    check_choice("outputs", outputs, CONTRACTIONS)
    rows = into_blocks(apply, params, inputs, outputs, memory)
    columns = None if others is None else into_blocks(apply, params, others, outputs, memory)
    found = np.asarray(compiled_gram(Request(apply, outputs), params, rows, columns))
    wide = inputs if others is None else others
    found = found[: trees.count_examples(inputs), : trees.count_examples(wide)]
    check_finite(found, "the kernel")
    return found


def as_matrix(
    full: Float[np.ndarray, "n1 n2 classes classes"],
) -> Float[np.ndarray, "rows columns"]:
    """A full kernel as a matrix, of all outputs of the first example, then of the second."""
    rows, columns, *classes = full.shape
    return full.transpose(0, 2, 1, 3).reshape(rows * classes[0], columns * classes[1])


def check_finite(kernel: np.ndarray, name: str) -> None:
    """Refuse a kernel with an entry that is not finite.

    Raises:
        DivergenceError: naming the first example.
    """
    if np.isfinite(kernel.sum(dtype=np.float64)):  # which makes no array of flags
        return
    finite = np.isfinite(kernel).reshape(*kernel.shape[:2], -1).all(axis=-1)
    if finite.all():
        return
    row, column = np.argwhere(~finite)[0]
    raise DivergenceError(
        f"{name} is not finite at the examples {row} and {column}: the network or these examples "
        "hold numbers that are too large, or are not finite themselves"
    )
