"""The derivatives of the outputs of some examples, as factors that kernels follow from."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mconn import trees
from mconn.errors import StructureError
from mconn.jaxprs import Equation, Program, bind, evaluate
from mconn.landscape.program import STATISTICS
from mconn.tangent.find_products import find_products
from mconn.tangent.products import Product
from mconn.tangent.programs import trace
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
    """The derivatives of the outputs of every example.

    Args:
        apply: (params, inputs) -> outputs, shape (examples, classes), each example by itself.
        params: the network; leaves whose names begin with ``batch_stats``, and those that hold no
            real numbers, are no parameters.
        inputs: the examples.
    """
    program = trace(apply, params, jax.tree.map(lambda leaf: leaf[0], inputs))
    movable = movable_leaves(params)
    products = find_products(program, movable)
    taken = {leaf for each in products for leaf in (each.leaf, each.bias_leaf)}
    leaves = jax.tree.leaves(params)
    rest = {leaf: leaves[leaf] for leaf in sorted(movable - taken)}
    scales = [scales_of(program, params, inputs, product) for product in products]

    def of_example(example: Any) -> Factors:
        def run(shifts: list[Array], rest: dict[int, Array]) -> tuple[Array, list[Array]]:
            weights: list[Any] = [rest.get(i, leaf) for i, leaf in enumerate(leaves)]
            arguments = weights + jax.tree.leaves(example)
            return shifted(program, products, shifts, arguments)

        shifts = [
            jnp.zeros(product.equation.shapes[0], product.equation.original.outvars[0].aval.dtype)
            for product in products
        ]
        outputs, pull, activations = jax.vjp(run, shifts, rest, has_aux=True)
        slopes, jacobians = jax.vmap(pull)(jnp.eye(len(outputs), dtype=outputs.dtype))
        pairs, others = [], []
        for product, scale, rows, slope in zip(products, scales, activations, slopes, strict=True):
            pair = pair_of(product, scale, rows, slope)
            if factors_are_cheaper(pair):
                pairs.append(pair)
            else:
                jacobian = jnp.einsum("pk,cpo->cko", *pair, precision="highest")
                others.append(jacobian.reshape(len(jacobian), -1))
        others += [flat.reshape(len(flat), -1) for flat in jacobians.values()]
        return Factors(tuple(pairs), tuple(others))

    return jax.tree.map(trees.wide, jax.vmap(of_example)(inputs))


def movable_leaves(params: Params) -> set[int]:
    """The numbers of the leaves that are parameters.

    Raises:
        StructureError: if there is none.
    """
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


def shifted(
    program: Program, products: list[Product], shifts: list[Array], arguments: list[Array]
) -> tuple[Array, list[Array]]:
    """The outputs with something added to every product's result, and the activations."""
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


def scales_of(
    program: Program, params: Params, inputs: Any, product: Product
) -> tuple[Array, Array | None]:
    """By what the weight and the bias are multiplied before they are used, read off ones."""
    ones = [jnp.ones_like(leaf) for leaf in jax.tree.leaves(params)]
    unused = jax.tree.leaves(inputs)
    wanted = [product.weight, *([] if product.bias is None else [product.bias])]
    found = evaluate(program, [*ones, *unused], wanted)
    scales = [jnp.ravel(value)[0] for value in found]
    return scales[0], scales[1] if len(scales) == 2 else None


def pair_of(
    product: Product, scales: tuple[Array, Array | None], activations: Array, slopes: Array
) -> Pair:
    """The factors of the derivatives by a weight and its bias."""
    weight, bias = scales
    columns = activations * weight
    if bias is not None:
        columns = jnp.concatenate(
            [columns, jnp.full((len(columns), 1), bias, columns.dtype)], axis=1
        )
    return Pair(columns, jax.vmap(product.rows)(slopes))


def factors_are_cheaper(pair: Pair) -> bool:
    """Whether products of factors, over all pairs of positions, cost less than of derivatives."""
    positions, inputs = pair.activations.shape
    classes, _, outputs = pair.slopes.shape
    return positions**2 * (inputs + classes * outputs) <= classes * inputs * outputs
