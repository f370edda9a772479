"""How fast the kernel changes: the first correction to training with a fixed kernel.

A kernel of infinite width is the same for every seed and does not move. At width m it moves during
training (Huang and Yau, *Dynamics of deep neural networks and neural tangent hierarchy*, ICML
2020).
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn import trees
from mconn.errors import DivergenceError
from mconn.landscape.batches import fold
from mconn.landscape.program import Examples, loss_of, values_of
from mconn.tangent.budget import MEMORY, Blocks, into_blocks
from mconn.tangent.factors import movable_leaves
from mconn.tangent.gram import Request, gram
from mconn.tangent.kernel import check_finite
from mconn.types import ApplyFn, Batch, EvalFn, Params


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
            for each in differentiated(Request(apply, outputs), params, direction, blocks)
        )
    )
    check_finite(found.kernel, "the kernel")
    check_finite(found.derivative, "the kernel's derivative")
    return found


@partial(jax.jit, static_argnums=0)
def differentiated(
    request: Request, params: Params, direction: Params, blocks: Blocks
) -> tuple[Array, Array]:
    """The kernel and its derivative in forward mode."""
    movable = sorted(movable_leaves(params))
    leaves, moves = jax.tree.leaves(params), jax.tree.leaves(direction)
    return jax.jvp(
        lambda moved: gram(request, with_leaves(params, movable, moved), blocks, None),
        ([leaves[i] for i in movable],),
        ([moves[i] for i in movable],),
    )


def with_leaves(params: Params, numbers: list[int], values: list[Array]) -> Params:
    """The parameters with some leaves replaced."""
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
    velocity = trees.to_numpy(descent(eval_fn, params, fold(data, batch_size)))
    for name, leaf in trees.named_leaves(velocity).items():
        if not np.isfinite(leaf).all():
            raise DivergenceError(
                f"the gradient by '{name}' is not finite: the network or its data hold numbers "
                "that are too large, or are not finite themselves"
            )
    return velocity


@partial(jax.jit, static_argnums=0)
def descent(eval_fn: EvalFn, params: Params, examples: Examples) -> Params:
    """Minus the gradient of the mean loss over all examples."""
    movable = sorted(movable_leaves(params))
    weights = [jax.tree.leaves(params)[i] for i in movable]

    def loss(weights: list[Array], batch: Batch, real: Array) -> Array:
        values = values_of(eval_fn, with_leaves(params, movable, weights), batch)
        return jnp.where(real, loss_of(values), 0).sum()

    def add(total: list[Array], here: Examples) -> tuple[list[Array], None]:
        return jax.tree.map(jnp.add, total, jax.grad(loss)(weights, *here)), None

    total, _ = jax.lax.scan(add, jax.tree.map(jnp.zeros_like, weights), examples)
    count = examples.real.sum()
    still = jax.tree.map(jnp.zeros_like, params)
    return with_leaves(still, movable, [-each / count for each in total])
