"""The curves of a dial and the page around them: from arrays alone."""

import numpy as np
import pytest

from facette.errors import UsageError
from facette.images.sheets.grid import sweep_sheet
from facette.plots.dial import dial_page, plot_dial

FACTORS = [1.0, 4.0, 8.0]
LIKE = np.array([[0.8, 0.9], [0.6, 0.7], [0.2, 0.5]])
REAL = np.array([[0.5, 0.4], [0.4, 0.4], [0.1, 0.2]])


def test_the_curves_show_what_they_are_given():
    figure = plot_dial(FACTORS, LIKE, REAL, [0.1, 0.2, 0.4], [0.1, 0.1, 0.2], automatic=5)
    like, real, spread, cycle = figure.axes
    assert like.lines[0].get_ydata().tolist() == pytest.approx([0.85, 0.65, 0.35])
    assert real.lines[0].get_ydata().tolist() == pytest.approx([0.45, 0.4, 0.15])
    assert spread.lines[0].get_ydata().tolist() == [0.1, 0.2, 0.4]
    assert cycle.lines[0].get_ydata().tolist() == [0.1, 0.1, 0.2]
    assert like.lines[1].get_ydata()[0] == 0  # where strangers begin
    assert all(5 in axes.lines[-1].get_xdata() for axes in figure.axes)


def test_rows_must_fit_the_factors():
    with pytest.raises(UsageError, match="3 factors do not fit"):
        plot_dial(FACTORS, LIKE[:2], REAL, [0.1, 0.2, 0.4])


@pytest.mark.parametrize("rows", [1, 3])
def test_the_page_holds_everything_and_asks_nobody(rows):
    readings = {
        "automatic": 1.04,
        "readings": [
            {
                "factor": FACTORS[i],
                "likeness": LIKE[i].tolist(),
                "realism": REAL[i].tolist(),
                "spread": 0.1,
                "cycle": 0.2,
            }
            for i in range(rows)
        ],
    }
    photo = np.zeros((16, 16, 3), np.uint8)
    sheet = sweep_sheet(photo, [[photo] * 2] * rows, ["a"] * rows)
    html = dial_page("A <face>", "model m", sheet, readings, ["Auto is 1.04."]).html()
    assert "A &lt;face&gt;" in html
    assert "Auto is 1.04." in html
    assert html.count("<tr>") == rows + 1
    assert ("svg+xml" in html) == (rows > 1)
    assert "https://" not in html
