import numpy as np
import pyarrow as pa
import pytest

from configs.symmetry_orbits import smoke
from experiments.symmetry.orbits import blow_up_claims, curve_claims
from experiments.symmetry.orbits_stages import blow_up
from mconn import experiment


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return experiment.run(smoke(), tmp_path_factory.mktemp("results"))


@pytest.mark.parametrize(
    ("factor", "loss"), [(1, 0), (2, 0.015625), (4, 0.31640625), (16, 12.3596)]
)
def test_the_formula_gives_the_known_numbers(factor, loss):
    assert blow_up(factor, 1) == pytest.approx(loss, rel=1e-5)


def test_the_formula_grows_as_a_sixteenth_of_the_square():
    assert blow_up(1e6, 1) == pytest.approx(1e12 / 16, rel=1e-5)


def test_every_claim_holds(folder):
    assert len(folder.record["claims"]) == 12
    assert [claim for claim in folder.record["claims"] if not claim["holds"]] == []


def test_the_midpoint_is_as_the_formula_says(folder):
    for row in folder.table("blow_up").to_pylist():
        tolerance = {"float32": 1e-5, "float64": 1e-9}[row["precision"]]
        assert row["loss"] == pytest.approx(row["expected"], rel=tolerance, abs=1e-12)


def test_all_curves_begin_and_end_at_zero(folder):
    rows = folder.table("curves").to_pylist()
    ends = [row["loss"] for row in rows if row["t"] in (0.0, 1.0)]
    assert len(ends) == 2 * 8
    assert max(ends) < 1e-20


def test_the_same_arc_is_flat_for_the_linear_network_only(folder):
    rows = folder.table("curves").to_pylist()
    inside = {
        network: [r["loss"] for r in rows if r["network"] == network and 0.1 < r["t"] < 0.9]
        for network in ("ReLU, cycle", "linear, cycle")
    }
    assert min(inside["ReLU, cycle"]) > 1e-4
    assert max(inside["linear, cycle"]) < 1e-20


def test_wrong_numbers_are_shown_as_failing():
    row = {"precision": "float32", "expected": 1.0, "loss": 1.001}
    exact = {"precision": "float64", "expected": 1.0, "loss": 1.0}
    assert [claim.holds for claim in blow_up_claims(pa.Table.from_pylist([row, exact]))] == [
        False,
        True,
    ]
    curves = [
        {"network": network, "curve": "orbit", "t": t, "loss": loss}
        for network, loss in (("linear, cycle", 0.1), ("ReLU, cycle", 0.0))
        for t in np.linspace(0, 1, 3)
    ]
    verdicts = [claim.holds for claim in curve_claims(pa.Table.from_pylist(curves))]
    assert verdicts == [False, False, True]
