import numpy as np
import pytest

from configs.counterexample import counterexample, smoke
from experiments.lines.counterexample_network import TwoUnits, network_a, network_b, square
from mconn import experiment
from mconn.errors import ConfigError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return experiment.run(smoke(), tmp_path_factory.mktemp("results"))


def test_every_claim_holds(folder):
    assert len(folder.record["claims"]) == 9
    assert [claim for claim in folder.record["claims"] if not claim["holds"]] == []


def test_every_permutation_gets_a_quarter_wrong_half_way(folder):
    rows = folder.table("headline").to_pylist()
    assert len(rows) == 2 * 4
    assert {row["half way (%)"] for row in rows} == {25.0}
    assert all(row["chord barrier (%)"] >= 24.8 for row in rows)


def test_lines_are_symmetric_in_time(folder):
    errors = {}
    for row in folder.table("lines").to_pylist():
        if row["ends"] == "A to B" and row["activation"] == "ReLU":
            errors.setdefault(row["permutation"], []).append(row["error"])
    for values in errors.values():
        assert np.allclose(values, values[::-1], atol=1 / 64)


def test_both_networks_compute_the_same_score():
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


@pytest.mark.parametrize("sizes", [{"cells": 10}, {"cells": 4}, {"points": 20}])
def test_sizes_without_a_midpoint_or_with_ties_are_refused(sizes):
    with pytest.raises(ConfigError):
        counterexample(**sizes)
