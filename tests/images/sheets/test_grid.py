"""Laws of the contact sheet: every picture is where the sheet says, and no word covers or leaves anything."""

import itertools
import os
import stat

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from facette.data.synthetic import draw_faces
from facette.errors import ImageError, UsageError
from facette.images.sheets.grid import (
    Cell,
    SheetRow,
    contact_sheet,
    pair_sheet,
    read_metadata,
    save_sheet,
    sweep_sheet,
    variation_sheet,
    wall_sheet,
)
from facette.images.sheets.lettering import SMALLEST, fit_text, text_width
from facette.images.sheets.palette import DARK, LIGHT

LONG = "Mitternachtsspaziergangsfotografie_2024-12-31_23-59-59_final_final2.jpeg of somebody unknown"


def noise(count: int, height: int = 20, width: int = 20, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, height, width, channels), dtype=np.uint8)


def overlap(first, second) -> bool:
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]


def all_boxes(sheet):
    tiles = [box for row in sheet.tiles for box in row]
    return tiles + ([sheet.photo] if sheet.photo else []) + list(sheet.texts)


def assert_tidy(sheet):
    """Nothing overlaps, and everything is on the paper with a margin around it."""
    boxes = all_boxes(sheet)
    for i, first in enumerate(boxes):
        assert first[0] >= 20
        assert first[1] >= 20
        assert first[2] <= sheet.image.width - 20
        assert first[3] <= sheet.image.height - 20
        assert not any(overlap(first, second) for second in boxes[i + 1 :])


def inked_outside(sheet) -> np.ndarray:
    """Pixels that are not paper and lie in no box grown by a frame's width."""
    pixels = np.asarray(sheet.image)
    inked = (pixels != pixels[0, 0]).any(axis=2)
    for left, top, right, bottom in all_boxes(sheet):
        inked[top - 5 : bottom + 5, left - 5 : right + 5] = False
    return inked


def test_every_picture_is_found_where_the_sheet_says():
    pictures = noise(7)
    sheet = contact_sheet([SheetRow([Cell(p) for p in pictures[:4]]), SheetRow([Cell(p) for p in pictures[4:]])],
                          tile=20, rounded=False)  # fmt: skip
    assert [len(row) for row in sheet.tiles] == [4, 3]
    found = [np.asarray(sheet.image.crop(box)) for row in sheet.tiles for box in row]
    assert np.array_equal(found, pictures)


def test_small_pictures_are_shown_larger_by_a_whole_factor_and_come_back():
    pictures = draw_faces(3, 32, seed=0).pictures
    sheet = contact_sheet([SheetRow([Cell(p) for p in pictures])])
    for box, picture in zip(sheet.tiles[0], pictures, strict=True):
        assert box[2] - box[0] == box[3] - box[1] == 160
        back = sheet.image.crop(box).resize((32, 32), Image.Resampling.LANCZOS)
        inner = np.abs(np.asarray(back).astype(int) - picture)[4:-4, 4:-4]
        assert inner.mean() < 3


@pytest.mark.parametrize("count", [1, 10, 60])
def test_tiles_are_at_least_128_pixels(count):
    box = wall_sheet(noise(count, 64, 64)).tiles[0][0]
    assert box[2] - box[0] >= 128
    assert (box[2] - box[0]) % 64 == 0


def test_grey_pictures_and_other_proportions_keep_theirs():
    sheet = contact_sheet([SheetRow([Cell(p) for p in noise(2, 30, 20, 1)])], tile=120, rounded=False)
    left, top, right, bottom = sheet.tiles[0][0]
    assert (right - left, bottom - top) == (80, 120)
    crop = np.asarray(sheet.image.crop(sheet.tiles[0][0]))
    assert np.array_equal(crop[..., 0], crop[..., 2])
    flat = contact_sheet([SheetRow([Cell(noise(1)[0, :, :, 0])])], tile=20, rounded=False)
    assert np.array_equal(np.asarray(flat.image.crop(flat.tiles[0][0]))[..., 1], noise(1)[0, :, :, 0])


SHEETS = {
    "variations": lambda p, **o: variation_sheet(p[0], p[1:11], [f"seed {i}" for i in range(10)], **o),
    "few variations": lambda p, **o: variation_sheet(p[0], p[1:3], [LONG, ""], **o),
    "one variation": lambda p, **o: variation_sheet(p[0], p[1:2], **o),
    "sweep": lambda p, **o: sweep_sheet(
        p[0], [p[1:5], p[5:9]], ["factor 1", LONG], columns=["a", "b", LONG], **o
    ),
    "pairs": lambda p, **o: pair_sheet(p[:7], p[7:14], captions=[LONG] * 7, wrap=3, **o),
    "wall": lambda p, **o: wall_sheet(p, [str(i) for i in range(len(p))], **o),
    "long row": lambda p, **o: contact_sheet([SheetRow([Cell(x, "c") for x in p], LONG)], **o),
    "tiny tiles": lambda p, **o: contact_sheet(
        [SheetRow([Cell(x, LONG) for x in p[:3]], LONG)], tile=20, **o
    ),
}


@pytest.mark.parametrize("theme_name", ["light", "dark"])
@pytest.mark.parametrize("name", SHEETS)
def test_nothing_overlaps_and_nothing_is_drawn_outside_its_box(name, theme_name):
    sheet = SHEETS[name](
        noise(30), title=LONG, subtitle=f"σ · ε {LONG}", footer=f"facette vary {LONG} --seed 1",
        theme_name=theme_name,
    )  # fmt: skip
    assert_tidy(sheet)
    assert not inked_outside(sheet).any()
    paper = (DARK if theme_name == "dark" else LIGHT).paper
    assert sheet.image.getpixel((0, 0)) == paper


@settings(max_examples=25, deadline=None)
@given(
    counts=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    words=st.lists(st.text("abc Wjgé→_", max_size=40), min_size=4, max_size=4),
    tile=st.integers(20, 60),
    wrap=st.integers(1, 9),
    with_photo=st.booleans(),
)
def test_any_sheet_is_tidy(counts, words, tile, wrap, with_photo):
    title, label, caption, footer = words
    rows = [SheetRow([Cell(p, caption, framed=True) for p in noise(n)], label) for n in counts]
    sheet = contact_sheet(rows, title=title, footer=footer, tile=tile, wrap=wrap,
                          photo=Cell(noise(1)[0], caption) if with_photo else None)  # fmt: skip
    assert [len(row) for row in sheet.tiles] == counts
    assert_tidy(sheet)
    assert not inked_outside(sheet).any()


def test_the_photo_comes_first_and_is_set_apart():
    pictures = noise(11, 64, 64)
    sheet = variation_sheet(pictures[0], pictures[1:])
    first = sheet.tiles[0][0]
    assert sheet.photo[2] < min(box[0] for box in sheet.tiles[0])
    assert sheet.photo[2] - sheet.photo[0] > first[2] - first[0]
    left, top, right, _ = sheet.photo
    assert sheet.image.getpixel(((left + right) // 2, top - 4)) == LIGHT.accent
    assert sheet.image.getpixel(((first[0] + first[2]) // 2, first[1] - 4)) == LIGHT.paper


def test_pairs_stand_one_over_the_other():
    sheet = pair_sheet(noise(5), noise(5), wrap=3)
    assert [len(row) for row in sheet.tiles] == [3, 3, 2, 2]
    for above, below in (sheet.tiles[:2], sheet.tiles[2:]):
        assert [box[0] for box in above] == [box[0] for box in below]
        assert above[0][3] <= below[0][1]


def test_a_long_row_goes_on_below_in_the_same_columns():
    (row,) = contact_sheet([SheetRow([Cell(p) for p in noise(7)])], wrap=3).tiles
    assert [box[0] for box in row] == [row[0][0], row[1][0], row[2][0]] * 2 + [row[0][0]]
    assert len({box[1] for box in row}) == 3


@settings(max_examples=60, deadline=None)
@given(text=st.text("abcdW .,_-éσЯ", max_size=80), width=st.integers(20, 300), size=st.integers(9, 30))
def test_fitted_text_keeps_every_letter_and_its_width(text, width, size):
    fitted = fit_text(text, size, width)
    assert "".join("".join(fitted.lines).split()) == "".join(text.split())
    assert SMALLEST <= fitted.size <= size
    assert all(text_width(line, fitted.size) <= width for line in fitted.lines)


def test_every_line_holds_as_many_words_as_fit():
    text = "the face was brought upright and redrawn worse than most of those the model was tested on"
    lines = fit_text(text, 14, 200, lines=9).lines
    assert " ".join(lines) == text
    assert len(lines) > 3
    for line, later in itertools.pairwise(lines):
        assert text_width(line, 14) <= 200 < text_width(f"{line} {later.split()[0]}", 14)


def test_text_that_fits_is_left_as_it_is():
    assert fit_text("seed 3", 14, 160).lines == ("seed 3",)
    assert fit_text("seed 3", 14, 160).size == 14


@pytest.mark.parametrize("ending", [".png", ".jpg", ".jpeg", ".webp", ".PNG"])
def test_the_command_comes_back_out_of_the_file(tmp_path, ending):
    sheet = wall_sheet(noise(4))
    told = {"command": "facette vary päivä.jpg --seed 3", "seed": 3, "factors": [1.0, 7.5]}
    path = save_sheet(sheet, tmp_path / "deep" / "er" / f"sheet{ending}", told)
    assert read_metadata(path) == told
    with Image.open(path) as image:
        assert image.size == sheet.image.size
        difference = np.abs(np.asarray(image.convert("RGB")).astype(int) - np.asarray(sheet.image))
    assert difference.mean() < (0.001 if ending.lower() == ".png" else 6)


def test_jpeg_keeps_the_colours_at_full_resolution(tmp_path):
    path = save_sheet(wall_sheet(noise(2)), tmp_path / "a.jpg")
    with Image.open(path) as image:
        assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3
        assert max(image.quantization[0]) <= 20  # quality 92 and above


def test_the_same_sheet_is_the_same_file(tmp_path):
    files = [save_sheet(wall_sheet(noise(4)), tmp_path / name, {"seed": 1}) for name in ("a.png", "b.png")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "sheet.png"
    path.write_bytes(b"the old one")

    def full_disk(self, file, *args, **options):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full_disk)
    with pytest.raises(UsageError, match="No space left"):
        save_sheet(wall_sheet(noise(1)), path)
    assert path.read_bytes() == b"the old one"
    assert list(tmp_path.iterdir()) == [path]


def test_a_written_file_has_the_permissions_of_any_new_file(tmp_path):
    path = save_sheet(wall_sheet(noise(1)), tmp_path / "a.png")
    plain = tmp_path / "plain"
    plain.touch()
    assert stat.S_IMODE(os.stat(path).st_mode) == stat.S_IMODE(os.stat(plain).st_mode)


def test_places_that_cannot_be_written_are_refused(tmp_path):
    sheet = wall_sheet(noise(1))
    (tmp_path / "file").write_text("not a folder")
    (tmp_path / "folder.png").mkdir()
    for path, said in [
        ("a.tiff", r"\.png"),
        ("a", r"\.png"),
        ("file/a.png", "file"),
        ("folder.png", "folder"),
    ]:
        with pytest.raises(UsageError, match=said):
            save_sheet(sheet, tmp_path / path)
    with pytest.raises(UsageError, match="WEBP"):
        save_sheet(Image.new("RGB", (17000, 4)), tmp_path / "a.webp")


def test_a_file_without_our_words_has_none(tmp_path):
    for ending in ("png", "jpg"):
        Image.new("RGB", (8, 8)).save(tmp_path / f"a.{ending}")
        assert read_metadata(tmp_path / f"a.{ending}") == {}
    (tmp_path / "b.png").write_bytes(b"nothing")
    with pytest.raises(ImageError, match=r"b\.png"):
        read_metadata(tmp_path / "b.png")


@pytest.mark.parametrize(
    "make",
    [
        lambda: contact_sheet([]),
        lambda: contact_sheet([SheetRow([])]),
        lambda: contact_sheet([SheetRow([Cell(noise(1)[0]), Cell(noise(1, 21)[0])])]),
        lambda: wall_sheet(noise(2).astype(float)),
        lambda: wall_sheet(noise(1, channels=2)),
        lambda: wall_sheet(noise(2), ["one caption"]),
        lambda: pair_sheet(noise(2), noise(3)),
        lambda: wall_sheet(noise(1), theme_name="sepia"),
    ],
)
def test_what_cannot_be_laid_out_is_refused(make):
    with pytest.raises(UsageError):
        make()
