import jax
import numpy as np
import pytest

from mconn import symmetry
from mconn.align.unequal.likeness import UnequalActivations, quantiles
from mconn.align.unequal.match import match_unequal
from mconn.align.unequal.methods import Assignment, SemiPermutation, Transport, shares
from mconn.align.unequal.soft import carry
from mconn.errors import ConfigError, DataError, MconnError, StructureError, SymmetryError
from tests.align.unequal_networks import INPUTS, network, outputs

WIDTHS = {"mlp": ((6, 5), (12, 10)), "cnn": ((5, 4), (10, 8)), "residual": ((6, 5), (12, 10))}
METHODS = ["semi-permutation", "assignment", "transport"]


def planted(name, seed=0, noise=0.0):
    """A narrow network, a wide one made of copies of its units, and whose copies they are."""
    apply, here, narrow = network(name, WIDTHS[name][0], seed)
    _, there, _ = network(name, WIDTHS[name][1])
    generator = np.random.default_rng(seed)
    sizes = symmetry.permutations(here).sizes
    whose = {k: generator.permutation(np.arange(there.sizes[k]) % n) for k, n in sizes.items()}
    wide = carry(here, there, {k: shares(w) for k, w in whose.items()}, narrow)
    wide = {k: v + noise * generator.normal(size=v.shape) * v.std() for k, v in wide.items()}
    return apply, (there, wide), (here, narrow), whose


@pytest.mark.parametrize("name", WIDTHS)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("start", ["profile", "order"])
def test_planted_copies_are_found(name, seed, start):
    _, wide, narrow, whose = planted(name, seed)
    found = match_unequal(*wide, *narrow, start=start)
    if start == "order":
        # Taken in the networks' order, it may end in a local optimum.
        assert np.all(np.diff(found.history) > 0)
        return
    for generator, expected in whose.items():
        np.testing.assert_array_equal(found.maps[generator].argmax(axis=1), expected)
    assert found.objective == pytest.approx(0, abs=1e-9)
    for into, (_, params) in (("a", wide), ("b", narrow)):
        merged = found.merge(into)
        for leaf, value in params.items():
            np.testing.assert_allclose(merged[leaf], value, atol=1e-9)


@pytest.mark.parametrize("name", WIDTHS)
@pytest.mark.parametrize("method", METHODS)
def test_either_network_may_be_the_wider(name, method):
    _, wide, narrow, _ = planted(name, noise=0.3)
    first = match_unequal(*wide, *narrow, method=method)
    second = match_unequal(*narrow, *wide, method=method)
    assert first.objective == second.objective
    for generator, matrix in first.maps.items():
        np.testing.assert_array_equal(second.maps[generator], matrix.T)
    for into, other in (("a", "b"), ("b", "a")):
        x, y = first.merge(into, 0.3), second.merge(other, 0.7)
        for leaf, value in x.items():
            np.testing.assert_allclose(y[leaf], value, atol=1e-12)


@pytest.mark.parametrize("name", WIDTHS)
@pytest.mark.parametrize("method", ["semi-permutation", "assignment"])
def test_the_narrow_network_computes_the_same_in_the_wide_architecture(name, method):
    apply, (group, wide), _, _ = planted(name)
    _, there, narrow = network(name, WIDTHS[name][0], seed=9)
    found = match_unequal(group, wide, there, narrow, method=method)
    np.testing.assert_allclose(
        outputs(apply, found.carried("a")), outputs(apply, narrow), atol=1e-12
    )
    np.testing.assert_allclose(outputs(apply, found.merge("a", 1.0)), outputs(apply, narrow))
    for into, weight, end in (("a", 0.0, wide), ("b", 1.0, narrow)):
        merged = found.merge(into, weight)
        np.testing.assert_allclose(outputs(apply, merged), outputs(apply, end), atol=1e-12)
    assert all(np.diff(found.history) > 0)


def test_an_unmatched_unit_is_kept_and_sends_out_its_share():
    _, (group, wide), (there, narrow), _ = planted("mlp", noise=0.5)
    found = match_unequal(group, wide, there, narrow, method="assignment")
    first = next(name for name, size in group.sizes.items() if size == 12)
    second = next(name for name, size in group.sizes.items() if size == 10)
    alone, none = found.unmatched[first]
    assert len(alone) == 6
    assert len(none) == 0
    merged = found.merge("a", 0.25)
    np.testing.assert_allclose(merged["w0"][:, alone], wide["w0"][:, alone])
    np.testing.assert_allclose(merged["b0"][alone], wide["b0"][alone])
    apart, _ = found.unmatched[second]
    matched = np.setdiff1d(np.arange(10), apart)
    np.testing.assert_allclose(
        merged["w1"][np.ix_(alone, matched)], 0.75 * wide["w1"][np.ix_(alone, matched)]
    )
    np.testing.assert_allclose(merged["w1"][:, apart], wide["w1"][:, apart])


@pytest.mark.parametrize("method", [SemiPermutation(evenly=False, least=0.0), Transport(tau=0.8)])
def test_loose_methods_run(method):
    apply, wide, narrow, _ = planted("mlp", noise=0.5)
    found = match_unequal(*wide, *narrow, method=method)
    assert np.isfinite(outputs(apply, found.merge("a"))).all()


def test_fitted_shares_bring_the_networks_closer():
    _, wide, _, _ = planted("mlp", noise=0.5)
    _, there, narrow = network("mlp", WIDTHS["mlp"][0], seed=3)
    equal, fitted = (
        match_unequal(*wide, there, narrow, method=SemiPermutation(fitted=each), sweeps=0)
        for each in (False, True)
    )
    assert fitted.objective > equal.objective
    for matrix in fitted.maps.values():
        np.testing.assert_allclose(matrix.sum(axis=0), 1)


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("name", ["mlp", "residual"])
def test_copies_are_found_by_their_activations(name, centred):
    apply, wide, narrow, whose = planted(name)
    cost = UnequalActivations(apply, apply, INPUTS.astype(np.float32), centred, batch_size=20)
    found = match_unequal(*wide, *narrow, cost=cost)
    for generator, expected in whose.items():
        np.testing.assert_array_equal(found.maps[generator].argmax(axis=1), expected)
    if name == "mlp":
        # Every copy is perfectly correlated with its unit, in each of three layers.
        assert found.objective == pytest.approx(3, rel=1e-5)


def test_margins_tell_how_sure_a_match_is():
    _, wide, narrow, _ = planted("mlp", noise=0.1)
    found = match_unequal(*wide, *narrow)
    for name, gaps in found.margins.items():
        assert gaps.shape == (wide[0].sizes[name],)
        assert (gaps > 0).all()


def test_quantiles_are_means_of_the_quantile_function():
    np.testing.assert_allclose(quantiles(np.array([1.0, 2, 3, 4]), 2), [1.5, 3.5])
    np.testing.assert_allclose(quantiles(np.array([1.0, 4]), 4), [1, 1, 4, 4])
    np.testing.assert_allclose(quantiles(np.array([1.0, 4]), 3), [1, 2.5, 4])
    values = np.sort(np.random.default_rng(0).normal(size=(3, 7)), axis=-1)
    np.testing.assert_allclose(quantiles(values, 5).mean(axis=-1), values.mean(axis=-1))
    np.testing.assert_allclose(quantiles(values, 7), values)


def test_what_cannot_be_matched_is_refused():
    apply, (group, wide), (there, narrow), _ = planted("mlp")
    _, cnn, images = network("cnn", (5, 4))
    with pytest.raises(StructureError, match=r"the generator '.*' of . is missing in ."):
        match_unequal(group, wide, cnn, images)
    with pytest.raises(ConfigError, match="did you mean 'transport'"):
        match_unequal(group, wide, there, narrow, method="transprt")
    with pytest.raises(ConfigError, match="start 'random' is unknown"):
        match_unequal(group, wide, there, narrow, start="random")
    with pytest.raises(ConfigError, match=r"rank 6 is more than the \d units of the generator"):
        match_unequal(group, wide, there, narrow, method=Transport(rank=6))
    with pytest.raises(MconnError, match="leaf 'w0' of b is not finite"):
        match_unequal(group, wide, there, {**narrow, "w0": narrow["w0"] * np.nan})
    with pytest.raises(StructureError, match="leaf 'b0' has shape"):
        match_unequal(group, narrow, there, narrow)
    found = match_unequal(group, wide, there, narrow, method=Assignment())
    with pytest.raises(ConfigError, match="into 'c' is unknown"):
        found.merge("c")
    with pytest.raises(ConfigError, match=r"weight is -1\.0"):
        found.merge("a", -1.0)
    cost = UnequalActivations(apply, apply, INPUTS[:1].astype(np.float32))
    with pytest.raises(DataError, match="at least two examples"):
        match_unequal(group, wide, there, narrow, cost=cost)


def test_tied_weights_of_other_widths_are_refused():
    def tied(params, x):
        return jax.nn.relu(x @ params["w"]) @ params["w"].T

    networks = []
    for width in (4, 6):
        params = {"w": np.random.default_rng(width).normal(size=(16, width))}
        networks += [symmetry.discover(tied, params, INPUTS[:2]), params]
    with pytest.raises(SymmetryError, match="leaf 'w' both makes and reads"):
        match_unequal(*networks)
