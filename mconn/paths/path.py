"""What a path is, and the paths that are mixtures of control points."""

import abc
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn import trees
from mconn.errors import StructureError
from mconn.paths.domain import Domain
from mconn.types import Params

Basis = Callable[[Any], Float[Array, "k"]]
"""Weights of the k control points at a parameter t; they sum to one."""

LENGTH_POINTS = 1001


class Path(abc.ABC):
    """A map from a domain into parameter space; a registered pytree, pure and jittable.

    Attributes:
        domain: where its parameter lives, and which of its points are ends; static.
    """

    domain: Domain

    @abc.abstractmethod
    def __call__(self, t: Any) -> Params:
        """The parameters at ``t``; at an end exactly the network that was given, bit for bit."""

    def mixture(self, t: Any) -> Float[Array, "ends"]:
        """Weights of the ends in the chord at ``t``."""
        return self.domain.mixture(t)

    def arc_length(self, ts: Float[np.ndarray | Array, "points ..."]) -> Float[Array, "points"]:
        """Length of the polygon through ``path(ts)``, from ``ts[0]`` up to each point."""

        def step(before: Params, t: Any) -> tuple[Params, Array]:
            point = self(t)
            return point, trees.distance(before, point)

        ts = jnp.asarray(ts)
        steps = jax.lax.scan(step, self(ts[0]), ts[1:])[1]
        return jnp.concatenate([jnp.zeros(1, steps.dtype), jnp.cumsum(steps)])

    def length(self, points: int = LENGTH_POINTS) -> Float[Array, ""]:
        """Length of a curve, as that of the polygon through equispaced points.

        Raises:
            StructureError: if the path is a surface.
        """
        ts = np.linspace(0, 1, points, dtype=np.float32)
        self.domain.check(ts)
        return self.arc_length(ts)[-1]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ControlledPath(Path):
    """gamma(t) = sum_k basis(t)_k * controls_k.

    The families (line, Bezier curve, chain, surface, simplex, plane) differ only in their basis
    and domain.

    Attributes:
        controls: a parameter pytree whose leaves carry a leading axis of k control points.
        basis: t -> weights of the control points, shape (k,).
        domain: where t lives.
        fixed: the control points that `mconn.paths.fit` holds: the ends.
    """

    controls: Params
    basis: Basis = field(metadata={"static": True})
    domain: Domain = field(metadata={"static": True})
    fixed: tuple[int, ...] = field(metadata={"static": True})

    def __call__(self, t: Any) -> Params:
        """The parameters at ``t``; at a control point exactly that control point, bit for bit."""
        weights = self.basis(t)
        return jax.tree.map(lambda leaf: mix(weights, jnp.asarray(leaf)), self.controls)

    @property
    def count(self) -> int:
        """The number of control points."""
        return len(jax.tree.leaves(self.controls)[0])

    def gram(self) -> Float[Array, "k k"]:
        """Inner products of the control points, relative to the first, in float32 or wider.

        Every length and distance on the path follows from these k * k numbers. They are taken
        about the first control point because differences, not norms, are what lengths need.
        """
        gram = jnp.zeros(())
        for leaf in jax.tree.leaves(self.controls):
            flat = (leaf - leaf[:1]).reshape(leaf.shape[0], -1)
            flat = flat.astype(jnp.promote_types(flat.dtype, jnp.float32))
            # Accelerators would otherwise round the factors to ten bits.
            gram = gram + jnp.matmul(flat, flat.T, precision="highest")
        return gram

    def arc_length(self, ts: Float[np.ndarray | Array, "points ..."]) -> Float[Array, "points"]:
        """Length of the polygon through ``path(ts)``, from ``ts[0]`` up to each point."""
        weights = jax.vmap(self.basis)(jnp.asarray(ts))
        steps = jnp.diff(weights, axis=0)
        squared = jnp.einsum("pi,ij,pj->p", steps, self.gram(), steps)
        lengths = jnp.sqrt(jnp.maximum(squared, 0))
        return jnp.concatenate([jnp.zeros(1, lengths.dtype), jnp.cumsum(lengths)])


@jax.custom_jvp
def mix(weights: Float[Array, "k"], controls: Float[Array, "k *shape"]) -> Float[Array, "*shape"]:
    """The weighted sum of control points, exact where one of them has all the weight."""
    nearest = jnp.argmax(weights)
    # 1 * a + 0 * b is not a where b is not finite or where a is -0.
    at_control = (weights[nearest] == 1) & (jnp.count_nonzero(weights) == 1)
    return jnp.where(at_control, controls[nearest], _weighted(weights, controls))


@mix.defjvp
def differentiate_mix(
    primals: tuple[Array, Array], tangents: tuple[Array, Array]
) -> tuple[Array, Array]:
    """The derivative of the weighted sum: a chosen control point would not move with t."""
    (weights, controls), (turning, moving) = primals, tangents
    return mix(weights, controls), _weighted(turning, controls) + _weighted(weights, moving)


def _weighted(weights: Array, controls: Array) -> Array:
    return jnp.tensordot(weights.astype(controls.dtype), controls, axes=1)


def stack_controls(controls: list[Params], names: list[str]) -> Params:
    """Stack control points into one pytree.

    Raises:
        StructureError: naming the first leaf that differs, or that is not a float.
    """
    for name, control in zip(names[1:], controls[1:], strict=True):
        trees.check_same_structure(controls[0], control, (names[0], name))
    for leaf_name, leaf in trees.named_leaves(controls[0]).items():
        if not jnp.issubdtype(jnp.result_type(leaf), jnp.inexact):
            raise StructureError(
                f"leaf '{leaf_name}' has dtype {jnp.result_type(leaf)}, which cannot be mixed: "
                "pass only the floating-point part of the parameters"
            )
    return trees.stack(controls)
