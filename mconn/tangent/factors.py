"""The derivatives of the outputs of some examples, as factors, and the kernels of two blocks."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mconn import jaxprs, trees
from mconn.errors import StructureError
from mconn.jaxprs import Equation, Program, bind, evaluate
from mconn.measure import STATISTICS
from mconn.tangent.products import Product, find_products
from mconn.types import ApplyFn, Params


class Pair(NamedTuple):
    """The derivatives by a weight and its bias: activations^T @ slopes, summed over positions.

    Attributes:
        activations: what the weight multiplies, and a column for the bias.
        slopes: the derivative of every output by the product's result.
    """

    activations: Float[Array, "examples positions inputs"]
    slopes: Float[Array, "examples classes positions outputs"]


class Factors(NamedTuple):
    """The derivatives of the outputs of some examples by all parameters.

    Attributes:
        pairs: of weights that are used once, in a product with few positions.
        others: the derivatives by all other parameters as they are.
    """

    pairs: tuple[Pair, ...]
    others: tuple[Float[Array, "examples classes size"], ...]


def factorise(apply: ApplyFn, params: Params, inputs: Any) -> Factors:
    """The derivatives of the outputs of every example."""
    program = trace_one(apply, params, jax.tree.map(lambda leaf: leaf[0], inputs))
    movable = movable_leaves(params)
    products = find_products(program, movable)
    taken = {leaf for each in products for leaf in (each.leaf, each.bias_leaf)}
    leaves = jax.tree.leaves(params)
    rest = {leaf: leaves[leaf] for leaf in sorted(movable - taken)}
    scales = [_scales_of(program, params, inputs, product) for product in products]

    def of_example(example: Any) -> Factors:
        def run(shifts: list[Array], rest: dict[int, Array]) -> tuple[Array, list[Array]]:
            weights: list[Any] = [rest.get(i, leaf) for i, leaf in enumerate(leaves)]
            arguments = weights + jax.tree.leaves(example)
            return _shifted(program, products, shifts, arguments)

        shifts = [
            jnp.zeros(product.equation.shapes[0], product.equation.original.outvars[0].aval.dtype)
            for product in products
        ]
        outputs, pull, activations = jax.vjp(run, shifts, rest, has_aux=True)
        slopes, jacobians = jax.vmap(pull)(jnp.eye(len(outputs), dtype=outputs.dtype))
        pairs, others = [], []
        for product, scale, rows, slope in zip(products, scales, activations, slopes, strict=True):
            pair = _pair_of(product, scale, rows, slope)
            if _factors_are_cheaper(pair):
                pairs.append(pair)
            else:
                jacobian = jnp.einsum("pk,cpo->cko", *pair, precision="highest")
                others.append(jacobian.reshape(len(jacobian), -1))
        others += [flat.reshape(len(flat), -1) for flat in jacobians.values()]
        return Factors(tuple(pairs), tuple(others))

    return jax.tree.map(trees.wide, jax.vmap(of_example)(inputs))


def trace_one(apply: ApplyFn, params: Params, example: Any) -> jaxprs.Program:
    """The live equations of a network on one example; the arguments may be abstract."""

    def of_example(params: Params, example: Any) -> Any:
        outputs = apply(params, jax.tree.map(lambda leaf: leaf[None], example))
        shape = getattr(outputs, "shape", None)
        if shape is None or len(shape) != 2 or shape[0] != 1:
            raise StructureError(
                f"the network maps one example to {shape or type(outputs).__name__}, not to (1, "
                "outputs): pass an apply(params, inputs) that returns one row of outputs per "
                "example"
            )
        return outputs[0]

    return jaxprs.trace(of_example, params, example, custom_derivatives=True)


def movable_leaves(params: Params) -> set[int]:
    """The numbers of the leaves that are parameters."""
    movable = {
        number
        for number, (name, leaf) in enumerate(trees.named_leaves(params).items())
        if not name.startswith(STATISTICS) and jnp.issubdtype(jnp.result_type(leaf), jnp.floating)
    }
    if not movable:
        raise StructureError(
            "the network has no parameter of real numbers, and its tangent kernel would be zero: "
            "pass its weights"
        )
    return movable


def _shifted(
    program: Program, products: list[Product], shifts: list[Array], arguments: list[Array]
) -> tuple[Array, list[Array]]:
    numbers = {product.equation.outputs[0]: i for i, product in enumerate(products)}
    activations: list[Any] = [None] * len(products)

    def apply(equation: Equation, operands: Any) -> list[Any]:
        number = numbers.get(equation.outputs[0])
        if number is None:
            return bind(equation, operands)
        result, activations[number] = products[number].multiply(operands)
        return [result + shifts[number]]

    (outputs,) = evaluate(program, arguments, program.outputs, apply)
    return outputs, activations


def _scales_of(
    program: Program, params: Params, inputs: Any, product: Product
) -> tuple[Array, Array | None]:
    ones = [jnp.ones_like(leaf) for leaf in jax.tree.leaves(params)]
    unused = jax.tree.leaves(inputs)
    wanted = [product.weight, *([] if product.bias is None else [product.bias])]
    found = evaluate(program, [*ones, *unused], wanted)
    scales = [jnp.ravel(value)[0] for value in found]
    return scales[0], scales[1] if len(scales) == 2 else None


def _pair_of(
    product: Product, scales: tuple[Array, Array | None], activations: Array, slopes: Array
) -> Pair:
    weight, bias = scales
    columns = activations * weight
    if bias is not None:
        columns = jnp.concatenate(
            [columns, jnp.full((len(columns), 1), bias, columns.dtype)], axis=1
        )
    return Pair(columns, jax.vmap(product.rows)(slopes))


def _factors_are_cheaper(pair: Pair) -> bool:
    positions, inputs = pair.activations.shape
    classes, _, outputs = pair.slopes.shape
    return positions**2 * (inputs + classes * outputs) <= classes * inputs * outputs


CONTRACTIONS = ("mean", "sum", "full")
"""What is done with outputs: the mean or sum over them of the kernel of each, or nothing."""

einsum = partial(jnp.einsum, precision="highest")


def contract(
    rows: Factors, columns: Factors, outputs: str
) -> Float[Array, "n1 n2"] | Float[Array, "n1 n2 classes classes"]:
    """The kernel of two blocks of examples."""
    pairs = zip(rows.pairs, columns.pairs, strict=True)
    others = zip(rows.others, columns.others, strict=True)
    terms = [
        *(_of_pair(*each, outputs == "full") for each in pairs),
        *(_of_derivatives(*each, outputs == "full") for each in others),
    ]
    return sum(terms[1:], terms[0]) / (classes_of(rows) if outputs == "mean" else 1)


def classes_of(factors: Factors) -> int:
    """The number of outputs."""
    return (factors.pairs[0].slopes if factors.pairs else factors.others[0]).shape[1]


def _of_pair(rows: Pair, columns: Pair, full: bool) -> Array:
    activations = einsum("ipk,jqk->ijpq", rows.activations, columns.activations)
    if full:
        slopes = einsum("icpo,jdqo->ijcdpq", rows.slopes, columns.slopes)
        return (activations[:, :, None, None] * slopes).sum(axis=(-2, -1))
    slopes = einsum("icpo,jcqo->ijpq", rows.slopes, columns.slopes)
    return (activations * slopes).sum(axis=(-2, -1))


def _of_derivatives(rows: Array, columns: Array, full: bool) -> Array:
    return einsum("icp,jdp->ijcd" if full else "icp,jcp->ij", rows, columns)
