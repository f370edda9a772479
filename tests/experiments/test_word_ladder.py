"""The study of embeddings on lines."""

import jax.numpy as jnp
import numpy as np
import pytest

from configs import word_ladder
from experiments.words.ladder_stages import WordTraining, own_orbit, turned_around
from mconn import experiment, words
from mconn.errors import ConfigError
from mconn.experiment.tables import numbers, where

MODEL = words.AttributeModel((0.3, 0.4, 0.5))


def embedding():
    found = words.factorise(words.pmi(MODEL.joint).matrix, 4)
    return {name: leaf.astype(np.float32) for name, leaf in found.items()}


def products(params):
    return np.asarray(params["words"] @ params["contexts"].T)


def test_a_reversed_attribute_changes_no_product_and_is_lost_half_way():
    params = embedding()
    turned = turned_around(params, MODEL.pairs(0))
    np.testing.assert_allclose(products(turned), products(params), atol=1e-5)
    half_way = (params["words"] + turned["words"]) / 2
    values = np.linalg.svd(half_way, compute_uv=False)
    assert values[-1] < 1e-6
    assert np.linalg.svd(params["words"], compute_uv=False)[-1] > 0.1


def test_an_orbit_leaves_every_product_as_it_is_and_moves_the_words():
    params = embedding()
    curve = own_orbit(params)
    end = curve(jnp.ones(()))
    np.testing.assert_allclose(products(end), products(params), atol=1e-5)
    assert np.abs(np.asarray(end["words"]) - params["words"]).max() > 0.05


def test_one_embedding_has_no_line():
    with pytest.raises(ConfigError, match="a line needs two embeddings"):
        WordTraining(MODEL, 5, 10, 1)
    with pytest.raises(ConfigError, match="a dimension to spare"):
        WordTraining(MODEL, 4, 10, 2)


def test_known_numbers_belong_to_the_known_size_only():
    assert word_ladder.word_ladder().expected
    assert not word_ladder.smoke().expected


@pytest.mark.slow
def test_the_barrier_goes_with_the_group_and_the_answers_stay(tmp_path):
    folder = experiment.run(word_ladder.smoke(), tmp_path)
    claims = {claim["statement"]: claim["holds"] for claim in folder.record["claims"]}
    for beginning in (
        "permutations are not the symmetry of an embedding",
        "analogies fall where the blend loses a dimension",
        "attribute subspaces turn by large angles in neuron space",
        "in sample space",
    ):
        held = [holds for statement, holds in claims.items() if statement.startswith(beginning)]
        assert held == [True], beginning
    barriers = folder.table("barriers")
    naive, general = (numbers(where(barriers, rung=rung), "barrier") for rung in words.RUNGS[::3])
    assert naive.min() > 0.01 > general.max()
