import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from configs.elastic_band import elastic_band, smoke
from experiments.curves.band import falls_to_the_end, half_barrier, matrix
from experiments.curves.band_stages import Bands, distances_between
from mconn import experiment
from mconn.errors import ConfigError
from mconn.experiment.stages import Train


@pytest.mark.slow
def test_the_whole_study_at_a_size_for_tests(tmp_path):
    folder = experiment.run(smoke(), tmp_path)
    headline = {row["path"]: row for row in folder.table("headline").to_pylist()}
    assert list(headline) == ["line", "bezier", "band"]
    assert headline["band"]["highest train loss"] < headline["line"]["highest train loss"] / 2
    assert headline["line"]["length / distance"] == 1
    cycles = folder.table("cycles").to_pylist()
    assert {row["pair"] for row in cycles} == {"0-1", "0-2", "1-2"}
    assert {row["cycle"] for row in cycles} == {0, 1, 2, 3, 4, 5}
    last = {row["pair"]: row for row in cycles}
    highest = folder.table("highest").to_pylist()
    for row in highest:
        if row["method"] == "band" and row["split"] == "train":
            assert row["highest"] == pytest.approx(last[row["pair"]]["saddle"], rel=1e-4)
            assert row["length"] == pytest.approx(last[row["pair"]]["length"], rel=1e-4)
    built = [c for c in folder.record["claims"] if c["source"] == "by construction"]
    assert [claim["holds"] for claim in built] == [True]
    assert {p.stem for p in (folder.path / "figures").iterdir()} == {"cycles", "saddles"}


def cycles_of(saddles, end):
    return pa.table({"saddle": saddles, "higher_end": [end] * len(saddles)})


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


def test_the_share_of_the_line_is_taken_above_the_higher_end():
    assert half_barrier(cycles_of([2.2, 0.7, 0.2], 0.2)) == pytest.approx(0.25)


def test_the_matrix_holds_paths_and_the_minima_themselves():
    row = {"method": "band", "split": "train", "first_end": 1.0, "last_end": 2.0, "highest": 5.0}
    found = matrix(pa.Table.from_pylist([{**row, "pair": "3-7"}]), "band", (3, 7))
    np.testing.assert_array_equal(found, [[1, 5], [5, 2]])


def test_distances_are_over_all_leaves():
    networks = {"a": np.array([[0.0, 0], [3, 0]]), "b": np.array([[0.0], [4]])}
    np.testing.assert_allclose(distances_between(networks, 2), [[0, 5], [5, 0]])


def test_pairs_are_joined_until_none_is_left():
    bands = Bands(Train(smoke().train), smoke().band)
    distances = np.array([[0, 1.0, 3], [1, 0, 2], [3, 2, 0]])
    saddles, order = np.full((3, 3), np.nan), []
    while pair := bands.next_pair(saddles, distances):
        order.append(pair)
        saddles[pair] = saddles[pair[::-1]] = 1.0
    assert order == [(0, 1), (1, 2), (0, 2)]


def test_what_makes_no_study_is_refused():
    with pytest.raises(ConfigError, match="a spanning tree says something of three minima"):
        elastic_band(seeds=2)
    with pytest.raises(ConfigError, match="bends is 0"):
        dataclasses.replace(smoke(), bends=0).stages()
