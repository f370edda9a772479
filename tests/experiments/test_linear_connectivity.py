import dataclasses

import pytest
from notes import Notes

from configs.digits_mlp import digits_mlp
from experiments.lines.linear import LinearConnectivity
from mconn import experiment
from mconn.errors import ConfigError
from mconn.models import MLP


def small(**changes):
    study = digits_mlp(width=32, depth=2, seeds=3, epochs=8, points=5)
    return dataclasses.replace(study, **changes)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def folder(results):
    return experiment.run(small(), results)


def test_the_folder_has_everything_that_a_reader_needs(folder):
    names = {path.relative_to(folder.path).as_posix() for path in folder.path.rglob("*.*")}
    assert {
        "config.json",
        "versions.json",
        "report.html",
        "figures/profile.png",
        "figures/profile.svg",
        "figures/barriers.png",
        "figures/barriers.svg",
        "tables/headline.parquet",
        "tables/estimates.parquet",
        "tables/profile.parquet",
        "tables/matches.parquet",
    } <= names
    page = folder.report.read_text()
    assert "Chord barrier" in page
    assert "http" not in page.replace("http://www.w3.org", "").split("</style>")[0]


def test_there_is_a_row_for_every_method_pair_split_and_kind(folder):
    barriers = folder.table("estimates").to_pylist()
    assert {row["pair"] for row in barriers} == {"0-1", "0-2", "1-2"}
    assert {row["method"] for row in barriers} == {"naive", "weights", "activations", "random"}
    assert len(barriers) == 4 * 3 * 2 * 12
    for row in barriers:
        assert row["low"] <= row["high"]
        assert row["examples"] == {"train": 1400, "test": 397}[row["split"]]
        assert row["normaliser"] == "none"


def test_alignment_keeps_the_ends(folder):
    ends = {}
    for row in folder.table("profile").to_pylist():
        if row["t"] in (0.0, 1.0) and row["split"] == "test":
            place = (row["pair"], row["t"], row["metric"])
            ends.setdefault(place, []).append(row["value"])
    assert len(ends) == 3 * 2 * 2
    for values in ends.values():
        assert max(values) - min(values) <= 1e-5


def test_controls_hold_whatever_the_networks_are(folder):
    claims = {claim["statement"]: claim for claim in folder.record["claims"]}
    controls = [claim for claim in claims.values() if claim["source"] == "control"]
    assert len(controls) == 3
    assert all(claim["holds"] for claim in controls[:2])


def test_an_unchanged_experiment_is_not_run_again(folder, results):
    notes = Notes()
    assert experiment.run(small(), results, progress=notes).path == folder.path
    assert notes.lines == [f"{folder.name}: complete and unchanged"]


def test_changing_the_sweep_does_not_train_or_align_again(folder, results):
    notes = Notes()
    changed = experiment.run(small(points=3), results, progress=notes)
    assert changed.path != folder.path
    stored = [line for line in notes.lines if "from the store" in line]
    assert any(line.startswith("train") for line in stored)
    assert sum(line.startswith("align") for line in stored) == 3
    assert not any(line.startswith("sweep") for line in stored)


def test_batch_statistics_are_recomputed_and_the_report_says_so(results):
    study = small(methods=("naive", "activations"), points=3)
    train = dataclasses.replace(study.train, model=MLP(16, 2, normaliser="batch"), epochs=2)
    folder = experiment.run(dataclasses.replace(study, train=train), results)
    assert set(folder.table("estimates")["normaliser"].to_pylist()) == {"recompute"}
    assert "statistics are recomputed" in folder.report.read_text()


def test_one_seed_has_no_line():
    with pytest.raises(ConfigError, match="a line needs two networks"):
        digits_mlp(seeds=1)


def test_unknown_methods_are_refused():
    with pytest.raises(ConfigError, match="method 'weight' is unknown"):
        small(methods=("naive", "weight"))


@pytest.mark.slow
def test_the_demo_meets_the_published_numbers(tmp_path):
    """Digits, 3 x 256: naive 1.21, weights .34, activations .04, each within 40 %, in order."""
    study = digits_mlp()
    assert isinstance(study, LinearConnectivity)
    assert study.expected
    folder = experiment.run(study, tmp_path)
    failed = [claim for claim in folder.record["claims"] if not claim["holds"]]
    assert not failed
