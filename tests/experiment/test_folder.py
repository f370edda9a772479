from pathlib import Path

import pytest
from toys import sums

from mconn.errors import CheckpointError, ConfigError
from mconn.experiment import RunFolder, all_runs, find_run, run


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for name, started in (("adding-aaa", "1"), ("adding-bbb", "3"), ("other-ccc", "2")):
        RunFolder(tmp_path / "runs" / name).note(state="complete", started=started)
    return tmp_path


def test_runs_are_listed_with_the_newest_first(results: Path) -> None:
    names = [folder.name for folder in all_runs(results)]
    assert names == ["adding-bbb", "other-ccc", "adding-aaa"]


def test_no_results_are_no_runs(tmp_path: Path) -> None:
    assert all_runs(tmp_path / "nothing") == []


def test_a_run_is_found_by_name_beginning_or_folder(results: Path) -> None:
    other = RunFolder(results / "runs" / "other-ccc")
    assert find_run(results, "other-ccc") == other
    assert find_run(results, "oth") == other
    assert find_run(results, str(other.path)) == other


def test_a_run_is_found_from_inside_its_folder(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = RunFolder(results / "runs" / "other-ccc")
    monkeypatch.chdir(other.path)
    found = find_run(Path("results"), ".")
    assert found == other
    assert found.lock == results / "locks" / "other-ccc.lock"


def test_a_wrong_name_names_the_nearest(results: Path) -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'other-ccc'\?"):
        find_run(results, "othre")
    with pytest.raises(ConfigError, match="there is no run 'xyz' in"):
        find_run(results, "xyz")


def test_an_ambiguous_name_names_the_choices(results: Path) -> None:
    with pytest.raises(ConfigError, match="choose one of adding-bbb, adding-aaa"):
        find_run(results, "adding")


def test_a_run_that_says_running_without_a_process_was_interrupted(results: Path) -> None:
    folder = RunFolder(results / "runs" / "other-ccc")
    folder.note(state="running")
    assert folder.state == "interrupted"


def test_a_corrupt_record_names_the_folder(results: Path) -> None:
    folder = RunFolder(results / "runs" / "other-ccc")
    for text in ("{", "[]", ""):
        (folder.path / "run.json").write_text(text)
        with pytest.raises(CheckpointError, match="delete the folder"):
            _ = folder.record


def test_a_corrupt_record_leaves_the_other_runs_alone(results: Path) -> None:
    folder = RunFolder(results / "runs" / "adding-bbb")
    (folder.path / "run.json").write_text("{")
    assert folder.state == "corrupt"
    assert [run.name for run in all_runs(results)] == ["other-ccc", "adding-aaa", "adding-bbb"]
    assert find_run(results, "oth").state == "complete"


def test_a_missing_table_names_those_that_exist(tmp_path: Path) -> None:
    folder = run(sums(), tmp_path)
    with pytest.raises(ConfigError, match="it has headline, total-total"):
        folder.table("nothing")


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more"])
def test_a_corrupt_table_names_its_file(tmp_path: Path, content: bytes) -> None:
    folder = run(sums(), tmp_path)
    path = folder.path / "tables" / "headline.parquet"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=f"{path} is corrupt: delete the folder"):
        folder.table("headline")
