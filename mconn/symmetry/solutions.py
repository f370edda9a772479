"""What solves all laws: powers of scalings, signs and angles, and which labels matrices move.

A weight is a linear form in the weights of the parameters; every law gives linear equations between
forms. Scalings are their solutions over the rationals, signs those over the field of two elements.

A value that lies in a label's space is multiplied by the matrix g of the label, or by its inverse
transpose: this is its *variance*, 1 or -1. Linear laws keep the variance, a contraction needs
opposite ones, and everything else rules matrices out. Where the equations for the variances
contradict each other, as in the sum of squares of a vector, only matrices for which g and its
inverse transpose are the same are left: the orthogonal ones.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import gcd, lcm
from typing import Literal

from mconn.symmetry.weights import ONE, Constraint, Law, Weights

Form = Mapping[int, Fraction]
"""``{unknown: coefficient}``, a linear form."""

Solution = dict[int, int]
"""``{unknown: weight}`` for the unknowns with a weight, as whole numbers without common factor."""

ZERO: Form = {}


@dataclass(frozen=True)
class Arithmetic:
    """A field of numbers that weights are taken from; ``reduce`` brings a number to normal form."""

    kind: Literal["scaling", "sign", "rotation"]
    reduce: Callable[[Fraction], Fraction]

    def combine(self, forms: Sequence[tuple[Form, Fraction]]) -> Form:
        """The sum of multiples of forms."""
        total: dict[int, Fraction] = {}
        for form, factor in forms:
            for unknown, coefficient in form.items():
                total[unknown] = total.get(unknown, Fraction(0)) + factor * coefficient
        reduced = {unknown: self.reduce(value) for unknown, value in total.items()}
        return {unknown: value for unknown, value in reduced.items() if value}


ANGLES = Arithmetic("rotation", lambda number: number)
RATIONAL = Arithmetic("scaling", lambda number: number)
BINARY = Arithmetic("sign", lambda number: Fraction(number.numerator % 2))
"""Numbers modulo two: a fraction with an odd denominator is odd if its numerator is."""

SCALING_LAWS = {
    Law.ABSOLUTE: "passes",
    Law.EVEN: "fixed",
    Law.FIXED: "fixed",
    Law.ODD: "fixed",
    Law.SIGN: "vanishes",
    Law.ORDER: "equal, vanishes",
    Law.EQUALITY: "equal, vanishes",
    Law.POSITIVE: "equal",
    Law.EQUAL: "equal",
    Law.SUM: "fixed",
    Law.TURN: "fixed",
}
SIGN_LAWS = {
    Law.ABSOLUTE: "vanishes",
    Law.EVEN: "vanishes",
    Law.FIXED: "fixed",
    Law.ODD: "equal",
    Law.SIGN: "equal",
    Law.ORDER: "fixed",
    Law.EQUALITY: "equal, vanishes",
    Law.POSITIVE: "fixed",
    Law.EQUAL: "equal",
    Law.SUM: "fixed",
    Law.TURN: "fixed",
}
"""What a law means for the weights of its operands, and for that of its output."""


def equations_of(
    weights: Weights, arithmetic: Arithmetic, exact: bool = True
) -> tuple[dict[int, Form], list[Form]]:
    """The form of every unknown that is not free, and the forms that must vanish.

    If they need not be ``exact``, the epsilon of a normaliser counts as zero.
    """
    forms: dict[int, Form] = {}
    vanishing: list[Form] = []

    def form(unknown: int | None) -> Form:
        if unknown is None:
            return ZERO
        return forms.get(unknown, {unknown: ONE})

    for constraint in weights.constraints:
        if constraint.law is Law.EPSILON:
            constraint = replace(constraint, law=Law.FIXED if exact else Law.EQUAL)
        out, demands = _apply_law(constraint, [form(u) for u in constraint.operands], arithmetic)
        if constraint.out is not None:
            forms[constraint.out] = out
        vanishing += [demand for demand in demands if demand]
    return forms, vanishing


def _apply_law(
    constraint: Constraint, operands: list[Form], arithmetic: Arithmetic
) -> tuple[Form, list[Form]]:
    law = constraint.law
    if arithmetic is ANGLES:
        return _apply_to_angles(constraint, operands)
    if law is Law.PRODUCT:
        terms, demands = [], []
        for form, power in zip(operands, constraint.powers, strict=True):
            if arithmetic is BINARY and power.denominator % 2 == 0:
                demands.append(form)
            else:
                terms.append((form, power))
        return arithmetic.combine(terms), demands
    if law is Law.DUAL:
        return ZERO, [arithmetic.combine([(form, ONE) for form in operands])]
    if law is Law.SELECT:
        chosen, *operands = operands
        out, demands = _equal(operands, arithmetic)
        return out, [chosen, *demands]
    meaning = (SCALING_LAWS if arithmetic is RATIONAL else SIGN_LAWS)[law]
    if meaning == "fixed":
        return ZERO, operands
    if meaning == "vanishes":
        return ZERO, []
    out, demands = _equal(operands, arithmetic)
    return (ZERO if "vanishes" in meaning else out), demands


def _apply_to_angles(constraint: Constraint, operands: list[Form]) -> tuple[Form, list[Form]]:
    """A law for the angles by which planes of two units are turned.

    Only what is linear, and does the same to both units of a plane, lets them pass; a contraction
    is kept by turning both of its operands together.
    """
    law = constraint.law
    moving = [i for i, unknown in enumerate(constraint.operands) if unknown is not None]
    if law is Law.SELECT and moving[:1] != [0]:
        law, operands = Law.EQUAL, operands[1:]
    is_multiple = law is Law.PRODUCT and len(moving) == 1 and constraint.powers[moving[0]] == 1
    if is_multiple:
        law, operands = Law.EQUAL, [operands[moving[0]]]
    if law not in (Law.EQUAL, Law.TURN, Law.DUAL) or constraint.varying:
        return ZERO, operands
    out, demands = _equal(operands, ANGLES)
    return (ZERO if law is Law.DUAL else out), demands


def _equal(operands: list[Form], arithmetic: Arithmetic) -> tuple[Form, list[Form]]:
    if not operands:
        return ZERO, []
    first, *others = operands
    return first, [arithmetic.combine([(first, ONE), (other, -ONE)]) for other in others]


def components(
    forms: Mapping[int, Form], vanishing: Sequence[Form], unknowns: Sequence[int]
) -> dict[int, int]:
    """The representative of every free unknown: those in one equation belong together."""
    parents = {unknown: unknown for unknown in unknowns}

    def find(unknown: int) -> int:
        while parents[unknown] != unknown:
            parents[unknown] = parents[parents[unknown]]
            unknown = parents[unknown]
        return unknown

    for form in [*forms.values(), *vanishing]:
        roots = sorted({find(unknown) for unknown in form})
        for root in roots[1:]:
            parents[root] = roots[0]
    return {unknown: find(unknown) for unknown in unknowns}


class Span:
    """The forms that are sums of multiples of some forms, each solved for its last unknown."""

    def __init__(self, arithmetic: Arithmetic) -> None:
        self.arithmetic = arithmetic
        self.solved: dict[int, Form] = {}

    def add(self, form: Form) -> bool:
        """Add a form; returns whether it was not in the span."""
        combine = self.arithmetic.combine
        while found := [unknown for unknown in form if unknown in self.solved]:
            last = max(found)
            form = combine([(form, ONE), (self.solved[last], -form[last])])
        if form:
            last = max(form)
            self.solved[last] = combine([(form, 1 / form[last])])
        return bool(form)


def null_space(
    equations: Sequence[Form], unknowns: Sequence[int], arithmetic: Arithmetic
) -> list[Solution]:
    """A basis of the weights for which all forms vanish.

    Every solution has one unknown for itself, of which the others are free.
    """
    span = Span(arithmetic)
    for equation in equations:
        span.add(equation)
    # Every unknown as a form in those that stay free, which have smaller numbers.
    free: dict[int, Form] = {}
    for unknown in sorted(unknowns):
        rest = {u: value for u, value in span.solved.get(unknown, {}).items() if u != unknown}
        free[unknown] = (
            arithmetic.combine([(free[u], -value) for u, value in rest.items()])
            if unknown in span.solved
            else {unknown: ONE}
        )
    solutions: dict[int, dict[int, Fraction]] = {}
    for unknown, form in free.items():
        for base, value in form.items():
            solutions.setdefault(base, {})[unknown] = value
    return [_whole(solution) for solution in solutions.values()]


def _whole(solution: Mapping[int, Fraction]) -> Solution:
    scale = lcm(*(value.denominator for value in solution.values()))
    numbers = {unknown: int(value * scale) for unknown, value in solution.items()}
    divisor = gcd(*numbers.values())
    return {unknown: number // divisor for unknown, number in numbers.items()}


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
        if label not in solution.spoiled and not _obeys(solution, constraint, label):
            solution.spoiled.add(label)
    return solution


def _obeys(solution: Matrices, constraint: Constraint, label: int) -> bool:
    law, out, operands = constraint.law, constraint.out, list(constraint.operands)
    if law is Law.SELECT:
        chosen, *operands = operands
        law = Law.EQUAL if chosen is None else Law.FIXED
    if law is Law.PRODUCT:
        return _obeys_product(solution, constraint, label)
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


def _obeys_product(solution: Matrices, constraint: Constraint, label: int) -> bool:
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
