"""Laws of the evaluation's figures: what the arrays say is what the artists show."""

import numpy as np
import pytest

from facette.errors import UsageError
from facette.plots.measured import Panel, plot_bars, plot_nearest, plot_rates


def panel(**changes):
    given = {
        "title": "PSNR",
        "names": ["a", "b"],
        "values": [2.0, 3.0],
        "lows": [1.5, 3.0],
        "highs": [2.5, 4.0],
    }
    return Panel(**given | changes)


def test_bars_have_the_lengths_of_the_values_and_lines_over_their_intervals():
    axes = plot_bars([panel(mark=2.2)], "title").axes[0]
    assert [bar.get_width() for bar in axes.patches] == [2.0, 3.0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    (segments,) = [c.get_segments() for c in axes.collections]
    assert [tuple(s[:, 0]) for s in segments] == [(1.5, 2.5), (3.0, 4.0)]
    assert [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == "--"] == [2.2]


def test_each_measure_has_its_own_panel_and_empty_ones_go():
    figure = plot_bars([panel(title=name) for name in "xyz"], "title")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["x", "y", "z"]


def test_rates_are_sorted_and_summed_for_every_model():
    figure = plot_rates({"one": np.array([1.0, 3.0, 2.0]), "two": np.array([0.5])})
    first, second = figure.axes[0].lines
    assert list(first.get_ydata()) == [3, 2, 1]
    assert first.get_label() == "one: 6 nats in 3 latents"
    assert list(second.get_xdata()) == [1]


def test_nearest_distances_are_their_cumulative_shares():
    figure = plot_nearest(np.array([3.0, 1.0]), np.array([4.0, 2.0, 6.0, 8.0]), 2.5, "Memory")
    samples, held_out, threshold = figure.axes[0].lines
    assert list(samples.get_xdata()) == [1, 3]
    assert list(held_out.get_ydata()) == [0.25, 0.5, 0.75, 1]
    assert threshold.get_xdata()[0] == 2.5


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: plot_bars([], "title"),
        lambda: plot_bars([panel(lows=[1.0])], "title"),
        lambda: plot_rates({}),
        lambda: plot_rates({"a": np.array([np.nan])}),
        lambda: plot_nearest(np.zeros(0), np.ones(3), 1.0, "Memory"),
    ],
)
def test_nothing_to_draw_is_refused(wrong):
    with pytest.raises(UsageError):
        wrong()
