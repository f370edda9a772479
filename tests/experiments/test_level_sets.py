import numpy as np
import pytest

from experiments.symmetry.level_sets import (
    Factors,
    build_roadmap,
    flood_fill,
    largest_loss,
    line,
    mixed_components,
    random_factors,
    scalar_losses,
    stay_on_minimum,
)

AXIS = np.linspace(-2.5, 2.5, 61)


@pytest.mark.parametrize("points", [41, 60, 61])
@pytest.mark.parametrize(
    ("depth", "skip", "count"), [(2, 0.0, 2), (3, 0.0, 4), (3, 1.0, 3), (3, -0.5, 3)]
)
def test_scalar_networks_have_the_proven_number_of_components(depth, skip, count, points):
    axis = np.linspace(-2.5, 2.5, points)
    assert flood_fill(scalar_losses(axis, depth, skip), 0.5)[1] == count


def test_regions_are_told_apart_by_the_signs_of_the_weights():
    labels, count = flood_fill(scalar_losses(AXIS, 3, 0.0), 0.5)
    first, second, third = np.meshgrid(AXIS, AXIS, AXIS, indexing="ij")
    signs = {
        label: {
            tuple(sign)
            for sign in zip(
                *(np.sign(w[labels == label]) for w in (first, second, third)), strict=True
            )
        }
        for label in range(1, count + 1)
    }
    assert all(len(each) == 1 for each in signs.values())
    assert all(np.prod(sign) == 1 for each in signs.values() for sign in each)


def test_losses_are_those_of_the_product():
    losses = scalar_losses(np.array([-1.0, 0.5, 2.0]), 3, 0.25)
    assert losses[2, 1, 0] == pytest.approx((1 - -1.0 * (0.5 * 2.0 + 0.25)) ** 2)


@pytest.mark.parametrize("skip", [0.0, 1.0])
@pytest.mark.parametrize("width", [1, 2, 3])
def test_a_line_stays_exactly_if_the_determinant_keeps_its_sign(width, skip):
    factors = random_factors(np.random.default_rng(1), 30, width, skip)
    starts, ends = np.triu_indices(30, 1)
    fine = [
        np.linalg.det(line(factors, starts, ends, t).product()) for t in np.linspace(0, 1, 3001)
    ]
    keeps = (np.min(fine, axis=0) > 0) | (np.max(fine, axis=0) < 0)
    stays = stay_on_minimum(factors, starts, ends)
    assert 0 < stays.sum() < len(stays)
    # What no sign shows is a pair of roots between two of the fine points.
    assert not (stays & ~keeps).any()
    assert (keeps & ~stays).mean() < 0.01


@pytest.mark.parametrize(
    ("width", "skip", "count"), [(1, 0.0, 4), (1, 1.0, 3), (2, 0.0, 4), (2, 1.0, 2)]
)
def test_the_roadmap_finds_all_components(width, skip, count):
    random = np.random.default_rng(0)
    roadmap = build_roadmap(random_factors(random, 150, width, skip))
    assert len(np.unique(roadmap.components())) == count
    assert mixed_components(roadmap) == 0
    data, targets = random.normal(size=(2, width, width))
    assert largest_loss(roadmap, data, targets, 9) < 1e-9


def test_the_components_without_a_skip_are_the_signs_of_the_determinants():
    roadmap = build_roadmap(random_factors(np.random.default_rng(3), 150, 2, 0.0))
    signs = np.stack(
        [np.sign(np.linalg.det(each)) for each in (roadmap.factors.first, roadmap.factors.second)]
    )
    for label in np.unique(roadmap.components()):
        chosen = signs[:, roadmap.components() == label]
        assert (chosen == chosen[:, :1]).all()


def test_a_path_that_leaves_the_minimum_is_seen():
    first = np.array([[[1.0]], [[-1.0]]])
    roadmap = build_roadmap(Factors(first, np.ones_like(first), 0.0))
    assert not len(roadmap.starts)
    assert roadmap.components().tolist() == [0, 1]
