"""Laws of the mixture page: contours hold their mass, maps keep neighbours, every panel shows its array."""

import numpy as np
import pytest

from facette.plots import mixture as plots


@pytest.fixture(scope="module")
def page():
    rng = np.random.default_rng(0)
    components = rng.integers(0, 4, 400)
    points = 4 * np.eye(4)[components][:, :3] + 0.3 * rng.normal(size=(400, 3))
    limits = plots.limits_of(points)
    grids = tuple(
        plots.marginal_grid(lambda xy: np.exp(-(xy**2).sum(axis=1)), points[:, pair], limits[list(pair)], 40)
        for pair in plots.PAIRS
    )
    flat = plots.PointCloud(points[:, :2], components)
    return plots.MixturePage(
        title="A page",
        note="a note",
        truth=plots.PointCloud(points, components),
        samples=plots.PointCloud(points[:100], components[:100]),
        marginals=grids,
        data_map=flat,
        latent_map=flat,
        true_weights=np.array([0.1, 0.4, 0.2, 0.3]),
        sampled_weights=np.array([0.15, 0.35, 0.25, 0.25]),
        table_head=("", "VAE", "truth"),
        table=(("junk", "0.01", "0.00"), ("modes", "9", "10")),
    )


def test_contours_hold_the_mass_they_claim():
    axis = np.linspace(-6, 6, 301)
    x, y = np.meshgrid(axis, axis)
    density = np.exp(-0.5 * (x**2 + y**2))
    for mass in (0.3, 0.9):
        (level,) = plots.mass_levels(density, [mass])
        # of a two-dimensional Gaussian the share 1 − exp(−r²/2) lies within radius r
        assert np.isclose(level, 1 - mass, atol=0.005)
    levels = plots.mass_levels(density, (0.9, 0.3, 0.5, 0.99, 0.7))
    assert len(levels) == 5
    assert levels == sorted(levels)


def test_the_grid_has_the_true_density_at_its_place_and_a_sampled_one_that_integrates_to_one():
    rng = np.random.default_rng(1)
    samples = rng.normal(size=(20_000, 2)) * (1.0, 0.5) + (5.0, -2.0)
    limits = np.array([[-2.0, 8.0], [-4.0, 2.0]])
    grid = plots.marginal_grid(lambda xy: xy[:, 0] + 100 * xy[:, 1], samples, limits, 80)
    np.testing.assert_allclose(grid.true[7, 31], grid.x[31] + 100 * grid.y[7])
    cell = (grid.x[1] - grid.x[0]) * (grid.y[1] - grid.y[0])
    assert abs(grid.sampled.sum() * cell - 1) < 0.01
    top, right = np.unravel_index(grid.sampled.argmax(), grid.sampled.shape)
    assert abs(grid.x[right] - 5) < 0.5
    assert abs(grid.y[top] + 2) < 0.5


def test_a_neighbour_map_keeps_separate_groups_separate():
    rng = np.random.default_rng(2)
    group = np.repeat([0, 1], 50)
    points = np.concatenate([rng.normal(size=(50, 5)), 30 + rng.normal(size=(50, 5))])
    laid = plots.neighbour_map(points, seed=0)
    distance = np.linalg.norm(laid[:, None] - laid[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    assert (group[distance.argmin(axis=1)] == group).all()
    np.testing.assert_array_equal(laid, plots.neighbour_map(points, seed=0))


def test_the_page_shows_every_array_and_measure(page, tmp_path):
    figure = plots.draw_mixture_page(page)
    spaces = [axes for axes in figure.axes if axes.name == "3d"]
    assert [len(axes.collections[0].get_offsets()) for axes in spaces] == [400, 100]
    assert spaces[0].get_xlim() == spaces[1].get_xlim()
    assert (spaces[0].elev, spaces[0].azim) == (spaces[1].elev, spaces[1].azim)
    bars = next(axes for axes in figure.axes if axes.get_title(loc="left").startswith("Weight"))
    assert [round(bar.get_height()) for bar in bars.patches] == [35, 25, 25, 15]
    assert [tick.get_text() for tick in bars.get_xticklabels()] == ["2", "4", "3", "1"]
    words = [text.get_text() for axes in figure.axes for text in axes.texts]
    for row in (page.table_head, *page.table):
        assert set(row) <= {*words, ""}
    figure.savefig(tmp_path / "page.png", dpi=40)
    assert (tmp_path / "page.png").stat().st_size > 5000


def test_points_outside_the_frame_are_left_out_of_the_view(page):
    far = plots.PointCloud(
        np.vstack([page.samples.points, [[99.0, 0.0, 0.0]]]), np.append(page.samples.components, 0)
    )
    changed = plots.MixturePage(**{name: getattr(page, name) for name in page.__slots__} | {"samples": far})
    spaces = [axes for axes in plots.draw_mixture_page(changed).axes if axes.name == "3d"]
    assert len(spaces[1].collections[0].get_offsets()) == 100
