import dataclasses

import numpy as np
import pytest
from notes import Notes

from configs.barrier_vs_depth import barrier_vs_depth
from configs.barrier_vs_epochs import barrier_vs_epochs, gpu as gpu_epochs
from configs.barrier_vs_width import barrier_vs_width, gpu as gpu_width
from experiments.lines.scaling_claims import shape_claims
from mconn import experiment
from mconn.errors import ConfigError

METHODS = ("naive", "weights", "random")


def small(**changes):
    study = barrier_vs_width(widths=(8, 16), seeds=2, epochs=4, points=5)
    return dataclasses.replace(study, methods=METHODS, **changes)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def folder(results):
    return experiment.run(small(), results)


def test_there_is_a_row_for_every_width_method_and_split(folder):
    rows = folder.table("estimates").to_pylist()
    chords = [row for row in rows if row["kind"] == "chord"]
    found = {(row["width"], row["method"], row["split"]) for row in chords}
    assert len(found) == len(chords) == 2 * len(METHODS) * 2


def test_the_loss_of_the_ends_stands_beside_every_barrier(folder):
    headline = folder.table("headline").to_pylist()
    assert [row["width"] for row in headline] == [8, 16]
    ends = folder.table("ends").to_pylist()
    assert len(ends) == 2 * 2 * 2
    for row in headline:
        losses = [e["loss"] for e in ends if (e["width"], e["split"]) == (row["width"], "train")]
        assert row["end train loss"] == pytest.approx(np.mean(losses), rel=5e-3)


def test_a_study_without_known_numbers_claims_only_the_controls(folder):
    assert {claim["source"] for claim in folder.record["claims"]} == {"control"}
    assert all(claim["holds"] for claim in folder.record["claims"][1:])


def test_studies_share_their_networks(folder, results):
    notes = Notes()
    study = barrier_vs_depth(depths=(1, 2), width=16, seeds=2, epochs=4, points=5)
    experiment.run(dataclasses.replace(study, methods=("naive",)), results, progress=notes)
    stored = [line for line in notes.lines if "from the store" in line]
    assert [line.split(":")[0] for line in stored] == ["train 2", "sweep naive 2"]


def test_the_default_sizes_have_known_numbers_and_the_large_ones_have_none():
    assert len(barrier_vs_width().expected) == 4 * 3
    assert len(barrier_vs_depth().expected) == 3 * 3
    assert len(barrier_vs_epochs().expected) == 6 * 3
    assert barrier_vs_width(depth=3).expected == ()
    assert gpu_width().places == (32, 128, 512, 2048, 4096)
    assert gpu_epochs().places == (1, 3, 10, 30, 100)


def test_shapes_are_judged_step_by_step():
    naive, matched = [0.1, 1.0, 1.2], [0.05, 0.4, 0.1]
    means = {
        (method, "train", place): value
        for method, values in (("naive", naive), ("weights", matched))
        for place, value in zip((1, 10, 100), values, strict=True)
    }
    rise, hump = shape_claims("epochs", (1, 10, 100), ("naive", "weights"), means)
    assert rise.holds
    assert hump.holds
    assert [c.holds for c in shape_claims("width", (1, 10, 100), ("naive",), means)] == [False]
    assert [c.holds for c in shape_claims("depth", (1, 10, 100), ("naive",), means)] == [True]
    means["weights", "train", 100] = 0.3
    assert not shape_claims("epochs", (1, 10, 100), ("weights",), means)[0].holds


@pytest.mark.parametrize("widths", [(16,), (16, 8), (8, 8)])
def test_places_must_ascend(widths):
    with pytest.raises(ConfigError, match="in ascending order"):
        barrier_vs_width(widths=widths)


def test_one_seed_has_no_line():
    with pytest.raises(ConfigError, match="a line needs two networks"):
        barrier_vs_width(seeds=1)
