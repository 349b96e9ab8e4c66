"""Laws of films: every frame is there, in order, for as long as was asked, and the same bytes each time."""

import io
import sys

import numpy as np
import pytest
from PIL import Image

from facette.errors import MissingExtraError, UsageError
from facette.images.sheets.film import encode_animation, is_animation, save_animation

av = pytest.importorskip("av", reason="PyAV is not installed")


@pytest.fixture(scope="module")
def frames():
    """Six smooth pictures of growing brightness, 20 × 30."""
    ramp = np.linspace(0, 60, 20 * 30).reshape(20, 30, 1)
    return np.stack([np.repeat(ramp + 30 * i, 3, axis=2) for i in range(6)]).astype(np.uint8)


def _gif(path):
    with Image.open(path) as film:
        shown = []
        for place in range(film.n_frames):
            film.seek(place)
            shown.append(
                (np.asarray(film.convert("RGB"), float), film.info["duration"], film.info.get("loop"))
            )
        return shown


def _mp4(path):
    with av.open(path if isinstance(path, io.BytesIO) else str(path)) as film:
        stream = film.streams.video[0]
        pictures = [frame.to_ndarray(format="rgb24").astype(float) for frame in film.decode(stream)]
        return pictures, float(stream.average_rate), dict(film.metadata)


def test_a_gif_shows_every_frame_for_its_share_of_the_time(frames, tmp_path):
    shown = _gif(save_animation(frames, tmp_path / "film.gif", seconds=3, side=30))
    assert [duration for _, duration, _ in shown] == [500] * 6
    assert shown[0][2] == 0  # for ever
    for (picture, _, _), frame in zip(shown, frames, strict=True):
        assert np.abs(picture - frame).mean() < 4


def test_an_mp4_shows_every_frame_for_its_share_of_the_time(frames, tmp_path):
    path = save_animation(frames, tmp_path / "film.mp4", seconds=3, metadata={"made": "a test"})
    shown, rate, metadata = _mp4(path)
    assert (len(shown), rate) == (6, 2)
    assert "a test" in metadata["comment"]
    for picture, frame in zip(shown, frames, strict=True):
        assert picture.mean() == pytest.approx(frame.mean(), abs=3)


def test_small_pictures_are_enlarged_and_sides_are_even(frames, tmp_path):
    assert _gif(save_animation(frames, tmp_path / "film.gif"))[0][0].shape == (170, 256, 3)
    assert _mp4(save_animation(frames, tmp_path / "film.mp4", side=77))[0][0].shape == (52, 76, 3)


@pytest.mark.parametrize("ending", ["gif", "mp4"])
def test_a_film_in_memory_is_the_film_of_the_file(frames, tmp_path, ending):
    path = save_animation(
        frames, tmp_path / f"film.{ending}", seconds=2, side=40, metadata={"made": "a test"}
    )
    same = encode_animation(frames, path.name, seconds=2, side=40, metadata={"made": "a test"})
    if ending == "gif":
        assert same == path.read_bytes()
        return
    (shown, rate, told), (pictures, its_rate, its_told) = _mp4(path), _mp4(io.BytesIO(same))
    assert np.array_equal(shown, pictures)
    assert (rate, told["comment"]) == (its_rate, its_told["comment"])


@pytest.mark.parametrize("ending", ["gif", "mp4"])
def test_the_same_frames_are_the_same_bytes(frames, tmp_path, ending):
    first, again = (
        save_animation(frames, tmp_path / f"{name}.{ending}", metadata={"seed": 1}) for name in "ab"
    )
    assert first.read_bytes() == again.read_bytes()


def test_a_gif_s_still_parts_do_not_flicker(tmp_path):
    """One palette and one dithering for all frames: where nothing moves, nothing changes."""
    still = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    moving = np.stack([still] * 4)
    moving[:, 24:] = np.arange(4)[:, None, None, None] * 60
    shown = _gif(save_animation(moving, tmp_path / "film.gif", side=32))
    assert all((picture[:20] == shown[0][0][:20]).all() for picture, _, _ in shown)


def test_rare_colours_stay_themselves_in_a_gif(tmp_path):
    """Brown skin before skies of many blues: few pixels, which a palette of the commonest colours turns salmon."""
    draws = np.random.default_rng(0)
    colours = draws.integers((0, 60, 60), (120, 255, 255), (4, 4, 4, 3))
    frames = np.stack(
        [
            np.asarray(Image.fromarray(grid.astype(np.uint8)).resize((128, 128), Image.Resampling.BICUBIC))
            for grid in colours
        ]
    )
    shades = np.linspace((60, 35, 25), (160, 110, 80), 16)  # (16, 3)
    frames[:, 48:64, 48:64] = np.rint(shades)
    film = _gif(save_animation(list(frames), tmp_path / "skin.gif", seconds=1, side=128))
    for frame, (drawn, _, _) in zip(frames, film, strict=True):
        before, after = (x[48:64, 48:64].reshape(2, 8, 2, 8, 3).mean((1, 3)) for x in (frame, drawn))
        assert np.abs(after - before).max() < 8


def test_endings_tell_what_is_a_film():
    assert is_animation("a.GIF")
    assert is_animation("a.mp4")
    assert not is_animation("a.png")


@pytest.mark.parametrize(
    ("name", "count", "options", "words"),
    [
        ("film.avi", 6, {}, "ends in .gif or .mp4"),
        ("film.gif", 1, {}, "at least 2 pictures, got 1"),
        ("film.gif", 6, {"seconds": 0}, "more than 0 seconds"),
    ],
)
def test_senseless_wishes_are_refused_in_a_sentence(frames, tmp_path, name, count, options, words):
    with pytest.raises(UsageError, match=words):
        save_animation(frames[:count], tmp_path / name, **options)
    assert not list(tmp_path.iterdir())


def test_without_pyav_it_says_how_to_install_it(frames, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r'pip install "facette\[animate\]"'):
        save_animation(frames, tmp_path / "film.mp4")
    assert save_animation(frames, tmp_path / "film.gif").is_file()
