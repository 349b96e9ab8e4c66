"""Pictures that take for ever, eat memory or bring their decoder down cost themselves alone."""

from __future__ import annotations

import io
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from facette.errors import ImageError
from facette.images import reader
from facette.images.open import decode, is_bounded, open_image
from facette.images.whole import decode_whole, open_whole

ENDLESS = (
    b"P3\n4000 4000\n255\n" + b"1 2 3 " * 10_000_000
)  # plain text, read in Python: a quarter of a minute


def encoded(form: str, mode: str = "RGB", **options) -> bytes:
    values = np.random.default_rng(0).integers(0, 256, (24, 40, len(mode)), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(values.squeeze()).save(buffer, form, **options)
    return buffer.getvalue()


@pytest.fixture
def fresh_readers():
    """None that another test has begun; what a test has begun ends with it."""
    reader.end_idle()
    yield
    reader.end_idle()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP"])
def test_what_costs_no_more_than_its_pixels_is_decoded_here(form):
    assert is_bounded(encoded(form))


@pytest.mark.parametrize("form", ["TIFF", "AVIF", "JPEG2000", "BMP", "DIB", "PPM", "ICO", "HEIF"])
def test_whatever_else_is_decoded_by_a_reader_and_comes_out_the_same(form, fresh_readers):
    if form == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    data = encoded(form)
    assert not is_bounded(data)
    here, there = decode(data, "the picture"), open_image(data)
    assert len(reader._idle) == 1
    assert (there.notes, there.original_size, there.alpha) == (here.notes, here.original_size, here.alpha)
    assert there.image.mode == here.image.mode
    assert there.image.tobytes() == here.image.tobytes()


def test_options_alpha_and_names_reach_the_reader():
    data = encoded("TIFF", "RGBA")
    here, there = (act(data, background=(9, 8, 7)) for act in (lambda d, **o: decode(d, "", **o), open_image))
    assert here.alpha is not None
    assert there.alpha is not None
    assert there.alpha.tobytes() == here.alpha.tobytes()
    assert there.image.tobytes() == here.image.tobytes()
    with pytest.raises(ImageError, match=r"^the picture is 40 × 24 pixels, more than the 100 allowed\.$"):
        open_image(data, max_pixels=100)


def test_a_whole_photo_is_read_there_too(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "photo.tiff"
    path.write_bytes(encoded("TIFF", exif=exif, dpi=(300, 300)))
    here, there = decode_whole(path.read_bytes(), str(path)), open_whole(path)
    assert np.array_equal(here.pixels, there.pixels)
    assert (here.form, here.turn) == (there.form, there.turn)
    assert {name: value for name, value in there.kept.items() if value} == {
        name: tuple(map(float, value)) if name == "dpi" else value
        for name, value in here.kept.items()
        if value
    }
    there.save(there.pixels, tmp_path / "again.png", {})


def test_a_picture_that_takes_for_ever_is_ended_and_nobody_waits_for_it(monkeypatch, fresh_readers):
    with ThreadPoolExecutor(2) as both:  # two readers, begun before time is short
        list(both.map(open_image, [encoded("TIFF")] * 2))
    monkeypatch.setattr(reader, "SECONDS", 1.5)
    told: list[str] = []

    def slow() -> None:
        with pytest.raises(ImageError) as caught:
            open_image(ENDLESS)
        told.append(str(caught.value))

    visitor = threading.Thread(target=slow)
    visitor.start()
    for _ in range(3):
        assert open_image(encoded("TIFF")).image.size == (40, 24)
    assert visitor.is_alive()
    visitor.join()
    monkeypatch.undo()
    assert told == ["the picture takes more than 2 seconds to decode: save it as JPEG or PNG."]
    assert open_image(encoded("TIFF")).image.size == (40, 24)


def test_a_picture_that_eats_memory_is_refused(monkeypatch, fresh_readers):
    monkeypatch.setattr(reader, "ROOM", 0)
    monkeypatch.setattr(reader, "STACK", 0)
    with pytest.raises(ImageError, match="needs more memory than there is"):
        open_image(b"P4\n8900 8900\n" + bytes(8900 * 8900 // 8 + 8900))


def test_a_decoder_that_comes_down_takes_nobody_with_it(fresh_readers):
    with pytest.raises(ImageError, match=r"photo\.tiff is damaged .*: it brings its decoder down\."):
        reader.read_apart("what no reader knows", encoded("TIFF"), "photo.tiff")
    assert not reader._idle
    open_image(encoded("TIFF"))
    os.kill(reader._idle[0].process.pid, 9)
    while reader._idle[0].process.poll() is None:
        time.sleep(0.01)
    assert open_image(encoded("TIFF")).image.size == (40, 24)


def test_what_a_decoder_answers_is_not_believed(fresh_readers):
    """An array of objects, sizes that lie: nothing is built of them."""
    for answer in (
        {"array": ["|O", 1], "part": 0},
        {"array": ["|u1", 9], "part": 0},
        {"array": ["|u1", 8], "part": 3},
    ):
        with pytest.raises((ValueError, IndexError)):
            reader._restored(answer, [bytes(8)])
