"""One embedding moved onto another by ever larger groups, up to its own symmetry.

An embedding computes the products W C^T of words and contexts. They stay as they are when W is
multiplied by an invertible matrix and C by its inverse transpose: the group is GL(d), which
`mconn.symmetry.discover` finds. Permutations, the symmetry of hidden units, are a small part of it.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Array, Float

from mconn import align, symmetry, trees
from mconn.align.balance import compact
from mconn.checks import check_choice
from mconn.errors import StructureError
from mconn.types import Key, Params

RUNGS = ("naive", "permutation", "orthogonal", "general linear")
"""The groups by which an embedding is moved, each within the next."""


@dataclass(frozen=True, eq=False)
class Rung:
    """An embedding b that was moved onto a.

    Attributes:
        name: one of `RUNGS`.
        params: b as it was moved, on the host.
        element: what moved it, as an element of the whole group.
        distance: |a - g b|, over words and contexts.
        match: what `mconn.align.match` found; None if nothing was moved.
    """

    name: str
    params: dict[str, Float[np.ndarray, "..."]]
    element: symmetry.Element
    distance: float
    match: align.Match | None = field(repr=False, default=None)


def products(params: Params) -> Float[Array | np.ndarray, "words contexts"]:
    """What an embedding computes: w . c for all words and contexts."""
    return params["words"] @ params["contexts"].T


def embedding_symmetry(params: Params) -> symmetry.Group:
    """The group of an embedding, discovered from what it computes; nothing is computed for that.

    Args:
        params: ``words`` (words, dimension) and ``contexts`` (contexts, dimension).

    Raises:
        StructureError: if they are no embedding.
    """
    leaves = trees.named_leaves(params)
    shapes = {name: np.shape(leaf) for name, leaf in leaves.items()}
    if set(shapes) != {"words", "contexts"}:
        raise StructureError(
            f"the leaves are {', '.join(sorted(shapes)) or 'none'}: an embedding has words and "
            "contexts, and nothing else"
        )
    words, contexts = shapes["words"], shapes["contexts"]
    if len(words) != 2 or len(contexts) != 2 or words[1] != contexts[1]:
        raise StructureError(
            f"words have the shape {words} and contexts {contexts}: give two matrices of the same "
            "dimension"
        )
    return symmetry.discover(products, params)


def align_embeddings(
    a: Params,
    b: Params,
    rungs: Collection[str] = RUNGS,
    *,
    key: Key | None = None,
) -> dict[str, Rung]:
    """Move ``b`` onto ``a``, by each group in turn.

    A permutation and an orthogonal matrix are the closest of their kind: there is one generator,
    and its assignment, or Procrustes problem, is solved exactly. An invertible matrix is found by
    Gauss and Newton's steps, from the closest orthogonal one as well, so that it never ends farther
    away.

    Args:
        a: the embedding that stays: ``words`` and ``contexts``.
        b: the embedding that is moved, of the same words and dimension.
        rungs: among `RUNGS`.
        key: of `mconn.align.match`.

    Returns:
        The moved embedding for every rung, in their order.

    Raises:
        StructureError: if one is no embedding, or the shapes differ.
        MconnError: if one is not finite.
        ConfigError: if a rung is unknown.
    """
    for rung in rungs:
        check_choice("rung", rung, RUNGS)
    group = embedding_symmetry(a)
    trees.check_same_structure(a, b)
    return {rung: moved(group, rung, a, b, key) for rung in RUNGS if rung in rungs}


def moved(group: symmetry.Group, name: str, a: Any, b: Any, key: Key | None) -> Rung:
    """One rung."""
    if name == "naive":
        nothing = symmetry.identity(group)
        return Rung(name, trees.to_numpy(b), nothing, distance(a, b))
    found = best_match(group, name, a, b, key)
    element = symmetry.lift(group, found.element)
    params = trees.to_numpy(symmetry.act(group, element, b))
    return Rung(name, params, element, distance(a, params), found)


def best_match(group: symmetry.Group, name: str, a: Any, b: Any, key: Key | None) -> align.Match:
    """The closest match within a subgroup."""
    if name == "permutation":
        return align.match(group.restricted(["permutation"]), a, b, key=key)
    turned = align.match(compact(group), a, b, key=key)
    if name == "orthogonal":
        return turned
    starts = ("profile", symmetry.lift(group, turned.element))
    found = [align.match(group, a, b, start=start, key=key) for start in starts]
    return max(found, key=lambda match: match.objective)


def distance(a: Any, b: Any) -> float:
    """The distance of two embeddings, in double precision."""
    gaps = (
        np.asarray(a[name], np.float64) - np.asarray(b[name], np.float64)
        for name in ("words", "contexts")
    )
    return float(np.sqrt(sum(np.square(gap).sum() for gap in gaps)))
