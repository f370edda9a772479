"""How large a symmetry group is, in whole numbers: what discovery found and what formulas say."""

import math
from dataclasses import dataclass

import flax.linen as nn
import jax

from mconn import symmetry
from mconn.symmetry import Group
from mconn.trees import named_leaves


@dataclass(frozen=True)
class GroupCount:
    """The size of a group, without rounding, so that two of them can be compared exactly.

    Attributes:
        permuted: the numbers of units of all permutations, in ascending order.
        signs: how many units can change their sign.
        matrices: how many orthogonal or general linear groups there are.
        dimension: of the continuous part.
    """

    permuted: tuple[int, ...] = ()
    signs: int = 0
    matrices: int = 0
    dimension: int = 0

    @property
    def log10_order(self) -> float:
        """The power of ten of the discrete part's order: log10 n! per permutation, and signs."""
        permutations = math.fsum(math.lgamma(size + 1) for size in self.permuted)
        return permutations / math.log(10) + self.signs * math.log10(2)

    @property
    def log2_components(self) -> float:
        """The power of two of the number of connected components; a matrix group has two."""
        return self.log10_order / math.log10(2) + self.matrices

    @property
    def log10_components(self) -> float:
        """The same as a power of ten."""
        return self.log2_components * math.log10(2)


@dataclass(frozen=True)
class Discovered:
    """What discovery found.

    Attributes:
        generators: how many generators there are.
        parameters: how many parameters the network has.
        count: the size of the group.
    """

    generators: int
    parameters: int
    count: GroupCount


def permutations_of(*sizes: tuple[int, int]) -> tuple[int, ...]:
    """The sizes of permutations from pairs (units, how many such permutations)."""
    return tuple(sorted(size for size, copies in sizes for _ in range(copies)))


def count_group(group: Group) -> GroupCount:
    """The size of a discovered group, from its generators."""
    permuted, signs, matrices = [], 0, 0
    for generator in group.generators:
        if generator.kind == "permutation":
            permuted += [generator.size] * generator.copies
        elif generator.kind == "sign":
            signs += generator.size * generator.copies
        elif generator.kind in ("orthogonal", "general linear"):
            matrices += generator.copies
    return GroupCount(tuple(sorted(permuted)), signs, matrices, group.dimension)


def discover_model(model: nn.Module, inputs: jax.ShapeDtypeStruct) -> Discovered:
    """The size of a Flax model's group from shapes alone: no array is made."""
    shapes = jax.eval_shape(model.init, jax.random.key(0), inputs)
    group = symmetry.discover(model.apply, shapes, inputs)
    parameters = sum(math.prod(leaf.shape) for leaf in named_leaves(shapes["params"]).values())
    return Discovered(len(group.generators), parameters, count_group(group))
