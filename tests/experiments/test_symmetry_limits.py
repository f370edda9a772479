"""The study of the limits of symmetry."""

from configs import symmetry_limits
from mconn import experiment


def test_every_change_does_what_it_should(tmp_path):
    folder = experiment.run(symmetry_limits.smoke(), tmp_path)
    failed = [claim["statement"] for claim in folder.record["claims"] if not claim["holds"]]
    assert not failed
    assert len(folder.record["claims"]) == 19
    rows = folder.table("headline").to_pylist()
    assert {row["should"] for row in rows} == {"keep", "change"}
    arcs = folder.table("arcs").to_pylist()
    spare = [row["loss"] for row in arcs if row["curve"] == "spare"]
    assert spare[0] == 0
    assert max(spare) < 1e-20
