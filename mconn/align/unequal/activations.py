"""How alike the units of two networks of other widths are by what they do on data."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn import symmetry as groups
from mconn.align.unequal.likeness import Likeness
from mconn.errors import ConfigError, DataError
from mconn.symmetry import Symmetry
from mconn.types import ApplyFn, Params


@dataclass(frozen=True)
class UnequalActivations:
    """Units are alike if they are active together; for networks of other widths.

    The similarity of two units is the correlation of their activations over data, as in
    :class:`mconn.align.ActivationCost`, always normalised.

    Attributes:
        apply_a: the first network, (params, inputs) -> outputs.
        apply_b: the second.
        inputs: examples, shape (n, ...).
        centred: subtract each unit's mean (Pearson's correlation), or do not (the cosine).
        batch_size: examples in one pass; a few that are left over are not used.
    """

    apply_a: ApplyFn
    apply_b: ApplyFn
    inputs: Float[Array | np.ndarray, "n ..."]
    centred: bool = False
    batch_size: int = 1000

    def likeness(
        self, symmetries: tuple[Symmetry, Symmetry], a: Params, b: Params
    ) -> dict[str, Likeness]:
        """The likeness of the units of every generator that has activations.

        Args:
            symmetries: the groups of a and b.
            a: the first network.
            b: the second.

        Raises:
            DataError: with fewer than two examples.
            ConfigError: if a batch would be empty.
        """
        if self.batch_size < 1:
            raise ConfigError(f"batch_size is {self.batch_size}: it must be at least 1")
        if len(self.inputs) < 2:
            raise DataError(f"correlations need at least two examples, got {len(self.inputs)}")
        read_a, read_b = (
            jax.jit(lambda params, x, s=s, f=f: groups.activations(s, f, params, x))
            for s, f in zip(symmetries, (self.apply_a, self.apply_b), strict=True)
        )
        size = min(self.batch_size, len(self.inputs))
        sums: dict[tuple[str, int], Sums] = {}
        for start in range(0, len(self.inputs) - size + 1, size):
            batch = jnp.asarray(self.inputs[start : start + size])
            units_a, units_b = read_a(a, batch), read_b(b, batch)
            for name, values in units_a.items():
                for i, (x, y) in enumerate(zip(values, units_b[name], strict=True)):
                    seen = Sums.of(np.asarray(x, float), np.asarray(y, float))
                    sums[name, i] = sums[name, i].plus(seen) if (name, i) in sums else seen
        tables: dict[str, np.ndarray] = {}
        for (name, _), seen in sums.items():
            table = seen.correlation(self.centred)
            tables[name] = tables[name] + table if name in tables else table
        return {name: likeness_of(table) for name, table in tables.items()}


@dataclass(frozen=True)
class Sums:
    """Sums of products over samples, of n units of one network and m of another."""

    count: int
    first: Float[np.ndarray, "n"]
    second: Float[np.ndarray, "m"]
    squares_first: Float[np.ndarray, "n"]
    squares_second: Float[np.ndarray, "m"]
    cross: Float[np.ndarray, "n m"]

    @classmethod
    def of(cls, a: Float[np.ndarray, "samples n"], b: Float[np.ndarray, "samples m"]) -> "Sums":
        """The sums of one batch."""
        squares = (a**2).sum(axis=0), (b**2).sum(axis=0)
        return cls(len(a), a.sum(axis=0), b.sum(axis=0), *squares, a.T @ b)

    def plus(self, other: "Sums") -> "Sums":
        """The sums of the union."""
        return Sums(
            *(x + y for x, y in zip(vars(self).values(), vars(other).values(), strict=True))
        )

    def correlation(self, centred: bool) -> Float[np.ndarray, "n m"]:
        """The correlations; zero for units that are always zero, or never vary where centred."""
        cross, first, second = self.cross, self.squares_first, self.squares_second
        if centred:
            cross = cross - np.outer(self.first, self.second) / self.count
            first = first - self.first**2 / self.count
            second = second - self.second**2 / self.count
        # Of a unit that does not vary rounding leaves a little.
        first = np.where(first > 1e-9 * self.squares_first, first, 0)
        second = np.where(second > 1e-9 * self.squares_second, second, 0)
        scale = np.sqrt(np.outer(first, second))
        return np.where(scale > 0, cross / np.where(scale > 0, scale, 1), 0)


def likeness_of(table: Float[np.ndarray, "n m"]) -> Likeness:
    """Similarities as a likeness; what makes and what reads the units is not told apart."""
    nothing = np.zeros(table.shape[0]), np.zeros(table.shape[1])
    return Likeness(table, np.zeros(table.shape), nothing, nothing)
