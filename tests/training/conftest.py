import numpy as np
import pytest
from test_train import CONFIG

from mconn.data import Dataset, Split
from mconn.training import train


def examples(count, seed):
    """Noisy copies of four patterns of 3 x 3 pixels."""
    patterns = np.random.default_rng(0).normal(size=(4, 3, 3, 1))
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, count).astype(np.int32)
    noise = 0.3 * rng.normal(size=(count, 3, 3, 1))
    return Split((patterns[labels] + noise).astype(np.float32), labels)


@pytest.fixture(scope="session")
def dataset():
    return Dataset("patterns", examples(130, 1), None, examples(60, 2), classes=4)


@pytest.fixture(scope="session")
def validated():
    return Dataset("patterns", examples(130, 1), examples(50, 3), examples(60, 2), classes=4)


@pytest.fixture(scope="session")
def plain(dataset):
    """`CONFIG`, trained without a stop."""
    return train(CONFIG, dataset)


@pytest.fixture(scope="session")
def whole(validated):
    """The same with a validation split."""
    return train(CONFIG, validated)
