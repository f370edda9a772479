import numpy as np
import pytest

from mconn.diagnostics import Classes, Contrast, directions
from mconn.errors import ConfigError, DataError

LABELS = np.array([0, 0, 1, 1, 1, 2])


def test_the_subspace_of_the_classes_holds_all_differences_of_their_means():
    features = np.random.default_rng(0).normal(size=(6, 5))
    means = np.array([features[label == LABELS].mean(axis=0) for label in range(3)])
    found = directions(features, Classes()(LABELS))
    assert found.shape == (5, 2)
    for difference in means[1:] - means[0]:
        inside = found @ np.linalg.lstsq(found, difference, rcond=None)[0]
        np.testing.assert_allclose(inside, difference, atol=1e-12)


def test_a_contrast_is_the_difference_of_two_means():
    features = np.random.default_rng(0).normal(size=(6, 5))
    found = directions(features, Contrast("first", (0,), (1, 2))(LABELS))
    expected = features[:2].mean(axis=0) - features[2:].mean(axis=0)
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-12)


def test_codes_have_the_mean_zero():
    for attribute in (Classes(), Contrast("first", (0,), (2,))):
        np.testing.assert_allclose(attribute(LABELS).mean(axis=0), 0, atol=1e-15)


def test_one_class_is_no_attribute():
    with pytest.raises(DataError, match=r"all labels are \[3\]: an attribute needs two classes"):
        Classes()(np.array([3, 3]))


def test_a_side_without_examples_is_refused():
    with pytest.raises(DataError, match="one side of the contrast 'far'"):
        Contrast("far", (0,), (7,))(LABELS)


@pytest.mark.parametrize(("positive", "negative"), [((), (1,)), ((0, 1), (1, 2))])
def test_a_contrast_needs_two_sides(positive, negative):
    with pytest.raises(ConfigError, match="needs classes on both sides, and none on both"):
        Contrast("odd", positive, negative)
