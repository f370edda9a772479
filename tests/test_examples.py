import numpy as np
import pytest

from mconn.data import Split
from mconn.errors import DataError
from mconn.examples import parts

INPUTS, LABELS = np.zeros((4, 2)), np.arange(4)


@pytest.mark.parametrize(
    "batch",
    [
        Split(INPUTS, LABELS),
        {"inputs": INPUTS, "labels": LABELS},
        (INPUTS, LABELS),
        [INPUTS, LABELS],
    ],
)
def test_examples_come_in_several_forms(batch):
    inputs, labels = parts(batch)
    assert inputs is INPUTS
    assert labels is LABELS


def test_examples_without_labels_are_refused():
    with pytest.raises(DataError, match=r"pass the pair \(inputs, labels\)"):
        parts(INPUTS)
