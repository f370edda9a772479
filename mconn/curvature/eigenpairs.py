"""The largest and smallest eigenvalues of an operator, with their vectors and errors."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from mconn import trees
from mconn.curvature.lanczos import Found, Start, search
from mconn.curvature.operators import (
    Operator,
    check_finite,
    check_operator,
    dimension,
    precision,
    ravel,
    unravel,
    usable,
)
from mconn.curvature.ritz import CHANCE, Plan
from mconn.errors import ConfigError
from mconn.types import Key, Params

NEW = 0.1
"""The length of the random part of a start that is given, relative to it."""


@dataclass(frozen=True)
class Eigenpairs:
    """Extreme eigenvalues, on the host.

    Attributes:
        values: the largest from the highest down, then the smallest from the lowest up.
        vectors: of length one; a vector's leaves with a leading axis, in the dtypes of the
            parameters.
        residuals: |A x - value x|: an eigenvalue lies within that of every value.
        errors: of the values: the residual or, where it is less, residual^2 over the gap to the
            next one that was seen (Kato and Temple).
        missed: a bound of the chance that a larger (or smaller) eigenvalue than those wanted,
            more than ten tolerances away from all values, was missed because the random start
            had too small a part of its vector: no residual shows that (van Dorsselaer et al.
            2000). It is for each such eigenvalue; copies of the values are not among them.
        converged: whether the error is within the tolerance that was asked for and, if no start
            was given, ``missed`` is 0.05 or less.
        norm: the largest absolute eigenvalue that was seen, which tolerances are relative to.
        products: with the operator.
        top: how many of the values are the largest ones.
    """

    values: Float[np.ndarray, " wanted"]
    vectors: Params
    residuals: Float[np.ndarray, " wanted"]
    errors: Float[np.ndarray, " wanted"]
    converged: Bool[np.ndarray, " wanted"]
    missed: float
    norm: float
    products: int
    top: int

    @property
    def largest(self) -> Float[np.ndarray, " top"]:
        """The largest eigenvalues, from the highest down."""
        return self.values[: self.top]

    @property
    def smallest(self) -> Float[np.ndarray, " bottom"]:
        """The smallest eigenvalues, from the lowest up."""
        return self.values[self.top :]


@dataclass(frozen=True)
class Search:
    """What is searched for at every point of a path, as `eigenpairs` has it.

    Attributes:
        top: the number of largest eigenvalues.
        bottom: the number of smallest, that is most negative, eigenvalues.
        tolerance: the largest error of a value, relative to the norm of the operator.
        basis: directions in memory, each as large as the parameters; None for 10 and two for each
            eigenvalue.
        products: the largest number of products at a point.
    """

    top: int = 1
    bottom: int = 1
    tolerance: float = 1e-3
    basis: int | None = None
    products: int = 300

    def plan(self, rows: int) -> Plan:
        """The sizes of the search in an operator of so many rows.

        Raises:
            ConfigError: naming the option that is out of its range.
        """
        top, bottom, basis = self.top, self.bottom, self.basis
        wanted = top + bottom
        if min(top, bottom) < 0 or wanted == 0:
            raise ConfigError(f"top is {top} and bottom is {bottom}: ask for one pair or more")
        if wanted > rows:
            raise ConfigError(
                f"{wanted} eigenvalues are asked for and the operator has {rows} rows: ask for "
                "fewer"
            )
        least = min(wanted + 2, rows)
        basis = 2 * wanted + 10 if basis is None else basis
        if basis < least:
            raise ConfigError(f"basis is {basis}: {wanted} pairs need at least {least} directions")
        if self.products < wanted:
            raise ConfigError(f"products is {self.products}: {wanted} pairs need at least as many")
        if not self.tolerance > 0:
            raise ConfigError(f"tolerance is {self.tolerance}: it must be positive")
        return Plan(top, bottom, min(basis, rows))


def eigenpairs(
    operator: Operator,
    key: Key | None = None,
    *,
    top: int = 1,
    bottom: int = 0,
    tolerance: float = 1e-3,
    basis: int | None = None,
    products: int = 300,
    start: Params | None = None,
) -> Eigenpairs:
    """The largest and the smallest eigenvalues, by Lanczos with thick restarts.

    Both ends come from the same products. The search ends as soon as every wanted value is within
    the tolerance and, from a random start, a wanted one is unlikely to be missed; never after a
    fixed small number of steps. An eigenvector's error is of the
    order of the square root of its value's: ask for 1e-6 where vectors matter.

    Args:
        operator: symmetric.
        key: for the start; one of its own by default.
        top: the number of largest eigenvalues.
        bottom: the number of smallest, that is most negative, eigenvalues.
        tolerance: the largest error of a value, relative to the norm of the operator.
        basis: directions in memory, each as large as the parameters; more of them save products.
        products: the largest number of products; results that need more are not converged.
        start: a vector near those that are wanted, such as the sum of those of a nearby network;
            a random vector a tenth as long is added. It saves products, and hides eigenvalues
            that are new: nothing but ``missed`` then shows that.

    Returns:
        The pairs; look at ``converged``.

    Raises:
        ConfigError: if more pairs are wanted than there are rows, or a size is not positive.
        StructureError: if the operator is not symmetric, or ``start`` is no vector of it.
        DivergenceError: if a product is not finite.
    """
    check_operator(operator)
    plan = Search(top, bottom, tolerance, basis, products).plan(operator.dimension)
    if start is not None:
        trees.check_same_structure(operator.template, start, ("the operator's vectors", "start"))
    key = usable(operator, key, top + bottom)
    found = jax.device_get(_found_in(operator, start, key, plan, tolerance, products))
    check_finite(operator, found.values, found.residuals)
    return Eigenpairs(
        values=np.asarray(found.values),
        vectors=unravel(operator.template, np.asarray(found.vectors)),
        residuals=np.asarray(found.residuals),
        errors=np.asarray(found.errors),
        converged=np.asarray(
            (found.errors <= tolerance * found.norm) & (found.missed <= _allowed(start))
        ),
        missed=float(found.missed),
        norm=float(found.norm),
        products=int(found.products),
        top=top,
    )


@partial(jax.jit, static_argnums=3)
def _found_in(
    operator: Operator, start: Params | None, key: Key, plan: Plan, tolerance: Any, products: Any
) -> Found:
    begin = started(operator.template, start, key)
    return search(operator.flat_map(), begin, key, plan, tolerance, products)


def started(template: Params, start: Params | None, key: Key) -> Start:
    """A random direction, or a given one with a random part."""
    kind = precision(template)
    random = jax.random.normal(key, (dimension(template),), kind)
    if start is None:
        return Start(random, 1.0, _allowed(start))
    given = ravel(start).astype(kind)
    length = jnp.linalg.norm(given)
    whole = given / jnp.where(length > 0, length, 1) + NEW * random / jnp.linalg.norm(random)
    return Start(whole, NEW / jnp.linalg.norm(whole), _allowed(start))


def _allowed(start: Params | None) -> float:
    """The chance of missing an eigenvalue that is accepted; any, where a start is vouched for."""
    return CHANCE if start is None else 1.0
