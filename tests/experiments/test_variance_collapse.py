"""The studies of repaired networks."""

import dataclasses

import pytest

from configs import normaliser_repair, variance_collapse
from experiments.collapse.sweep import RepairedSweep
from experiments.collapse.variance import METHODS
from mconn import experiment
from mconn.errors import ConfigError


@pytest.mark.slow
def test_the_deep_network_collapses_and_is_repaired(tmp_path):
    folder = experiment.run(variance_collapse.smoke(), tmp_path)
    failed = [claim["statement"] for claim in folder.record["claims"] if not claim["holds"]]
    assert not failed
    profile = folder.table("profile").to_pylist()
    assert {row["method"] for row in profile} == set(METHODS)
    ratios = folder.table("ratios").to_pylist()
    assert {row["layer"] for row in ratios} == {1, 2, 3, 4, 5}


@pytest.mark.slow
def test_both_normalisers_are_compared(tmp_path):
    folder = experiment.run(normaliser_repair.smoke(), tmp_path)
    rows = folder.table("headline").to_pylist()
    assert {row["normaliser"] for row in rows} == {"BatchNorm", "LayerNorm"}
    controls = [claim for claim in folder.record["claims"] if claim["source"] == "control"]
    assert len(controls) == 4
    assert all(claim["holds"] for claim in controls)
    same = [c for c in folder.record["claims"] if c["statement"].startswith("REPAIR of a network")]
    assert [claim["holds"] for claim in same] == [True]


def test_published_numbers_belong_to_the_published_size_only():
    assert not variance_collapse.variance_collapse().expected
    assert dict(variance_collapse.gpu(512).expected)["activations", "REPAIR"] == 73.5
    assert not normaliser_repair.normaliser_repair().expected
    assert len(normaliser_repair.gpu(16).expected) == 4


def test_one_seed_has_no_line():
    for build in (variance_collapse.variance_collapse, normaliser_repair.normaliser_repair):
        with pytest.raises(ConfigError, match="a line needs two networks"):
            build(seeds=1)


@pytest.mark.parametrize("points", [2, 4])
def test_the_midpoint_must_be_a_point(points):
    stages = variance_collapse.smoke().stages()
    sweep = next(stage for stage in stages.values() if isinstance(stage, RepairedSweep))
    with pytest.raises(ConfigError, match="an odd number"):
        dataclasses.replace(sweep, points=points)
