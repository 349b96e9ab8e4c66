"""A photo is taken in once and encoded once, and keeps its own details from there on."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from facette.checkpoint.drawing import open_onnx
from facette.errors import NoFaceError, UsageError
from facette.latent import blend, reconstruct, vary
from facette.latent.drawing import drawn_by_model
from facette.latent.photo import LARGEST_SIDE, MOST_SIDE, PhotoInput, take_faces, take_photo
from facette.onnx_graph import Graph

EYES = ((195.0, 215.0), (305.0, 222.0))


class Counted(Graph):
    """A network that counts how often each of its inputs comes."""

    def __init__(self, graph: Graph, seen: Counter):
        self.graph, self.seen = graph, seen

    def __call__(self, *arrays):
        self.seen[tuple(array.tobytes() for array in arrays)] += 1
        return self.graph(*arrays)


@pytest.fixture(scope="module")
def model():
    return open_onnx("faces128")


@pytest.fixture(scope="module")
def plain(model):
    return model.plain()


@pytest.fixture(scope="module")
def scene() -> Image.Image:
    """500 × 480 pixels of coloured noise and shapes; where the eyes are, the tests say."""
    draws = np.random.default_rng(3)
    coarse = Image.fromarray(draws.integers(40, 216, (12, 12, 3), dtype=np.uint8)).resize((500, 480))
    noise = draws.integers(-12, 13, (480, 500, 3))
    return Image.fromarray(np.clip(np.asarray(coarse, int) + noise, 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def photo(plain, scene):
    return take_photo(plain, scene, eyes=EYES)


def test_no_network_runs_twice_on_one_input(model, scene):
    seen = [Counter(), Counter(), Counter()]
    parts = (model.encoder, model.decoder, model.sharpener)
    names = ("encoder", "decoder", "sharpener")
    counted = replace(model, **{n: Counted(g, s) for n, g, s in zip(names, parts, seen, strict=True)})
    for details in ("photo", "model"):
        for counter in seen:
            counter.clear()
        taken = take_photo(counted, scene, eyes=EYES)
        vary(counted, taken, count=3, details=details)
        vary(counted, taken, count=1, diversity=0, details="photo")
        assert set(seen[0].values()) == {1}
        assert set(seen[1].values()) == {1}
        assert len(seen[1]) == 4  # the photo's own mean and three relatives
        assert max(seen[2].values(), default=0) <= 1


@pytest.mark.parametrize("side", [None, 128, 150, MOST_SIDE, LARGEST_SIDE])
def test_factor_zero_is_the_photo_to_the_bit(plain, photo, side):
    still = vary(plain, photo, count=2, diversity=0, side=side)
    shown = np.rint(photo.frame(photo.side(side)) * 255).astype(np.uint8)
    assert (still.pictures == shown).all()
    assert (still.photo == shown).all()


def test_factor_zero_of_a_cut_at_the_photos_own_size_is_that_part_of_the_file(plain, scene, tmp_path):
    """No pixel is resampled where none need be."""
    scene.crop((10, 0, 410, 400)).save(tmp_path / "square.png")
    taken = take_photo(plain, tmp_path / "square.png", align="never")
    assert taken.own_side == 400
    still = vary(plain, taken, count=1, diversity=0)
    assert (still.pictures[0] == np.asarray(scene)[:400, 10:410]).all()


def test_the_side_is_the_photos_own_within_bounds(plain, scene):
    taken = take_photo(plain, scene.resize((1500, 1440)), align="never")
    assert (taken.own_side, taken.side(), taken.side(most=256), taken.side(1000)) == (1440, 512, 256, 1000)
    small = take_photo(plain, scene.resize((50, 48)), align="never")
    assert (small.own_side, small.side()) == (128, 128)
    for side in (127, 1025):
        with pytest.raises(UsageError, match=f"a side of {side} pixels"):
            taken.side(side)


def test_one_seed_is_one_relative_at_every_size(plain, photo):
    large, small = (vary(plain, photo, count=3, diversity=6, side=side).pictures for side in (512, 128))
    for fine, coarse in zip(large, small, strict=True):
        reduced = np.asarray(Image.fromarray(fine).resize((128, 128), Image.Resampling.LANCZOS), int)
        gaps = np.abs(reduced - coarse)
        assert gaps.mean() <= 1
        assert np.quantile(gaps, 0.999) <= 4


def test_details_are_the_photos_and_the_change_is_the_models(plain, photo):
    """What is finer than the model's grid stays as it was."""
    kept = vary(plain, photo, count=1, diversity=5, side=256)
    change = kept.pictures[0].astype(float) - kept.photo
    inside = (kept.pictures[0] > 0) & (kept.pictures[0] < 255)
    coarse = Image.fromarray(np.where(inside, change, 0).mean(axis=2).astype(np.float32))
    smooth = coarse.resize((64, 64), Image.Resampling.BOX).resize((256, 256), Image.Resampling.BICUBIC)
    assert np.abs(change).mean() > 3
    assert np.abs(np.asarray(coarse) - np.asarray(smooth))[inside.all(axis=2)].mean() < 1.5


def test_what_lies_beyond_the_photo_is_known_at_every_size(plain, scene):
    taken = take_photo(plain, scene, eyes=((30.0, 240.0), (150.0, 240.0)))
    assert 0.05 < taken.report.outside < 0.5
    for side in (128, 300):
        assert taken.unseen(side).mean() == pytest.approx(taken.report.outside, abs=0.02)
        still = vary(plain, taken, count=1, diversity=0, side=side)
        seen = ~taken.unseen(side)
        assert (still.pictures[0][seen] == still.photo[seen]).all()


def test_a_cropped_photo_gives_the_same_frames(photo):
    small = photo.cropped()
    assert small.image.size != photo.image.size
    for side in (64, 146, 300, 512):
        assert (small.frame(side) == photo.frame(side)).all()
    assert small.own_side == pytest.approx(photo.own_side, abs=1)


def test_a_cropped_large_photo_gives_the_same_frame_at_512(plain, scene):
    large = take_photo(plain, scene.resize((2500, 2400)), eyes=((950.0, 1200.0), (1550.0, 1260.0)))
    small = large.cropped()
    assert small.image.width * small.image.height < 0.3 * large.image.width * large.image.height
    assert (small.frame(512) == large.frame(512)).all()
    assert np.abs(small.frame(200) - large.frame(200)).max() <= 6 / 255  # averaged over other squares first


def test_details_by_the_model_are_what_it_draws(model, photo, scene):
    taken = take_photo(model, scene, eyes=EYES)
    made = vary(model, taken, count=2, diversity=0, details="model")
    assert (made.pictures == reconstruct(model, taken).pictures[0]).all()
    assert (made.photo == taken.picture).all()
    for side in (127, LARGEST_SIDE + 1):
        with pytest.raises(UsageError, match=f"a side of {side} pixels cannot be drawn: 128"):
            vary(model, taken, count=2, details="model", side=side)
    large = vary(model, taken, count=2, diversity=0, details="model", side=320)
    assert large.pictures.shape == (2, 320, 320, 3)
    assert (large.pictures == reconstruct(model, taken, side=320).pictures[0]).all()
    small = np.asarray(Image.fromarray(large.pictures[0]).resize((128, 128), Image.Resampling.BOX)).astype(
        int
    )
    assert np.abs(small - made.pictures[0]).mean() < 6  # the same picture, with nothing invented
    assert "at 128 pixels, enlarged to 320; synthetic" in large.settings()["drawn"]
    assert "enlarged" not in made.settings()["drawn"]
    with pytest.raises(UsageError, match="unknown details 'both'"):
        vary(model, taken, count=1, details="both")


def test_what_a_result_says_of_itself(plain, photo, tmp_path):
    from facette.images.sheets.file import read_metadata

    made = vary(plain, photo, count=2, diversity=3)
    settings = made.settings()
    assert (settings["details"], settings["side"], settings["synthetic"]) == ("photo", len(made.photo), True)
    assert settings["drawn"].startswith("the photo's own details; the change drawn by faces128 at 128 pixels")
    first, second = made.save_each(tmp_path)
    assert read_metadata(first)["seeds"] == [made.seeds[0]]
    assert read_metadata(second) == {**settings, "count": 1, "seed": made.seeds[1], "seeds": [made.seeds[1]]}


def test_a_photo_of_another_model_is_refused(quick_model, photo):
    with pytest.raises(UsageError, match="encoded by 'faces128', not by"):
        vary(quick_model, photo, count=1)


def test_no_face_is_a_fact_without_flags(plain):
    pytest.importorskip("cv2")
    for take in (take_photo, take_faces):
        with pytest.raises(NoFaceError) as refused:
            take(plain, Image.new("RGB", (300, 200), (90, 120, 90)))
        assert "--" not in str(refused.value)


@pytest.fixture(scope="module")
def tight(model, drawn_faces) -> PhotoInput:
    """A face of which the model is shown the middle alone."""
    face = Image.fromarray(drawn_faces[3])
    alpha = Image.new("L", face.size, 0)
    alpha.paste(255, (17, 17, 111, 111))
    face.putalpha(alpha)
    return take_photo(model, face, align="never")


@pytest.mark.parametrize("details", ["photo", "model"])
def test_what_is_hidden_is_drawn_without_stripes(model, tight, details):
    """The second stage never learnt what belongs there."""
    assert tight.hidden is not None
    assert tight.hidden.mean() == pytest.approx(1 - (94 / 128) ** 2, abs=0.02)
    relatives = vary(model, tight, count=2, details=details)
    own = reconstruct(model, [tight]).pictures
    for picture in (*relatives.pictures, relatives.reconstruction, *own):
        assert picture.shape == (128, 128, 3)
        grey = np.asarray(Image.fromarray(picture).convert("L"), float)
        for axis in (0, 1):
            steps = np.abs(np.diff(grey, axis=axis))
            hidden = tight.hidden[: steps.shape[0], : steps.shape[1]]
            assert steps[hidden].mean() < 6, "of 255, from a pixel to the next"


def test_the_less_is_hidden_the_more_the_second_stage_draws(model, drawn_faces):
    latents = np.asarray(model.encode(drawn_faces[:1]).mean, np.float32)
    corner = np.zeros((128, 128), bool)
    corner[:20, :20] = True
    sharp, plain = model.decode(latents), model.plain().decode(latents)
    some = drawn_by_model(model, latents, corner)
    assert (drawn_by_model(model, latents) == sharp).all()
    assert (some[:, :20, :20] == plain[:, :20, :20]).all()
    away = [np.abs(some[:, 64:].astype(int) - other[:, 64:]).mean() for other in (sharp, plain)]
    assert away[0] < away[1] / 4
    assert (drawn_by_model(model, latents, np.ones((128, 128), bool)) == plain).all()


def test_where_one_of_three_is_taken_away_none_shows_its_details(model, drawn_faces):
    """Shares 1, −1 and 1: the largest is whole, and yet nobody leads."""
    mixture = blend(model, *drawn_faces[:3], weights=(1, -1, 1))

    def fine(picture: np.ndarray) -> np.ndarray:
        grey = Image.fromarray(picture).convert("L")
        smooth = grey.resize((32, 32), Image.Resampling.BOX).resize((128, 128), Image.Resampling.BICUBIC)
        return np.asarray(grey, float) - np.asarray(smooth, float)

    drawn, shown = fine(model.decode(mixture.latents)[0]), fine(mixture.pictures[0])
    assert np.corrcoef(drawn.ravel(), shown.ravel())[0, 1] > 0.95
