"""Laws of the plots: what the arrays say is what the artists show, and matplotlib's own state is left alone."""

import sys

import numpy as np
import pytest
from PIL import Image

from facette.errors import UsageError
from facette.images.sheets.palette import LIGHT
from facette.plots import plot_rate_per_latent, plot_training, save_figure
from facette.plots.style import accent, hexed


def journal(count: int) -> list[dict]:
    rows = [
        {
            "event": "train",
            "step": 10 * i,
            "rate": 5.0 + i,
            "distortion": 90.0 - i,
            "images_per_second": 300 + i,
        }
        for i in range(count)
    ]
    return [*rows, {"event": "validation", "step": 20, "elbo": -99.0, "rate": 6.0, "distortion": 93.0}]


def panel(figure, title):
    return next(axes for axes in figure.axes if axes.get_title(loc="left").startswith(title))


def line(axes, name):
    return next(drawn for drawn in axes.lines if drawn.get_label() == name)


def test_a_panel_for_each_quantity_and_no_more():
    figure = plot_training(journal(6))
    titles = [axes.get_title(loc="left").split(",")[0] for axes in figure.axes]
    assert titles == ["evidence lower bound", "rate", "distortion", "speed"]
    assert len(plot_training([{"step": 1, "rate": 2.0}]).axes) == 1
    assert len(plot_training([{"step": 1, "rate": 2.0, "lr": 1e-3, "elbo": -3.0}]).axes) == 3


def test_curves_are_the_journal_in_the_order_of_steps():
    rows = journal(6)
    axes = panel(plot_training(rows[::-1]), "rate")
    x, y = line(axes, "training").get_data()
    assert list(x) == [0, 10, 20, 30, 40, 50]
    assert list(y) == [5, 6, 7, 8, 9, 10]
    assert line(axes, "validation").get_data()[1] == [6.0]


def test_the_bound_follows_from_rate_and_distortion():
    axes = panel(plot_training(journal(6)), "evidence")
    assert list(line(axes, "training").get_data()[1]) == [-95.0] * 6


def test_a_smoothed_line_lies_on_a_straight_one():
    rows = [{"step": i, "rate": 3.0 * i + 1} for i in range(200)]
    axes = panel(plot_training(rows), "rate")
    x, y = line(axes, "training").get_data()
    assert len(x) < 200  # it is the mean of several rows
    assert np.allclose(y, 3.0 * np.asarray(x) + 1)


def test_training_and_validation_keep_their_colours():
    figure = plot_training([{"event": "validation", "step": 1, "elbo": -5.0}, {"step": 1, "rate": 2.0}])
    assert line(panel(figure, "evidence"), "validation").get_color() == accent(1)
    assert line(panel(figure, "rate"), "training").get_color() == accent(0)


def test_rate_bars_are_sorted_and_dead_latents_are_grey():
    rate = np.array([0.001, 3.0, 0.5, 0.0, 2.0])
    axes = plot_rate_per_latent(rate).axes[0]
    assert [bar.get_height() for bar in axes.patches] == sorted(rate, reverse=True)
    grey = [bar.get_facecolor() == axes.patches[-1].get_facecolor() for bar in axes.patches]
    assert grey == [False, False, False, True, True]
    assert axes.get_title(loc="left") == "3 of 5 active, 5.5 nats together"


@pytest.mark.parametrize("ending", ["png", "svg", "pdf", "jpg"])
def test_a_figure_is_written_on_the_sheets_paper(tmp_path, ending):
    path = save_figure(plot_rate_per_latent(np.ones(4)), tmp_path / "new" / f"rate.{ending}")
    assert path.stat().st_size > 1000
    if ending == "png":
        with Image.open(path) as image:
            assert image.convert("RGB").getpixel((1, image.height - 2)) == LIGHT.paper


def test_matplotlib_is_left_as_it_was():
    import matplotlib

    before = dict(matplotlib.rcParams)
    plot_training(journal(60))
    assert dict(matplotlib.rcParams) == before
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_accents_begin_again_and_are_written_in_hex():
    assert accent(0) == accent(7)
    assert len({accent(i) for i in range(7)}) == 7
    assert hexed((0, 10, 255)) == "#000aff"


@pytest.mark.parametrize(
    "make",
    [
        lambda tmp: plot_training([]),
        lambda tmp: plot_training([{"rate": 3.0}, {"step": 4}]),
        lambda tmp: plot_rate_per_latent(np.ones((2, 2))),
        lambda tmp: plot_rate_per_latent(np.array([1.0, np.nan])),
        lambda tmp: save_figure(plot_rate_per_latent(np.ones(2)), tmp / "a.docx"),
        lambda tmp: save_figure(plot_rate_per_latent(np.ones(2)), tmp),
    ],
)
def test_what_cannot_be_plotted_is_refused(make, tmp_path):
    with pytest.raises(UsageError):
        make(tmp_path)
