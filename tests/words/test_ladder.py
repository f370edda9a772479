import jax
import numpy as np
import pytest

from mconn import align, symmetry
from mconn.errors import ConfigError, MconnError, StructureError
from mconn.words import RUNGS, AttributeModel, align_embeddings, embedding_symmetry, factorise, pmi
from mconn.words.coupling import products

PMI = pmi(AttributeModel((0.3, 0.4, 0.5, 0.6)).joint).matrix


def embedding(seed=0, words=20, contexts=15, dimension=6):
    rng = np.random.default_rng(seed)
    return {
        "words": rng.standard_normal((words, dimension)),
        "contexts": rng.standard_normal((contexts, dimension)),
    }


def map_of(kind, dimension=6):
    rng = np.random.default_rng(3)
    if kind == "permutation":
        return np.eye(dimension)[rng.permutation(dimension)]
    turn = np.linalg.qr(rng.standard_normal((dimension, dimension)))[0]
    if kind == "orthogonal":
        return turn
    return turn @ np.diag(np.geomspace(0.2, 5, dimension)) @ turn[::-1]


def test_the_group_of_an_embedding_is_general_linear(key):
    params = embedding()
    group = embedding_symmetry(params)
    (generator,) = group.generators
    assert (generator.kind, generator.size, generator.exact) == ("general linear", 6, True)
    powers = {site.leaf: site.power for site in generator.sites}
    assert powers["words"] == -powers["contexts"]
    symmetry.certify(group, products, params, key=key).check()


@pytest.mark.parametrize("kind", RUNGS[1:])
def test_a_planted_map_is_found_from_its_rung_on(kind):
    a = embedding()
    map_ = map_of(kind)
    b = {"words": a["words"] @ map_, "contexts": a["contexts"] @ np.linalg.inv(map_).T}
    with jax.enable_x64(True):
        found = align_embeddings(a, b)
    assert list(found) == list(RUNGS)
    size = np.sqrt(sum((leaf**2).sum() for leaf in a.values()))
    for place, rung in enumerate(RUNGS):
        if place < RUNGS.index(kind):
            assert found[rung].distance > 0.1 * size
        else:
            assert found[rung].distance < 1e-6 * size


def test_every_rung_is_closer_and_computes_the_same():
    a, b = embedding(0), embedding(1)
    with jax.enable_x64(True):
        found = align_embeddings(a, b)
        distances = [found[rung].distance for rung in RUNGS]
        assert (np.diff(distances) < 0).all()
        group = embedding_symmetry(a)
        for rung in found.values():
            np.testing.assert_allclose(products(rung.params), products(b), atol=1e-9)
            moved = symmetry.act(group, rung.element, b)
            np.testing.assert_allclose(moved["words"], rung.params["words"])
            gaps = [a[name] - rung.params[name] for name in a]
            assert rung.distance == pytest.approx(np.sqrt(sum((gap**2).sum() for gap in gaps)))
    assert found["naive"].match is None
    assert isinstance(found["orthogonal"].match, align.Match)
    np.testing.assert_array_equal(found["naive"].params["words"], b["words"])


def test_splits_of_the_singular_values_differ_by_more_than_a_rotation():
    a, b = (factorise(PMI, 5, power=power) for power in (0.5, 1.0))
    found = align_embeddings(a, b, ("orthogonal", "general linear"))
    assert list(found) == ["orthogonal", "general linear"]
    assert found["orthogonal"].distance > 1
    assert found["general linear"].distance < 1e-3


def test_embeddings_of_a_rank_below_their_dimension_are_aligned():
    params = factorise(PMI, 8)
    assert np.linalg.matrix_rank(params["words"], tol=1e-6) == 5
    map_ = map_of("orthogonal", 8)
    found = align_embeddings(params, {name: leaf @ map_ for name, leaf in params.items()})
    for rung in ("orthogonal", "general linear"):
        assert found[rung].distance < 1e-3


def test_what_is_no_embedding_is_refused():
    a = embedding()
    with pytest.raises(StructureError, match="the leaves are words: an embedding has words and"):
        align_embeddings({"words": a["words"]}, a)
    with pytest.raises(StructureError, match="give two matrices of the same dimension"):
        embedding_symmetry({"words": a["words"], "contexts": a["contexts"][:, :3]})
    with pytest.raises(StructureError, match="words"):
        align_embeddings(a, embedding(words=19))
    with pytest.raises(ConfigError, match="rung 'affine'"):
        align_embeddings(a, a, ("affine",))
    broken = a | {"words": np.full_like(a["words"], np.nan)}
    with pytest.raises(MconnError, match="words"):
        align_embeddings(a, broken)
