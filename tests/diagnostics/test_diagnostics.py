from dataclasses import replace

import jax
import numpy as np
import pytest

from mconn import symmetry, trees
from mconn.data import DataConfig, load
from mconn.diagnostics import (
    MATCHED,
    NAIVE,
    SAMPLE_SPACE,
    SIMILARITY,
    TURNED,
    Classes,
    Contrast,
    Diagnostics,
    ReferenceSimilarity,
    RunningBarrier,
    SubspaceAngles,
    directions,
    table,
)
from mconn.errors import ConfigError, DataError
from mconn.models import MLP
from mconn.training import TrainConfig, train

CONFIG = TrainConfig(MLP(width=16, depth=2), DataConfig("digits"), seeds=(3, 5), epochs=2)
MEASURES = (RunningBarrier(points=5), ReferenceSimilarity(), SubspaceAngles())
LABELS = np.array([0, 0, 1, 1, 1, 2])


@pytest.fixture(scope="module")
def digits():
    return load(CONFIG.data)


@pytest.fixture(scope="module")
def watch(digits):
    return Diagnostics(CONFIG, digits, MEASURES, examples=300)


@pytest.fixture(scope="module")
def permuted(watch):
    """A network and a copy with permuted units."""
    random = np.random.default_rng(0)
    shapes = jax.eval_shape(CONFIG.model.init, jax.random.key(0), np.zeros((1, 8, 8, 1)))
    first = jax.tree.map(
        lambda leaf: random.normal(size=leaf.shape, scale=0.3).astype(np.float32), shapes
    )
    element = {
        generator.name: random.permutation(generator.size) for generator in watch.group.generators
    }
    copy = trees.to_numpy(symmetry.act(watch.group, element, first))
    return jax.tree.map(lambda *leaves: np.stack(leaves), first, copy)


def of(observed, quantity):
    """The numbers of one quantity, whatever the layer and the networks."""
    return np.array([value for name, value in observed.items() if name.startswith(quantity)])


def test_what_a_permutation_can_change_and_what_it_cannot(watch, permuted):
    found = watch.measure(permuted, permuted)
    assert of(found, MATCHED) < 1e-5
    np.testing.assert_allclose(of(found, SIMILARITY), 1, atol=1e-5)
    assert (of(found, SAMPLE_SPACE) < 0.1).all()
    assert (of(found, TURNED) < 1e-3).all()


def test_a_training_is_tracked_from_its_start(watch, digits):
    shown = []
    watch = Diagnostics(CONFIG, digits, MEASURES, examples=300, show=shown.append)
    trained = train(CONFIG, digits, observer=watch)
    assert len(shown) == CONFIG.epochs + 1
    rows = table(trained.observed).to_pylist()
    assert len(rows) == 3 * len(watch.names)
    turned = [row["value"] for row in rows if row["quantity"].startswith(TURNED)]
    assert turned[0] == pytest.approx(0, abs=1e-3)
    assert max(turned) > 5
    assert {row["networks"] for row in rows} == {"3-5", "3", "5"}


def test_the_barrier_is_shown_beside_the_progress(watch):
    observed = {name: np.array([0.5, np.nan]) for name in watch.names}
    assert watch.show(observed) == {f"{NAIVE} 3-5": 0.5, f"{MATCHED} 3-5": 0.5}


def test_an_attribute_of_one_dimension_turns_within_ninety_degrees(digits, permuted):
    contrast = SubspaceAngles(Contrast("even", (0, 2, 4, 6, 8), (1, 3, 5, 7, 9)))
    watch = Diagnostics(CONFIG, digits, [contrast], examples=300)
    other = jax.tree.map(lambda leaf: leaf[::-1], permuted)
    found = watch.measure(permuted, other)
    assert all(0 <= value <= 90 for value in found.values())
    assert of(found, TURNED).min() > 10


def test_what_cannot_be_tracked_is_refused(digits):
    with pytest.raises(ConfigError, match="two networks are compared"):
        Diagnostics(replace(CONFIG, seeds=(0,)), digits, MEASURES)
    with pytest.raises(ConfigError, match="nothing to measure"):
        Diagnostics(CONFIG, digits, [])


def test_subspaces_hold_the_differences_of_the_means_of_classes():
    features = np.random.default_rng(0).normal(size=(6, 5))
    means = np.array([features[label == LABELS].mean(axis=0) for label in range(3)])
    found = directions(features, Classes()(LABELS))
    assert found.shape == (5, 2)
    for difference in means[1:] - means[0]:
        inside = found @ np.linalg.lstsq(found, difference, rcond=None)[0]
        np.testing.assert_allclose(inside, difference, atol=1e-12)
    contrast = Contrast("first", (0,), (1, 2))
    found = directions(features, contrast(LABELS))
    expected = features[:2].mean(axis=0) - features[2:].mean(axis=0)
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-12)
    for attribute in (Classes(), contrast):
        np.testing.assert_allclose(attribute(LABELS).mean(axis=0), 0, atol=1e-15)


def test_labels_without_an_attribute_are_refused():
    with pytest.raises(DataError, match=r"all labels are \[3\]: an attribute needs two classes"):
        Classes()(np.array([3, 3]))
    with pytest.raises(DataError, match="one side of the contrast 'far'"):
        Contrast("far", (0,), (7,))(LABELS)
    for sides in (((), (1,)), ((0, 1), (1, 2))):
        with pytest.raises(ConfigError, match="needs classes on both sides, and none on both"):
            Contrast("odd", *sides)
