"""Laws of the paths between two photos."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import facette
from facette.errors import UsageError
from facette.latent import field, interpolate, reconstruct
from facette.latent.geodesic import find_geodesic
from facette.latent.paths import curve, equal_places, path, polyline, step_lengths, unevenness

METHODS = ["linear", "slerp", "norm", "geodesic"]


def draws(*shape, seed=1):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


@pytest.fixture(scope="module")
def photos(quick_model):
    store = facette.open_dataset("synthetic-faces:256", quick_model.recipe.input)
    return store.read(np.array([5, 17, 40, 99]))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("equal_steps", [False, True])
@pytest.mark.parametrize("details", ["photo", "model"])
def test_every_station_is_a_photo_or_its_reconstruction(quick_model, photos, method, equal_steps, details):
    options = {"steps": 5, "method": method, "equal_steps": equal_steps, "details": details}
    made = interpolate(quick_model, *photos[:3], **options)
    kept = photos[:3] if details == "photo" else reconstruct(quick_model, photos[:3]).pictures
    assert len(made.pictures) == 9
    assert (made.pictures[list(made.stations)] == kept).all()
    assert made.stations[0] == 0
    assert made.stations[-1] == 8


@pytest.mark.parametrize("method", METHODS)
def test_two_steps_are_the_two_ends(quick_model, photos, method):
    made = interpolate(quick_model, photos[0], photos[1], steps=2, method=method, equal_steps=True)
    assert (made.pictures == photos[:2]).all()


@pytest.mark.parametrize("method", ["linear", "slerp", "norm"])
@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(1e-3, 1e3))
def test_both_ends_are_hit_exactly(method, seed, scale):
    a, b = draws(2, 257, seed=seed) * np.float32(scale)
    points = path(a, b, 5, method)
    assert (points[0] == a).all()
    assert (points[-1] == b).all()


def test_linear_steps_are_equal():
    a, b = draws(2, 8)
    steps = np.diff(path(a, b, 9), axis=0)
    assert steps == pytest.approx(np.broadcast_to(steps[:1], steps.shape), rel=1e-4, abs=1e-6)


def test_slerp_keeps_the_norm_and_turns_evenly():
    a = np.array([3.0, 0.0, 0.0], np.float32)
    b = 3 * np.array([math.cos(2.0), math.sin(2.0), 0.0], np.float32)
    points = path(a, b, 5, "slerp")
    assert np.linalg.norm(points, axis=1) == pytest.approx(np.full(5, 3.0), rel=1e-6)
    assert np.arctan2(points[:, 1], points[:, 0]) == pytest.approx(np.linspace(0, 2.0, 5), rel=1e-5)


@pytest.mark.parametrize("factor", [1.0, 2.0, -1.5, 0.0])
def test_parallel_vectors_are_joined_by_a_straight_line(factor):
    a = np.array([1.0, -2.0, 0.5], np.float32)
    points = path(a, np.float32(factor) * a, 6, "slerp")
    assert (points == path(a, np.float32(factor) * a, 6, "linear")).all()
    assert np.isfinite(points).all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_norm_correction_keeps_the_direction_and_the_length_between_both_ends(seed):
    a, b = draws(2, 12, seed=seed)
    points, straight = path(a, b, 6, "norm"), path(a, b, 6, "linear")
    first, last = np.linalg.norm([a, b], axis=1)
    lengths, others = (np.linalg.norm(way, axis=1) for way in (points, straight))
    assert lengths == pytest.approx(np.linspace(first, last, 6), rel=1e-4, abs=1e-5)
    assert points / lengths[:, None] == pytest.approx(straight / others[:, None], rel=1e-4, abs=1e-5)


def test_opposite_latents_meet_in_the_middle_without_a_number_lost():
    a = np.array([1.0, -2.0, 0.5], np.float32)
    assert np.isfinite(path(a, -a, 5, "norm")).all()


def test_a_polyline_passes_through_its_knots():
    knots = draws(5, 3)
    assert polyline(knots)(np.linspace(0, 1, 5)) == pytest.approx(knots)
    assert polyline(knots)(np.array([0.125]))[0] == pytest.approx(knots[:2].mean(axis=0))


def test_a_geodesic_is_never_longer_than_the_straight_line(quick_model, photos):
    means = quick_model.encode(photos).mean.numpy()
    for a, b in ((0, 1), (1, 2), (2, 3)):
        found = find_geodesic(quick_model, means[a], means[b])
        fine = np.linspace(0, 1, 201, dtype=np.float32)
        own, straight = (
            step_lengths(quick_model.decode_mean(way(fine))).sum()
            for way in (polyline(found.knots), curve(means[a], means[b]))
        )
        assert own <= straight * (1 + 1e-4)
        assert found.length <= found.straight
        assert (found.knots[[0, -1]] == means[[a, b]]).all()


class _Arch(torch.nn.Module):
    """A decoder whose pictures (1, 1, 3) of latents (N, 2) lie on a hill, so that the straight line climbs it."""

    def decode(self, z):
        height = 4 * torch.exp(-z.square().sum(1) * 2)
        return torch.stack([z[:, 0], z[:, 1], height], dim=1)[:, :, None, None]


class _Hill:
    device, vae = "cpu", _Arch()


def test_a_geodesic_walks_around_a_hill():
    start, end = np.array([[-1.5, 0.05], [1.5, 0.05]], np.float32)
    found = find_geodesic(_Hill(), start, end, steps=300)
    assert found.length < 0.8 * found.straight
    lengths = step_lengths(_Arch().decode(torch.from_numpy(found.knots)).numpy())
    assert unevenness(lengths) < 0.15  # least energy is least length at constant speed


def test_where_no_way_is_shorter_the_straight_line_is_kept():
    class Flat:
        device = "cpu"

        class vae:  # noqa: N801
            @staticmethod
            def decode(z):
                return z[:, :, None, None]

    start, end = np.array([[0.0, 0.0], [1.0, 2.0]], np.float32)
    found = find_geodesic(Flat(), start, end)
    assert found.knots == pytest.approx(path(start, end, len(found.knots)))
    assert found.length == found.straight
    assert (find_geodesic(Flat(), start, start).knots == start).all()


def test_a_descent_that_leads_astray_is_not_followed(monkeypatch):
    """Knots alone may cheat: what lies between them is measured too, and the straight line kept if it is shorter."""
    start, end = np.array([[-1.5, 2.0], [1.5, 2.0]], np.float32)  # far from the hill: nothing is shorter
    line = path(start, end, 5)
    detour = torch.from_numpy(line.copy())
    detour[2, 1] = 0.5
    monkeypatch.setattr("facette.latent.geodesic._descend", lambda *_: detour)
    found = find_geodesic(_Hill(), start, end, pieces=4)
    assert (found.knots == line).all()
    assert found.length == found.straight


@pytest.mark.parametrize("method", METHODS)
def test_equal_steps_look_equally_long(quick_model, photos, method):
    made = interpolate(quick_model, photos[0], photos[1], steps=8, method=method, equal_steps=True)
    assert made.unevenness <= 0.15
    through = interpolate(quick_model, *photos, steps=8, method=method, equal_steps=True)
    assert through.unevenness <= 0.15


def test_equal_places_undo_any_speed():
    def hasty(along):  # ten times faster at its end than at its start
        return (along**3)[:, None] * np.array([1.0, 2.0, 0.5], np.float32)

    places = equal_places(hasty, lambda z: z, 9)
    assert (places[0], places[-1]) == (0, 1)
    assert unevenness(step_lengths(hasty(np.linspace(0, 1, 9)))) > 0.5
    assert unevenness(step_lengths(hasty(places))) < 0.02


def test_a_way_without_length_is_cut_evenly():
    places = equal_places(lambda along: np.ones((len(along), 4)), lambda z: z, 5)
    assert places == pytest.approx(np.linspace(0, 1, 5))


@pytest.mark.parametrize("method", ["linear", "slerp", "norm"])
def test_a_field_has_the_photos_at_its_corners_and_paths_for_edges(quick_model, photos, method):
    made = field(quick_model, list(photos), rows=3, columns=4, method=method)
    assert (made.pictures[[0, 3, 8, 11]] == photos).all()
    own = field(quick_model, list(photos), rows=2, columns=2, method=method, details="model")
    assert (own.pictures == reconstruct(quick_model, photos).pictures).all()
    top = interpolate(quick_model, photos[0], photos[1], steps=4, method=method)
    left = interpolate(quick_model, photos[0], photos[2], steps=3, method=method)
    assert made.latents[:4] == pytest.approx(top.latents, abs=1e-6)
    assert made.latents[::4] == pytest.approx(left.latents, abs=1e-6)
    assert [len(row) for row in made.sheet().tiles] == [4, 4, 4]


def test_a_field_lies_between_four(quick_model, photos):
    with pytest.raises(UsageError, match="exactly 4 photos, got 3"):
        field(quick_model, list(photos[:3]))
    with pytest.raises(UsageError, match="no geodesic"):
        field(quick_model, list(photos), method="geodesic")
    with pytest.raises(UsageError, match="number of rows"):
        field(quick_model, list(photos), rows=1)


def test_a_path_is_a_sheet_or_a_film(quick_model, photos, tmp_path):
    from PIL import Image

    made = interpolate(quick_model, *photos[:3], steps=3)
    assert [len(row) for row in made.sheet().tiles] == [5, 5]
    assert made.save(tmp_path / "path.png").is_file()
    with Image.open(made.save(tmp_path / "path.gif")) as film:
        assert film.n_frames == 8


def test_the_way_back_is_the_way_there(quick_model, photos):
    there = interpolate(quick_model, photos[0], photos[1], steps=5, method="slerp")
    back = interpolate(quick_model, photos[1], photos[0], steps=5, method="slerp")
    assert there.latents == pytest.approx(back.latents[::-1], abs=1e-5)


def test_the_sheet_shows_both_photos_and_every_step(quick_model, photos):
    sheet = interpolate(quick_model, photos[0], photos[1], steps=4).sheet()
    assert len(sheet.tiles[0]) == 6


def test_senseless_wishes_are_refused_in_a_sentence(quick_model, photos):
    with pytest.raises(UsageError, match="at least 2, got 1"):
        interpolate(quick_model, photos[0], photos[1], steps=1)
    with pytest.raises(UsageError, match="unknown method 'bow'"):
        interpolate(quick_model, photos[0], photos[1], method="bow")
    with pytest.raises(UsageError, match="at least 2 photos, got 1"):
        interpolate(quick_model, photos[0])
