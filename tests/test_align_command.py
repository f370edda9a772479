"""``mconn align``, from saved networks in any form to the aligned one and its numbers."""

import json
import signal
import zipfile
from pathlib import Path

import numpy as np
import orbax.checkpoint as ocp
import pytest
from saved_commands import (
    FIRST,
    MODEL,
    SECOND,
    Leaves,
    base as base,
    folder as folder,
    inside,
    load,
    mconn,
    nested,
    network,
    permuted,
    save,
    save_orbax,
    trained as trained,
)

from mconn import data, symmetry
from mconn.experiment import write_json

PAIR = ("align", "a.npz", "b.npz", *MODEL)
BARE = (*PAIR, "--no-barrier", "--out")


def equal(found: Leaves, expected: Leaves) -> bool:
    return all(np.array_equal(found[name], value) for name, value in expected.items())


def test_a_permuted_copy_is_put_back(folder: Path) -> None:
    status, out, _ = mconn(*BARE, "c.npz")
    assert status == 0
    assert equal(load("c.npz"), load("a.npz"))
    assert list(load("c.npz")) == list(load("a.npz"))
    assert "group: 2 generators" in out
    assert "  Dense_0: permutation of 8\n  Dense_1: permutation of 8\n" in out
    assert "distance: before" in out
    assert ", after 0\n" in out
    assert "barrier" not in out
    told = json.loads(Path("c.npz.json").read_text())
    assert told["element"] == {
        "Dense_0": np.argsort(FIRST).tolist(),
        "Dense_1": np.argsort(SECOND).tolist(),
    }
    assert symmetry.from_json(told["group"]).sizes == {"Dense_0": 8, "Dense_1": 8}
    assert (told["method"], told["keys"], told["distance_after"]) == ("weights", 3, 0)
    assert told["random"] < told["objective"] <= told["bound"] * (1 + 1e-6)
    assert told["lowest"] <= told["objective"]
    assert told["command"] == ["mconn", *BARE, "c.npz"]


def test_what_flax_users_save_is_read_and_written(folder: Path) -> None:
    save("a.npz", network(), "/", "params/")
    state = {"params": nested(permuted(network())), "opt_state": {"mu": np.ones(3)}, "step": 7}
    save_orbax("checkpoints/b", state)
    words = ("align", "a.npz", "checkpoints/b", *MODEL, "--no-barrier", "--out")
    status, _, err = mconn(*words, "c")
    assert status == 0
    assert "of checkpoints/b only the network is written, without opt_state, step" in err
    with ocp.StandardCheckpointer() as reader:
        found = reader.restore(folder / "c", target={"params": nested(network())})
    assert all(equal(found["params"][name], leaves) for name, leaves in nested(network()).items())
    # It is itself a network that can be aligned, and written in the other form.
    assert mconn("align", "a.npz", "c", *MODEL, "--no-barrier", "--out", "d.npz")[0] == 0
    assert equal(load("d.npz"), load("a.npz"))
    # One without the level `params` is written without it.
    save_orbax("plain", nested(permuted(network())))
    assert mconn("align", "a.npz", "plain", *MODEL, "--no-barrier", "--out", "e")[0] == 0
    with ocp.StandardCheckpointer() as reader:
        found = reader.restore(folder / "e", target=nested(network()))
    assert equal(found["Dense_1"], nested(network())["Dense_1"])


def test_double_precision_is_kept(folder: Path) -> None:
    save("a.npz", network(dtype=np.float64))
    save("b.npz", permuted(network(dtype=np.float64)))
    assert mconn(*BARE, "c.npz")[0] == 0
    assert equal(load("c.npz"), load("a.npz"))


def fitted_network() -> Leaves:
    """Random hidden units, and the output weights that fit the digits best in the square."""
    train = data.load(data.DataConfig("digits", normalise="unit")).train
    leaves = network()
    hidden = train.inputs.reshape(-1, 64)
    for layer in ("Dense_0", "Dense_1"):
        hidden = np.maximum(hidden @ leaves[f"{layer}/kernel"] + leaves[f"{layer}/bias"], 0)
    targets = 4 * np.eye(10)[train.labels]
    leaves["Dense_2/kernel"] = np.linalg.lstsq(hidden, targets)[0].astype(np.float32)
    leaves["Dense_2/bias"] *= 0
    return leaves


def test_the_line_is_measured_before_and_after(folder: Path) -> None:
    save("a.npz", fitted_network())
    save("b.npz", permuted(fitted_network()))
    status, out, _ = mconn(*PAIR, "--cost", "activations", "--out", "c.npz")
    assert status == 0
    told = json.loads(Path("c.npz.json").read_text())
    for split in ("train", "test"):
        barriers = told["barriers"][split]
        assert barriers["before"]["value"] > 0.05
        assert barriers["after"]["value"] == pytest.approx(0, abs=1e-5)
        assert f"  {split + ':':6} before {barriers['before']['value']:.3g} [" in out
    assert told["keys"] == 1  # the order does not matter to this method


def test_other_kinds_of_generator(folder: Path) -> None:
    b = network()
    factors = np.exp2(np.arange(8) % 3).astype(np.float32)
    b["Dense_0/bias"] *= factors
    b["Dense_0/kernel"] *= factors
    b["Dense_1/kernel"] /= factors[:, None]
    save("b.npz", permuted(b))
    assert mconn(*BARE, "c.npz", "--kinds", "permutation", "scaling")[0] == 0
    for name, value in load("a.npz").items():
        np.testing.assert_allclose(load("c.npz")[name], value, rtol=1e-3, atol=1e-3)


def test_networks_of_a_run(trained: Path, tmp_path: Path) -> None:
    with inside(trained, tmp_path / "in") as folder:
        words = ("align", "network:3", "network:5", *MODEL, "--no-barrier", "--out", "c")
        assert mconn(*words)[0] == 0
        (stage,) = (folder / "results" / "store").glob("Train-*")
        words = ("align", f"{stage}:3", "c", *MODEL, "--no-barrier", "--out", "d")
        assert mconn(*words)[0] == 0
        told = [json.loads(Path(f"{name}.json").read_text()) for name in ("c", "d")]
        assert told[0]["distance_after"] == told[1]["distance_before"]
        assert told[0]["distance_after"] < told[0]["distance_before"]
        (run,) = (folder / "results" / "runs").glob("*")
        for name, message in (
            ("network", "a run needs the seed: network:0"),
            (str(run), f"name a seed of it, '{run}:0'"),
            (str(stage), f"name a seed of it, '{stage}:0'"),
            ("network:4", "'network' has no seed '4': name one of 3, 5, as in network:3"),
            ("netwrok:3", "there is no run 'netwrok' in results (did you mean 'network-"),
        ):
            status, _, err = mconn("align", "network:3", name, *MODEL, "--out", "e")
            assert status == 2
            assert message in err
        (stage / "tree" / "_METADATA").write_text("{}")
        status, _, err = mconn("align", "network:3", "network:5", *MODEL, "--out", "e")
        assert status == 2
        assert "is corrupt (tree/_METADATA is missing or was changed)" in err


def test_without_data_weights_are_matched_all_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MCONN_DATA", raising=False)
    save("a.npz", network(inputs=3072))
    save("b.npz", permuted(network(inputs=3072)))
    words = (*PAIR, "--data", "cifar10", "--out", "c.npz")
    status, out, err = mconn(*words, "--method", "covariance")
    assert (status, out) == (2, "")
    assert err.startswith("mconn: ")
    assert not Path("c.npz").exists()
    status, out, err = mconn(*words)
    assert status == 0
    assert "no barrier is measured, without data: " in err
    assert ", after 0\n" in out


def written() -> set[str]:
    return {str(path) for path in Path().rglob("*") if "__pycache__" not in path.parts}


@pytest.fixture(scope="module")
def damaged(base: Path, tmp_path_factory: pytest.TempPathFactory):
    """A folder with everything that is no network, or none of this model."""
    with inside(base, tmp_path_factory.mktemp("damaged") / "in") as folder:
        save("narrow.npz", network(width=7))
        save("more.npz", network() | {"Dense_3/bias": np.ones(4)})
        save("fewer.npz", {name: x for name, x in network().items() if name != "Dense_1/bias"})
        save("integers.npz", {name: x.astype(int) for name, x in network().items()})
        save("infinite.npz", network() | {"Dense_2/bias": np.full(10, np.inf, np.float32)})
        np.savez("pickled.npz", **{"Dense_0|bias": np.array([{}], dtype=object)})  # pyright: ignore[reportArgumentType]
        Path("text.npz").write_text("no zip file")
        Path("cut.npz").write_bytes(Path("a.npz").read_bytes()[:-300])
        junk = bytearray(Path("a.npz").read_bytes())
        junk[300:400] = bytes(100)
        Path("damaged.npz").write_bytes(junk)
        with zipfile.ZipFile("other.npz", "w") as file:
            file.writestr("readme.txt", "no array")
        save_orbax("whole", nested(network()))
        # One array: after a failure orbax closes the loop on which other reads still report.
        save_orbax("broken", {"only": np.zeros(3, np.float32)})
        for file in Path("broken").rglob("*"):
            if file.is_file() and file.name != "_METADATA":
                file.write_bytes(b"junk")
        save_orbax("unlisted", {"only": np.zeros(3, np.float32)})
        Path("unlisted/_METADATA").write_text("junk")
        save_orbax("steps/7/default", {"only": np.zeros(3, np.float32)})
        yield folder


def align(words: str) -> tuple[int, str, str]:
    return mconn("align", *" ".join(MODEL).join(words.split("MODEL")).split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("a.npz b.npz MODEL --method wieghts --out c", "(did you mean 'weights'?): choose one of"),
        ("a.npz b.npz MODEL --method random --out c", "method 'random' is unknown"),
        ("a.npz b.npz MODEL --kinds scalign --out c", "kind 'scalign' is unknown (did you mean"),
        ("a.npz b.npz MODEL --kinds sign --out c", "kind sign: its kinds are permutation, scaling"),
        (
            "a.npz b.npz MODEL --method covariance --kinds scaling --out c",
            "method 'covariance' cannot match by kind 'scaling': choose from permutation, sign",
        ),
        ("a.npz b.npz MODEL --keys 0 --out c", "keys is 0: at least one ascent is needed"),
        ("a.npz b.npz MODEL --seed -1 --out c", "seed is -1: it must be at least 0"),
        ("a.npz missing.npz MODEL --out c", "there is no checkpoint 'missing.npz': name a .npz"),
        (
            "a.npz narrow.npz MODEL --out c",
            "leaf 'Dense_0/bias' of 'narrow.npz' has the shape (7,), and that of the model (8,)",
        ),
        ("narrow.npz narrow.npz MODEL --out c", "of 'narrow.npz' has the shape (7,), and that"),
        ("more.npz b.npz MODEL --out c", "leaf 'Dense_3/bias' of 'more.npz', of shape (4,), is no"),
        ("fewer.npz b.npz MODEL --out c", "leaf 'Dense_1/bias' of the model, of shape (8,), is mi"),
        ("integers.npz b.npz MODEL --out c", "holds int64, and that of the model float32"),
        ("a.npz infinite.npz MODEL --out c", "leaf 'params/Dense_2/bias' of b is not finite"),
        ("a.npz pickled.npz MODEL --out c", "'pickled.npz' cannot be read (Object arrays cannot"),
        ("a.npz text.npz MODEL --out c", "'text.npz' is not a .npz file: save one with"),
        ("a.npz cut.npz MODEL --out c", "'cut.npz' is not a .npz file: save one with"),
        ("a.npz damaged.npz MODEL --out c", "'damaged.npz' cannot be read (Bad CRC-32"),
        ("a.npz other.npz MODEL --out c", "'Dense_0/bias' of the model, of shape (8,), is missing"),
        ("a.npz configs MODEL --out c", "the folder 'configs' is not an orbax checkpoint: name"),
        ("a.npz steps MODEL --out c", "name the one inside, 'steps/7/default'"),
        ("a.npz broken MODEL --out c", "the orbax checkpoint 'broken' cannot be read ("),
        ("a.npz unlisted MODEL --out c", "the orbax checkpoint 'unlisted' cannot be read ("),
        ("a.npz b.npz MODEL --out nowhere/c", "'nowhere/c' cannot be written: name a file in a"),
        ("a.npz b.npz MODEL --out b.npz --force", "'b.npz' is one of the two networks: write to"),
        ("a.npz b.npz MODEL --out a.npz --force", "'a.npz' is one of the two networks: write to"),
        ("a.npz whole MODEL --out whole --force", "'whole' is one of the two networks: write to"),
        ("a.npz b.npz MODEL --out narrow.npz", "'narrow.npz' exists: name another place, or over"),
        ("a.npz b.npz MODEL --out configs --force", "'configs' exists and holds no aligned networ"),
        ("a.npz b.npz MODEL --out . --force", "'.' cannot be written: name a file"),
    ],
)
def test_bad_input_is_one_sentence(damaged: Path, words: str, message: str) -> None:
    before = written()
    status, out, err = align(words)
    assert (status, out) == (2, "")
    *notes, last = err.splitlines()
    assert last.startswith("mconn: ")
    assert message in last
    assert all(note.startswith("align by") for note in notes)
    assert written() == before


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("a.npz b.npz --out c", "--model"),
        ("a.npz b.npz --model", "--model"),
        ("a.npz MODEL --out c", "Expected 2 values"),
        ("a.npz b.npz MODEL", "--out"),
        ("a.npz b.npz MODEL --widht 3 --out c", "--widht"),
    ],
)
def test_what_is_missing_or_unknown_is_named(damaged: Path, words: str, named: str) -> None:
    before = written()
    status, out, err = align(words)
    assert (status, out, named in err) == (2, "", True)
    assert written() == before


def test_what_was_written_is_overwritten_only_if_asked(folder: Path) -> None:
    for out in ("c", "c.npz"):
        assert mconn(*BARE, out)[0] == 0
        Path(f"{out}.json").write_text("old")
        status, _, err = mconn(*BARE, out)
        assert (status, f"'{out}' exists: name another place" in err) == (2, True)
        assert Path(f"{out}.json").read_text() == "old"
        before = {name.partition("/")[0] for name in written()}
        assert mconn(*BARE, out, "--force")[0] == 0
        assert json.loads(Path(f"{out}.json").read_text())["method"] == "weights"
        assert {name.partition("/")[0] for name in written()} == before


@pytest.mark.parametrize("out", ["c", "c.npz"])
@pytest.mark.parametrize("fault", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_nothing_is_left_half_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch, fault: BaseException, out: str
) -> None:
    def fail(path: Path, value: object) -> None:
        path.write_text("{")
        raise fault

    before, handler = written(), signal.getsignal(signal.SIGINT)
    monkeypatch.setattr("mconn.saved.writing.write_json", fail)
    try:
        status, _, err = mconn(*BARE, out)
    finally:
        signal.signal(signal.SIGINT, handler)
    if isinstance(fault, OSError):
        assert status == 2
        assert f"mconn: '{out}' cannot be written ([Errno 28] No space left on device)" in err
    else:
        assert status == 130
    assert written() == before


def test_ctrl_c_while_the_network_is_written_waits_for_its_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press(path: Path, value: object) -> None:
        signal.raise_signal(signal.SIGINT)
        write_json(path, value)

    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr("mconn.saved.writing.write_json", press)
    try:
        status, *_ = mconn(*BARE, "c.npz")
    finally:
        signal.signal(signal.SIGINT, handler)
    assert status == 130
    assert equal(load("c.npz"), load("a.npz"))
    assert json.loads(Path("c.npz.json").read_text())["method"] == "weights"


def test_help(folder: Path) -> None:
    status, out, _ = mconn("align", "--help")
    assert status == 0
    for text in ("A B", "RUN:SEED", "checkpoint/", "--model FILE[:FUNCTION]", "contribution"):
        assert text in out
    status, out, _ = mconn(*PAIR, "--help")
    assert status == 0
    for option in ("--width INT", "--out", "--method STR", "--cost", "--kinds", "--force"):
        assert option in out
