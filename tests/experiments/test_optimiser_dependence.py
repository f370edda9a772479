"""The study of optimisers."""

from dataclasses import replace

import pytest

from configs import optimiser_dependence
from mconn import experiment
from mconn.errors import ConfigError


@pytest.mark.slow
def test_optimisers_are_compared(tmp_path):
    folder = experiment.run(optimiser_dependence.smoke(), tmp_path)
    rows = folder.table("headline").to_pylist()
    assert [row["optimiser"] for row in rows] == ["SGD, rate 0.3", "Adam, rate 1e-4"]
    controls = [claim for claim in folder.record["claims"] if claim["source"] == "control"]
    assert len(controls) == 2
    assert all(claim["holds"] for claim in controls)


def test_every_optimiser_trains_the_same_network():
    study = optimiser_dependence.optimiser_dependence()
    stages = study.stages()
    trained = {name: stages[f"{name}: train"] for name, _ in study.optimisers}
    assert len({stage.key for stage in trained.values()}) == len(study.optimisers)
    assert {stage.config.model for stage in trained.values()} == {study.train.model}


def test_names_that_do_not_fit_are_refused():
    study = optimiser_dependence.optimiser_dependence()
    with pytest.raises(ConfigError, match="a claim is about 'SGD', which is no optimiser of"):
        replace(study, claims_about=(("somebody", "SGD", "Adam, rate 1e-2"),))
    with pytest.raises(ConfigError, match="give at least two, each one name"):
        replace(study, optimisers=study.optimisers[:1] * 2)
    with pytest.raises(ConfigError, match="a line needs two networks"):
        optimiser_dependence.optimiser_dependence(seeds=1)
