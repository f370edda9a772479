"""The empirical tangent kernel of a network, how fast it changes, and how seeds differ.

A kernel of infinite width is the same for every seed and does not move. At width m it moves during
training (Huang and Yau, *Dynamics of deep neural networks and neural tangent hierarchy*, ICML
2020).
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn import trees
from mconn.checks import check_choice
from mconn.errors import ConfigError, DivergenceError
from mconn.landscape import loss_of, values_of
from mconn.measure import Examples, fold
from mconn.tangent.factors import CONTRACTIONS, movable_leaves
from mconn.tangent.gram import MEMORY, Blocks, Request, compiled_gram, gram, into_blocks
from mconn.types import ApplyFn, Batch, EvalFn, Params


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
    """Refuse a kernel with an entry that is not finite."""
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


class Derivative(NamedTuple):
    """A kernel and its derivative in a direction of parameter space.

    Attributes:
        kernel: K.
        derivative: dK/ds at s = 0 along params + s * direction.
    """

    kernel: Float[np.ndarray, "n n"] | Float[np.ndarray, "n n classes classes"]
    derivative: Float[np.ndarray, "n n"] | Float[np.ndarray, "n n classes classes"]


def kernel_derivative(
    apply: ApplyFn,
    params: Params,
    direction: Params,
    inputs: Any,
    *,
    outputs: str = "mean",
    memory: int = MEMORY,
) -> Derivative:
    """How fast the kernel changes when the network moves in a direction.

    In the direction of `gradient_flow` this is the next equation of the neural tangent hierarchy:
    dK/ds = - mean over training examples b of O_3(x, x', b) times the residual of b. After a step h
    of gradient descent the kernel is K + h * derivative to first order.

    For a piecewise-linear network such as one with ReLU the derivative is that of the pieces: it
    misses what units contribute that switch on or off on the way, however small the step. That
    share is no small one: hold the forecast against the kernel after the step.

    Args:
        apply: as in `mconn.tangent.kernel`.
        params: the network.
        direction: of the structure of the network.
        inputs: the examples.
        outputs: as in `kernel`.
        memory: as in `kernel`.

    Raises:
        StructureError: if the direction and the network differ in structure; and as `kernel`.
        DivergenceError: if the kernel or its derivative is not finite.
    """
    trees.check_same_structure(params, direction, ("the network", "the direction"))
    blocks = into_blocks(apply, params, inputs, outputs, memory, copies=2)
    count = trees.count_examples(inputs)
    found = Derivative(
        *(
            np.asarray(each)[:count, :count]
            for each in _differentiated(Request(apply, outputs), params, direction, blocks)
        )
    )
    check_finite(found.kernel, "the kernel")
    check_finite(found.derivative, "the kernel's derivative")
    return found


@partial(jax.jit, static_argnums=0)
def _differentiated(
    request: Request, params: Params, direction: Params, blocks: Blocks
) -> tuple[Array, Array]:
    movable = sorted(movable_leaves(params))
    leaves, moves = jax.tree.leaves(params), jax.tree.leaves(direction)
    return jax.jvp(
        lambda moved: gram(request, _with_leaves(params, movable, moved), blocks, None),
        ([leaves[i] for i in movable],),
        ([moves[i] for i in movable],),
    )


def _with_leaves(params: Params, numbers: list[int], values: list[Array]) -> Params:
    leaves, structure = jax.tree.flatten(params)
    for number, value in zip(numbers, values, strict=True):
        leaves[number] = value
    return jax.tree.unflatten(structure, leaves)


def gradient_flow(
    eval_fn: EvalFn, params: Params, data: Batch, *, batch_size: int = 1000
) -> Params:
    """The velocity of gradient flow: minus the gradient of the mean loss, zero for held leaves.

    Args:
        eval_fn: (params, batch) -> {metric: (n,)} with a metric ``loss``.
        params: the network.
        data: the training examples.
        batch_size: largest number of examples in one batch.

    Raises:
        DivergenceError: if the gradient is not finite.
    """
    velocity = trees.to_numpy(_descent(eval_fn, params, fold(data, batch_size)))
    for name, leaf in trees.named_leaves(velocity).items():
        if not np.isfinite(leaf).all():
            raise DivergenceError(
                f"the gradient by '{name}' is not finite: the network or its data hold numbers "
                "that are too large, or are not finite themselves"
            )
    return velocity


@partial(jax.jit, static_argnums=0)
def _descent(eval_fn: EvalFn, params: Params, examples: Examples) -> Params:
    movable = sorted(movable_leaves(params))
    weights = [jax.tree.leaves(params)[i] for i in movable]

    def loss(weights: list[Array], batch: Batch, real: Array) -> Array:
        values = values_of(eval_fn, _with_leaves(params, movable, weights), batch)
        return jnp.where(real, loss_of(values), 0).sum()

    def add(total: list[Array], here: Examples) -> tuple[list[Array], None]:
        return jax.tree.map(jnp.add, total, jax.grad(loss)(weights, *here)), None

    total, _ = jax.lax.scan(add, jax.tree.map(jnp.zeros_like, weights), examples)
    count = examples.mask.sum()
    still = jax.tree.map(jnp.zeros_like, params)
    return _with_leaves(still, movable, [-each / count for each in total])


@dataclass(frozen=True)
class Moments:
    """The mean and the spread of the kernels of several networks, such as seeds.

    Attributes:
        mean: of every entry over networks.
        variance: of every entry over networks, without bias (n - 1).
        count: the number of networks.
    """

    mean: Float[np.ndarray, "n n"]
    variance: Float[np.ndarray, "n n"]
    count: int

    @property
    def relative_variance(self) -> float:
        """E |K - E K|^2 / |E K|^2, Frobenius: 1/m times a constant at width m.

        The squared norm of the mean is corrected for what the spread adds to it.
        """
        spread = self.variance.sum(dtype=np.float64)
        square = (self.mean.astype(np.float64) ** 2).sum() - spread / self.count
        return float(spread / square)


def moments(
    apply: ApplyFn,
    networks: Params,
    inputs: Any,
    *,
    outputs: str = "mean",
    memory: int = MEMORY,
) -> Moments:
    """The mean and variance of every entry of the kernel over networks, one network at a time.

    Args:
        apply: as in `mconn.tangent.kernel`.
        networks: stacked along the leading axis of every leaf.
        inputs: the examples.
        outputs: ``mean`` or ``sum`` over outputs.
        memory: as in `kernel`.

    Raises:
        ConfigError: if there are fewer than two networks, or the kernel would be full.
        DivergenceError: if a kernel is not finite.
    """
    count = len(jax.tree.leaves(networks)[0])
    if count < 2 or outputs == "full":
        raise ConfigError(
            f"the variance of {count} networks' kernels ({outputs}) is not defined: take two or "
            "more networks, and the mean or sum over outputs"
        )
    first = jax.tree.map(lambda leaf: leaf[0], networks)
    blocks = into_blocks(apply, first, inputs, outputs, memory)
    examples = trees.count_examples(inputs)
    mean, variance = (
        np.asarray(each)[:examples, :examples]
        for each in _pooled(Request(apply, outputs), networks, blocks)
    )
    check_finite(mean, "the mean kernel")
    return Moments(mean, variance, count)


@partial(jax.jit, static_argnums=0)
def _pooled(request: Request, networks: Params, blocks: Blocks) -> tuple[Array, Array]:
    def add(state: tuple[Array, Array, Array], network: Params) -> tuple[Any, None]:
        number, mean, squares = state
        kernel = gram(request, network, blocks, None)
        change = kernel - mean
        mean = mean + change / (number + 1)
        return (number + 1, mean, squares + change * (kernel - mean)), None

    first = trees.index(networks, 0)
    kind = jax.eval_shape(lambda: gram(request, first, blocks, None))
    empty = jnp.zeros(kind.shape, kind.dtype)
    (number, mean, squares), _ = jax.lax.scan(add, (jnp.zeros(()), empty, empty), networks)
    return mean, squares / (number - 1)
