"""The study of embeddings on lines."""

import jax.numpy as jnp
import numpy as np

from experiments.words.dimension_stages import treated
from experiments.words.ladder_stages import own_orbit, turned_around
from mconn import words

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


def test_clipping_and_shifting_change_what_is_factorised():
    joint = words.AttributeModel((0.3, 0.5)).joint
    plain, power = treated(joint, "PMI")
    assert power == 0.5
    np.testing.assert_allclose(treated(joint, "PMI - log 5")[0], plain - np.log(5), atol=1e-12)
    assert treated(joint, "PMI, p = 1")[1] == 1.0
    clipped = treated(joint, "positive PMI")[0]
    np.testing.assert_array_equal(clipped, np.maximum(plain, 0))
    assert (plain < 0).any()
