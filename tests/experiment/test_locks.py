from pathlib import Path

from mconn.experiment.store import exclusive, is_held


def test_a_held_lock_is_seen_and_a_dropped_one_is_not(tmp_path: Path) -> None:
    lock = tmp_path / "folder" / "x.lock"
    assert not is_held(lock)
    with exclusive(lock, lambda: None):
        assert is_held(lock)
    assert not is_held(lock)


def test_nobody_waits_for_a_free_lock(tmp_path: Path) -> None:
    waited: list[str] = []
    for _ in range(2):
        with exclusive(tmp_path / "x.lock", lambda: waited.append("waited")):
            pass
    assert not waited
