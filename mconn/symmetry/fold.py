"""Folds the scales of normalisers into the weights behind them."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from mconn.errors import StructureError
from mconn.symmetry.action import act, check_fits
from mconn.symmetry.group import Generator, Group, Site
from mconn.trees import leaf_name, named_leaves
from mconn.types import ApplyFn, Params


def fold(
    group: Group, apply: ApplyFn, params: Params, leaves: Sequence[str] | None = None
) -> tuple[ApplyFn, Params]:
    """Make the scales of normalisers one, and take them out of the network.

    A scale tells the units of a stream apart. Once it is absorbed by the weights that read the
    stream, a stream behind root-mean-square norms can be rotated (Ashkboos et al. 2024,
    arXiv:2401.15024, section 3.2): `discover` finds an orthogonal generator for the new function.

    Args:
        group: The group of the network; its scalings and signs do the folding.
        apply: The network, ``apply(params, *inputs) -> output``.
        params: Its parameters.
        leaves: The names of the scales. By default all vectors that alone make up the one side of
            a scaling, as the scale of an RMSNorm does.

    Returns:
        A function that ignores these leaves, and the parameters with which it computes the same.

    Raises:
        StructureError: naming the leaf that no scaling absorbs, that has an entry of zero, or a
            negative one that no sign absorbs.
    """
    check_fits(group, params)
    values, element = named_leaves(params), {}
    names = _scales(group) if leaves is None else tuple(leaves)
    for name in names:
        for kind in ("scaling", "sign"):
            generator = _absorbing(group, kind, name)
            value = jnp.asarray(values.get(name, jnp.ones(())))
            wrong = _what_is_wrong(generator, kind, value)
            if wrong:
                raise StructureError(f"leaf '{name}' {wrong}: it cannot be folded, leave it out")
            if generator is not None:
                part = jnp.abs(value) if kind == "scaling" else jnp.sign(value)
                element[generator.name] = 1 / part

    def folded(params: Params, *inputs: Any) -> Any:
        def one(path: tuple[Any, ...], leaf: Any) -> Any:
            return jnp.ones_like(leaf) if leaf_name(path) in names else leaf

        return apply(jax.tree_util.tree_map_with_path(one, params), *inputs)

    used = tuple(each for each in group.generators if each.name in element)
    return folded, act(Group(used), element, params)


def _scales(group: Group) -> tuple[str, ...]:
    shapes = dict(group.leaves)
    found = []
    for generator in group.generators:
        leading = [site for site in generator.sites if site.power > 0]
        is_single = len(leading) == 1 and _is_whole(leading[0], generator, shapes)
        if generator.kind == "scaling" and is_single:
            found.append(leading[0].leaf)
    return tuple(found)


def _is_whole(site: Site, generator: Generator, shapes: dict[str, tuple[int, ...]]) -> bool:
    return shapes.get(site.leaf) == (generator.size,) and not generator.fibres


def _absorbing(group: Group, kind: str, name: str) -> Generator | None:
    shapes = dict(group.leaves)
    for generator in group.generators:
        for site in generator.sites:
            fits = site.leaf == name and _is_whole(site, generator, shapes) and site.power == 1
            if generator.kind == kind and fits:
                return generator
    return None


def _what_is_wrong(generator: Generator | None, kind: str, value: Any) -> str:
    if kind == "scaling" and generator is None:
        return "is no vector that a scaling multiplies"
    if isinstance(value, Tracer):
        return ""
    if kind == "scaling" and not np.all(np.asarray(value)):
        return "has an entry of zero"
    if kind == "sign" and generator is None and np.any(np.asarray(value) < 0):
        return "has a negative entry, and no sign generator"
    return ""
