"""What an operator is: a symmetric linear map on parameter pytrees that is never formed."""

import abc
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mconn import trees
from mconn.curvature.vectors import dimension, length, precision, ravel, unravel
from mconn.errors import ConfigError, DivergenceError, StructureError
from mconn.types import Key, Params

ASYMMETRY = 1e-3
"""The relative asymmetry above which an operator is refused; rounding stays far below it."""


LinearMap = Callable[[Params], Params]
"""From vectors to vectors."""


class Operator(abc.ABC):
    """A symmetric linear map; a registered pytree, so that it is an argument of programs.

    Weights and data are leaves: an operator of other weights runs the same compiled program. A
    vector is a parameter pytree with None in the place of the leaves that are held.
    """

    @property
    @abc.abstractmethod
    def template(self) -> Params:
        """A vector; only its structure, shapes and dtypes are used."""

    @abc.abstractmethod
    def linear_map(self) -> LinearMap:
        """The products with vectors, to be traced; all that they share is computed here."""

    def __call__(self, vector: Params) -> Params:
        """The product with a vector, compiled once for all operators of this kind and shape.

        Raises:
            StructureError: if the vector has other leaves than the template.
        """
        trees.check_same_structure(self.template, vector, ("the operator's vectors", "this one"))
        return product(self, vector)

    @property
    def dimension(self) -> int:
        """The number of rows."""
        return dimension(self.template)


@jax.jit
def product(operator: Operator, vector: Params) -> Params:
    """The product with a vector."""
    return operator.linear_map()(vector)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Custom(Operator):
    """An operator of one's own; refused where it is used if it is not symmetric.

    Attributes:
        function: (arguments, vector) -> vector, linear and symmetric in the vector; hashable.
        arguments: a pytree of arrays that the function uses, such as weights and data.
        like: a vector; only its structure, shapes and dtypes are used.
    """

    function: Callable[[Any, Params], Params] = field(metadata={"static": True})
    arguments: Any
    like: Params

    @property
    def template(self) -> Params:
        """A vector."""
        return self.like

    def linear_map(self) -> LinearMap:
        """The function of its last argument."""
        return lambda vector: self.function(self.arguments, vector)


def on_flat(operator: Operator) -> Callable[[Array], Array]:
    """The operator on raveled vectors; to be used while tracing."""
    template, multiply = operator.template, operator.linear_map()
    return lambda flat: ravel(multiply(unravel(template, flat)))


def check_symmetric(operator: Operator, key: Key) -> None:
    """Refuse an operator A unless <u, A v> = <A u, v> for two random vectors.

    Costs two products.

    Args:
        operator: the operator.
        key: for the two vectors.

    Raises:
        StructureError: with the relative difference.
        DivergenceError: if a product is not finite.
    """
    check_dimension(operator, 1)
    asymmetry = float(relative_asymmetry(operator, key))
    if not jnp.isfinite(asymmetry):
        raise DivergenceError(not_finite(operator))
    if asymmetry > ASYMMETRY:
        raise StructureError(not_symmetric(asymmetry))


def check_given(operator: Operator, key: Key) -> None:
    """Refuse a user's own operator that is not symmetric; those of this package are."""
    if isinstance(operator, Custom):
        check_symmetric(operator, key)


@jax.jit
def relative_asymmetry(operator: Operator, key: Key) -> Float[Array, ""]:
    """|<u, A v> - <A u, v>| over the root mean square that such a product has for random u."""
    template = operator.template
    u, v = jax.random.normal(key, (2, dimension(template)), precision(template))
    multiply = on_flat(operator)
    of_u, of_v = multiply(u), multiply(v)
    # <u, A v> is a normal number of variance |A v|^2 for a random u.
    scale = jnp.maximum(length(of_u), length(of_v))
    return jnp.abs(u @ of_v - of_u @ v) / jnp.where(scale == 0, 1, scale)


def check_dimension(operator: Operator, wanted: int) -> None:
    """Refuse an operator with fewer rows than are asked for.

    Raises:
        ConfigError: with both numbers.
    """
    rows = operator.dimension
    if rows < max(wanted, 1):
        raise ConfigError(
            f"{max(wanted, 1)} vectors are asked for and the operator has {rows} rows: ask for "
            "fewer, or let more leaves move"
        )


def not_finite(operator: Operator) -> str:
    """The message for a product that is not finite."""
    return (
        f"a product with the {type(operator).__name__} is not finite: look for weights or "
        "examples that are not finite or too large, or use a wider dtype"
    )


def not_symmetric(asymmetry: float) -> str:
    """The message for an operator that is not symmetric."""
    return (
        f"the operator is not symmetric: <u, A v> and <A u, v> differ by {asymmetry:.2g} of its "
        "size; pass a symmetric one, such as (A + A^T) / 2"
    )
