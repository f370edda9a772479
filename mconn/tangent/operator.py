"""The kernel of many examples as an operator that is never formed, and its eigenvalues."""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn import trees
from mconn.checks import check_choice, check_kind
from mconn.errors import ConfigError, DataError, DivergenceError
from mconn.jaxprs import Equation, bind, evaluate
from mconn.tangent.factors import CONTRACTIONS, contract, movable_leaves, trace_one
from mconn.tangent.gram import MEMORY, Blocks, Request, factors_of, into_blocks
from mconn.tangent.products import find_products
from mconn.types import ApplyFn, Params


@dataclass(frozen=True)
class Operator:
    """A kernel K by its products with vectors: K v = J (J^T v), in two passes over the examples.

    The full kernel of n examples and c outputs is a matrix of n c rows, ordered as by `as_matrix`;
    a contracted one has n. A product with a contracted kernel costs c times as much as one with
    the full kernel. To form a contracted kernel costs less than a few such products up to some ten
    thousand examples, see `kernel`; the full kernel of as many fits no memory.

    Attributes:
        request: the network and the contraction.
        params: its parameters.
        blocks: the examples.
        count: their number.
        classes: the number of outputs.
    """

    request: Request
    params: Params
    blocks: Blocks
    count: int
    classes: int

    @property
    def size(self) -> int:
        """The number of rows."""
        return self.count * (self.classes if self.request.outputs == "full" else 1)

    def __matmul__(self, vector: Float[np.ndarray, " size"]) -> Float[np.ndarray, " size"]:
        """K v.

        Raises:
            DataError: if the vector has another length.
            DivergenceError: if the product is not finite.
        """
        if np.shape(vector) != (self.size,):
            raise DataError(
                f"the vector has the shape {np.shape(vector)} and the kernel {self.size} rows: "
                f"pass a vector of the shape ({self.size},)"
            )
        rows = np.asarray(vector).reshape(self.count, -1)
        blocks, size = self.blocks.real.shape
        filled = np.zeros((blocks * size, rows.shape[1]), rows.dtype)
        filled[: self.count] = rows
        filled = filled.reshape(*jax.tree.leaves(self.blocks.inputs)[0].shape[:3], -1)
        found = _product(self.request, self.params, self.blocks, filled)
        found = np.asarray(found).reshape(blocks * size, -1)[: self.count].ravel()
        if not np.isfinite(found).all():
            raise DivergenceError(
                "the product with the kernel is not finite: the network, the examples or the "
                "vector hold numbers that are too large, or are not finite themselves"
            )
        return found

    def diagonal(self) -> Float[np.ndarray, " size"]:
        """The diagonal of the matrix, whose sum is the trace."""
        found = np.asarray(_diagonals(self.request, self.params, self.blocks))
        return found.reshape(-1, *found.shape[2:])[: self.count].ravel()


def operator(
    apply: ApplyFn,
    params: Params,
    inputs: Any,
    *,
    outputs: str = "full",
    memory: int = MEMORY,
) -> Operator:
    """The kernel of examples with themselves, as an operator.

    Args:
        apply: as in `kernel`, and so are all arguments.
        params: the network.
        inputs: the examples.
        outputs: the contraction over outputs.
        memory: bytes of temporaries.

    Raises:
        ConfigError, StructureError: as `kernel`.
    """
    check_choice("outputs", outputs, CONTRACTIONS)
    blocks = into_blocks(apply, params, inputs, outputs, memory)
    example = jax.tree.map(lambda leaf: leaf[0], inputs)
    shapes = trace_one(apply, params, example)
    classes = shapes.shapes[shapes.outputs[0]][0]
    return Operator(Request(apply, outputs), params, blocks, trees.count_examples(inputs), classes)


@partial(jax.jit, static_argnums=0)
def _product(
    request: Request, params: Params, blocks: Blocks, vector: Float[Array, "blocks pieces piece k"]
) -> Array:
    movable = sorted(movable_leaves(params))
    leaves, structure = jax.tree.flatten(params)
    weights = [leaves[i] for i in movable]
    pieces = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), blocks.inputs)
    vectors = vector.reshape(-1, *vector.shape[2:])

    def outputs_of(weights: list[Array], inputs: Any) -> Array:
        moved = list(leaves)
        for number, weight in zip(movable, weights, strict=True):
            moved[number] = weight
        return _without_convolutions(request.apply, jax.tree.unflatten(structure, moved), inputs)

    def multiply(vectors: Float[Array, "pieces piece classes"]) -> Array:
        def pull(total: list[Array], here: tuple[Any, Array]) -> tuple[list[Array], None]:
            inputs, piece = here
            outputs, back = jax.vjp(lambda weights: outputs_of(weights, inputs), weights)
            (more,) = back(piece.astype(outputs.dtype))
            return jax.tree.map(jnp.add, total, more), None

        nothing = jax.tree.map(jnp.zeros_like, weights)
        direction, _ = jax.lax.scan(pull, nothing, (pieces, vectors))
        return jax.lax.map(
            lambda inputs: jax.jvp(
                lambda weights: outputs_of(weights, inputs), (weights,), (direction,)
            )[1],
            pieces,
        )

    if request.outputs == "full":
        return multiply(vectors)
    first = trees.index(pieces, 0)
    classes = jax.eval_shape(outputs_of, weights, first).shape[-1]

    def add(total: Array, output: Any) -> tuple[Array, None]:
        only = jax.nn.one_hot(output, classes, dtype=vectors.dtype)
        return total + multiply(vectors * only)[..., output], None

    total, _ = jax.lax.scan(add, jnp.zeros(vectors.shape[:-1], vectors.dtype), jnp.arange(classes))
    return total / (classes if request.outputs == "mean" else 1)


def _without_convolutions(apply: ApplyFn, params: Params, inputs: Any) -> Array:
    program = trace_one(apply, params, jax.tree.map(lambda leaf: leaf[0], inputs))
    found = find_products(program, movable_leaves(params))
    products = {each.equation.outputs[0]: each for each in found if each.is_convolution}

    def multiply(equation: Equation, operands: Any) -> list[Any]:
        if equation.outputs[0] not in products:
            return bind(equation, operands)
        return [products[equation.outputs[0]].multiply(operands)[0]]

    def of_example(example: Any) -> Array:
        arguments = jax.tree.leaves((params, example))
        return evaluate(program, arguments, program.outputs, multiply)[0]

    return jax.vmap(of_example)(inputs)


@partial(jax.jit, static_argnums=0)
def _diagonals(request: Request, params: Params, blocks: Blocks) -> Array:
    def of_block(number: Any) -> Array:
        factors = factors_of(request.apply, params, blocks, number)

        def of_example(factors: Any) -> Array:
            alone = jax.tree.map(lambda leaf: leaf[None], factors)
            entry = contract(alone, alone, request.outputs)[0, 0]
            return jnp.diagonal(entry) if entry.ndim else entry

        return jax.vmap(of_example)(factors)

    return jax.lax.map(of_block, jnp.arange(len(blocks.real)))


class TopEigenvalues(NamedTuple):
    """The largest eigenvalues of an operator.

    Attributes:
        values: from the largest on.
        vectors: as columns, each of length one.
        residuals: |K v - lambda v| of each; no eigenvalue is further than that from the value.
    """

    values: Float[np.ndarray, " k"]
    vectors: Float[np.ndarray, "size k"]
    residuals: Float[np.ndarray, " k"]


def top_eigenvalues(
    kernel: Operator, k: int = 10, *, tolerance: float = 1e-4, products: int = 500, seed: int = 0
) -> TopEigenvalues:
    """The k largest eigenvalues, by Lanczos iterations with restarts (ARPACK, as SciPy has it).

    Args:
        kernel: the operator.
        k: how many.
        tolerance: largest residual of an eigenvalue, relative to it.
        products: restarts after which the search is given up.
        seed: of the first vector.

    Raises:
        ConfigError: if k is not below the number of rows, or the search is given up.
    """
    _check_operator(kernel)
    import scipy.sparse.linalg

    linalg: Any = scipy.sparse.linalg

    if not 0 < k < kernel.size:
        raise ConfigError(f"k is {k}, and the kernel has {kernel.size} rows: take 1 to fewer")
    generator = np.random.default_rng(seed)
    dtype = kernel.diagonal().dtype
    linear = linalg.LinearOperator(
        (kernel.size, kernel.size), matvec=lambda v: kernel @ v.astype(dtype).ravel(), dtype=dtype
    )
    start = generator.normal(size=kernel.size).astype(dtype)
    try:
        values, vectors = linalg.eigsh(linear, k, v0=start, tol=tolerance, maxiter=products)
    except linalg.ArpackNoConvergence as error:
        raise ConfigError(
            f"{len(error.eigenvalues)} of {k} eigenvalues were found to {tolerance:g} after "
            f"{products} restarts: raise the tolerance or the number of products"
        ) from error
    values, vectors = values[::-1], vectors[:, ::-1]
    errors = [
        float(np.linalg.norm(kernel @ vector - value * vector))
        for value, vector in zip(values, np.ascontiguousarray(vectors.T), strict=True)
    ]
    return TopEigenvalues(values, vectors, np.array(errors))


class Participation(NamedTuple):
    """The participation ratio of an operator's spectrum.

    Attributes:
        value: (trace K)^2 / trace(K^2).
        standard_error: of it, from the spread over probes.
    """

    value: float
    standard_error: float


def participation_ratio(kernel: Operator, probes: int = 16, *, seed: int = 0) -> Participation:
    """(trace K)^2 / trace(K^2), with the exact trace, and trace(K^2) = E |K z|^2 over random signs.

    Raises:
        ConfigError: if there are fewer than two probes.
    """
    _check_operator(kernel)
    if probes < 2:
        raise ConfigError(f"probes is {probes}: a standard error needs two or more")
    diagonal = kernel.diagonal()
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (probes, kernel.size))
    squares = np.array(
        [((kernel @ sign).astype(np.float64) ** 2).sum() for sign in signs.astype(diagonal.dtype)]
    )
    trace = float(diagonal.sum(dtype=np.float64))
    value = trace**2 / squares.mean()
    relative = squares.std(ddof=1) / np.sqrt(probes) / squares.mean()
    return Participation(float(value), float(value * relative))


def _check_operator(kernel: Any) -> None:
    check_kind("kernel", kernel, Operator, "make it with tangent.operator")
