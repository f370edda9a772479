"""Which labels can be moved by any invertible matrix, or by any orthogonal one.

A value that lies in a label's space is multiplied by the matrix g of the label, or by its inverse
transpose: this is its *variance*, 1 or -1. Linear laws keep the variance, a contraction needs
opposite ones, and everything else rules matrices out. Where the equations for the variances
contradict each other, as in the sum of squares of a vector, only matrices for which g and its
inverse transpose are the same are left: the orthogonal ones.
"""

from dataclasses import dataclass, field

from mconn.symmetry.weights import Constraint, Law, Weights

Pairs = tuple[tuple[int, int], ...]
"""Products of two unknowns' values, which have to be summed over."""


@dataclass
class Matrices:
    """What is left after all laws.

    Attributes:
        spoiled: labels that no matrix moves.
        orthogonal: labels that only orthogonal matrices move, if any.
    """

    spoiled: set[int] = field(default_factory=set)
    orthogonal: set[int] = field(default_factory=set)
    parents: dict[int, tuple[int, int]] = field(default_factory=dict)
    pending: dict[int, Pairs] = field(default_factory=dict)

    def root(self, unknown: int) -> tuple[int, int]:
        """The representative of an unknown, and its variance relative to it."""
        sign, path = 1, []
        while unknown in self.parents:
            path.append(unknown)
            unknown, step = self.parents[unknown]
            sign *= step
        total = sign
        for each in path:
            step = self.parents[each][1]
            self.parents[each] = (unknown, total)
            total *= step
        return unknown, sign

    def relate(self, one: int, other: int, sign: int, label: int) -> None:
        """Demand that two variances are equal (sign 1) or opposite (-1)."""
        (left, sign_left), (right, sign_right) = self.root(one), self.root(other)
        if left != right:
            self.parents[right] = (left, sign_left * sign_right * sign)
        elif sign_left * sign_right != sign:
            self.orthogonal.add(label)

    def variance(self, unknown: int) -> int:
        """The variance of an unknown, relative to its representative."""
        return self.root(unknown)[1]


def solve_matrices(weights: Weights, label_of: dict[int, int]) -> Matrices:
    """Run all laws; ``label_of`` gives the representative of a label."""
    solution = Matrices()
    for constraint in weights.constraints:
        unknowns = [u for u in (constraint.out, *constraint.operands) if u is not None]
        label = label_of[weights.labels[unknowns[0]]]
        if label not in solution.spoiled and not obeys(solution, constraint, label):
            solution.spoiled.add(label)
    return solution


def obeys(solution: Matrices, constraint: Constraint, label: int) -> bool:
    """Whether matrices can obey a law; notes what it demands of the variances."""
    law, out, operands = constraint.law, constraint.out, list(constraint.operands)
    if law is Law.SELECT:
        chosen, *operands = operands
        law = Law.EQUAL if chosen is None else Law.FIXED
    if law is Law.PRODUCT:
        return obeys_product(solution, constraint, label)
    if law not in (Law.EQUAL, Law.DUAL, Law.SUM) or None in operands:
        return False
    moving = [operand for operand in operands if operand is not None]
    products = [solution.pending[each] for each in moving if each in solution.pending]
    if law is Law.EQUAL and len(products) == len(moving):
        if out is not None:
            solution.pending[out] = tuple(pair for pairs in products for pair in pairs)
        return out is not None
    if law is Law.SUM and products:
        for one, other in products[0]:
            solution.relate(one, other, -1, label)
        return True
    if products or law is Law.SUM:
        return False
    if law is Law.DUAL:
        solution.relate(moving[0], moving[1], -1, label)
        return True
    for other in [*moving[1:], *([] if out is None else [out])]:
        solution.relate(moving[0], other, 1, label)
    return True


def obeys_product(solution: Matrices, constraint: Constraint, label: int) -> bool:
    """A product with a constant keeps the variance; one of two vectors waits for its sum."""
    pairs = zip(constraint.operands, constraint.powers, strict=True)
    moving = [(unknown, power) for unknown, power in pairs if unknown is not None]
    unknowns = [unknown for unknown, _ in moving]
    powers = [power for _, power in moving]
    out = constraint.out
    is_product_already = any(unknown in solution.pending for unknown in unknowns)
    if out is None or (is_product_already and powers != [1]):
        return False
    if powers == [1]:
        if is_product_already:
            solution.pending[out] = solution.pending[unknowns[0]]
        else:
            solution.relate(unknowns[0], out, 1, label)
        return True
    if powers == [2]:
        unknowns = unknowns * 2
    elif powers != [1, 1]:
        return False
    solution.pending[out] = ((unknowns[0], unknowns[1]),)
    return True
