"""Panels draw what the frame holds: curves, bands, rows and columns of panels."""

import numpy as np
import pandas as pd
import pytest

from mconn.errors import ConfigError
from mconn.experiment import plot

FRAME = pd.DataFrame(
    [
        {"t": t, "loss": t + pair, "error": 1.0, "method": method, "split": split, "pair": pair}
        for t in (0.0, 0.5, 1.0)
        for method in ("naive", "weights")
        for split in ("train", "test")
        for pair in (0, 1)
    ]
)


def test_a_curve_is_a_mean_with_a_band():
    figure = plot.panels(FRAME, "t", "loss", by="method", columns="split", names={"train": "Train"})
    first, second = figure.axes
    assert [each.get_title(loc="left") for each in (first, second)] == ["Train", "test"]
    assert [line.get_label() for line in first.lines] == ["naive", "weights"]
    np.testing.assert_allclose(first.lines[0].get_ydata(), [0.5, 1, 1.5])
    assert len(first.collections) == 2  # bands
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["naive", "weights"]


def test_rows_are_columns_of_the_frame_or_values_of_one():
    both = plot.panels(FRAME, "t", ["loss", "error"], labels={"loss": "Loss (nats)"})
    assert [axis.get_ylabel() for axis in both.axes] == ["Loss (nats)", "error"]
    splits = plot.panels(FRAME, "t", "loss", rows="split", log="y", floor=1e-3, level=1)
    assert [axis.get_ylabel() for axis in splits.axes] == ["train", "test"]
    assert {axis.get_yscale() for axis in splits.axes} == {"log"}


def test_zero_has_no_place_on_a_logarithmic_axis():
    figure = plot.panels(FRAME[FRAME.pair == 0], "t", "loss", log="y")
    assert figure.axes[0].lines[0].get_xdata().tolist() == [0.5, 1]


def test_panels_that_share_an_axis_show_the_highest_of_all():
    frame = pd.DataFrame({"t": [0, 1] * 2, "loss": [1, 2, 50, 90], "split": ["a", "a", "b", "b"]})
    figure = plot.panels(frame, "t", "loss", columns="split", bottom=0, ticks=(0, 0.5, 2))
    assert {axis.get_ylim()[0] for axis in figure.axes} == {0}
    assert all(axis.get_ylim()[1] > 90 for axis in figure.axes)
    assert all(axis.get_xlim()[1] >= 2 for axis in figure.axes)


@pytest.mark.parametrize(
    ("frame", "options", "message"),
    [
        (FRAME, {"by": "seed"}, "lacks the column 'seed'"),
        (FRAME[:0], {}, "has no row"),
        (FRAME, {"y": ["loss", "error"], "rows": "split"}, "or several columns y"),
    ],
)
def test_what_cannot_be_drawn_is_refused(frame, options, message):
    with pytest.raises(ConfigError, match=message):
        plot.panels(frame, "t", **{"y": "loss", **options})
