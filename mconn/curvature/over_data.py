"""An operator that is the mean over all examples of a data set, streamed in batches.

The mean is over the examples in full: a minibatch's curvature is a noisy stand-in for it. Memory
holds one batch whatever their number. Normaliser statistics are constants of the network, not
parameters.
"""

import abc
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp

from mconn import trees
from mconn.curvature.operator import LinearMap, Operator
from mconn.curvature.vectors import merge, restrict
from mconn.errors import ConfigError, StructureError
from mconn.landscape.batches import fold
from mconn.landscape.program import STATISTICS, Examples
from mconn.types import Batch, Params


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
        count = self.examples.real.sum()
        if len(self.examples.real) == 1:
            summed = self.sum_of_batch(*trees.index(self.examples, 0))
        else:
            summed = self.sum_of_batches
        return lambda vector: jax.tree.map(
            lambda leaf, like: (trees.wide(leaf) / count).astype(like.dtype), summed(vector), vector
        )

    def sum_of_batches(self, vector: Params) -> Params:
        """The sum over all batches, one after the other."""

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
        return merge(self.params, vector)


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
