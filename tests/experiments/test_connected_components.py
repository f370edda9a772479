import pytest

from configs.connected_components import smoke
from mconn import experiment
from mconn.progress import SILENT


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return experiment.run(smoke(), tmp_path_factory.mktemp("results"), progress=SILENT)


def test_every_claim_holds(folder):
    assert len(folder.record["claims"]) == 11
    assert [claim for claim in folder.record["claims"] if not claim["holds"]] == []


def test_the_headline_compares_plain_and_skip(folder):
    rows = folder.table("headline").to_pylist()
    found = {(row["method"], row["width"]): (row["plain"], row["skip"]) for row in rows}
    assert found == {("flood fill", 1): (4, 3), ("roadmap", 1): (4, 3), ("roadmap", 2): (4, 2)}


def test_the_roadmaps_are_counted_at_every_size(folder):
    rows = folder.table("search").to_pylist()
    assert {(row["width"], row["skip"]) for row in rows} == {(w, s) for w in (1, 2) for s in (0, 1)}
    assert all(1 <= row["components"] <= row["points"] for row in rows)


def test_there_are_two_figures(folder):
    names = {path.name for path in (folder.path / "figures").iterdir()}
    assert names == {
        f"{name}.{kind}" for name in ("level_sets", "roadmap") for kind in ("png", "svg")
    }
