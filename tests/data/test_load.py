import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from sklearn.datasets import load_digits

from mconn.data import DataConfig, Images, Split, find_folder, load
from mconn.data.load import _hold_out, _statistics
from mconn.errors import ConfigError, DataError


def test_digits_are_the_shuffled_rows_over_16():
    dataset = load(DataConfig("digits", normalise="unit"))
    images, labels = load_digits(return_X_y=True)
    rows = np.random.default_rng(0).permutation(1797)
    expected = (images[rows] / 16).astype(np.float32).reshape(-1, 8, 8, 1)
    np.testing.assert_array_equal(dataset.train.inputs, expected[:1400])
    np.testing.assert_array_equal(dataset.test.inputs, expected[1400:])
    np.testing.assert_array_equal(dataset.train.labels, labels[rows][:1400])
    assert (dataset.train.inputs.dtype, dataset.train.labels.dtype) == (np.float32, np.int32)
    assert (dataset.name, dataset.classes, dataset.validation) == ("digits", 10, None)


def test_channel_statistics_are_those_of_the_training_examples_that_are_left():
    dataset = load(DataConfig("digits", validation=300, subset=500))
    assert len(dataset.train) == 500
    inputs = dataset.train.inputs.astype(np.float64)
    assert abs(inputs.mean()) < 1e-6
    assert abs(inputs.std() - 1) < 1e-6
    raw = load(DataConfig("digits", normalise="unit", validation=300, subset=500))
    mean, deviation = (16 * raw.train.inputs).mean(), (16 * raw.train.inputs).std()
    expected = (16 * raw.test.inputs - mean) / deviation
    np.testing.assert_allclose(dataset.test.inputs, expected, rtol=1e-4, atol=1e-5)


def test_each_channel_has_its_own_statistics_and_a_constant_one_stays_finite():
    pixels = np.random.default_rng(0).integers(0, 256, (50, 4, 4, 3)).astype(np.uint8)
    pixels[..., 2] = 7
    shift, scale = _statistics(DataConfig("cifar10"), pixels, 255)
    np.testing.assert_allclose(shift, pixels.mean(axis=(0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(scale[:2], pixels.std(axis=(0, 1, 2))[:2], rtol=1e-6)
    assert scale[2] == 1


@settings(max_examples=50, deadline=None)
@given(count=st.integers(1, 200), validation=st.integers(0, 199), subset=st.integers(1, 200))
def test_held_out_rows_and_training_rows_never_meet(count, validation, subset):
    config = DataConfig("digits", validation=validation, subset=subset)
    if count - validation < subset:
        with pytest.raises(ConfigError, match=f"digits has {count} training examples"):
            _hold_out(config, count)
        return
    train, held = _hold_out(config, count)
    assert (len(train), len(held)) == (subset, validation)
    assert len(np.union1d(train, held)) == subset + validation


def test_the_validation_split_is_always_the_same_and_out_of_the_training_split():
    first = load(DataConfig("digits", normalise="unit", validation=200))
    again = load(DataConfig("digits", normalise="unit", validation=200))
    np.testing.assert_array_equal(first.validation.inputs, again.validation.inputs)
    assert (len(first.train), len(first.validation), len(first.test)) == (1200, 200, 397)
    whole = load(DataConfig("digits", normalise="unit")).train
    together = np.concatenate([first.train.inputs, first.validation.inputs]).reshape(1400, -1)
    order = np.lexsort(together.T)
    expected = whole.inputs.reshape(1400, -1)
    np.testing.assert_array_equal(together[order], expected[np.lexsort(expected.T)])


def test_a_split_is_a_pytree():
    import jax

    split = Split(np.zeros((4, 2), np.float32), np.arange(4, dtype=np.int32))
    assert jax.tree.map(np.shape, split) == Split((4, 2), (4,))
    assert jax.vmap(lambda example: example.inputs.sum() + example.labels)(split).shape == (4,)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "fashion-mnist", r"data set 'fashion-mnist' is unknown \(did you mean 'fashion_m"),
        ("normalise", "chanel", r"normalisation 'chanel' is unknown \(did you mean 'channel'\?\)"),
        ("validation", -1, "validation is -1"),
        ("subset", 0, "subset is 0"),
    ],
)
def test_a_wrong_option_names_itself(field, value, message):
    config = DataConfig("digits")
    object.__setattr__(config, field, value)  # around the type checker of the tests
    with pytest.raises(ConfigError, match=message):
        config.__post_init__()


def test_images_keep_their_shapes():
    with pytest.raises(Exception, match="train_labels"):
        Images(np.zeros((2, 4, 4, 1)), np.zeros(3), np.zeros((1, 4, 4, 1)), np.zeros(1), 255, 10)


FILES = ("a.gz", "b.gz")


@pytest.fixture(autouse=True)
def no_data_variable(monkeypatch):
    monkeypatch.delenv("MCONN_DATA", raising=False)


def fill(folder, files=FILES):
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        (folder / file).touch()
    return folder


def test_folders_are_looked_at_in_order(tmp_path, monkeypatch):
    named, variable = tmp_path / "named", tmp_path / "variable"
    system = fill(tmp_path / "system")
    named.mkdir()
    variable.mkdir()
    monkeypatch.setenv("MCONN_DATA", str(variable))
    assert find_folder("set", FILES, named, [system]) == system
    assert find_folder("set", FILES, named) is None
    for folder in (variable / "set", variable, named / "set", named):
        fill(folder)
        assert find_folder("set", FILES, named, [system]) == folder


def test_a_folder_that_does_not_exist_is_named(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=f"{tmp_path / 'nowhere'} does not exist"):
        find_folder("set", FILES, tmp_path / "nowhere", [fill(tmp_path / "system")])
    monkeypatch.setenv("MCONN_DATA", str(tmp_path / "gone"))
    with pytest.raises(DataError, match=f"{tmp_path / 'gone'} does not exist"):
        find_folder("set", FILES, None)


def test_a_missing_file_is_named(tmp_path):
    fill(tmp_path, ["a.gz"])
    with pytest.raises(DataError, match=f"{tmp_path / 'b.gz'} is missing beside a.gz"):
        find_folder("set", FILES, tmp_path)
