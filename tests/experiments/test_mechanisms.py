"""The study of mechanisms."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.mechanisms.digits import SETS, STRENGTH, cue_sets, with_cue
from experiments.mechanisms.finetuning import class_means, penultimate
from mconn.data import Split
from mconn.models import MLP


def images(count: int = 40) -> Split:
    random = np.random.default_rng(0)
    inputs = random.uniform(0.1, 1, size=(count, 3, 3, 1)).astype(np.float32)
    return Split(inputs, np.arange(count, dtype=np.int32) % 10)


def test_the_sets_differ_in_cue_and_image_alone():
    split = images()
    sets = cue_sets(split)
    assert tuple(sets) == SETS
    pixels = np.asarray(split.inputs).reshape(40, -1)
    cues = {name: each.inputs[:, 9:] for name, each in sets.items()}
    for name, each in sets.items():
        np.testing.assert_array_equal(each.labels, split.labels)
        kept = np.array_equal(each.inputs[:, :9], pixels)
        assert kept == (name != "RI")
    assert not cues["NC"].any()
    for name in ("C", "RI"):
        np.testing.assert_array_equal(cues[name], STRENGTH * np.eye(10)[split.labels])
    shown = cues["RC"].argmax(axis=1)
    assert (cues["RC"].sum(axis=1) == STRENGTH).all()
    assert 0 < (shown == split.labels).sum() < 20
    np.testing.assert_array_equal(
        np.sort(sets["RI"].inputs[:, :9], axis=0), np.sort(pixels, axis=0)
    )


def test_cues_are_drawn_alike_for_one_seed():
    split = images()
    first, second, other = (with_cue(split, "random", seed).inputs for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_the_last_layer_reads_the_penultimate_representation():
    model, split = MLP(width=6, depth=2), images()
    inputs = with_cue(split, "true").inputs
    params = model.init(jax.random.key(0), inputs)
    features = penultimate(model, params, inputs)
    last = params["params"]["Dense_2"]
    np.testing.assert_allclose(
        features @ last["kernel"] + last["bias"], model.apply(params, inputs), rtol=1e-5, atol=1e-6
    )


def test_a_class_that_is_absent_has_a_mean_of_zero_and_a_gradient():
    labels = jnp.array([0, 0, 3])
    features = jnp.array([[3.0, 0.0], [3.0, 8.0], [0.0, 2.0]])
    means = class_means(features, labels)
    np.testing.assert_allclose(means[0], [0.6, 0.8], rtol=1e-6)
    np.testing.assert_allclose(means[3], [0.0, 1.0], rtol=1e-6)
    assert not means[jnp.array([1, 2, 4, 5, 6, 7, 8, 9])].any()
    gradient = jax.grad(lambda each: class_means(each, labels).sum())(features)
    assert jnp.isfinite(gradient).all()
