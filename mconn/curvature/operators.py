"""Symmetric linear maps on parameter pytrees that are never formed, and those of a data set.

A vector of an operator is a parameter pytree with None for the leaves that are held. An operator of
a data set is the mean over all examples, streamed in batches: a minibatch's curvature is a noisy
stand-in for it. Memory holds one batch whatever their number. Normaliser statistics are constants
of the network, not parameters.
"""

import abc
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn import trees
from mconn.checks import check_kind
from mconn.errors import ConfigError, DivergenceError, StructureError
from mconn.measure import STATISTICS, Examples, fold
from mconn.types import Batch, Key, Params


def restrict(tree: Params, moving: tuple[str, ...]) -> Params:
    """The tree with None in the place of every leaf that is not among ``moving``."""
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: leaf if trees.leaf_name(path) in moving else None, tree
    )


def dimension(vector: Params) -> int:
    """The number of entries of a vector."""
    return sum(math.prod(jnp.shape(leaf)) for leaf in jax.tree.leaves(vector))


def ravel(vector: Params) -> Float[Array, " dimension"]:
    """All entries in one array, in single precision or wider."""
    return jnp.concatenate([trees.wide(leaf).ravel() for leaf in jax.tree.leaves(vector)])


def length(flat: Float[Array, " dimension"]) -> Float[Array, ""]:
    """|x|, of entries whose squares underflow as well."""
    plain, kind = jnp.linalg.norm(flat), jnp.finfo(flat.dtype)

    def scaled() -> Array:
        largest = jnp.abs(flat).max()
        return largest * jnp.linalg.norm(flat / jnp.where(largest > 0, largest, 1))

    return jax.lax.cond(plain > kind.tiny**0.5 / kind.eps, lambda: plain, scaled)


def unravel(template: Params, flat: Float[Array | np.ndarray, "*stack dimension"]) -> Params:
    """The vector of these entries, in the shapes and dtypes of ``template``; stacked if they are.

    The dtypes are those of the parameters, so that half-precision networks stay what they are.
    """
    leaves, structure = jax.tree.flatten(template)
    sizes = [math.prod(jnp.shape(leaf)) for leaf in leaves]
    parts, start = [], 0
    for leaf, size in zip(leaves, sizes, strict=True):
        part = flat[..., start : start + size].reshape(*flat.shape[:-1], *jnp.shape(leaf))
        parts.append(part.astype(jnp.result_type(leaf)))
        start += size
    return jax.tree.unflatten(structure, parts)


def precision(template: Params) -> Any:
    """The dtype of raveled vectors."""
    kinds = [jnp.result_type(leaf) for leaf in jax.tree.leaves(template)]
    return jnp.result_type(jnp.float32, *kinds)


ASYMMETRY = 1e-3
"""The relative asymmetry above which an operator is refused; rounding stays far below it."""


LinearMap = Callable[[Params], Params]
"""From vectors to vectors."""

_NAMES = ("the operator's vectors", "this one")


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

    def flat_map(self) -> Callable[[Array], Array]:
        """`linear_map` for vectors as one array, as `jax.flatten_util.ravel_pytree` makes it."""
        template, multiply = self.template, self.linear_map()
        return lambda flat: ravel(multiply(unravel(template, flat)))

    def __matmul__(self, vector: Params) -> Params:
        """The product with a vector, compiled once for all operators of this kind and shape.

        Args:
            vector: a tree like the template; or all of its entries in one array, shape
                (dimension,), and so is the product then.

        Raises:
            StructureError: if the vector has other leaves than the template.
        """
        template, flat = self.template, isinstance(vector, np.ndarray | jax.Array)
        if flat and jax.tree.structure(template) != jax.tree.structure(vector):
            wanted = jax.ShapeDtypeStruct((self.dimension,), precision(template))
            vector = vector.astype(wanted.dtype)
            trees.check_same_structure(wanted, vector, _NAMES)
            return _flat_product(self, vector)
        trees.check_same_structure(template, vector, _NAMES)
        return _product(self, vector)

    def __call__(self, vector: Params) -> Params:
        """The same as ``operator @ vector``."""
        return self @ vector

    @property
    def dimension(self) -> int:
        """The number of rows."""
        return dimension(self.template)


@jax.jit
def _product(operator: Operator, vector: Params) -> Params:
    return operator.linear_map()(vector)


@jax.jit
def _flat_product(operator: Operator, vector: Array) -> Array:
    return operator.flat_map()(vector)


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


def check_symmetric(operator: Operator, key: Key | None = None) -> None:
    """Refuse an operator A unless <u, A v> = <A u, v> for two random vectors.

    Costs two products.

    Args:
        operator: the operator.
        key: for the two vectors; one of its own by default.

    Raises:
        StructureError: with the relative difference.
        DivergenceError: if a product is not finite.
    """
    _check_rows(operator, 1)
    asymmetry = float(_relative_asymmetry(operator, chosen_key(key)))
    check_finite(operator, asymmetry)
    if asymmetry > ASYMMETRY:
        raise StructureError(
            f"the operator is not symmetric: <u, A v> and <A u, v> differ by {asymmetry:.2g} of "
            "its size; pass a symmetric one, such as (A + A^T) / 2"
        )


def usable(operator: Any, key: Key | None, rows: int) -> Key:
    """The key, or one by default, if the operator is one with so many rows and is symmetric."""
    _check_rows(operator, rows)
    key = chosen_key(key)
    if isinstance(operator, Custom):
        check_symmetric(operator, key)
    return key


def chosen_key(key: Key | None) -> Key:
    """The key, or one by default."""
    return jax.random.key(0) if key is None else key


@jax.jit
def _relative_asymmetry(operator: Operator, key: Key) -> Float[Array, ""]:
    template = operator.template
    u, v = jax.random.normal(key, (2, dimension(template)), precision(template))
    multiply = operator.flat_map()
    of_u, of_v = multiply(u), multiply(v)
    # <u, A v> is a normal number of variance |A v|^2 for a random u.
    scale = jnp.maximum(length(of_u), length(of_v))
    return jnp.abs(u @ of_v - of_u @ v) / jnp.where(scale == 0, 1, scale)


def check_operator(operator: Any) -> None:
    """Refuse what is no operator."""
    check_kind("operator", operator, Operator, "make it with curvature.hessian or curvature.Custom")


def _check_rows(operator: Any, wanted: int) -> None:
    check_operator(operator)
    rows = operator.dimension
    if rows < max(wanted, 1):
        raise ConfigError(
            f"{max(wanted, 1)} vectors are asked for and the operator has {rows} rows: ask for "
            "fewer, or let more leaves move"
        )


def check_finite(operator: Operator, *numbers: Any, where: str = "") -> None:
    """Refuse what came out of products that are not finite."""
    if not all(np.isfinite(each).all() for each in numbers):
        raise DivergenceError(
            f"{where}a product with the {type(operator).__name__} is not finite: look for weights "
            "or examples that are not finite or too large, or use a wider dtype"
        )


@dataclass(frozen=True)
class OverData(Operator):
    """The mean over examples of a matrix that each of them has.

    Attributes:
        params: the network.
        examples: the data, folded into batches.
        moving: the names of the leaves that are variables; the others are held.
    """

    params: Params
    examples: Examples
    moving: tuple[str, ...] = field(metadata={"static": True})

    @property
    def template(self) -> Params:
        """The leaves that move."""
        return self.restrict(self.params)

    def restrict(self, tree: Params) -> Params:
        """The vector of a tree like the parameters: None for the leaves that are held."""
        return restrict(tree, self.moving)

    def block(self, leaves: Iterable[str]) -> "OverData":
        """The diagonal block of some of the leaves that move, such as those of one layer.

        Args:
            leaves: their names, such as ``params/Dense_0/kernel``.

        Raises:
            StructureError: if there is none, or one of them does not move.
        """
        return replace(self, moving=chosen_leaves(self.template, leaves))

    def at(self, params: Params) -> "OverData":
        """The operator of another network of this architecture, for the same program."""
        return replace(self, params=params)

    def linear_map(self) -> LinearMap:
        """The products with vectors, summed in single precision or wider.

        With one batch, what does not depend on the vector is computed once and kept.
        """
        count = self.examples.mask.sum()
        if len(self.examples.mask) == 1:
            summed = self.sum_of_batch(*trees.index(self.examples, 0))
        else:
            summed = self._sum_of_batches
        return lambda vector: jax.tree.map(
            lambda leaf, like: (trees.wide(leaf) / count).astype(like.dtype), summed(vector), vector
        )

    def _sum_of_batches(self, vector: Params) -> Params:
        def on_batch(total: Params, here: Examples) -> tuple[Params, None]:
            more = jax.tree.map(trees.wide, self.sum_of_batch(*here)(vector))
            return jax.tree.map(jnp.add, total, more), None

        nothing = jax.tree.map(lambda leaf: jnp.zeros_like(trees.wide(leaf)), vector)
        return jax.lax.scan(on_batch, nothing, self.examples)[0]

    @abc.abstractmethod
    def sum_of_batch(self, batch: Batch, real: Any) -> LinearMap:
        """The sum of the matrices of a batch's real examples."""

    def moved(self, vector: Params) -> Params:
        """The network with these leaves in the place of those that move."""
        return jax.tree.map(
            lambda moved, held: held if moved is None else moved,
            vector,
            self.params,
            is_leaf=lambda leaf: leaf is None,
        )


def push_and_pull(
    function: Callable[[Params], Any], at: Params
) -> tuple[Any, Callable[[Params], Any], Callable[[Any], Params]]:
    """The value, the Jacobian as a map, and its transpose."""
    value, push = jax.linearize(function, at)
    transposed = jax.linear_transpose(push, at)
    return value, push, lambda rates: transposed(rates)[0]


def prepared(
    params: Params, data: Batch, batch_size: int, leaves: Iterable[str] | None
) -> tuple[Params, Examples, tuple[str, ...]]:
    """The network, the folded data and the names of the leaves that move, on the device."""
    if batch_size < 1:
        raise ConfigError(f"batch_size is {batch_size}: it must be at least 1")
    moving = chosen_leaves(params, leaves)
    # Once on the device, they are not sent again with every product.
    return (*jax.device_put((params, fold(data, batch_size))), moving)


def chosen_leaves(tree: Params, leaves: Iterable[str] | None) -> tuple[str, ...]:
    """The names of the leaves that move, in the order of the tree."""
    known = [
        name
        for name, leaf in trees.named_leaves(tree).items()
        if jnp.issubdtype(jnp.result_type(leaf), jnp.floating) and not name.startswith(STATISTICS)
    ]
    chosen = set(known if leaves is None else leaves)
    unknown = sorted(chosen - set(known))
    if unknown or not chosen:
        problem = f"'{unknown[0]}' is none of the parameters" if unknown else "no leaf is to move"
        raise StructureError(f"{problem}: choose among {', '.join(known) or 'none'}")
    return tuple(name for name in known if name in chosen)
