"""Orbit arcs: from a network to one that a continuous symmetry makes of it, at a constant loss.

The arc exp(t log g) w stays in the orbit of w, on which the function does not change (Zhao et al.,
*Understanding mode connectivity via parameter space symmetry*, ICML 2025, arXiv:2505.23681, section
5). It exists where g has a real logarithm: permutations and reflections have none.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn.checks import check_kind
from mconn.errors import SymmetryError
from mconn.paths import domain
from mconn.paths.path import Path
from mconn.symmetry import CONTINUOUS, Element, Group, Tangent, act, exp, log
from mconn.types import ApplyFn, Params


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Orbit(Path):
    """The arc exp(t X) w, for t in [0, 1].

    Attributes:
        start: the network w.
        end: the network exp(X) w.
        tangent: the vector X of the Lie algebra.
        group: the continuous generators of the group.
    """

    start: Params
    end: Params
    tangent: dict[str, Array]
    group: Group = field(metadata={"static": True})

    domain = domain.INTERVAL

    def __call__(self, t: Any) -> Params:
        """The network at ``t``; at 0 and 1 exactly the two ends, bit for bit."""
        t = jnp.asarray(t, float)
        element = exp(self.group, {name: t * part for name, part in self.tangent.items()})

        def choose(start: Any, end: Any, between: Any) -> Array:
            return jnp.where(t == 0, start, jnp.where(t == 1, end, between))

        inside = act(self.group, element, self.start)
        return jax.tree.map(choose, self.start, self.end, inside)


def orbit(group: Group, element: Element, params: Params) -> Orbit:
    """The orbit arc from ``params`` to ``act(group, element, params)``.

    Args:
        group: the group of the network, discovered.
        element: one that a real logarithm leads to.
        params: the network.

    Raises:
        SymmetryError: naming the generator, if the element has no real logarithm, as a permutation
            has none; see `mconn.paths.spare` for arcs of permutations.
        StructureError: if the network or the element is not of this group.
    """
    check_kind("group", group, Group, "make it with symmetry.discover")
    end = act(group, element, params)
    return _arc(group, log(group, element), params, end)


def orbit_along(group: Group, tangent: Tangent, params: Params) -> Orbit:
    """The orbit arc from ``params`` along a vector of the Lie algebra; see `orbit`.

    Raises:
        SymmetryError: if the vector has a part of a generator that is not continuous.
        StructureError: if the network is not of this group.
    """
    check_kind("group", group, Group, "make it with symmetry.discover")
    continuous = {g.name for g in group.generators if g.kind in CONTINUOUS}
    foreign = [name for name in tangent if name not in continuous]
    if foreign:
        raise SymmetryError(
            f"'{foreign[0]}' is no continuous generator of the group, so no arc leads along it: "
            f"the continuous ones are {', '.join(sorted(continuous)) or 'none'}"
        )
    end = act(group, exp(group, tangent), params)
    return _arc(group, tangent, params, end)


def _arc(group: Group, tangent: Tangent, params: Params, end: Params) -> Orbit:
    parts = {name: jnp.asarray(part) for name, part in tangent.items()}
    return Orbit(params, end, parts, group.restricted(CONTINUOUS))


def largest_change(
    apply: ApplyFn, path: Path, ts: Float[np.ndarray | Array, "points ..."], *inputs: Any
) -> Float[Array, ""]:
    """The largest change of an output along a path, over the largest output at its first point.

    It is a rounding error on an orbit arc, and on an arc through a spare unit where no normaliser
    runs over the units.

    Args:
        apply: (params, *inputs) -> outputs.
        path: the path.
        ts: parameters of the points, of which the first is the one to compare with.
        inputs: of the network.

    Raises:
        StructureError: if a point lies outside the path's domain.
    """
    ts = np.asarray(ts)
    path.domain.check(ts)
    return _changes(apply, path, jnp.asarray(ts), inputs)


@partial(jax.jit, static_argnums=0)
def _changes(apply: ApplyFn, path: Path, ts: Array, inputs: Any) -> Float[Array, ""]:
    expected = apply(path(ts[0]), *inputs)

    def at(t: Array) -> Array:
        return _largest(jax.tree.map(jnp.subtract, apply(path(t), *inputs), expected))

    return jnp.max(jax.lax.map(at, ts)) / _largest(expected)


def _largest(outputs: Any) -> Float[Array, ""]:
    return jnp.max(jnp.stack([jnp.max(jnp.abs(leaf)) for leaf in jax.tree.leaves(outputs)]))
