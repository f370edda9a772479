"""``mconn path`` and ``mconn plane``, from saved networks to the files they write."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from saved_commands import (
    MODEL,
    QUICK,
    Leaves,
    base as base,
    curved as curved,
    inside,
    mconn,
    nested,
    network,
    save,
)

from mconn import paths
from mconn.saved import read_path

PAIR = ("path", "a.npz", "other.npz", *MODEL)


@pytest.fixture
def curve(curved: Path, tmp_path: Path) -> Iterator[Path]:
    with inside(curved, tmp_path / "in"):
        yield Path("curve")


def controls(path: Path) -> Leaves:
    with np.load(path / "path.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def test_a_curve_is_fitted_measured_and_written(curve: Path) -> None:
    assert {each.name for each in curve.iterdir()} == {
        "numbers.json",
        "path.json",
        "path.npz",
        "path.png",
        "path.svg",
        "profile.parquet",
    }
    written = controls(curve)
    for place, seed in ((0, 0), (-1, 1)):
        for name, end in network(seed).items():
            np.testing.assert_array_equal(written[f"params/{name}"][place], end)
    told = json.loads((curve / "numbers.json").read_text())
    assert told["length"] >= told["segment"] * (1 - 1e-6)
    assert told["samples"] == 2 * (1400 // 128) * 128
    assert len(told["history"]["loss"]) == 2
    assert set(told["barriers"]) == {"line", "bezier"}
    rows = pyarrow.parquet.read_table(curve / "profile.parquet").to_pylist()
    ends = {
        (row["split"], round(row["value"], 5))
        for row in rows
        if row["metric"] == "loss" and row["t"] in (0.0, 1.0)
    }
    assert len(ends) == 4  # two splits, two ends, whichever path
    found = read_path(curve, {"params": nested(network())})
    assert isinstance(found, paths.ControlledPath)
    assert found.count == 3
    np.testing.assert_array_equal(
        found(0)["params"]["Dense_0"]["kernel"], network(0)["Dense_0/kernel"]
    )


def test_a_straight_line_needs_no_fit_and_a_permuted_copy_lies_beside_the_first(
    curve: Path,
) -> None:
    # `b` is a permuted copy of `a`.
    line = ("--family", "line", *QUICK)
    status, out, _ = mconn("path", "a.npz", "b.npz", *MODEL, "--out", "line", *line)
    assert status == 0
    assert "1.000 times the distance of the ends, after 0 samples" in out
    told = json.loads(Path("line/numbers.json").read_text())
    assert set(told["barriers"]) == {"line"}
    assert told["segment"] > 1
    words = ("path", "a.npz", "b.npz", *MODEL, "--out", "aligned", "--align", "weights", *line)
    assert mconn(*words)[0] == 0
    assert json.loads(Path("aligned/numbers.json").read_text())["segment"] == 0


def test_a_stopped_command_goes_on_to_the_same_numbers(
    curve: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    words = (*PAIR, "--out", "again", *QUICK)
    with monkeypatch.context() as patch:
        patch.setattr("mconn.saved.connection.measure", stop)
        patch.setattr("signal.signal", lambda *arguments: None)
        assert mconn(*words)[0] == 130
    assert [each.name for each in Path("again").iterdir()] == ["work"]
    status, _, err = mconn(*words)
    assert status == 0
    assert "fit: going on after epoch 2 of 2" in err
    for name, value in controls(curve).items():
        np.testing.assert_array_equal(controls(Path("again"))[name], value)
    status, _, err = mconn(*words)
    assert (status, "'again' has results" in err) == (2, True)
    assert mconn(*words, "--force", "--family", "line")[0] == 0


def test_the_plane_of_a_path_and_of_three_networks_and_random_directions(curve: Path) -> None:
    save("c.npz", network(2))
    size = ("--resolution", "3", "--examples", "50", "--out")
    for out, words, points in (
        ("drawn", ("--path", "curve"), {"a", "b", "bend"}),
        (
            "three",
            ("a.npz", "other.npz", "c.npz", "--split", "test"),
            {"a.npz", "other.npz", "c.npz"},
        ),
        ("around", ("a.npz", "--random"), {"a.npz"}),
    ):
        first = [word for word in words if word.endswith(".npz")]
        rest = [word for word in words if not word.endswith(".npz")]
        status, shown, _ = mconn("plane", *first, *MODEL, *rest, *size, out)
        assert status == 0
        assert "3 x 3 points on 50" in shown
        written = {each.name for each in Path(out).iterdir()}
        assert written == {"numbers.json", "plane.npz", "plane.png", "plane.svg"}
        assert set(json.loads((Path(out) / "numbers.json").read_text())["points"]) == points
        with np.load(Path(out) / "plane.npz", allow_pickle=False) as file:
            assert file["mean/loss"].shape == (3, 3)
            assert np.isfinite(file["mean/loss"]).all()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("path PAIR --out nowhere/c", "name a folder inside one that exists"),
        ("path PAIR --out configs", "'configs' exists and holds other things"),
        ("path PAIR --out a.npz", "'a.npz' is a file"),
        ("path PAIR --out c --family spiral", "family"),
        ("path PAIR --out c --objective median", "objective"),
        ("path PAIR --out c --objective maximum", "at several points"),
        ("path PAIR --out c --align guess", "align"),
        ("path PAIR --out c --bends 0", "bends is 0"),
        ("path PAIR --out c --positions 2", "positions is 2"),
        ("path PAIR --out c --seed -1", "seed is -1"),
        ("path PAIR --out c --width 9", "of 'a.npz' has the shape"),
        ("plane PAIR --out c", "2 saved networks are named, and this plane takes 3"),
        ("plane a.npz MODEL --random --path x --out c", "name two planes"),
        ("plane MODEL --path nothing --out c", "'nothing' is no complete folder of mconn path"),
        ("plane a.npz MODEL --random --split valid --out c", "split"),
        ("plane a.npz MODEL --random --resolution 1 --out c", "resolution is 1"),
    ],
)
def test_bad_input_is_one_sentence(curve: Path, words: str, message: str) -> None:
    each = words.replace("PAIR", "a.npz b.npz MODEL").replace("MODEL", " ".join(MODEL)).split()
    status, out, err = mconn(*each)
    assert (status, out) == (2, "")
    last = err.splitlines()[-1]
    assert last.startswith("mconn: ")
    assert message in last
    assert not Path("c").exists()


def test_the_help_names_every_family() -> None:
    status, out, _ = mconn("path", "--help")
    assert status == 0
    for family in ("bezier", "chain", "line"):
        assert family in out
