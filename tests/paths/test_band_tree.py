import itertools

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from mconn.errors import DataError
from mconn.paths import minimax, next_pair, spanning_tree


@st.composite
def graphs(draw):
    """Saddles between up to six minima, above their losses; some pairs without a path."""
    count = draw(st.integers(2, 6))
    minima = np.array(draw(st.lists(st.integers(-2, 2), min_size=count, max_size=count)), float)
    saddles = np.diag(minima)
    for i, j in itertools.combinations(range(count), 2):
        above = draw(st.one_of(st.integers(0, 6), st.just(np.nan), st.just(np.inf)))
        saddles[i, j] = saddles[j, i] = max(minima[i], minima[j]) + above
    return saddles


def brute_force(saddles):
    """The least highest loss over all sequences of minima."""
    count = len(saddles)
    found = np.full(saddles.shape, np.inf)
    for i in range(count):
        found[i, i] = saddles[i, i]
    for i, j in itertools.permutations(range(count), 2):
        others = [k for k in range(count) if k not in (i, j)]
        for length in range(len(others) + 1):
            for between in itertools.permutations(others, length):
                steps = list(itertools.pairwise((i, *between, j)))
                highest = max(saddles[step] for step in steps)
                if all(np.isfinite(saddles[step]) for step in steps):
                    found[i, j] = min(found[i, j], highest)
    return found


@settings(max_examples=60, deadline=None)
@given(saddles=graphs())
def test_minimax_saddles_are_those_of_all_sequences(saddles):
    np.testing.assert_array_equal(minimax(saddles), brute_force(saddles))


@settings(max_examples=60, deadline=None)
@given(saddles=graphs())
def test_minimax_saddles_are_ultrametric_and_below_every_path(saddles):
    found = minimax(saddles)
    for a, b, c in itertools.product(range(len(found)), repeat=3):
        if a != c:
            assert found[a, c] <= max(found[a, b], found[b, c])
    known = np.isfinite(saddles)
    assert (found[known] <= saddles[known]).all()


@settings(max_examples=60, deadline=None)
@given(saddles=graphs())
def test_the_tree_is_a_forest_of_least_weight(saddles):
    edges = spanning_tree(saddles)
    weights = [saddles[edge] for edge in edges]
    assert weights == sorted(weights)
    reached = np.isfinite(minimax(saddles)) & ~np.eye(len(saddles), dtype=bool)
    parts = len({frozenset([i, *np.flatnonzero(row).tolist()]) for i, row in enumerate(reached)})
    assert len(edges) == len(saddles) - parts
    bound = np.unique(brute_force(saddles)[np.triu_indices(len(saddles), 1)])
    assert set(weights) == {b for b in bound if np.isfinite(b)}


@settings(max_examples=40, deadline=None)
@given(saddles=graphs(), seed=st.integers(0, 10))
def test_trying_the_pairs_in_order_ends_with_the_tree_of_all_pairs(saddles, seed):
    truth = np.where(np.isnan(saddles), np.inf, saddles)
    generator = np.random.default_rng(seed)
    distances = generator.uniform(size=saddles.shape)
    distances += distances.T
    tried = np.full(saddles.shape, np.nan)
    np.fill_diagonal(tried, saddles.diagonal())
    for _ in range(len(saddles) * (len(saddles) - 1) // 2):
        pair = next_pair(tried, distances)
        if pair is None:
            break
        assert np.isnan(tried[pair])
        tried[pair] = tried[pair[::-1]] = truth[pair]
    assert next_pair(tried, distances) is None
    np.testing.assert_array_equal(minimax(tried), minimax(truth))


def test_the_first_pairs_are_the_nearest_that_join_all_minima():
    distances = np.abs(np.subtract.outer([0, 1, 3, 7], [0, 1, 3, 7])).astype(float)
    tried = np.full((4, 4), np.nan)
    found = []
    for _ in range(3):
        pair = next_pair(tried, distances)
        assert pair is not None
        found.append(pair)
        tried[pair] = tried[pair[::-1]] = distances[pair]
    assert found == [(0, 1), (1, 2), (2, 3)]
    # The highest path of the tree is that to the last minimum: another way to it is next.
    assert next_pair(tried, distances) == (1, 3)


def test_what_are_no_saddles_is_refused():
    with pytest.raises(DataError, match="1 minima: a tree needs at least two"):
        spanning_tree(np.zeros((1, 1)))
    with pytest.raises(DataError, match="not symmetric"):
        minimax(np.array([[0, 1.0], [2, 0]]))
