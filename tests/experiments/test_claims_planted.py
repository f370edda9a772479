"""Claims of studies against planted tables: right numbers hold, and others fail."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from configs import elastic_band
from experiments.curvature.claims import kink_claims
from experiments.curvature.lines import MATCHED, NAIVE
from experiments.curves.band import falls_to_the_end, half_barrier, matrix
from experiments.curves.band_stages import Bands, distances_between
from experiments.curves.fitted_claims import plane_claim, with_segments
from experiments.curves.surface_stages import grid_of
from experiments.curves.volume_stages import formula_errors
from experiments.features.watched import alarm_claim
from experiments.symmetry.orbits import blow_up_claims, curve_claims
from experiments.symmetry.orbits_stages import blow_up
from mconn.experiment.stages import Train
from mconn.paths.domain import SIMPLEX, SQUARE


def table(rows):
    return pa.Table.from_pylist(rows)


def test_claims_about_kinks_fail_where_nothing_is_missed():
    """The negative control: a ReLU line whose barrier second derivatives explain."""
    rows = [
        {
            "activation": activation,
            "method": method,
            "missed": 0.001 * sign,
            "missed_standard_error": 0.01,
            "quadrature_error": 1e-4,
            "identity": 1e-16,
        }
        for activation in ("relu", "tanh")
        for method in (NAIVE, MATCHED)
        for sign in (-1, 1)
    ]
    assert [claim.holds for claim in kink_claims(pd.DataFrame(rows))] == [False] * 3 + [True] * 3


def cycles_of(saddles, end):
    return pd.DataFrame({"saddle": saddles, "higher_end": [end] * len(saddles)})


@pytest.mark.parametrize(
    ("saddles", "holds"),
    [
        ([3.0, 1.0, 0.5], True),
        ([3.0, 0.2, 0.2], True),  # at the end's loss there is no further to fall
        ([3.0, 1.0, 1.0], False),
        ([3.0, 1.0, 2.0], False),
    ],
)
def test_the_highest_loss_falls_until_it_is_that_of_an_end(saddles, holds):
    assert falls_to_the_end(cycles_of(saddles, 0.2)) is holds


def test_bands_are_compared_above_the_higher_end():
    assert half_barrier(cycles_of([2.2, 0.7, 0.2], 0.2)) == pytest.approx(0.25)
    row = {"method": "band", "split": "train", "first_end": 1.0, "last_end": 2.0, "highest": 5.0}
    found = matrix(pd.DataFrame([{**row, "pair": "3-7"}]), "band", (3, 7))
    np.testing.assert_array_equal(found, [[1, 5], [5, 2]])


def test_pairs_are_joined_by_distance_until_none_is_left():
    networks = {"a": np.array([[0.0, 0], [3, 0]]), "b": np.array([[0.0], [4]])}
    np.testing.assert_allclose(distances_between(networks, 2), [[0, 5], [5, 0]])
    bands = Bands(Train(elastic_band.smoke().train), elastic_band.smoke().band)
    distances = np.array([[0, 1.0, 3], [1, 0, 2], [3, 2, 0]])
    saddles, order = np.full((3, 3), np.nan), []
    while pair := bands.next_pair(saddles, distances):
        order.append(pair)
        saddles[pair] = saddles[pair[::-1]] = 1.0
    assert order == [(0, 1), (1, 2), (0, 2)]


def test_a_curve_that_is_drawn_elsewhere_is_found():
    labels = {"method": "bezier", "pair": "0-1", "split": "train"}
    drawn = table([{**labels, "t": t, "loss": 1 + t} for t in (0.0, 1.0)])
    rows = [{**labels, "metric": "loss", "t": t, "value": 1 + t} for t in (0.0, 1.0)]
    assert plane_claim(drawn, table(rows)).holds
    rows[1]["value"] += 1e-4
    assert not plane_claim(drawn, table(rows)).holds
    assert with_segments(table(rows), {"0-1": 3.0})["segment"].to_pylist() == [3.0, 3.0]


@pytest.mark.parametrize("points", [2, 3, 8, 21])
def test_grids_lie_in_their_domains_and_have_the_corners(points):
    square, triangle = grid_of("square", points), grid_of("triangle", points)
    SQUARE.check(square)
    SIMPLEX.check(triangle)
    assert (len(square), len(triangle)) == (points**2, points * (points + 1) // 2)
    assert (triangle == 1).any(axis=1).sum() == 3


def test_volumes_of_regular_simplexes_are_exact():
    errors = formula_errors()
    assert errors["float32"] < 1e-6
    assert errors["float64"] < 1e-12


def test_an_alarm_must_rise_with_the_barrier():
    barrier = pd.DataFrame([[0.0, 1, 2, 3], [10, 11, 12, 14]])
    assert alarm_claim("angle", 2 * barrier, barrier).holds
    assert not alarm_claim("angle", -barrier, barrier).holds
    assert not alarm_claim("angle", 0 * barrier, barrier).holds
    assert not alarm_claim("angle", barrier.mul([1, -1], axis=0), barrier).holds  # one pair


@pytest.mark.parametrize(
    ("factor", "loss"), [(1, 0), (2, 0.015625), (4, 0.31640625), (16, 12.3596), (1e6, 1e12 / 16)]
)
def test_the_blow_up_has_the_known_numbers(factor, loss):
    assert blow_up(factor, 1) == pytest.approx(loss, rel=1e-5)


def test_wrong_losses_of_orbits_are_shown_as_failing():
    rows = [
        {"precision": "float32", "expected": 1.0, "loss": 1.001},
        {"precision": "float64", "expected": 1.0, "loss": 1.0},
    ]
    assert [claim.holds for claim in blow_up_claims(table(rows))] == [False, True]
    curves = [
        {"network": network, "curve": "orbit", "t": t, "loss": loss}
        for network, loss in (("linear, cycle", 0.1), ("ReLU, cycle", 0.0))
        for t in np.linspace(0, 1, 3)
    ]
    assert [claim.holds for claim in curve_claims(table(curves))] == [False, False, True]
