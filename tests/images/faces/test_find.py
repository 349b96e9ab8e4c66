"""Laws of the face search: whatever size the photo has, a face of 100 pixels is seen; turned, small, in a crowd."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facette.images.faces import find
from facette.images.faces.detector import sightings
from facette.images.similarity import apply

GOLDEN = (2.747729, 84.960371, 45.442985, 39.893166)  # logit, middle of the box, its side


@pytest.fixture(scope="module")
def astronaut() -> Image.Image:
    skimage = pytest.importorskip("skimage")
    return Image.open(Path(skimage.__path__[0]) / "data" / "astronaut.png").convert("RGB")


@pytest.fixture(scope="module")
def head(astronaut) -> Image.Image:
    return astronaut.crop((104, 0, 344, 240))


def middle_of(face: find.FoundFace) -> np.ndarray:
    return np.mean(face.eyes, axis=0)


def test_the_published_network_is_what_the_file_holds(astronaut):
    """Its logits and boxes for this picture, computed by TensorFlow Lite from the published file."""
    seen = sightings(np.asarray(astronaut.resize((192, 192), Image.Resampling.BILINEAR)))
    assert len(seen) == 1
    assert seen[0].score == pytest.approx(GOLDEN[0], abs=1e-3)
    assert (*seen[0].middle, seen[0].side) == pytest.approx(GOLDEN[1:], abs=1e-2)


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_a_quarter_turn_is_undone_exactly(quarters):
    picture = np.zeros((30, 50), np.uint8)
    picture[7, 41] = 1
    row, column = np.argwhere(np.rot90(picture, quarters))[0]
    back = apply(find._quarter_turned(quarters, 50, 30), (column + 0.5, row + 0.5))
    assert back == pytest.approx((41.5, 7.5))


@pytest.mark.parametrize(
    "size", [(64, 64), (640, 480), (1333, 1500), (4000, 3000), (3000, 4000), (6000, 4000), (12000, 2000)]
)
def test_at_some_size_of_the_search_every_face_is_one_that_the_detector_sees(size):
    """From 100 pixels, or the photo's smaller share, up to as wide as the photo: 14 to 100 pixels there."""
    levels = find._levels(Image.new("RGB", size))
    steps = [matrix[0, 0] for _, matrix in levels]
    for face in np.geomspace(min(100, min(size) / 2), 0.6 * min(size), 30):
        assert any(14 <= face / step <= 100 for step in steps), face
    assert sum(picture.size for picture, _ in levels) <= 3 * 1.3**2 * 1.2 * max(
        1024**2, size[0] * size[1] / 16
    )


@pytest.mark.parametrize("turn", [0, 30, -60, 90, 180])
def test_a_face_is_found_however_it_is_turned(head, turn):
    photo = Image.new("RGB", (600, 500), (90, 100, 110))
    photo.paste(head, (180, 130))
    eyes = np.array([180 + 120.5, 130 + 101.7])
    turned = photo.rotate(turn, Image.Resampling.BICUBIC, expand=True, fillcolor=(90, 100, 110))
    angle = np.deg2rad(-turn)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    expected = rotation @ (eyes - np.array(photo.size) / 2) + np.array(turned.size) / 2
    faces = find.find_faces(turned)
    assert len(faces) == 1
    assert np.abs(middle_of(faces[0]) - expected).max() < 12
    assert abs((faces[0].rotation_degrees + turn + 180) % 360 - 180) < 12


def test_faces_of_a_hundred_pixels_are_found_in_twelve_megapixels(head, astronaut):
    photo = Image.new("RGB", (4000, 3000), (120, 130, 100))
    places = [(200, 150), (3500, 200), (1800, 1400), (300, 2600), (3600, 2650)]
    for place in places:
        photo.paste(head.resize((230, 230)), place)  # less than 100 pixels from ear to ear
    photo.paste(astronaut.resize((1024, 1024)), (2400, 700))  # and a large face beside them
    faces = find.find_faces(photo)
    middles = [middle_of(face) for face in faces]
    assert len(faces) == 6
    for left, top in places:
        eyes = np.array([left, top]) + np.array([120.5, 101.7]) * 230 / 240
        assert min(np.abs(middle - eyes).max() for middle in middles) < 10
    assert faces[0].scale > 1.8 * faces[1].scale


def test_a_search_in_vain_looks_at_four_turns_of_a_small_picture_and_no_more(monkeypatch):
    shown = []
    monkeypatch.setattr(find, "sightings", lambda picture: shown.append(picture.size) or [])
    assert find.find_faces(Image.new("RGB", (6000, 4000), (90, 90, 90))) == []
    assert sum(shown) <= 4 * 3 * 1.3 * 1800 * 1300  # values; with margins, overlaps and smaller sizes
    assert max(shown) <= 3 * find.PART


def test_parts_of_a_large_picture_cover_it_and_overlap():
    for shape in ((1300, 1800), (1800, 1300), (1024, 1024), (97, 4000), (40, 60), (1331, 1331)):
        picture = np.arange(shape[0] * shape[1] * 3, dtype=np.uint32).reshape(*shape, 3)
        seen = np.zeros(shape, int)
        for top, left, part in find._parts(picture):
            height, width = part.shape[:2]
            assert height * width <= find.PART + max(shape)
            assert (part == picture[top : top + height, left : left + width]).all()
            seen[top : top + height, left : left + width] += 1
        assert seen.min() == 1
        if seen.max() > 1:
            shared = seen[0] if shape[1] > shape[0] else seen[:, 0]
            assert (shared == 2).sum() >= find.OVERLAP


def test_real_portraits_are_all_found_small_in_a_large_photo(shared):
    files = sorted((shared / "portraits").glob("*.jpg"))[::4]
    if not files:
        pytest.skip("no portraits are at hand")
    photo = Image.new("RGB", (4000, 3000), (100, 120, 90))
    middles = []
    for i, path in enumerate(files):
        left, top = 100 + 950 * (i % 4), 100 + 700 * (i // 4)
        photo.paste(Image.open(path).convert("RGB").resize((178, 178)), (left, top))
        middles.append((left + 89, top + 85))
    faces = [middle_of(face) for face in find.find_faces(photo)]
    assert len(faces) == len(files)
    assert all(min(np.abs(face - middle).max() for face in faces) < 30 for middle in middles)
