"""The study of fitted surfaces."""

import dataclasses

import numpy as np
import pytest

from configs import bezier_surface, simplex_volume
from experiments.curves.surface_stages import grid_of
from mconn import experiment
from mconn.errors import ConfigError
from mconn.experiment.stages import Train
from mconn.paths.domain import SIMPLEX, SQUARE


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return experiment.run(bezier_surface.smoke(), tmp_path_factory.mktemp("results"))


@pytest.mark.slow
def test_all_claims_hold_at_a_small_size(folder):
    failed = [claim["statement"] for claim in folder.record["claims"] if not claim["holds"]]
    assert not failed
    assert len(folder.record["claims"]) == 8


@pytest.mark.slow
def test_every_point_of_every_surface_is_measured_on_both_splits(folder):
    rows = folder.table("map").to_pylist()
    for shape, method, points in (
        ("square", "bilinear", 49),
        ("square", "fitted", 49),
        ("triangle", "flat", 28),
        ("triangle", "fitted", 28),
    ):
        for split in ("train", "test"):
            chosen = [
                row
                for row in rows
                if (row["shape"], row["method"], row["split"]) == (shape, method, split)
            ]
            assert len(chosen) == points
            assert sum(row["is_corner"] for row in chosen) == (4 if shape == "square" else 3)


@pytest.mark.slow
def test_the_corners_are_the_same_networks_with_and_without_a_fit(folder):
    losses = {}
    for row in folder.table("map").to_pylist():
        if row["is_corner"]:
            place = (row["shape"], row["split"], row["u"], row["v"])
            losses.setdefault(place, []).append(row["loss"])
    assert len(losses) == 2 * (4 + 3)
    for pair in losses.values():
        assert np.ptp(pair) < 1e-6


@pytest.mark.parametrize("points", [2, 3, 8, 21])
def test_grids_lie_in_their_domains_and_have_the_corners(points):
    square, triangle = grid_of("square", points), grid_of("triangle", points)
    SQUARE.check(square)
    SIMPLEX.check(triangle)
    assert (len(square), len(triangle)) == (points**2, points * (points + 1) // 2)
    assert (triangle == 1).any(axis=1).sum() == 3


def test_sizes_that_make_no_surface_are_refused():
    with pytest.raises(ConfigError, match="degree is 1"):
        bezier_surface.bezier_surface(degree=1).stages()
    stage = bezier_surface.smoke().stages()["square"]
    train = Train(simplex_volume.simplex_volume(seeds=6).train)
    with pytest.raises(ConfigError, match="there are 6 seeds"):
        dataclasses.replace(stage, train=train)


def test_the_size_for_an_accelerator_is_a_study_too():
    assert len(bezier_surface.gpu().stages()) == 3
