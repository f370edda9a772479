from dataclasses import dataclass, replace

import jax
import numpy as np
import pytest
from notes import Recorder
from test_train import CONFIG, assert_same_bits

from mconn.errors import CheckpointError, ConfigError
from mconn.training import Observer, train


@dataclass(frozen=True)
class Distances(Observer):
    """How far each of two networks is from its start, and the distance between them."""

    every: int = 1
    names: tuple[str, ...] = ("moved 0", "moved 1", "apart")
    shown: tuple = ()

    def measure(self, networks, initial):
        now, before = (
            np.concatenate([np.reshape(leaf, (2, -1)) for leaf in jax.tree.leaves(tree)], axis=1)
            for tree in (networks, initial)
        )
        moved = np.linalg.norm(now - before, axis=1)
        return {"moved 0": moved[0], "moved 1": moved[1], "apart": np.linalg.norm(now[0] - now[1])}


class Shown(Distances):
    """Keeps what it was shown."""

    def show(self, observed):
        self.shown.append({name: values.copy() for name, values in observed.items()})
        return {"apart": float(np.nanmax(observed["apart"]))}


@pytest.fixture(scope="module")
def watched(dataset):
    return train(CONFIG, dataset, observer=Distances())


def test_an_observer_sees_the_networks_and_changes_nothing(watched, plain):
    assert_same_bits(watched, plain)
    assert plain.observed == {}
    moved = watched.observed["moved 0"]
    assert moved.shape == (CONFIG.epochs + 1,)
    assert moved[0] == 0
    assert (moved[1:] > 0).all()
    final = Distances().measure(plain.params, plain.params)
    np.testing.assert_allclose(watched.observed["apart"][-1], final["apart"], rtol=1e-6)


def test_epochs_between_measurements_are_nan(dataset):
    observer, progress = Shown(every=3, shown=[]), Recorder()
    observed = train(CONFIG, dataset, progress=progress, observer=observer).observed
    assert np.isfinite(observed["apart"]).tolist() == [True, False, False, True, True]
    assert [np.isfinite(each["apart"]).sum() for each in observer.shown] == [1, 2, 3]
    beside = [fields["apart"] for _, fields in progress.updates]
    assert beside[0] == beside[1] == observed["apart"][0]
    assert beside[3] == np.nanmax(observed["apart"])


@pytest.mark.parametrize("stop_after", [1, 3])
def test_a_stopped_training_keeps_what_was_observed(dataset, watched, tmp_path, stop_after):
    with pytest.raises(KeyboardInterrupt):
        train(CONFIG, dataset, tmp_path / "c", Recorder(stop_after), Distances())
    again = Shown(shown=[])
    resumed = train(CONFIG, dataset, tmp_path / "c", observer=again)
    assert_same_bits(resumed, watched)
    for name, values in watched.observed.items():
        np.testing.assert_array_equal(resumed.observed[name], values)
    assert len(again.shown) == CONFIG.epochs - stop_after


def test_the_states_of_an_unobserved_training_are_not_continued(dataset, tmp_path):
    train(CONFIG, dataset, tmp_path / "c")
    with pytest.raises(CheckpointError, match=r"observed is nothing there, apart, moved 0"):
        train(CONFIG, dataset, tmp_path / "c", observer=Distances())


def test_what_cannot_be_observed_is_refused(dataset):
    with pytest.raises(ConfigError, match="they differ in loss"):
        train(CONFIG, dataset, observer=Distances(names=("moved 0", "moved 1", "apart", "loss")))
    with pytest.raises(ConfigError, match="every is 0: measure every epoch"):
        train(CONFIG, dataset, observer=replace(Distances(), every=0))
