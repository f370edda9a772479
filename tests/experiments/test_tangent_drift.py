"""The study of tangent kernels."""

import dataclasses

import numpy as np
import pytest

from configs import tangent_drift
from experiments.tangent.network import Wide, descend
from experiments.tangent.width import Spread
from mconn import experiment
from mconn.errors import ConfigError


@pytest.mark.slow
def test_the_controls_hold_and_every_question_has_its_table(tmp_path):
    folder = experiment.run(tangent_drift.smoke(), tmp_path)
    controls = [claim for claim in folder.record["claims"] if claim["source"].startswith("control")]
    assert len(controls) >= 5
    assert all(claim["holds"] for claim in controls)
    slopes = folder.table("headline").to_pylist()
    assert len(slopes) == 3
    assert all(row["slope of drift against width"] < 0 for row in slopes)
    lines = folder.table("lines").to_pylist()
    assert {row["method"] for row in lines} == {"naive", "activations"}
    assert all(row["drift"] == 0 for row in lines if row["t"] == 0)
    assert {row["epoch"] for row in folder.table("epochs").to_pylist()} == {0, 1, 7, 8}
    wide = [row for row in folder.table("forecast").to_pylist() if row["width"] == 128]
    errors = {
        name: max(row["error"] for row in wide if row["activation"] == name)
        for name in ("gelu", "relu")
    }
    assert errors["gelu"] < 0.15 < errors["relu"]


def test_both_parametrisations_draw_the_same_functions():
    inputs = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    outputs = []
    for parametrisation in ("tangent", "standard"):
        network = Wide(16, 2, parametrisation)
        weights = [leaf[0] for leaf in network.draw((3,), 7, 2)]
        outputs.append(np.asarray(network(weights, inputs)))
    np.testing.assert_allclose(outputs[0], outputs[1], rtol=1e-4)


@pytest.mark.parametrize("adam", [False, True])
def test_descent_stops_at_the_goal(adam):
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(12, 4)).astype(np.float32)
    targets = generator.normal(size=(12, 2)).astype(np.float32)
    network = Wide(32)
    start = network.draw((0, 1), 4, 2)
    rate = 0.01 if adam else 0.1
    found = descend(network, start, inputs, targets, rate, 0.5, 2000, adam=adam)
    assert (np.asarray(found.loss) <= 0.5).all()
    assert (np.asarray(found.steps) > 1).all()
    stopped = descend(network, start, inputs, targets, rate, 0.0, 3, adam=adam)
    assert (np.asarray(stopped.steps) == 3).all()


def test_sizes_that_have_no_answer_are_refused():
    study = tangent_drift.smoke()
    with pytest.raises(ConfigError, match="needs two widths and two seeds"):
        dataclasses.replace(study, widths=(64,))
    with pytest.raises(ConfigError, match="an odd number"):
        dataclasses.replace(study, points=4)
    with pytest.raises(ConfigError, match="end with the last"):
        dataclasses.replace(study, at=(0, 3)).stages()
    with pytest.raises(ConfigError, match="four or more"):
        Spread(study.digits, (8,), (1,), 2)
