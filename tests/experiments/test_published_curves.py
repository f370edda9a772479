import dataclasses

import pytest

from configs.published_curves import published_curves
from experiments.curves.published import Published
from mconn import experiment
from mconn.data import DataConfig
from mconn.errors import ConfigError


def tiny():
    study = published_curves(width=16, epochs=1, curve_epochs=3, points=5)
    train = dataclasses.replace(study.train, data=DataConfig("digits"))
    return dataclasses.replace(
        study,
        train=train,
        curves=tuple(c for c in study.curves if c.name in ("Bezier", "chain", "Bezier, soft")),
        soft=("Bezier", "Bezier, soft"),
        best="Bezier",
        published=Published(0.0164, 0.003, 0.0105),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return experiment.run(tiny(), tmp_path_factory.mktemp("results"))


def test_every_curve_has_a_row_and_the_line_is_the_control(folder):
    headline = folder.table("headline")
    assert headline["curve"].to_pylist() == ["naive", *[curve.name for curve in tiny().curves]]


def test_the_estimates_hold_every_curve_on_both_splits(folder):
    estimates = folder.table("estimates").to_pylist()
    found = {(row["method"], row["split"]) for row in estimates if row["kind"] == "chord"}
    assert len(found) == 2 * 4
    for row in estimates:
        if row["kind"] == "chord":
            assert row["value"] >= 0


def test_curves_end_where_the_line_ends(folder):
    rows = [row for row in folder.table("profile").to_pylist() if row["metric"] == "loss"]
    for t in (0.0, 1.0):
        values = {(r["split"], round(r["value"], 6)) for r in rows if r["t"] == t}
        assert len(values) == 2  # one for each split, whatever the curve


def test_claims_name_the_published_numbers(folder):
    claims = folder.record["claims"]
    assert len(claims) == 5
    assert any("0.0164" in str(claim["expected"]) for claim in claims)


def test_a_name_that_is_no_curve_is_refused():
    with pytest.raises(ConfigError, match="there is no curve 'spiral'"):
        dataclasses.replace(tiny(), best="spiral")
