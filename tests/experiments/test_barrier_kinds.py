"""The study of kinds of barriers."""

from dataclasses import replace

import numpy as np
import pytest

from configs import barrier_kinds
from experiments.lines.kinds_stages import GRIDS, chord
from mconn import experiment
from mconn.errors import ConfigError


def test_coarser_grids_are_parts_of_finer_ones():
    means = np.random.default_rng(0).uniform(size=GRIDS[-1])
    barriers = [chord(means, points) for points in GRIDS]
    assert (np.diff(barriers) >= 0).all()
    line = np.linspace(1, 3, GRIDS[-1])
    for points in GRIDS:
        assert abs(chord(line, points)) < 1e-12
        bump = line + np.sin(np.pi * np.linspace(0, 1, GRIDS[-1]))
        assert chord(bump, points) == pytest.approx(1, abs=1e-12)  # the middle is in every grid


@pytest.mark.slow
def test_the_kinds_are_related_on_every_line(tmp_path):
    folder = experiment.run(barrier_kinds.smoke(), tmp_path)
    exact = [each for each in folder.record["claims"] if each["source"] == "by definition"]
    assert len(exact) == 6
    assert all(each["holds"] for each in exact)
    assert {row["line"] for row in folder.table("estimates").to_pylist()} == {
        "naive",
        "matched",
        "untrained",
        "unequal",
    }


def test_the_same_seeds_are_trained_three_times():
    study = barrier_kinds.smoke()
    with pytest.raises(ConfigError, match="train the same ones three times, at least two"):
        replace(study, early=replace(study.early, seeds=(4, 5)))
    with pytest.raises(ConfigError, match="at least two"):
        barrier_kinds.barrier_kinds(seeds=1)
