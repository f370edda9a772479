"""The studies of features along paths."""

import dataclasses

import numpy as np
import pytest

from configs import coupling_counterexamples, feature_drift
from experiments.features.coupling_stages import COPY, UNREAD, CoupledPaths
from experiments.features.drift_stages import FeatureDrift, OutputsAlong
from experiments.features.permuted_copies import PermutedCopies
from mconn import experiment
from mconn.errors import ConfigError
from mconn.experiment.stages import Align, Connect, Train


@pytest.mark.slow
def test_features_are_blends_and_permuted_copies_are_rotations(tmp_path):
    folder = experiment.run(feature_drift.smoke(), tmp_path)
    failed = [claim["statement"] for claim in folder.record["claims"] if not claim["holds"]]
    assert not failed
    coupling = folder.table("coupling").to_pylist()
    assert {row["method"] for row in coupling} == {"naive", "activations", "random"}
    assert {row["layer"] for row in coupling} == {1, 2}
    outputs = folder.table("outputs").to_pylist()
    assert {row["method"] for row in outputs} == {"naive", "activations", "random", "bezier"}
    assert all(np.isfinite(value) for row in outputs for value in list(row.values())[2:])


@pytest.mark.slow
def test_loss_and_rotations_do_not_go_together(tmp_path):
    folder = experiment.run(coupling_counterexamples.smoke(), tmp_path)
    failed = [claim["statement"] for claim in folder.record["claims"] if not claim["holds"]]
    assert not failed
    ends = {row["path"]: row for row in folder.table("ends").to_pylist()}
    assert len(ends) == 5
    assert ends[COPY]["barrier"] > 1000 * abs(ends[UNREAD]["barrier"])


def test_pilot_numbers_belong_to_the_measured_size_only():
    assert len(feature_drift.feature_drift().expected) == 14
    assert not feature_drift.smoke().expected


def test_one_seed_has_no_line():
    with pytest.raises(ConfigError, match="a line needs two networks"):
        feature_drift.feature_drift(seeds=1)
    config = dataclasses.replace(feature_drift.smoke().train, seeds=(0,))
    with pytest.raises(ConfigError, match="a pair needs two networks"):
        CoupledPaths(Train(config), Align(Train(config), "activations"))


def test_bad_sizes_are_refused():
    study = feature_drift.smoke()
    train = Train(study.train)
    align, curve = Align(train, "activations"), Connect(train, study.fit)
    with pytest.raises(ConfigError, match="an odd number"):
        FeatureDrift(train, points=4)
    with pytest.raises(ConfigError, match="its own alignment"):
        OutputsAlong(train, align, curve)
    with pytest.raises(ConfigError, match="at least one"):
        PermutedCopies(train, directions=0)
