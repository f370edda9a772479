from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from toys import METHODS, barrier_table, profile_table

from mconn.errors import ConfigError
from mconn.experiment import band_meaning, barrier_bars, profile_figure
from mconn.experiment.figures import COLUMN, LOOKS, PAGE, save


def curve(figure: Any, panel: int, method: int) -> Any:
    return figure.axes[panel].lines[method]


def test_each_panel_has_a_labelled_curve_per_method() -> None:
    figure = profile_figure(profile_table())
    assert len(figure.axes) == 4
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["Train", "Test", "", ""]
    assert [axis.get_ylabel() for axis in figure.axes] == ["Loss (nats)", "", "Accuracy (%)", ""]
    for axis in figure.axes:
        assert [line.get_label() for line in axis.lines] == list(METHODS)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(METHODS)


def test_a_curve_is_the_mean_over_pairs_with_marked_ends() -> None:
    figure = profile_figure(profile_table())
    ts, values = curve(figure, 0, 0).get_data()
    np.testing.assert_allclose(values, 0.1 + 3 * 2 * 4 * ts * (1 - ts))
    assert curve(figure, 0, 0).get_markevery() == [0, len(ts) - 1]
    # Accuracy is drawn in per cent.
    np.testing.assert_allclose(curve(figure, 2, 0).get_ydata(), 100 * values)


def test_the_band_reaches_over_the_pairs() -> None:
    band = profile_figure(profile_table()).axes[0].collections[0].get_paths()[0].vertices
    assert band[:, 1].max() == pytest.approx(0.1 + 3 * 3)


def test_the_band_of_one_pair_is_its_interval() -> None:
    table = profile_table(pairs=("0-1",))
    band = profile_figure(table).axes[0].collections[0].get_paths()[0].vertices
    assert band[:, 1].max() == pytest.approx(0.1 + 3 + 1.96 * 0.01)
    assert "95 % intervals over examples" in band_meaning(table)
    assert "Mean over 3 pairs of seeds" in band_meaning(profile_table())


def test_the_order_of_points_does_not_matter() -> None:
    table = profile_table()
    shuffled = table.take(np.random.default_rng(0).permutation(table.num_rows))
    # Methods keep the order of their rows, so compare one with itself.
    name = METHODS[1]
    lines = [
        next(line for line in profile_figure(each).axes[0].lines if line.get_label() == name)
        for each in (table.sort_by([("split", "descending")]), shuffled)
    ]
    a, b = (line.get_data() for line in lines)
    np.testing.assert_allclose(a[0], b[0])


def test_curves_differ_in_colour_marker_and_dashes() -> None:
    for part in zip(*LOOKS, strict=True):
        assert len({str(value) for value in part}) == len(LOOKS)


def test_losses_on_a_logarithmic_axis() -> None:
    axes = profile_figure(profile_table(), log_loss=True).axes
    assert [axis.get_yscale() for axis in axes] == ["log", "log", "linear", "linear"]


def test_bars_are_means_with_a_dot_per_pair() -> None:
    figure = barrier_bars(barrier_table())
    axis = figure.axes[0]
    heights = [patch.get_height() for patch in axis.patches]
    np.testing.assert_allclose(heights, [3.1, 3.1, 2.1, 2.1, 1.1, 1.1])
    assert [len(line.get_xdata()) for line in axis.lines] == [3] * 6
    assert [text.get_text() for text in axis.texts] == ["3.10"] * 2 + ["2.10"] * 2 + ["1.10"] * 2
    assert [text.get_text() for text in axis.get_xticklabels()] == ["Train", "Test"]


def test_an_interval_that_misses_its_estimate_is_drawn() -> None:
    table = pa.table(
        {
            "method": ["naive"],
            "split": ["test"],
            "pair": ["0-1"],
            "value": [0.0],
            "low": [0.01],
            "high": [0.02],
        }
    )
    assert len(barrier_bars(table).axes[0].patches) == 1


@pytest.mark.parametrize("draw", [profile_figure, barrier_bars])
def test_a_table_without_a_column_is_refused(draw: Any) -> None:
    with pytest.raises(ConfigError, match="lacks the column 'split': it has method"):
        draw(pa.table({"method": ["naive"]}))


def test_sizes_fit_a_paper_and_text_stays_text(tmp_path: Path) -> None:
    save(profile_figure(profile_table()), tmp_path / "profile")
    save(barrier_bars(barrier_table()), tmp_path / "barriers")
    for name, width in (("profile", PAGE), ("barriers", COLUMN)):
        with Image.open(tmp_path / f"{name}.png") as image:
            assert image.width == round(300 * width)
    svg = (tmp_path / "profile.svg").read_text()
    assert "Loss (nats)</text>" in svg
    assert "<dc:date>" not in svg


def test_drawing_leaves_matplotlib_as_it_was(tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    save(profile_figure(profile_table()), tmp_path / "profile")
    assert dict(matplotlib.rcParams) == before
