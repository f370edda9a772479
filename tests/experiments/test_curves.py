"""The study of fitted curves."""

import dataclasses
import io

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from configs import cnn_curves, digits_curves, fmnist_curves
from experiments.curves.fitted_claims import plane_claim, with_segments
from mconn import experiment
from mconn.errors import ConfigError

EXACT = ("the loss along the curve as drawn", "loss above the chord = D - J - E_y")


def claims(folder):
    return {claim["statement"]: claim["holds"] for claim in folder.record["claims"]}


@pytest.mark.slow
def test_curves_of_digits_networks_are_flat(tmp_path):
    folder = experiment.run(digits_curves.smoke(), tmp_path)
    found = claims(folder)
    for family in ("bezier", "chain"):
        assert found[f"the {family} has no train barrier"]
        assert found[f"the line has one where the {family} has none"]
    for statement in EXACT:
        assert next(holds for name, holds in found.items() if name.startswith(statement))
    profile = folder.table("profile").to_pylist()
    assert {row["method"] for row in profile} == {"line", "bezier", "chain"}
    ends = [row for row in profile if row["method"] == "line" and row["t"] == 1]
    assert all(row["arc_length"] == pytest.approx(row["segment"], rel=1e-5) for row in ends)
    along = folder.table("along").to_pylist()
    assert all(row["disagreement"] == 0 for row in along if row["t"] == 0)


@pytest.mark.slow
def test_statistics_that_are_not_recomputed_show_another_curve(tmp_path):
    folder = experiment.run(cnn_curves.smoke(), tmp_path)
    found = claims(folder)
    assert any(name.startswith("without recomputing BatchNorm statistics") for name in found)
    assert next(holds for name, holds in found.items() if name.startswith(EXACT[0]))


def write_images(path, count):
    random = np.random.default_rng(count)
    rows = []
    for _ in range(count):
        stream = io.BytesIO()
        Image.fromarray(random.integers(0, 256, (32, 32, 3)).astype(np.uint8)).save(stream, "PNG")
        rows.append({"bytes": stream.getvalue(), "path": None})
    labels = random.integers(0, 10, count).tolist()
    parquet.write_table(pa.table({"img": rows, "label": labels}), path)


@pytest.mark.slow
@pytest.mark.parametrize("network", ["vgg16", "preresnet"])
def test_the_published_networks_take_a_step(tmp_path, network):
    for split in ("train", "test"):
        write_images(tmp_path / f"{split}.parquet", 16)
    build = getattr(cnn_curves, network)
    small = {"blocks": 1, "width": 2} if network == "preresnet" else {"width": 2}
    study = build(**small, epochs=1, fit_epochs=1, points=3, plane=2)
    study = dataclasses.replace(
        study,
        train=dataclasses.replace(study.train, batch_size=8),
        # So much that the bend leaves the line in two steps.
        fit=dataclasses.replace(study.fit, batch_size=8, weight_decay=0.5),
        families=("bezier",),
        expected=(),
    )
    folder = experiment.run(study, tmp_path / "results", data_dir=tmp_path)
    assert all(np.isfinite(row["value"]) for row in folder.table("profile").to_pylist())


def test_published_numbers_belong_to_the_published_size_only():
    assert dict((name, high) for name, high, _ in cnn_curves.vgg16().expected) == {
        "bezier": 7.75,
        "chain": 8.08,
    }
    assert not cnn_curves.vgg16(width=32).expected
    assert not cnn_curves.preresnet(blocks=3).expected
    assert len(cnn_curves.preresnet().expected) == 2
    assert not fmnist_curves.smoke().expected


def test_a_curve_needs_two_networks_and_a_middle():
    with pytest.raises(ConfigError, match="a curve joins two networks"):
        fmnist_curves.fmnist_curves(seeds=1)
    with pytest.raises(ConfigError, match="an odd number"):
        digits_curves.digits_curves(points=4)
    with pytest.raises(ConfigError, match="no family of curves"):
        dataclasses.replace(digits_curves.smoke(), families=())


def test_a_curve_that_is_drawn_elsewhere_is_found():
    labels = {"method": "bezier", "pair": "0-1", "split": "train"}
    drawn = pa.Table.from_pylist([{**labels, "t": t, "loss": 1 + t} for t in (0.0, 1.0)])
    rows = [{**labels, "metric": "loss", "t": t, "value": 1 + t} for t in (0.0, 1.0)]
    assert plane_claim(drawn, pa.Table.from_pylist(rows)).holds
    rows[1]["value"] += 1e-4
    assert not plane_claim(drawn, pa.Table.from_pylist(rows)).holds
    table = with_segments(pa.Table.from_pylist(rows), {"0-1": 3.0})
    assert table["segment"].to_pylist() == [3.0, 3.0]
