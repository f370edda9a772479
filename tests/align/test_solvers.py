"""Every solver of one generator against what nothing can exceed: brute force and closed forms."""

import itertools

import numpy as np
import pytest

from mconn.align import solvers
from mconn.align.cost import Overlap
from mconn.errors import MconnError
from mconn.symmetry import Generator

RNG = np.random.default_rng(0)


def generator(kind, size):
    return Generator(name="g", kind=kind, size=size, sites=())


def solved(kind, cross, gram=None):
    return solvers.solve(generator(kind, cross[min(cross)].shape[-1]), Overlap(cross, gram or {}))


@pytest.mark.parametrize("shape", [(5, 5), (2, 4, 4)])
def test_permutations_are_the_best_of_all(shape):
    similarity = RNG.normal(size=shape)
    found = solved("permutation", {1: similarity})
    orders = [list(order) for order in itertools.permutations(range(shape[-1]))]
    for table, part in zip(
        similarity.reshape(-1, *shape[-2:]), found.reshape(-1, shape[-1]), strict=True
    ):
        rows = np.arange(shape[-1])
        assert table[rows, part].sum() == max(table[rows, order].sum() for order in orders)


def test_signs_and_orthogonal_matrices_reach_the_sum_of_absolute_and_of_singular_values():
    rows, square = RNG.normal(size=7), RNG.normal(size=(3, 4, 4))
    np.testing.assert_array_equal(solved("sign", {1: rows}) * rows, np.abs(rows))
    turned = solved("orthogonal", {1: square})
    np.testing.assert_allclose(turned @ turned.swapaxes(1, 2), [np.eye(4)] * 3, atol=1e-14)
    values = np.linalg.svd(square, compute_uv=False).sum(axis=-1)
    np.testing.assert_allclose((turned * square).sum(axis=(1, 2)), values)


def scaled(t, cross, gram):
    """What a factor gains: minus half the squared distance, but for a constant."""
    return sum(t**p * cross[p] - t ** (2 * p) * gram[p] / 2 for p in cross)


@pytest.mark.parametrize("powers", [(1,), (-1,), (1, -1), (2, -1), (1, 2, -3)])
def test_factors_are_better_than_any_on_a_grid(powers):
    a, b = ({p: RNG.normal(size=(6, 5)) for p in powers} for _ in range(2))
    cross = {p: (np.abs(a[p]) * np.abs(b[p])).sum(axis=-1) for p in powers}
    gram = {p: (b[p] ** 2).sum(axis=-1) for p in powers}
    found = solved("scaling", cross, gram)
    grid = np.exp(np.linspace(-4, 4, 4001))[:, None]
    values = scaled(found, cross, gram)
    assert np.all(values >= scaled(grid, cross, gram).max(axis=0) - 1e-9)
    distances = sum(((a[p] - found[:, None] ** p * b[p]) ** 2).sum(axis=-1) for p in powers)
    assert distances.shape == (6,)
    if powers == (1,):
        np.testing.assert_allclose(found, cross[1] / gram[1])


def test_the_factor_of_a_planted_ratio_of_norms_is_its_root_by_both_sides():
    """Rows times t and columns over t: of equal networks but for t, exactly t comes back."""
    b, t = {p: RNG.normal(size=(4, 6)) for p in (1, -1)}, np.array([0.25, 0.5, 3.0, 40.0])
    cross = {p: t**p * (b[p] ** 2).sum(axis=-1) for p in b}
    found = solved("scaling", cross, {p: (b[p] ** 2).sum(axis=-1) for p in b})
    np.testing.assert_allclose(found, t, rtol=1e-9)


def test_units_that_lack_a_side_keep_their_factor():
    nothing = {p: np.zeros(2) for p in (1, -1)}
    np.testing.assert_array_equal(solved("scaling", nothing, nothing), 1)
    one_sided = {1: np.zeros(2), -1: np.ones(2)}
    factor = solved("scaling", one_sided, one_sided)
    np.testing.assert_allclose(factor, 1)


@pytest.mark.parametrize("powers", [(1,), (1, 2), (1, -3)])
def test_angles_are_better_than_any_on_a_grid(powers):
    cross = {p: RNG.normal(size=(5, 2, 2)) for p in powers}
    grid = np.linspace(-np.pi, np.pi, 20001)[:, None]

    def value(x):
        terms = (
            np.cos(p * x) * (c[:, 0, 0] + c[:, 1, 1]) + np.sin(p * x) * (c[:, 1, 0] - c[:, 0, 1])
            for p, c in cross.items()
        )
        return sum(terms)

    assert np.all(value(solved("rotation", cross)) >= value(grid).max(axis=0) - 1e-9)


def test_invertible_matrices_are_least_squares_for_one_side_and_planted_ones_for_both():
    b, matrix = RNG.normal(size=(4, 9)), np.eye(4) + 0.2 * RNG.normal(size=(4, 4))
    a = RNG.normal(size=(4, 9))
    found = solved("general linear", {1: a @ b.T}, {1: b @ b.T})
    np.testing.assert_allclose(found, np.linalg.lstsq(b.T, a.T, rcond=None)[0].T, atol=1e-6)
    other = RNG.normal(size=(4, 9))
    cross = {1: matrix @ b @ b.T, -1: np.linalg.inv(matrix).T @ other @ other.T}
    found = solved("general linear", cross, {1: b @ b.T, -1: other @ other.T})
    np.testing.assert_allclose(found, matrix, atol=1e-5)


def test_invertible_matrices_of_two_sides_end_where_no_small_step_helps():
    """Gauss and Newton's steps by turns: what one side gains the other may lose."""
    sides = {p: RNG.normal(size=(2, 4, 9)) for p in (1, -1)}
    g = np.eye(4)

    def moved(matrix):
        return {1: matrix @ sides[1][1], -1: np.linalg.inv(matrix).T @ sides[-1][1]}

    def distance(matrix):
        return sum(((sides[p][0] - b) ** 2).sum() for p, b in moved(matrix).items())

    for _ in range(20):
        b = moved(g)
        cross, gram = {p: sides[p][0] @ b[p].T for p in b}, {p: b[p] @ b[p].T for p in b}
        g = solved("general linear", cross, gram) @ g
    here = distance(g)
    assert here < distance(np.eye(4))
    for direction in np.eye(16).reshape(16, 4, 4):
        slope = distance(g + 1e-5 * direction) - distance(g - 1e-5 * direction)
        assert abs(slope / 2e-5) < 5e-2 * here


def test_gains_and_margins_are_differences_of_sums():
    table = RNG.normal(size=(5, 5))
    order = solved("permutation", {1: table})
    rows = np.arange(5)
    best = table[rows, order].sum()
    g = generator("permutation", 5)
    assert solvers.gain(g, table, order) == pytest.approx(best - np.trace(table))
    matched = table[:, order]
    for unit, margin in enumerate(solvers.margins(g, Overlap({1: matched}, {}))):
        losses = []
        for other in set(range(5)) - {unit}:
            swapped = rows.copy()
            swapped[[unit, other]] = swapped[[other, unit]]
            losses.append(best - matched[rows, swapped].sum())
        assert margin == pytest.approx(min(losses))


def test_similarities_must_be_finite():
    with pytest.raises(MconnError, match="similarities are not finite"):
        solvers.assign(np.full((2, 2), np.nan))
