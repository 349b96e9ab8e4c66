"""Laws of the map on paper: every point, the faces at their places, legends that count."""

from dataclasses import replace

import numpy as np
import pytest

from facette.errors import UsageError
from facette.plots.maps import UNKNOWN, Chart, Column, plot_chart
from facette.plots.style import accent


@pytest.fixture
def chart():
    rng = np.random.default_rng(0)
    return Chart(
        title="a map",
        subtitle="",
        points=rng.normal(size=(50, 2)).astype(np.float32),
        names=tuple(f"{n}.png" for n in range(50)),
        neighbours=np.zeros((50, 3), np.int32),
        columns=(
            Column("hat", ("hat", "not hat", UNKNOWN), np.repeat([0, 1, 2], (10, 35, 5)).astype(np.uint8)),
        ),
        shown="hat",
        pictures=rng.integers(0, 255, (50, 8, 8, 3), np.uint8),
        placed=2,
        remarks="so far so good",
    )


def clouds(axes):
    return {
        c.get_label(): len(c.get_offsets())
        for c in axes.collections
        if not str(c.get_label()).startswith("_")
    }


def test_faces_stand_beside_points_in_the_same_places(chart):
    faces, points = plot_chart(chart).axes
    assert clouds(points) == {"not hat (35)": 35, "hat (10)": 10, "unknown (3)": 3}
    middles = np.array([np.reshape(image.get_extent(), (2, 2)).mean(1) for image in faces.images])
    drawn = np.concatenate([c.get_offsets() for c in points.collections])
    assert all(np.linalg.norm(drawn - middle, axis=1).min() < 1e-6 for middle in middles)
    assert faces.get_xlim() == points.get_xlim()
    legend = points.get_legend()
    colours = {
        t.get_text(): h.get_facecolor()[0]
        for t, h in zip(legend.get_texts(), legend.legend_handles, strict=True)
    }
    from matplotlib.colors import to_rgb

    assert tuple(colours["hat (10)"][:3]) == pytest.approx(to_rgb(accent(0)))


def test_placed_photos_are_always_drawn_and_named(chart):
    faces, points = plot_chart(chart).axes
    for axes in (faces, points):
        assert {text.get_text() for text in axes.texts} == {"48.png", "49.png"}
    shown = [np.asarray(image.get_array()).tobytes() for image in faces.images]
    assert {chart.pictures[48].tobytes(), chart.pictures[49].tobytes()} <= set(shown)


def test_what_is_said_stands_under_the_map(chart):
    assert plot_chart(chart)._supxlabel.get_text() == "so far so good"


def test_one_panel_where_one_is_wanted_or_possible(chart):
    (only,) = plot_chart(chart, faces_only=True).axes
    assert only.images
    (points,) = plot_chart(replace(chart, pictures=None)).axes
    assert not points.images
    assert sum(clouds(points).values()) == 48
    with pytest.raises(UsageError, match="pictures"):
        plot_chart(replace(chart, pictures=None), faces_only=True)


def test_the_ground_of_a_known_map_is_seen(chart):
    ground = np.array([[-9, -9], [9, 9], [0, 0]], np.float32)
    faces, points = plot_chart(replace(chart, ground=ground)).axes
    for axes in (faces, points):
        sizes = [len(c.get_offsets()) for c in axes.collections]
        assert 3 in sizes
    assert points.get_xlim()[0] < -0.01  # the whole ground is on the page, and it is wider than the points
