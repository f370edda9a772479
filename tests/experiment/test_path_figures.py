"""Figures of paths: what is drawn is what was given."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from mconn.errors import ConfigError
from mconn.experiment import Pivots, Plane, length_figure, pivot_figure, plane_figure

X, Y = np.linspace(-1, 4, 6), np.linspace(-2, 2, 5)
CURVE = np.array([[0, 0], [1.5, 1], [3, 0]])


def plane(low=0.01, high=1.0):
    values = np.geomspace(low, high, X.size * Y.size).reshape(Y.size, X.size)
    ends = {"A": np.zeros(2), "B": np.array([3.0, 0.0])}
    return Plane(X, Y, values, ends, {"curve": CURVE}, "Train")


def levels(figure):
    bar = figure.axes[-1]
    return [float(label.get_text()) for label in bar.get_yticklabels()]


def test_a_plane_has_its_networks_and_its_curve():
    figure = plane_figure([plane()])
    panel, bar = figure.axes
    (drawn,) = [line for line in panel.lines if line.get_label() == "curve"]
    np.testing.assert_array_equal(drawn.get_xydata(), CURVE)
    assert [text.get_text() for text in panel.texts] == ["A", "B"]
    assert panel.get_title(loc="left") == "Train"
    assert bar.get_ylabel() == "Loss (nats)"


def test_the_scale_is_logarithmic_where_values_span_decades():
    assert levels(plane_figure([plane()])) == [0.01, 0.032, 0.1, 0.32, 1]
    assert levels(plane_figure([plane(0.5, 1.0)])) == [0.5, 0.62, 0.75, 0.88, 1]
    assert levels(plane_figure([plane()], log=False))[0] == pytest.approx(0.01)
    # A logarithm of zero is none.
    assert levels(plane_figure([plane_with(0.0)]))[0] == 0


def plane_with(value):
    given = plane()
    given.values[2, 2] = value
    return given


def test_planes_share_one_scale():
    figure = plane_figure([plane(0.1, 1.0), plane(0.01, 0.1)])
    assert len(figure.axes) == 3
    assert (levels(figure)[0], levels(figure)[-1]) == (0.01, 1)


def test_what_is_not_finite_is_left_white():
    figure = plane_figure([plane_with(np.nan)])
    assert (levels(figure)[0], levels(figure)[-1]) == (0.01, 1)
    nothing = dataclasses.replace(plane(), values=np.full((5, 6), np.inf))
    with pytest.raises(ConfigError, match="no value of the plane is finite"):
        plane_figure([nothing])
    with pytest.raises(ConfigError, match="there is no plane"):
        plane_figure([])


def test_a_level_plane_is_drawn():
    assert plane_figure([dataclasses.replace(plane(), values=np.ones((5, 6)))]).axes


def path_table():
    rows = [
        {
            "method": method,
            "split": split,
            "metric": metric,
            "pair": pair,
            "t": t,
            "value": 1.0 + t,
            "standard_error": 0.1,
            "arc_length": t * length,
            "segment": 10.0,
        }
        for method, length in (("line", 10.0), ("bezier", 15.0))
        for split in ("train", "test")
        for metric in ("loss", "accuracy")
        for pair in ("0-1", "0-2")
        for t in (0.0, 0.5, 1.0)
    ]
    return pa.Table.from_pylist(rows)


def test_a_longer_path_ends_further_to_the_right():
    figure = length_figure(path_table())
    assert len(figure.axes) == 4
    loss = figure.axes[0]
    line, bezier = loss.lines
    np.testing.assert_allclose(line.get_xdata(), [0, 0.5, 1])
    np.testing.assert_allclose(bezier.get_xdata(), [0, 0.75, 1.5])
    np.testing.assert_allclose(bezier.get_ydata(), [1, 1.5, 2])
    # Accuracies are per cent.
    np.testing.assert_allclose(figure.axes[2].lines[0].get_ydata(), [100, 150, 200])
    with pytest.raises(ConfigError, match="the table lacks the column 'segment'"):
        length_figure(path_table().drop_columns(["segment"]))


def test_pivots_are_dots_on_their_chain():
    losses = np.array([0.1, 0.4, 0.5, 0.3, 0.1])
    chain = Pivots("cycle 1", np.arange(5.0), losses, np.array([1, 0, 1, 0, 1]))
    figure = pivot_figure([chain], segment=2.0)
    curve, dots = figure.axes[0].lines
    np.testing.assert_allclose(curve.get_xdata(), np.arange(5) / 2)
    np.testing.assert_allclose(dots.get_ydata(), losses[::2])
