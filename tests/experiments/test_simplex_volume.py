"""The study of simplexes of low loss."""

import dataclasses

import numpy as np
import pytest

from configs import simplex_volume
from experiments.curves.volume_stages import GROWN, METHODS, RANDOM, formula_errors
from mconn import experiment
from mconn.errors import ConfigError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return experiment.run(simplex_volume.smoke(), tmp_path_factory.mktemp("results"))


@pytest.mark.slow
def test_all_claims_hold_at_a_small_size(folder):
    failed = [claim["statement"] for claim in folder.record["claims"] if not claim["holds"]]
    assert not failed


@pytest.mark.slow
def test_every_complex_is_measured_on_both_splits(folder):
    rows = folder.table("complexes").to_pylist()
    found = {(row["pair"], row["method"], row["vertices"], row["split"]) for row in rows}
    assert found == {
        (pair, method, vertices, split)
        for pair in ("0-1", "2-3")
        for method in METHODS
        for vertices in (3, 4)
        for split in ("train", "test")
    }
    assert len(rows) == len(found)


@pytest.mark.slow
def test_the_random_control_is_as_high_as_the_fitted_complex(folder):
    heights = {
        method: [
            row["height"]
            for row in folder.table("complexes").to_pylist()
            if row["method"] == method
        ]
        for method in (GROWN, RANDOM)
    }
    np.testing.assert_allclose(heights[GROWN], heights[RANDOM], rtol=1e-4)


def test_volumes_of_regular_simplexes_are_exact():
    errors = formula_errors()
    assert errors["float32"] < 1e-6
    assert errors["float64"] < 1e-12


def test_sizes_without_a_complex_are_refused():
    with pytest.raises(ConfigError, match="there are 5 seeds"):
        simplex_volume.simplex_volume(seeds=5).stages()
    with pytest.raises(ConfigError, match="there are 4 seeds: the control of 6 vertices"):
        simplex_volume.simplex_volume(seeds=4).stages()
    with pytest.raises(ConfigError, match="connectors is 0"):
        dataclasses.replace(simplex_volume.smoke(), connectors=0).stages()


def test_the_size_for_an_accelerator_is_a_study_too():
    assert len(simplex_volume.gpu().stages()) == 2
