"""``mconn path`` and ``mconn plane``, from saved networks to the files they write."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from saved_commands import (
    MODEL,
    Call,
    Leaves,
    call as call,
    folder as folder,
    network,
    save,
)

from mconn import paths
from mconn.cli.path import FAMILIES
from mconn.saved import read_path

QUICK = ("--fit-epochs", "2", "--positions", "5")


@pytest.fixture
def curve(call: Call) -> Path:
    status, out, _ = call("path", "a.npz", "b.npz", *MODEL, "--out", "curve", *QUICK)
    assert status == 0
    assert "bezier: length" in out
    return Path("curve")


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
    for name, end in network(0).items():
        np.testing.assert_array_equal(written[f"params/{name}"][0], end)
    for name, end in network(1).items():
        np.testing.assert_array_equal(written[f"params/{name}"][-1], end)
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


def test_a_straight_line_needs_no_fit(call: Call) -> None:
    words = ("path", "a.npz", "b.npz", *MODEL, "--out", "line", "--family", "line", *QUICK)
    status, out, _ = call(*words)
    assert status == 0
    assert "1.000 times the distance of the ends, after 0 samples" in out
    assert set(json.loads(Path("line/numbers.json").read_text())["barriers"]) == {"line"}


def test_a_permuted_copy_lies_beside_the_first_after_alignment(call: Call) -> None:
    order = np.random.default_rng(3).permutation(8)
    copy = network(0)
    copy["Dense_0/kernel"] = copy["Dense_0/kernel"][:, order]
    copy["Dense_0/bias"] = copy["Dense_0/bias"][order]
    copy["Dense_1/kernel"] = copy["Dense_1/kernel"][order]
    save("copy.npz", copy)
    words = ("--family", "line", "--align", "weights", *QUICK)
    assert call("path", "a.npz", "copy.npz", *MODEL, "--out", "line", *words)[0] == 0
    assert json.loads(Path("line/numbers.json").read_text())["segment"] == 0


def test_a_stopped_command_goes_on_to_the_same_numbers(
    call: Call, curve: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    words = ("path", "a.npz", "b.npz", *MODEL, "--out", "again", *QUICK)
    with monkeypatch.context() as patch:
        patch.setattr("mconn.saved.connection.measure", stop)
        patch.setattr("signal.signal", lambda *arguments: None)
        assert call(*words)[0] == 130
    assert [each.name for each in Path("again").iterdir()] == ["work"]
    status, _, err = call(*words)
    assert status == 0
    assert "fit: going on after epoch 2 of 2" in err
    for name, value in controls(curve).items():
        np.testing.assert_array_equal(controls(Path("again"))[name], value)


def test_the_plane_of_a_path_and_of_three_networks_and_random_directions(
    call: Call, curve: Path
) -> None:
    save("c.npz", network(2))
    size = ("--resolution", "3", "--examples", "50", "--out")
    for out, words, points in (
        ("drawn", ("--path", "curve"), {"a", "b", "bend"}),
        ("three", ("a.npz", "b.npz", "c.npz", "--split", "test"), {"a.npz", "b.npz", "c.npz"}),
        ("around", ("a.npz", "--random"), {"a.npz"}),
    ):
        first = [word for word in words if word.endswith(".npz")]
        rest = [word for word in words if not word.endswith(".npz")]
        status, shown, _ = call("plane", *first, *MODEL, *rest, *size, out)
        assert status == 0
        assert "3 x 3 points on 50" in shown
        assert {each.name for each in Path(out).iterdir()} == {
            "numbers.json",
            "plane.npz",
            "plane.png",
            "plane.svg",
        }
        assert set(json.loads((Path(out) / "numbers.json").read_text())["points"]) == points
        with np.load(Path(out) / "plane.npz", allow_pickle=False) as file:
            assert file["mean/loss"].shape == (3, 3)
            assert np.isfinite(file["mean/loss"]).all()


def test_what_is_read_is_the_path_that_was_written(curve: Path) -> None:
    model = {"params": {}}
    for name, leaf in network(0).items():
        layer, _, kind = name.partition("/")
        model["params"].setdefault(layer, {})[kind] = leaf
    found = read_path(curve, model)
    assert isinstance(found, paths.ControlledPath)
    assert found.count == 3
    np.testing.assert_array_equal(
        found(0)["params"]["Dense_0"]["kernel"], network(0)["Dense_0/kernel"]
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("path a.npz b.npz MODEL --out nowhere/c", "name a folder inside one that exists"),
        ("path a.npz b.npz MODEL --out configs", "'configs' exists and holds other things"),
        ("path a.npz b.npz MODEL --out a.npz", "'a.npz' is a file"),
        ("path a.npz b.npz MODEL --out c --family spiral", "family"),
        ("path a.npz b.npz MODEL --out c --objective median", "objective"),
        ("path a.npz b.npz MODEL --out c --objective maximum", "at several points"),
        ("path a.npz b.npz MODEL --out c --align guess", "align"),
        ("path a.npz b.npz MODEL --out c --bends 0", "bends is 0"),
        ("path a.npz b.npz MODEL --out c --positions 2", "positions is 2"),
        ("path a.npz b.npz MODEL --out c --seed -1", "seed is -1"),
        ("path a.npz b.npz MODEL --out c --width 9", "of 'a.npz' has the shape"),
        ("plane a.npz b.npz MODEL --out c", "2 saved networks are named, and this plane takes 3"),
        ("plane a.npz MODEL --random --path x --out c", "name two planes"),
        ("plane MODEL --path nothing --out c", "'nothing' is no complete folder of mconn path"),
        ("plane a.npz MODEL --random --split valid --out c", "split"),
        ("plane a.npz MODEL --random --resolution 1 --out c", "resolution is 1"),
    ],
)
def test_bad_input_is_one_sentence(call: Call, words: str, message: str) -> None:
    each = " ".join(MODEL).join(words.split("MODEL")).split()
    status, out, err = call(*each)
    assert (status, out) == (2, "")
    last = err.splitlines()[-1]
    assert last.startswith("mconn: ")
    assert message in last
    assert not Path("c").exists()


def test_results_are_overwritten_only_if_asked(call: Call, curve: Path) -> None:
    words = ("path", "a.npz", "b.npz", *MODEL, "--out", "curve", *QUICK)
    status, _, err = call(*words)
    assert (status, "'curve' has results" in err) == (2, True)
    assert call(*words, "--force")[0] == 0


def test_the_help_names_every_family(call: Call) -> None:
    status, out, _ = call("path", "--help")
    assert status == 0
    for family in FAMILIES:
        assert family in out
