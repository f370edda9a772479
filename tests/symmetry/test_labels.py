"""The union-find of labels: alignment, splits and pins, alone and as properties."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from mconn.symmetry.labels import Labels, atoms_of, axis_size, boundaries, occurrences, uniform
from mconn.symmetry.rules.ties import factor


def free(labels, axis):
    """The sizes of the free atoms of an axis, segment by segment."""
    return [
        [atom.size for atom in segment if not labels.is_fixed(atom)]
        for segment in labels.resolve(axis)
    ]


def test_aligned_axes_are_equal():
    labels = Labels()
    one, other = labels.fresh(6), labels.fresh(6)
    assert labels.resolve(one) != labels.resolve(other)
    labels.align(one, other)
    assert labels.resolve(one) == labels.resolve(other)


def test_a_pin_spreads_to_what_is_aligned_and_keeps_its_reason():
    labels = Labels()
    labels.source = lambda: "here"
    one, other = labels.fresh(6), labels.fresh(6)
    labels.pin(other, "an input")
    labels.source = lambda: "there"
    labels.align(one, other)
    ((atom,),) = labels.resolve(one)
    assert labels.is_fixed(atom)
    assert (labels.pins[atom.label].text, labels.pins[atom.label].source) == ("an input", "there")


def test_a_uniform_axis_constrains_nothing():
    labels = Labels()
    axis = labels.fresh(6)
    assert labels.align(axis, uniform(6)) == labels.align(uniform(6), axis) == axis
    assert free(labels, axis) == [[6]]


def test_splitting_into_a_product():
    labels = Labels()
    axis, heads, within = labels.fresh(6), labels.fresh(2), labels.fresh(3)
    labels.align(axis, labels.multiply([heads, within]))
    assert free(labels, axis) == [[2, 3]]
    assert factor(labels, axis, (2, 3)) == (labels.resolve(heads), labels.resolve(within))


def test_products_are_refined_to_their_common_divisors():
    labels = Labels()
    one = labels.multiply([labels.fresh(4), labels.fresh(8)])
    other = labels.multiply([labels.fresh(8), labels.fresh(4)])
    labels.align(one, other)
    assert free(labels, one) == free(labels, other) == [[4, 2, 4]]


def test_products_without_common_divisors_are_pinned():
    labels = Labels()
    one = labels.multiply([labels.fresh(4), labels.fresh(3)])
    other = labels.multiply([labels.fresh(6), labels.fresh(2)])
    labels.align(one, other)
    assert free(labels, one) == free(labels, other) == [[]]


def test_splitting_into_a_sum():
    labels = Labels()
    whole, first, second = labels.fresh(10), labels.fresh(4), labels.fresh(6)
    labels.align(whole, first + second)
    assert labels.resolve(whole) == labels.resolve(first + second)


def test_a_cut_splits_the_label_wherever_it_is():
    labels = Labels()
    axis = labels.fresh(10)
    product = labels.multiply([axis, labels.fresh(2)])
    left, right = labels.cut(axis, 4)
    assert (axis_size(left), axis_size(right)) == (4, 6)
    assert free(labels, product) == [[4, 2], [6, 2]]


def test_a_cut_inside_a_group_pins_it():
    labels = Labels()
    axis = labels.multiply([labels.fresh(3), labels.fresh(4)])
    left, right = labels.cut(axis, 6)
    assert free(labels, axis) == [[]]
    assert (axis_size(left), axis_size(right)) == (6, 6)


def test_a_fixed_factor_repeats_a_sum():
    labels = Labels()
    one, other = labels.fresh(2), labels.fresh(3)
    axis = labels.multiply([labels.pinned(2, "an input"), one + other])
    assert labels.resolve(axis) == labels.resolve(one + other + one + other)


def test_a_sum_inside_a_free_product_is_pinned():
    labels = Labels()
    inner = labels.fresh(5)
    axis = labels.multiply([labels.fresh(2), inner])
    labels.cut(inner, 2)
    assert free(labels, axis) == [[2]]
    assert free(labels, inner) == [[], []]


def test_a_sum_of_equal_blocks_can_be_factored():
    labels = Labels()
    axis = labels.fresh(4) + labels.fresh(4)
    blocks, within = factor(labels, axis, (2, 4))
    assert free(labels, within) == [[4]]
    assert axis_size(blocks) == 2
    assert len(set(atoms_of(labels.resolve(axis)))) == 1


def test_an_axis_that_would_fall_to_pieces_is_pinned():
    labels = Labels()
    axis = labels.fresh(700)
    labels.align(labels.cut(axis, 1)[1], labels.cut(axis, 699)[0])
    assert all(not sizes for sizes in free(labels, axis))


def test_occurrences_cover_the_axis():
    labels = Labels()
    axis = labels.multiply([labels.fresh(2), labels.fresh(3)]) + labels.fresh(4)
    assert [(a.size, *place) for a, *place in occurrences(axis)] == [
        (2, 0, 1, 3),
        (3, 0, 2, 1),
        (4, 6, 1, 1),
    ]


SIZE = 24
KINDS = ["fresh", "fresh", "fresh", "pinned", "uniform"]
DIVISORS = [d for d in range(1, SIZE + 1) if SIZE % d == 0]


@st.composite
def plans(draw):
    """An axis of 24 entries as a sum of products of (kind, size)."""

    def segment(size):
        factors = []
        while size > 1:
            factor = draw(st.sampled_from([d for d in range(2, size + 1) if size % d == 0]))
            factors.append((draw(st.sampled_from(KINDS)), factor))
            size //= factor
        return factors

    ends = sorted({*draw(st.lists(st.integers(1, SIZE - 1), max_size=2)), SIZE})
    return [segment(end - start) for start, end in zip([0, *ends], ends, strict=False)]


def build(labels, plan):
    """The axis of a plan, with new labels."""
    new = {"fresh": labels.fresh, "pinned": lambda n: labels.pinned(n, "drawn"), "uniform": uniform}
    segments = ([new[kind](size) for kind, size in segment] for segment in plan)
    return sum((labels.multiply(segment) for segment in segments), ())


def actions(labels, axis, permutations):
    """The order of the entries of an axis when every label is permuted by its own permutation."""
    order = np.arange(axis_size(axis))
    for atom, start, outer, inner in occurrences(labels.resolve(axis)):
        if not labels.is_fixed(atom):
            permutation = permutations.setdefault(
                atom.label, np.random.default_rng(atom.label).permutation(atom.size)
            )
            end = start + outer * atom.size * inner
            blocks = order[start:end].reshape(outer, atom.size, inner)
            order[start:end] = blocks[:, permutation].reshape(-1)
    return order


@given(
    st.lists(plans(), min_size=4, max_size=4),
    st.lists(st.tuples(*[st.integers(0, 3)] * 2), min_size=1, max_size=4),
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_after_any_alignments_the_aligned_axes_move_alike(plans, pairs):
    labels = Labels()
    drawn = [build(labels, plan) for plan in plans]
    results = [labels.align(drawn[i], drawn[j]) for i, j in pairs]
    permutations = {}
    for axis in [*drawn, *results]:  # writing an axis down can pin labels of another
        assert axis_size(labels.resolve(axis)) == SIZE
    for pair, result in zip(pairs, results, strict=True):
        for i in pair:
            if all(atom.label is not None for atom in atoms_of(drawn[i])):
                np.testing.assert_array_equal(
                    actions(labels, drawn[i], permutations), actions(labels, result, permutations)
                )


@given(plans(), st.integers(0, SIZE), st.sampled_from(DIVISORS))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_cuts_and_factors_move_like_the_whole(plan, offset, first):
    labels = Labels()
    axis = build(labels, plan)
    left, right = labels.cut(axis, offset)
    sizes = (first, SIZE // first)
    factors = factor(labels, axis, sizes)
    assert tuple(axis_size(labels.resolve(factor)) for factor in factors) == sizes
    permutations = {}
    whole = actions(labels, axis, permutations)
    before, after = (actions(labels, part, permutations) for part in (left, right))
    np.testing.assert_array_equal(whole, np.concatenate([before, after + offset]))
    rows, columns = (actions(labels, factor, permutations) for factor in factors)
    np.testing.assert_array_equal(whole, (rows[:, None] * sizes[1] + columns).reshape(-1))


@pytest.mark.parametrize("size", [0, 1])
def test_an_axis_of_at_most_one_entry_has_no_label(size):
    labels = Labels()
    assert axis_size(labels.fresh(size)) == size
    assert all(atom.label is None for atom in atoms_of(labels.fresh(size)))
    assert boundaries(labels.fresh(size)) == {size}
