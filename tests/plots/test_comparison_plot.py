"""Laws of the curves of a comparison: every figure is drawn where it was measured, and the compared level is ringed."""

import numpy as np
import pytest

from facette.errors import UsageError
from facette.plots.comparison import Tradeoff, plot_tradeoffs


def method(name, shift):
    level = np.linspace(0, 1, 5)
    return Tradeoff(
        name, level, 0.9 - level, realism=0.5 - shift * level, spread=level, sharpness=1 + level, chosen=2
    )


def test_each_method_is_a_line_in_each_panel_with_a_ring_at_the_compared_level():
    methods = [method("ours", 0.1), method("theirs", 0.3)]
    figure = plot_tradeoffs(methods)
    first, *rest = figure.axes
    for axes, quantity in zip(figure.axes, ("similarity", "realism", "spread", "sharpness"), strict=True):
        for place, one in enumerate(methods):
            line, ring = axes.lines[2 * place : 2 * place + 2]
            x = one.level if axes is first else one.similarity
            assert np.array_equal(line.get_xdata(), x)
            assert np.array_equal(line.get_ydata(), getattr(one, quantity))
            assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (x[2], getattr(one, quantity)[2])
    assert [text.get_text() for text in first.get_legend().get_texts()] == ["ours", "theirs"]
    assert all(axes.xaxis_inverted() for axes in rest), (
        "to the right the knob is turned up, as in the first panel"
    )


def test_nothing_is_not_drawn():
    with pytest.raises(UsageError, match="nothing to draw"):
        plot_tradeoffs([])
