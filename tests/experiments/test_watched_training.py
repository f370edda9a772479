import numpy as np
import pyarrow as pa

from configs.watched_training import smoke
from experiments.features.watched import alarm_claim, trajectory
from mconn import experiment
from mconn.experiment.folder import RunFolder


def test_a_watched_training_reports_what_it_tracked(tmp_path):
    folder = experiment.run(smoke(), tmp_path)
    assert (folder.path / "figures" / "diagnostics.png").is_file()
    assert len(folder.record["claims"]) == 5
    assert isinstance(folder, RunFolder)


def test_an_alarm_must_rise_with_the_barrier():
    barrier = np.array([[0.0, 1, 2, 3]])
    assert alarm_claim("angle", 2 * barrier, barrier).holds
    assert not alarm_claim("angle", -barrier, barrier).holds
    assert not alarm_claim("angle", 0 * barrier, barrier).holds


def test_a_trajectory_has_a_row_per_pair():
    rows = [
        {"epoch": epoch, "quantity": "barrier", "layer": "", "networks": pair, "value": value}
        for pair, start in (("0-1", 0.0), ("0-2", 10.0))
        for epoch, value in enumerate(start + np.arange(3))
    ]
    found = trajectory(pa.Table.from_pylist(rows), "barrier")
    np.testing.assert_array_equal(found, [[0, 1, 2], [10, 11, 12]])
