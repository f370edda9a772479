import numpy as np
import pytest

from mconn.align.unequal.likeness import Likeness
from mconn.align.unequal.methods import NOBODY, Transport, semi_permutation, shares, transport
from mconn.errors import ConfigError, MconnError


def planted(n, m, features=8, noise=0.1, seed=0):
    """Similarities of n units that are noisy copies of m units, and whose copies they are."""
    generator = np.random.default_rng(seed)
    b = generator.normal(size=(m, features))
    whose = generator.permutation(np.arange(n) % m)
    a = b[whose] + noise * generator.normal(size=(n, features))
    return -((a[:, None] - b[None]) ** 2).sum(axis=-1), whose


def test_a_balanced_coupling_has_its_marginals():
    similarity, _ = planted(24, 16)
    generator = np.random.default_rng(1)
    rows, columns = generator.uniform(1, 2, 24), generator.uniform(1, 2, 16)
    found = transport(similarity, Transport(0.5), (rows, columns))
    assert found.converged
    assert found.error < 2e-3
    np.testing.assert_allclose(found.rows, rows / rows.sum(), atol=1e-3)
    np.testing.assert_allclose(found.columns, columns / columns.sum(), atol=1e-3)


@pytest.mark.parametrize(("epsilon", "tau"), [(0.5, 1.0), (1.0, 1.0), (0.5, 0.8)])
def test_the_coupling_is_that_of_its_temperature(epsilon, tau):
    """epsilon log P = f + g - C, where a loose marginal has f = epsilon tau / (1 - tau) log a / r.

    C are the similarities below the best one in standard deviations. Twice the temperature, or
    another strictness of the marginals, gives other potentials.
    """
    similarity, _ = planted(24, 16)
    found = transport(similarity, Transport(epsilon, tau, threshold=1e-6))
    cost = (similarity.max() - similarity) / similarity.std()
    potentials = epsilon * np.log(np.maximum(found.matrix, 1e-30)) + cost
    assert found.matrix.min() > 1e-30
    if tau < 1:
        strictness = epsilon * tau / (1 - tau)
        potentials += strictness * np.log(found.rows * 24)[:, None]
        potentials += strictness * np.log(found.columns * 16)
        np.testing.assert_allclose(potentials, 0, atol=5e-3)
    else:
        own = potentials - potentials.mean(axis=0) - potentials.mean(axis=1, keepdims=True)
        np.testing.assert_allclose(own, -potentials.mean(), atol=5e-3)
        np.testing.assert_allclose(found.rows, 1 / 24, atol=1e-5)


def test_the_method_passes_its_temperature_on():
    generator = np.random.default_rng(2)
    made, read = generator.normal(size=(2, 24, 16))
    norms = generator.uniform(1, 2, (2, 2, 24))
    likeness = Likeness(made, read, *((x, y[:16]) for x, y in norms))
    similarity = likeness.gain(16 / 24) - (norms[0, 0] + norms[1, 0])[:, None] / 2
    for epsilon, tau in ((0.5, 1.0), (0.5, 0.8)):
        found = Transport(epsilon, tau).coupling("g", likeness)
        expected = transport(similarity, Transport(epsilon, tau)).matrix
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_hotter_coupling_of_low_rank_is_flatter():
    similarity, _ = planted(24, 16)
    matrices = [transport(similarity, Transport(epsilon, rank=4)).matrix for epsilon in (0.05, 2.0)]
    cold, hot = (-(m * np.log(np.maximum(m, 1e-30))).sum() for m in matrices)
    assert cold + 0.1 < hot <= np.log(24 * 16) + 1e-3


@pytest.mark.parametrize("sizes", [(24, 24), (48, 24), (24, 48)])
def test_a_cold_coupling_finds_the_copies(sizes):
    n, m = sizes
    similarity, whose = planted(max(n, m), min(n, m))
    similarity = similarity if n >= m else similarity.T
    matrix = transport(similarity, Transport(0.01)).matrix
    np.testing.assert_array_equal((matrix if n >= m else matrix.T).argmax(axis=1), whose)


def test_a_hot_coupling_is_flat():
    matrix = transport(planted(24, 16)[0], Transport(1e4)).matrix
    np.testing.assert_allclose(matrix * matrix.size, 1, atol=2e-3)


def test_units_that_are_like_no_other_lose_mass_where_the_marginals_are_loose():
    similarity, _ = planted(24, 24)
    similarity[5] -= 30
    rows = transport(similarity, Transport(tau=0.9)).rows
    assert rows[5] < 0.1 * np.median(rows)
    assert transport(similarity, Transport()).rows[5] == pytest.approx(1 / 24, rel=1e-2)


def test_a_loose_coupling_of_low_rank_finds_the_clusters():
    generator = np.random.default_rng(3)
    clusters = np.repeat(np.arange(4), 16), np.repeat(np.arange(4), 8)
    centres = 5 * np.eye(4)
    a, b = (centres[c] + 0.1 * generator.normal(size=(len(c), 4)) for c in clusters)
    similarity = -((a[:, None] - b[None]) ** 2).sum(axis=-1)
    found = transport(similarity, Transport(0.01, tau=0.95, rank=4))
    assert np.linalg.matrix_rank(found.matrix, tol=1e-6) <= 4
    same = clusters[0][:, None] == clusters[1][None]
    assert found.matrix[same].sum() > 0.95 * found.matrix.sum()


@pytest.mark.slow
def test_two_thousand_units_take_seconds():
    import time

    similarity, whose = planted(2000, 2000, features=32)
    began = time.perf_counter()
    cold = transport(similarity, Transport())
    low = transport(similarity, Transport(rank=20))
    assert time.perf_counter() - began < 60
    assert (cold.matrix.argmax(axis=1) == whose).mean() > 0.99
    assert (low.matrix * similarity).sum() > similarity.mean()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epsilon": 0.0}, "epsilon is 0.0"),
        ({"tau": 1.5}, "tau is 1.5"),
        ({"tau": 0.0}, "tau is 0.0"),
        ({"rank": 0}, "rank is 0"),
        ({"anneal": 0.5}, "anneal is 0.5"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Transport(**settings)


def test_similarities_must_be_finite():
    with pytest.raises(MconnError, match="not finite"):
        transport(np.full((3, 2), np.nan), Transport())


def brute_force(similarity, allowed):
    import itertools

    wide, narrow = similarity.shape
    return max(
        similarity[np.arange(wide), given].sum()
        for given in itertools.product(range(narrow), repeat=wide)
        if allowed(np.bincount(given, minlength=narrow))
    )


@pytest.mark.parametrize("seed", range(5))
def test_semi_permutations_are_the_best_of_all(seed):
    similarity = np.random.default_rng(seed).normal(size=(7, 3))
    # One unit is everybody's best choice.
    similarity[:, 1] += 2
    given = semi_permutation(similarity)
    best = brute_force(similarity, lambda counts: counts.min() >= 1)
    assert similarity[np.arange(7), given].sum() == pytest.approx(best)
    given = semi_permutation(similarity, evenly=True)
    best = brute_force(similarity, lambda counts: counts.min() >= 2 and counts.max() <= 3)
    assert similarity[np.arange(7), given].sum() == pytest.approx(best)


def test_units_that_are_not_needed_may_stay_alone():
    similarity = -np.ones((5, 2))
    given = semi_permutation(similarity, least=0.0)
    assert sorted(given) == [NOBODY, NOBODY, NOBODY, 0, 1]
    matrix = shares(given)
    np.testing.assert_array_equal(matrix.sum(axis=0), 1)
    assert ((matrix > 0).sum(axis=1) <= 1).all()


def test_shares_are_the_nearest_that_sum_to_one():
    given = np.array([0, 0, 0, 1])
    wanted = np.array([[0.9, 0], [0.5, 0], [-1.0, 0], [0, 7.0]])
    np.testing.assert_allclose(shares(given, wanted)[:, 0], [0.7, 0.3, 0, 0])
    np.testing.assert_allclose(shares(given, wanted)[:, 1], [0, 0, 0, 1])


def test_semi_permutations_give_the_wider_to_the_narrower():
    with pytest.raises(ConfigError, match="2 units cannot be given to 3"):
        semi_permutation(np.zeros((2, 3)))
    with pytest.raises(ConfigError, match="cannot stay alone"):
        semi_permutation(np.zeros((3, 2)), evenly=True, least=0.0)
