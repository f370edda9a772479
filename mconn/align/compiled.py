"""Weight matching by permutations as one compiled program, for restarts and pairs under ``vmap``.

On a CPU `mconn.align.match` is faster for one pair, and needs no compilation. Here everything stays
on the device: random starts, all pairs of many networks, or a match inside of another program.
"""

import functools
from collections.abc import Collection, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from mconn import trees
from mconn.align.overlap import sorted_along
from mconn.align.position import SMALLEST_GAIN, after
from mconn.align.solvers import assign_on_device
from mconn.checks import check_kind
from mconn.errors import SymmetryError
from mconn.symmetry import (
    Element,
    Generator,
    Group,
    Site,
    View,
    check_fits,
    followed_by,
    identity_part,
    in_order,
)
from mconn.types import Params

_Leaves = Mapping[str, Array]
_Parts = dict[str, Int[Array, "..."]]


def climb(
    group: Group, a: Params, b: Params, start: Element | None = None, *, sweeps: int | Array = 20
) -> tuple[_Parts, Float[Array, ""]]:
    """Climb from a start to an element that moves ``b`` closer to ``a``, in pure JAX.

    The same ascent of <a, g b> as that of :func:`mconn.align.match` with :class:`WeightCost`, with
    the generators visited in their order in every sweep; no step lowers the objective. It works
    inside ``jit``, where the group is static, and under ``vmap``::

        starts = jax.vmap(lambda key: symmetry.random_element(group, key))(keys)
        elements, objectives = jax.vmap(lambda g: align.climb(group, a, b, g))(starts)

    Weights that are not finite are not refused here; they make the objective NaN.

    Args:
        group: a group of permutations without copies, such as that of an MLP or a CNN.
        a: the network that stays.
        b: the network that is moved.
        start: an element; that of :func:`profile_start` by default.
        sweeps: largest number of sweeps over the generators.

    Returns:
        The element, and its objective.

    Raises:
        SymmetryError: naming a generator that is no permutation, or that acts on copies.
        StructureError: naming the first leaf that is not the group's.
    """
    fixed, moved = _checked_leaves(group, a), _checked_leaves(group, b)
    element = profile_start(group, a, b) if start is None else start
    parts = {name: jnp.asarray(element[name], jnp.int32) for name in group.sizes}
    for generator in in_order(group):
        moved = {**moved, **after([(generator, parts[generator.name])], moved)}

    def visit(generator: Generator, parts: _Parts, moved: _Leaves) -> tuple[_Parts, _Leaves, Array]:
        overlap = _overlap_of(generator, fixed, moved)
        part = assign_on_device(overlap)
        steps = after([(generator, part)], moved)
        gain = jnp.sum(
            jnp.stack([jnp.vdot(fixed[leaf], new - moved[leaf]) for leaf, new in steps.items()])
        )
        rises = gain > SMALLEST_GAIN * jnp.abs(jnp.diagonal(overlap)).sum()
        composed = followed_by(group, parts, generator, part)
        parts = {**parts, generator.name: jnp.where(rises, composed, parts[generator.name])}
        chosen = {leaf: jnp.where(rises, new, moved[leaf]) for leaf, new in steps.items()}
        return parts, {**moved, **chosen}, rises

    def sweep(state: Any) -> Any:
        parts, moved, _, done = state
        changed = jnp.asarray(False)
        for generator in group.generators:
            parts, moved, rises = visit(generator, parts, moved)
            changed |= rises
        return parts, moved, changed, done + 1

    state = (parts, moved, jnp.asarray(True), jnp.asarray(0))
    parts, moved, _, _ = jax.lax.while_loop(
        lambda state: state[2] & (state[3] < sweeps), sweep, state
    )
    objective = sum((jnp.vdot(leaf, moved[name]) for name, leaf in fixed.items()), jnp.zeros(()))
    return parts, objective


def profile_start(group: Group, a: Params, b: Params) -> _Parts:
    """The start ``profile`` of :func:`mconn.align.match`, in pure JAX.

    The generators are fixed one after the other; axes of those that follow are sorted.

    Raises:
        SymmetryError: naming a generator that is no permutation, or that acts on copies.
        StructureError: naming the first leaf that is not the group's.
    """
    fixed, moved = _checked_leaves(group, a), _checked_leaves(group, b)
    parts: _Parts = {g.name: jnp.asarray(identity_part(g), jnp.int32) for g in group.generators}
    left = list(group.generators)
    while left:
        generator, *left = left
        unknown = {(site.leaf, site.axis) for each in left for site in each.sites}
        own = _overlap_of(generator, fixed, moved, unknown)
        parts[generator.name] = assign_on_device(own)
        moved = {**moved, **after([(generator, parts[generator.name])], moved)}
    return parts


def match_pairs(
    group: Group, networks: Params, *, sweeps: int = 20
) -> tuple[_Parts, Float[Array, "pairs"]]:
    """Move the second network of every pair onto the first one, all pairs at once.

    From the profile start, under ``vmap``: a copy of two networks per pair is held in memory.

    Args:
        group: a group of permutations without copies.
        networks: two or more networks, stacked along a leading axis of every leaf.
        sweeps: largest number of sweeps over the generators.

    Returns:
        The elements, every part of shape (pairs, n), and their objectives; pairs i < j are in the
        order of ``itertools.combinations``.

    Raises:
        SymmetryError: naming a generator that is no permutation, or that acts on copies.
        StructureError: naming the first leaf that is not the group's.
    """
    count = len(jax.tree.leaves(networks)[0])
    return _all_pairs(group, networks, *np.triu_indices(count, 1), sweeps)


@functools.partial(jax.jit, static_argnums=0)
def _all_pairs(
    group: Group,
    networks: Params,
    first: Int[Array, "pairs"],
    second: Int[Array, "pairs"],
    sweeps: int | Array,
) -> tuple[_Parts, Float[Array, "pairs"]]:
    def one(i: Array, j: Array) -> tuple[_Parts, Array]:
        a, b = trees.index(networks, i), trees.index(networks, j)
        return climb(group, a, b, sweeps=sweeps)

    return jax.vmap(one)(first, second)


def _overlap_of(
    generator: Generator, a: _Leaves, b: _Leaves, unknown: Collection[tuple[str, int]] = ()
) -> Float[Array, "n n"]:
    """Inner products of the units of a with those of b, over all sites of the generator.

    Axes in unknown order, given with their leaf, are sorted first.
    """

    def units(site: Site, leaf: Array) -> Array:
        axes = [axis for name, axis in unknown if name == site.leaf and axis != site.axis]
        return View(generator, site, leaf.shape).read(sorted_along(leaf, axes))

    total = sum(
        jnp.matmul(units(site, a[site.leaf]), units(site, b[site.leaf]).T, precision="highest")
        for site in generator.sites
    )
    # The search for an assignment does not end where a similarity is not a number.
    return jnp.nan_to_num(jnp.asarray(total))


def _checked_leaves(group: Group, network: Params) -> dict[str, Array]:
    check_kind("group", group, Group, "make it with symmetry.discover(apply, params, inputs)")
    for generator in group.generators:
        if generator.kind != "permutation" or generator.fibres:
            what = f"is a {generator.kind}" if generator.kind != "permutation" else "acts on copies"
            raise SymmetryError(
                f"the generator '{generator.name}' {what}, and only permutations of single units "
                "are matched in a compiled program: use match, or leave the generator out"
            )
    check_fits(group, network)
    return {name: trees.wide(leaf) for name, leaf in trees.named_leaves(network).items()}
