"""Costs that give a matrix of similarities per generator: of your own, or of activations."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn import symmetry as groups
from mconn.align.cost import NONE, Overlap
from mconn.align.solvers import gain, own_overlap, solve
from mconn.errors import ConfigError, DataError, MconnError, StructureError
from mconn.symmetry import Element, Generator, Group, followed_by
from mconn.types import ApplyFn, Params

_Similarity = Float[Array | np.ndarray, "..."]

_SMALLEST_GAIN = 1e-9


@dataclass(frozen=True)
class SimilarityCost:
    """A cost of your own: a function that says how alike the units of two networks are.

    Attributes:
        function: ``function(name, a, b)`` is the matrix, shape (n, n), whose entry (i, j) is the
            gain of putting unit j of b in the place of unit i of a; None for a generator that shall
            stay as it is. If ``coupled``, ``b`` is the network as the ascent has moved it so far,
            and the matrix is in the order that its units have there.
        coupled: whether a generator's matrix depends on what the others do.
    """

    function: Callable[[str, Params, Params], _Similarity | None]
    coupled: bool = False

    def prepare(self, group: Group, a: Params, b: Params) -> "SimilarityProblem":
        """Pose the problem; see :class:`mconn.align.Cost`."""
        from mconn.symmetry import act

        def similarity(name: str, element: Element) -> _Similarity | None:
            moved = act(group, element, b) if self.coupled else b
            return self.function(name, a, moved)

        return SimilarityProblem(group, similarity, self.coupled)


@dataclass(frozen=True)
class SimilarityProblem:
    """See :class:`mconn.align.Problem`.

    Attributes:
        group: the group.
        similarity: (generator's name, element) -> its matrix, (n, n), or None. If ``coupled``, in
            the order of b's units after the element; otherwise in that of b's own.
        coupled: whether a matrix depends on the element.
    """

    group: Group
    similarity: Callable[[str, Element], _Similarity | None]
    coupled: bool = False

    def position(self, element: Element) -> "_SimilarityPosition":
        """Stand at an element."""
        return _SimilarityPosition(self, {name: np.asarray(p) for name, p in element.items()})

    def bound(self) -> float:
        """The optimum, if one solution per generator finds it; otherwise infinity."""
        if self.coupled:
            return float("inf")
        from mconn.symmetry import identity

        position = self.position(identity(self.group))
        for generator in self.group.generators:
            overlap = position.overlap(generator)
            if overlap is not None:
                position.try_move(generator, solve(generator, overlap))
        return position.objective()


class _SimilarityPosition:
    """See :class:`mconn.align.cost.Position`; the objective is the similarity of matched units."""

    def __init__(self, problem: SimilarityProblem, element: Mapping[str, Any]) -> None:
        self.problem = problem
        self.element = dict(element)
        self.settled: set[str] = set()
        self.tables: dict[str, np.ndarray | None] = {}

    def table(self, generator: Generator, element: Element) -> np.ndarray | None:
        if self.problem.coupled or generator.name not in self.tables:
            given = self.problem.similarity(generator.name, element)
            table = None if given is None else np.asarray(given, np.float64)
            if table is not None and table.shape[-2:] != (generator.size,) * 2:
                raise StructureError(
                    f"the similarities of '{generator.name}' have the shape {table.shape}: return "
                    f"a matrix of shape ({generator.size}, {generator.size})"
                )
            if table is not None and not np.isfinite(table).all():
                raise MconnError(
                    f"the similarities of '{generator.name}' are not finite: a network has weights "
                    "or activations that are not"
                )
            self.tables[generator.name] = table
        table = self.tables[generator.name]
        if table is None:
            return None
        copies = generator.shape[: len(generator.fibres)]
        table = np.broadcast_to(table, (*copies, *table.shape[-2:]))
        if self.problem.coupled:
            return table
        part = np.asarray(element[generator.name])
        if generator.kind == "permutation":
            return np.take_along_axis(table, part[..., None, :], axis=-1)
        if generator.kind == "orthogonal":
            return table @ np.swapaxes(part, -1, -2)
        return table * part[..., None, :]

    def overlap(self, generator: Generator, unknown: frozenset[str] = NONE) -> Overlap | None:
        if generator.kind not in ("permutation", "orthogonal", "sign"):
            return None
        table = self.table(generator, self.element)
        if table is None:
            return None
        own = np.diagonal(table, axis1=-2, axis2=-1)
        return Overlap({1: own if generator.kind == "sign" else table}, {})

    def try_move(self, generator: Generator, part: np.ndarray) -> bool:
        self.settled.add(generator.name)
        overlap = self.overlap(generator)
        assert overlap is not None
        table = overlap.cross[1]
        size = np.abs(own_overlap(generator, table)).sum()
        if gain(generator, table, part) <= _SMALLEST_GAIN * size:
            return False
        part = followed_by(self.problem.group, self.element, generator, part)
        moved = {**self.element, generator.name: part}
        if self.problem.coupled:
            # What one generator gains may be lost in the matrices of the others.
            other = _SimilarityPosition(self.problem, moved)
            if other.objective() <= self.objective():
                return False
            self.settled.clear()
        self.element = moved
        return True

    def move(self, steps: list[tuple[Generator, np.ndarray]]) -> None:
        for generator, part in steps:
            part = followed_by(self.problem.group, self.element, generator, part)
            self.element = {**self.element, generator.name: part}

    def step(
        self, generator: Generator, part: np.ndarray, unknown: frozenset[str] = NONE
    ) -> list[tuple[Generator, np.ndarray]]:
        return [(generator, part)]

    def settle(self, generator: Generator, unknown: frozenset[str]) -> None:
        if not self.problem.coupled:
            self.settled.add(generator.name)

    def is_settled(self, generator: Generator) -> bool:
        return generator.name in self.settled

    def objective(self) -> float:
        total = 0.0
        for generator in self.problem.group.generators:
            overlap = self.overlap(generator)
            if overlap is not None:
                total += float(own_overlap(generator, overlap.cross[1]).sum())
        return total


@dataclass(frozen=True)
class ActivationCost:
    """Similarity of two units is the correlation of their activations.

    The activations are found through the symmetry's own labels: those values inside the network
    that a generator moves, read where the next layer contracts them. A generator with several
    such values (a residual stream) sums their correlations. Units that are always zero, or never
    vary where ``centred``, correlate with none. Ainsworth et al. 2023, section 3.1, uncentred;
    Li et al. 2015 and Jordan et al. 2023, centred. All copies of the units of one generator are
    matched alike, and generators that only multiply or turn single units stay as they are.

    Attributes:
        apply: the network, (params, inputs) -> outputs.
        inputs: examples, shape (n, ...).
        centred: subtract each unit's mean (Pearson's correlation), or do not (the cosine). On 15
            pairs of digits networks 3 x 256 the uncentred one leaves a mean barrier of .038, the
            centred one .059: the mean of a rectified unit says where it is active.
        normalised: divide by the units' norms (a correlation, or the cosine), or only by the number
            of examples (the covariance, or the second moment). Axes that are turned as a whole
            (orthogonal) are never normalised unit by unit, which would depend on their basis.
        batch_size: examples in one pass; correlations are accumulated over batches of equal
            size, without the few examples that are left over.
    """

    apply: ApplyFn
    inputs: Float[Array | np.ndarray, "n ..."]
    centred: bool = False
    normalised: bool = True
    batch_size: int = 1000

    def prepare(self, group: Group, a: Params, b: Params) -> SimilarityProblem:
        """Pose the problem; see :class:`mconn.align.Cost`.

        Raises:
            DataError: with fewer than two examples.
            ConfigError: if a batch would be empty.
        """
        tables = self.tables(group, a, b)
        return SimilarityProblem(group, lambda name, _: tables.get(name))

    def tables(self, group: Group, a: Params, b: Params) -> dict[str, Float[np.ndarray, "n n"]]:
        """The similarities of a's units with b's, of every generator that has activations."""
        batches = in_batches(self.inputs, self.batch_size)
        sides = ((group, self.apply), (group, self.apply))
        return similarities(sides, self.centred, self.normalised, a, b, batches)


def similarities(
    sides: tuple[tuple[Group, ApplyFn], tuple[Group, ApplyFn]],
    centred: bool,
    normalised: bool,
    a: Params,
    b: Params,
    batches: Float[np.ndarray, "batches size ..."],
) -> dict[str, Float[np.ndarray, "n m"]]:
    """The similarities of the units of two networks, each with its group and its function."""
    tables = _similarities(*sides, centred, normalised, a, b, batches)
    return {name: np.asarray(table) for name, table in tables.items()}


def in_batches(
    inputs: Float[Array | np.ndarray, "n ..."], batch_size: int
) -> Float[np.ndarray, "batches size ..."]:
    """The inputs in batches of equal size, without the few that are left over."""
    if batch_size < 1:
        raise ConfigError(f"batch_size is {batch_size}: it must be at least 1")
    if len(inputs) < 2:
        raise DataError(f"correlations need at least two examples, got {len(inputs)}")
    number = math.ceil(len(inputs) / batch_size)
    size = len(inputs) // number
    return np.asarray(inputs)[: number * size].reshape(number, size, *inputs.shape[1:])


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _Moments:
    """Means and second moments about them of two sets of units over the samples seen so far."""

    count: Float[Array, ""]
    mean_a: Float[Array, "n"]
    mean_b: Float[Array, "m"]
    square_a: Float[Array, "n"]
    square_b: Float[Array, "m"]
    cross: Float[Array, "n m"]

    @classmethod
    def of(
        cls, a: Float[Array, "samples n"], b: Float[Array, "samples m"], centred: bool
    ) -> "_Moments":
        a, b = a.astype(jnp.float32), b.astype(jnp.float32)
        # Moments about zero are those with means of zero.
        mean_a, mean_b = a.mean(axis=0) * centred, b.mean(axis=0) * centred
        a, b = a - mean_a, b - mean_b
        cross = jnp.matmul(a.T, b, precision="highest")
        count = jnp.asarray(len(a), jnp.float32)
        return cls(count, mean_a, mean_b, (a**2).sum(axis=0), (b**2).sum(axis=0), cross)

    def merge(self, other: "_Moments") -> "_Moments":
        count = self.count + other.count
        share, weight = other.count / count, self.count * other.count / count
        step_a, step_b = other.mean_a - self.mean_a, other.mean_b - self.mean_b
        return _Moments(
            count,
            self.mean_a + share * step_a,
            self.mean_b + share * step_b,
            self.square_a + other.square_a + weight * step_a**2,
            self.square_b + other.square_b + weight * step_b**2,
            self.cross + other.cross + weight * jnp.outer(step_a, step_b),
        )

    def similarity(self, normalised: bool) -> Float[Array, "n m"]:
        if not normalised:
            return self.cross / self.count
        scale = jnp.sqrt(jnp.outer(self.square_a, self.square_b))
        return jnp.where(scale > 0, self.cross / jnp.where(scale > 0, scale, 1), 0)


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _similarities(
    first: tuple[Group, ApplyFn],
    second: tuple[Group, ApplyFn],
    centred: bool,
    normalised: bool,
    a: Params,
    b: Params,
    batches: Float[Array, "batches size ..."],
) -> dict[str, Float[Array, "n m"]]:
    def moments(inputs: Any) -> dict[str, tuple[_Moments, ...]]:
        units_a = groups.activations(*first, a, inputs)
        units_b = groups.activations(*second, b, inputs)
        return {
            name: tuple(
                _Moments.of(in_a, in_b, centred)
                for in_a, in_b in zip(values, units_b[name], strict=True)
            )
            for name, values in units_a.items()
        }

    def add(seen: Any, inputs: Any) -> tuple[Any, None]:
        is_moments = lambda node: isinstance(node, _Moments)  # noqa: E731
        return jax.tree.map(_Moments.merge, seen, moments(inputs), is_leaf=is_moments), None

    seen, _ = jax.lax.scan(add, moments(batches[0]), batches[1:])
    unit_by_unit = {
        generator.name: normalised and generator.kind == "permutation"
        for generator in first[0].generators
    }
    return {
        name: jnp.stack([part.similarity(unit_by_unit[name]) for part in parts]).sum(axis=0)
        for name, parts in seen.items()
        if parts
    }
