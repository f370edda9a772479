"""Paths made of paths: one after the other, backwards, and with a constant speed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn import trees
from mconn.checks import check_choice
from mconn.errors import ConfigError, StructureError
from mconn.paths import domain
from mconn.paths.families import Bernstein, Hats
from mconn.paths.path import ControlledPath, Path
from mconn.types import Params

Shares = Literal["equal", "length"]
"""How the parameter is shared out among joined paths: equally, or in proportion to length."""

ROUNDINGS = 16
"""Two ends agree if they differ by at most so many rounding errors of a leaf's largest entry."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Joined(Path):
    """Several curves, one after the other.

    Attributes:
        pieces: the curves.
        cuts: where each piece begins, and after the last one 1; shape (pieces + 1,).
    """

    pieces: tuple[Path, ...]
    cuts: Float[Array | np.ndarray, "cuts"]

    domain = domain.INTERVAL

    def __call__(self, t: Any) -> Params:
        """The network at ``t``; at a cut an end of a piece, bit for bit."""
        t = jnp.asarray(t, float)
        cuts = jnp.asarray(self.cuts)
        place = jnp.clip(jnp.searchsorted(cuts, t, side="right") - 1, 0, len(self.pieces) - 1)
        width = cuts[place + 1] - cuts[place]
        # A piece without any length is passed at its end.
        inside = jnp.where(width > 0, (t - cuts[place]) / jnp.where(width > 0, width, 1), 1)
        branches = [lambda inside, piece=piece: piece(inside) for piece in self.pieces]
        return jax.lax.switch(place, branches, jnp.clip(inside, 0, 1))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Reversed(Path):
    """A curve from its end to its beginning."""

    path: Path

    domain = domain.INTERVAL

    def __call__(self, t: Any) -> Params:
        """The network at ``t``."""
        return self.path(1 - jnp.asarray(t, float))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ByArcLength(Path):
    """A curve whose parameter is the share of its length.

    Attributes:
        path: the curve.
        table: the share of the length that lies before equispaced parameters, from 0 to 1.
    """

    path: Path
    table: Float[Array | np.ndarray, "knots"]

    domain = domain.INTERVAL

    def __call__(self, t: Any) -> Params:
        """The network behind the share ``t`` of the length; at 0 and 1 the ends, bit for bit."""
        return self.path(self.place(t))

    def place(self, share: Any) -> Float[Array, "..."]:
        """The parameter of the path before which a share of its length lies."""
        share, table = jnp.asarray(share, float), jnp.asarray(self.table)
        found = jnp.interp(share, table, jnp.linspace(0, 1, len(table)))
        return jnp.where(share <= 0, 0, jnp.where(share >= 1, 1, found))


def concatenate(paths: Sequence[Path], shares: Shares = "equal") -> Path:
    """One curve that runs through several, one after the other.

    Args:
        paths: curves, each of which begins where the one before ends.
        shares: of the parameter: equal, or in proportion to the lengths.

    Raises:
        StructureError: if there is no curve, one of them is a surface, or naming the first leaf in
            which an end and the next beginning differ by more than rounding.
    """
    check_choice("shares", shares, ("equal", "length"))
    if not paths:
        raise StructureError("there is no path to concatenate: pass at least one")
    for path in paths:
        _check_curve(path)
    ends = [(path(0.0), path(1.0)) for path in paths]
    for i in range(len(paths) - 1):
        _check_same(ends[i][1], ends[i + 1][0], i)
    weights = np.ones(len(paths))
    if shares == "length":
        weights = np.array([float(path.length()) for path in paths])
        weights = weights if weights.sum() > 0 else np.ones(len(paths))
    cuts = np.concatenate([[0], np.cumsum(weights / weights.sum())])
    cuts[-1] = 1
    return Joined(tuple(paths), jnp.asarray(cuts, float))


def reverse(path: Path) -> Path:
    """The curve from its end to its beginning; one of control points remains so, and can be fitted.

    Raises:
        StructureError: if the path is a surface.
    """
    _check_curve(path)
    if isinstance(path, Reversed):
        return path.path
    if isinstance(path, ControlledPath) and isinstance(path.basis, Bernstein | Hats):
        # Both bases are symmetric about the middle.
        last = path.count - 1
        return replace(
            path,
            controls=jax.tree.map(lambda leaf: leaf[::-1], path.controls),
            fixed=tuple(sorted(last - i for i in path.fixed)),
        )
    return Reversed(path)


def by_arc_length(path: Path, knots: int = 1025) -> ByArcLength:
    """The curve with a constant speed: its parameter is the share of its length.

    Args:
        path: the curve.
        knots: equispaced parameters between which its speed is taken as constant.

    Raises:
        StructureError: if the path is a surface.
        ConfigError: if there are fewer than two knots.
    """
    _check_curve(path)
    if knots < 2:
        raise ConfigError(f"knots is {knots}: a curve needs its two ends at least")
    return ByArcLength(path, _length_shares(path, knots))


def _length_shares(path: Path, knots: int) -> Float[Array, "knots"]:
    places = jnp.linspace(0, 1, knots)
    lengths = path.arc_length(places)
    total = lengths[-1]
    # A curve that stays where it is has no length: its parameter is as good as any.
    return jnp.where(total > 0, lengths / jnp.where(total > 0, total, 1), places)


def _check_curve(path: Path) -> None:
    if path.domain != domain.INTERVAL:
        raise StructureError(f"a path over {path.domain.name} is no curve: pass one over [0, 1]")


def _check_same(end: Params, beginning: Params, place: int) -> None:
    names = (f"the end of path {place}", f"the beginning of path {place + 1}")
    trees.check_same_structure(end, beginning, names)
    others = trees.named_leaves(beginning)
    for name, leaf in trees.named_leaves(end).items():
        here, there = np.asarray(leaf), np.asarray(others[name])
        allowed = ROUNDINGS * jnp.finfo(here.dtype).eps * np.max(np.abs(here), initial=0)
        gap = np.max(np.abs(here - there), initial=0)
        if not gap <= allowed:
            raise StructureError(
                f"leaf '{name}' differs by {gap:.3g} between {names[0]} and {names[1]}: each path "
                "must begin where the one before ends"
            )
