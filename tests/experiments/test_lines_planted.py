"""Known answers of the studies of lines: barriers on grids, the counterexample, the shapes."""

import numpy as np
import pandas as pd
import pytest

from experiments.lines.counterexample_network import TwoUnits, network_a, network_b, square
from experiments.lines.kinds import GRIDS, chord, relation_claims
from experiments.lines.optimisers import judge as optimiser_claims
from experiments.lines.scaling_claims import shape_claims


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
    naive, matched = [0.1, 1.0, 1.2], [0.05, 0.4, 0.1]
    means = {
        (method, "train", place): value
        for method, values in (("naive", naive), ("weights", matched))
        for place, value in zip((1, 10, 100), values, strict=True)
    }
    rise, hump = shape_claims("epochs", (1, 10, 100), ("naive", "weights"), means)
    assert rise.holds
    assert hump.holds
    assert [c.holds for c in shape_claims("width", (1, 10, 100), ("naive",), means)] == [False]
    assert [c.holds for c in shape_claims("depth", (1, 10, 100), ("naive",), means)] == [True]
    means["weights", "train", 100] = 0.3
    assert not shape_claims("epochs", (1, 10, 100), ("weights",), means)[0].holds


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
