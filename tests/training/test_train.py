from dataclasses import replace

import jax
import numpy as np
import pytest
from notes import Recorder

from mconn.data import DataConfig, load
from mconn.errors import ConfigError, DivergenceError, StructureError
from mconn.models import CNN, MLP
from mconn.training import Optimiser, TrainConfig, train
from mconn.training.train import _refuse_divergence
from mconn.trees import named_leaves

CONFIG = TrainConfig(
    MLP(width=12, depth=2, classes=4),
    DataConfig("digits"),
    Optimiser(learning_rate=1e-2),
    seeds=(0, 1),
    epochs=4,
    batch_size=25,
)


def assert_same_bits(a, b):
    expected = named_leaves((b.params, b.history))
    for name, leaf in named_leaves((a.params, a.history)).items():
        assert leaf.tobytes() == expected[name].tobytes(), name


def test_all_seeds_learn_the_digits():
    config = TrainConfig(
        MLP(64, 2), DataConfig("digits", normalise="unit"), seeds=(0, 1, 2), epochs=25
    )
    dataset = load(config.data)
    trained = train(config, dataset)
    logits = jax.jit(jax.vmap(config.model.apply, (0, None)))(trained.params, dataset.test.inputs)
    accuracy = (np.asarray(logits).argmax(axis=-1) == dataset.test.labels).mean(axis=1)
    assert (accuracy > 0.93).all()
    assert len(set(trained.history["train_loss"][-1])) == 3
    assert (trained.history["train_loss"][-1] < 0.3).all()
    assert set(trained.history) == {"train_loss", "train_accuracy"}


def test_a_cnn_with_batch_norm_carries_its_statistics(validated):
    config = replace(CONFIG, model=CNN(width=16, depth=1, classes=4, normaliser="batch"), epochs=8)
    trained = train(config, validated)
    statistics = named_leaves(trained.params["batch_stats"])
    assert all(np.ptp(leaf) > 0.01 for leaf in statistics.values())
    assert (trained.history["validation_accuracy"][-1] > 0.85).all()


def test_validation_accuracy_is_that_of_the_returned_networks(plain, whole, validated):
    assert {name: values.shape for name, values in whole.history.items()} == dict.fromkeys(
        ["train_loss", "train_accuracy", "validation_accuracy"], (4, 2)
    )
    apply = jax.jit(jax.vmap(CONFIG.model.apply, (0, None)))
    logits = np.asarray(apply(whole.params, validated.validation.inputs))
    expected = (logits.argmax(-1) == validated.validation.labels).mean(axis=1)
    np.testing.assert_allclose(whole.history["validation_accuracy"][-1], expected, rtol=1e-6)
    for name, leaf in named_leaves(plain.params).items():  # which do not depend on it
        np.testing.assert_allclose(named_leaves(whole.params)[name], leaf, atol=1e-6)


def test_progress_hears_of_every_epoch(dataset, plain):
    recorder = Recorder()
    assert_same_bits(train(CONFIG, dataset, progress=recorder), plain)
    assert recorder.started == ("train", 4, "epoch")
    assert [completed for completed, _ in recorder.updates] == [1, 2, 3, 4]
    fields = recorder.updates[-1][1]
    assert fields["loss"] == pytest.approx(plain.history["train_loss"][-1].mean())
    assert fields["accuracy"] == pytest.approx(plain.history["train_accuracy"][-1].mean())
    assert fields["speed"].endswith(" examples/s")


@pytest.mark.parametrize("stop_after", [1, 3])
def test_an_interrupted_training_ends_as_if_it_had_never_stopped(
    validated, whole, tmp_path, stop_after
):
    with pytest.raises(KeyboardInterrupt):
        train(CONFIG, validated, tmp_path, Recorder(stop_after))
    recorder = Recorder()
    resumed = train(CONFIG, validated, tmp_path, recorder)
    assert [completed for completed, _ in recorder.updates] == list(range(stop_after, 5))
    assert recorder.lines == [f"train: going on after epoch {stop_after} of 4"]
    assert_same_bits(resumed, whole)
    assert list(resumed.history) == list(whole.history)
    again = Recorder()
    assert_same_bits(train(CONFIG, validated, tmp_path, again), resumed)
    assert again.updates == [(4, {})]


def test_a_damaged_checkpoint_costs_one_epoch(dataset, plain, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(CONFIG, dataset, tmp_path, Recorder(3))
    step = tmp_path / "step-000000003.npz"
    step.write_bytes(step.read_bytes()[:1000])
    recorder = Recorder()
    resumed = train(CONFIG, dataset, tmp_path, recorder)
    assert [completed for completed, _ in recorder.updates] == [2, 3, 4]
    assert recorder.lines[0].startswith(f"{step} is damaged")
    assert recorder.lines[1:] == ["train: going on after epoch 2 of 4"]
    assert_same_bits(resumed, plain)


def test_a_loss_that_is_not_finite_names_step_and_seed(dataset, tmp_path):
    wild = replace(CONFIG, optimiser=Optimiser("sgd", 1e30), seeds=(5, 6))
    with pytest.raises(DivergenceError) as error:
        train(wild, dataset, tmp_path)
    assert str(error.value) == (
        "the loss of seed 5 is not finite at step 2 of epoch 1 (step 2 in all): lower the "
        "learning rate, now 1e+30; none is kept yet"
    )
    assert not list(tmp_path.glob("*.npz"))
    with pytest.raises(DivergenceError, match=r"seed 5 .*; nothing was saved"):
        train(wild, dataset)


def test_divergence_keeps_the_last_good_checkpoint(dataset, tmp_path):
    # A linear network, whose loss grows without bound once the rising rate is too large.
    late = replace(
        CONFIG,
        model=MLP(width=12, depth=2, classes=4, activation="identity"),
        epochs=10,
        optimiser=Optimiser("sgd", 20.0, schedule="constant", warmup_epochs=9),
    )
    with pytest.raises(DivergenceError, match="is not finite at step") as error:
        train(late, dataset, tmp_path)
    kept = max(int(path.stem.removeprefix("step-")) for path in tmp_path.glob("*.npz"))
    assert kept >= 1
    assert f"of epoch {kept + 1} " in str(error.value)
    assert f"the state after epoch {kept} is kept in {tmp_path}" in str(error.value)
    recorder = Recorder()
    with pytest.raises(DivergenceError) as again:
        train(late, dataset, tmp_path, recorder)
    assert str(again.value) == str(error.value)
    assert recorder.updates == [(kept, {})]


def test_a_state_that_is_not_finite_after_the_last_step_is_refused():
    losses, finite = np.ones((5, 2), np.float32), np.asarray([True, False])
    with pytest.raises(DivergenceError, match="the state of seed 1 is not finite at step 5 of"):
        _refuse_divergence(CONFIG, 0, losses, finite, None)
    _refuse_divergence(CONFIG, 0, losses, np.ones(2, bool), None)


def test_what_cannot_be_trained_is_refused(dataset):
    with pytest.raises(ConfigError, match="batch_size is 131 and patterns has 130"):
        train(replace(CONFIG, batch_size=131), dataset)
    with pytest.raises(StructureError, match=r"the shape \(1, 10\), and patterns has 4 classes"):
        train(replace(CONFIG, model=MLP(8)), dataset)
    unchecked = train.__wrapped__
    with pytest.raises(StructureError, match="dataset is a Split, not a Dataset: load one with"):
        unchecked(CONFIG, dataset.train)
