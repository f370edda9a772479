"""Known answers of the studies of lines: barriers on grids, the counterexample, the shapes."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from configs import digits_mlp
from experiments.lines.counterexample_network import TwoUnits, network_a, network_b, square
from experiments.lines.kinds import GRIDS, chord, relation_claims
from experiments.lines.optimisers import judge as optimiser_claims
from experiments.lines.scaling import anchor_claims, shape_claims


def test_coarser_grids_are_parts_of_finer_ones():
    means = np.random.default_rng(0).uniform(size=GRIDS[-1])
    assert (np.diff([chord(means, points) for points in GRIDS]) >= 0).all()
    line = np.linspace(1, 3, GRIDS[-1])
    bump = line + np.sin(np.pi * np.linspace(0, 1, GRIDS[-1]))
    for points in GRIDS:
        assert abs(chord(line, points)) < 1e-12
        assert chord(bump, points) == pytest.approx(1, abs=1e-12)  # the middle is in every grid


def test_both_networks_of_the_counterexample_compute_the_same_score():
    inputs, labels = square(16)
    scores = [np.asarray(TwoUnits(0.0)(network, inputs)) for network in (network_a(), network_b())]
    assert np.allclose(scores[0], np.minimum(inputs, 0).sum(axis=1), atol=1e-6)
    assert np.allclose(scores[1], scores[0], atol=1e-6)
    assert ((scores[0] >= -1e-6) == labels).all()


def test_no_point_of_the_grid_lies_on_a_boundary():
    inputs, labels = square(64)
    assert np.abs(inputs).min() > 1e-3
    assert np.abs(inputs[:, 0] + inputs[:, 1]).min() > 1e-4
    assert labels.mean() == 0.25


def test_shapes_are_judged_step_by_step():
    means = pd.DataFrame(
        {"naive": [0.1, 1.0, 1.2], "weights": [0.05, 0.4, 0.1]}, index=[1, 10, 100]
    )
    assert [claim.holds for claim in shape_claims("epochs", means)] == [True, True]
    assert [claim.holds for claim in shape_claims("width", means[["naive"]])] == [False]
    assert [claim.holds for claim in shape_claims("depth", means)] == [True, False]
    means.loc[100, "weights"] = 0.3
    assert [claim.holds for claim in shape_claims("epochs", means)] == [True, False]


def test_optimisers_are_compared_among_all_and_among_the_fitted():
    columns = {"mean": [0.1, 0.5], "min": [0.09, 0.4], "max": [0.12, 0.6], "loss": [0.001, 0.002]}
    left = pd.DataFrame(columns, index=["low", "high"])
    order = (("source", "low", "high"), ("source", "high", "low"))
    assert [each.holds for each in optimiser_claims(left, order)] == [True, True, True, False]
    found = optimiser_claims(left.assign(loss=[0.001, 0.5], max=[0.3, 0.6]), ())
    assert [(each.id, each.holds) for each in found] == [("depends", False)]


def test_relations_of_kinds_are_missed_by_wrong_numbers():
    labels = {"line": "naive", "pair": "0-1", "split": "train"}
    kinds = {"max_endpoint": 1.0, "mean_endpoint": 1.5, "chord": 1.2}
    ends = pd.DataFrame([{**labels, "start": 1.0, "end": 0.0, "monotone": True}])
    grids = pd.DataFrame({"pair": "0-1", "points": [5, 9], "value": [1.0, 1.1]})

    def judged(grids=grids, **changes):
        rows = [{**labels, "metric": "loss", "kind": kind} for kind in kinds]
        values = {**kinds, **changes}.values()
        barriers = pd.DataFrame(rows).assign(value=list(values))
        return [claim.id for claim in relation_claims(barriers, ends, grids) if not claim.holds]

    assert judged() == []
    assert judged(chord=0.9) == ["chord-and-mean-end", "chord-above-higher-end"]
    assert judged(max_endpoint=-0.5, chord=0.1, mean_endpoint=0.0) == [
        "never-negative",
        "different-numbers",
    ]
    assert judged(mean_endpoint=1.6) == ["half-the-difference"]
    assert judged(grids.assign(value=[1.0, 0.9])) == ["finer-grid"]


def test_known_barriers_are_judged_by_their_mean_over_pairs():
    rows = {"width": 16, "method": "naive", "split": ["train", "train", "test"]}
    chord = pd.DataFrame({**rows, "value": [1.0, 2.0, 9.0]})
    known = ((16, "naive", 1.2), (16, "naive", 1.0), (64, "naive", 1.5))
    right, wrong = anchor_claims(known, "pilots", "width", chord)
    assert (right.holds, right.interval) == (True, "[1, 2] over pairs")
    assert not wrong.holds


def test_the_line_is_judged_by_order_known_values_and_accuracy():
    study = replace(
        digits_mlp.smoke(), expected=(("naive", 1.0),), expected_source="pilots", end_accuracy=0.9
    )
    rows = [
        {"split": split, "pair": pair, "method": method, "value": value}
        for split, last in (("train", 0.1), ("test", 0.9))
        for pair in ("0-1", "0-2")
        for method, value in (("naive", 1.0), ("weights", 0.5), ("activations", last))
    ]
    chord = pd.DataFrame(rows)
    assert [claim.holds for claim in study._order_claims(chord)] == [True, False]
    assert [claim.holds for claim in study._expected_claims(chord)] == [True]
    labels = {"split": "test", "metric": "accuracy"}
    profile = pd.DataFrame({**labels, "t": [0.0, 0.5, 1.0], "value": [0.95, 0.1, 0.92]})
    assert [claim.holds for claim in study._accuracy_claims(profile)] == [True]
    assert not study._accuracy_claims(profile.assign(value=0.8))[0].holds
