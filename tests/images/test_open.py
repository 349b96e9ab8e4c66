"""Opening pictures: every kind comes out upright and RGB, everything else as one sentence."""

from __future__ import annotations

import io
import os
import struct
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facette.errors import ImageError
from facette.images.open import open_image

ORIENTATION = 0x0112


@pytest.fixture(scope="module")
def scene() -> Image.Image:
    """48×32, smooth, with a different colour in every corner."""
    y, x = np.mgrid[0:32, 0:48]
    return Image.fromarray(np.stack([x * 5, y * 7, 255 - x * 3 - y * 3], axis=-1).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels(opened) -> np.ndarray:
    assert opened.image.mode == "RGB"
    return np.asarray(opened.image).astype(int)


def png_header(width: int, height: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    body = struct.pack(">I", len(head)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + body + b"\0\0\0\0IEND\xaeB`\x82"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_every_orientation_comes_out_upright(scene, orientation, kind):
    turns = {1: (), 2: ("FLIP_LEFT_RIGHT",), 3: ("ROTATE_180",), 4: ("FLIP_TOP_BOTTOM",)}
    turns |= {5: ("TRANSPOSE",), 6: ("ROTATE_90",), 7: ("TRANSVERSE",), 8: ("ROTATE_270",)}
    stored = scene
    for turn in turns[orientation]:
        stored = stored.transpose(Image.Transpose[turn])
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"JPEG": {"quality": 98, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {})
    opened = open_image(encoded(stored, kind, exif=exif, **options))
    assert np.abs(pixels(opened) - np.asarray(scene)).max() <= (8 if kind == "JPEG" else 0)
    assert opened.original_size == scene.size


def test_transparency_is_laid_on_the_background(scene):
    alpha = Image.new("L", scene.size, 255)
    alpha.paste(0, (0, 0, 24, 32))
    scene = scene.copy()
    scene.putalpha(alpha)
    opened = open_image(encoded(scene, "PNG"))
    assert (pixels(opened)[:, :24] == 255).all()
    assert (pixels(opened)[:, 24:] == np.asarray(scene)[:, 24:, :3]).all()
    assert any("transparent" in note for note in opened.notes)
    assert (pixels(open_image(encoded(scene, "PNG"), background=(0, 0, 0)))[:, :24] == 0).all()


@pytest.mark.parametrize("transparent", [None, 3])
def test_palettes_keep_their_colours(scene, transparent):
    small = scene.quantize(16)
    options = {} if transparent is None else {"transparency": transparent}
    opened = open_image(encoded(small, "PNG", **options))
    expected = np.asarray(small.convert("RGB")).copy()
    if transparent is not None:
        expected[np.asarray(small) == transparent] = 255
    assert (pixels(opened) == expected).all()


def test_cmyk_and_grey_come_out_as_rgb(scene):
    cmyk = open_image(encoded(scene.convert("CMYK"), "JPEG", quality=98, subsampling=0))
    assert np.abs(pixels(cmyk) - np.asarray(scene.convert("CMYK").convert("RGB"))).mean() < 3
    grey = pixels(open_image(encoded(scene.convert("L"), "PNG")))
    assert (grey == np.asarray(scene.convert("L"))[..., None]).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_become_eight_with_the_same_brightness(scene, kind):
    grey = np.asarray(scene.convert("L"))
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    opened = open_image(encoded(deep, kind))
    assert (pixels(opened)[..., 0] == grey).all()
    assert any("8 bits" in note for note in opened.notes)


@pytest.mark.parametrize("scale", [1.0, 255.0])
def test_floating_point_is_read_at_its_own_scale(scene, scale):
    grey = np.asarray(scene.convert("L"))
    stored = Image.fromarray((grey / 255 * scale).astype(np.float32))
    assert np.abs(pixels(open_image(encoded(stored, "TIFF")))[..., 0] - grey).max() <= 1


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_of_an_animation_the_first_frame_is_taken_and_said(scene, kind):
    other = scene.transpose(Image.Transpose.ROTATE_180)
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(scene, kind, save_all=True, append_images=[other], duration=100, **options)
    opened = open_image(data)
    assert np.abs(pixels(opened) - np.asarray(scene)).mean() < 8
    assert "first frame of an animation" in opened.notes


def test_heic_is_read_where_its_library_is_installed(scene):
    heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    heif.from_pillow(scene.resize((96, 64))).save(buffer, quality=95)
    opened = open_image(buffer.getvalue())
    assert opened.image.size == (96, 64)
    assert np.abs(pixels(opened) - np.asarray(scene.resize((96, 64)))).mean() < 6


def test_all_ways_in_give_the_same_picture(scene, tmp_path):
    path = tmp_path / "scene.png"
    scene.save(path)
    with path.open("rb") as file:
        ways = [path, str(path), path.read_bytes(), file, Image.open(path)]
        seen = [pixels(open_image(way)) for way in ways]
    assert all((one == seen[0]).all() for one in seen)


def test_a_draft_is_smaller_but_no_smaller_than_asked(scene):
    data = encoded(scene.resize((1200, 800)), "JPEG")
    opened = open_image(data, draft_side=150)
    assert 150 <= min(opened.image.size) < 800
    assert opened.original_size == (1200, 800)


def test_a_broken_exif_does_not_cost_the_picture(scene):
    data = encoded(scene, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x03\x01")
    assert open_image(data).image.size == scene.size


def test_limits_are_checked_before_anything_is_decoded(scene, tmp_path):
    with pytest.raises(ImageError, match="80,000,000 pixels"):
        open_image(png_header(60_000, 60_000))
    with pytest.raises(ImageError, match="9,000 × 9,000"):
        open_image(png_header(9_000, 9_000))
    with pytest.raises(ImageError, match="2,000 × 2,000"):
        open_image(png_header(2000, 2000), max_pixels=3_999_999)
    data = encoded(scene, "PNG")
    assert open_image(data, max_bytes=len(data)).image.size == scene.size
    with pytest.raises(ImageError, match="bytes allowed"):
        open_image(data, max_bytes=len(data) - 1)


def outcome(data: bytes) -> str:
    """The sentence that opening ends with; empty when the picture could be opened."""
    try:
        open_image(data)
    except ImageError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_a_file_cut_off_anywhere_is_a_sentence(scene, kind):
    data = encoded(scene, kind)
    for share in (0.03, 0.2, 0.5, 0.8):
        said = outcome(data[: int(len(data) * share)])
        assert said.endswith("."), share
        assert "\n" not in said


def test_random_damage_never_escapes_as_anything_but_a_sentence(scene):
    draws = np.random.default_rng(7)
    said = []
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "ICO", "JPEG2000"):
        data = encoded(scene, kind)
        for _ in range(40):
            damaged = bytearray(data)
            for _ in range(int(draws.integers(1, 12))):
                damaged[draws.integers(len(damaged) if draws.random() < 0.5 else 60)] = draws.integers(256)
            said.append(outcome(bytes(damaged)))
    failed = [sentence for sentence in said if sentence]
    assert len(failed) > 60
    assert not [sentence for sentence in failed if "\n" in sentence or not sentence.endswith(".")]


def hostile(scene: Image.Image, folder) -> dict[str, object]:
    """Sources that are no picture, each for its own reason."""
    nan = np.full((16, 16), np.nan, np.float32)
    jpeg, png = encoded(scene, "JPEG"), encoded(scene, "PNG")
    (folder / "text.jpg").write_text("this was never a picture\n" * 20)
    (folder / "empty.png").touch()
    os.mkfifo(folder / "pipe.jpg")
    deep = Image.fromarray(np.array([[0, 70_000]] * 16, np.int32).repeat(8, axis=1))
    return {
        "empty": b"",
        "zeros": bytes(5000),
        "text": folder / "text.jpg",
        "empty file": folder / "empty.png",
        "folder": folder,
        "pipe": folder / "pipe.jpg",
        "device": "/dev/zero",
        "absent": folder / "absent.jpg",
        "null in the name": "a\0b.jpg",
        "address": "https://example.org/face.jpg",
        "data address": "data:image/png;base64,AAAA",
        "one pixel": encoded(scene.resize((1, 1)), "PNG"),
        "a line": encoded(scene.resize((500, 2)), "PNG"),
        "no pixels": png_header(0, 0),
        "bomb": png_header(60_000, 60_000),
        "bomb at the limit": png_header(2**31 - 1, 1),
        "header only": png_header(64, 64),
        "jpeg start": jpeg[:2],
        "cut jpeg": jpeg[: len(jpeg) // 2],
        "cut png": png[: len(png) // 2],
        "wrong signature": b"GIF89a" + png,
        "NaN": encoded(Image.fromarray(nan), "TIFF"),
        "beyond 16 bits": encoded(deep, "TIFF"),
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\nshowpage\n",
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
        "pdf": b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n",
        "zip": b"PK\x03\x04" + bytes(100),
        "number": 7,
        "nothing": None,
        "text file object": io.StringIO("text"),
    }


def test_everything_that_is_no_picture_is_one_sentence(scene, tmp_path):
    for name, source in hostile(scene, tmp_path).items():
        with pytest.raises(ImageError) as caught:
            open_image(source)  # type: ignore[arg-type]
        message = str(caught.value)
        assert "\n" not in message, name
        assert len(message) < 400, name
    assert (tmp_path / "pipe.jpg").exists()


def test_the_caller_keeps_its_warnings(scene):
    bad = encoded(scene, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x03\x01")
    before = list(warnings.filters)
    threads = [threading.Thread(target=lambda: [open_image(bad) for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before
    with pytest.warns(UserWarning, match="still heard"):
        warnings.warn("still heard", stacklevel=1)


def test_floating_point_a_little_beyond_one_is_cut_off_there(tmp_path):
    values = np.linspace(-0.02, 1.02, 64 * 64, dtype=np.float32).reshape(64, 64)
    Image.fromarray(values).save(tmp_path / "x.tif")
    read = np.asarray(open_image(tmp_path / "x.tif").image)[..., 0]
    assert (read[0, 0], read[-1, -1]) == (0, 255)
    assert abs(float(read.mean()) - 127.5) < 1


@pytest.mark.parametrize("mode", ["L", "P", "LA"])
def test_a_profile_is_applied_in_every_colour_mode(tmp_path, mode):
    """Linear grey of 64 is sRGB 137 (IEC 61966-2-1)."""
    profile = _linear_grey_profile() if mode != "P" else _linear_rgb_profile()
    grey = Image.new("L", (32, 32), 64)
    picture = grey.convert("RGB").quantize(4) if mode == "P" else grey.convert(mode)
    picture.save(tmp_path / "x.png", icc_profile=profile)
    opened = open_image(tmp_path / "x.png")
    assert abs(int(np.asarray(opened.image)[5, 5, 0]) - 137) <= 2
    assert any("colours converted" in note for note in opened.notes)


def test_a_png_with_much_text_is_no_damaged_picture(tmp_path):
    from PIL.PngImagePlugin import PngInfo

    texts = PngInfo()
    texts.add_itxt("parameters", "a" * 2_000_000, zip=True)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (600, 900, 3), np.uint8))
    picture.save(tmp_path / "x.png", pnginfo=texts)
    opened = open_image(tmp_path / "x.png")
    assert (np.asarray(opened.image) == np.asarray(picture)).all()
    assert any("left out" in note for note in opened.notes)


def test_a_jpeg_of_too_many_pixels_is_decoded_smaller(tmp_path):
    Image.new("L", (12000, 9000), 90).save(tmp_path / "x.jpg", quality=30)
    opened = open_image(tmp_path / "x.jpg")
    assert opened.image.size == (6000, 4500)
    assert "decoded at 6000 × 4500 of its 12000 × 9000 pixels" in opened.notes


def test_a_raw_files_preview_is_said_to_be_one(tmp_path):
    Image.new("RGB", (160, 120), (9, 99, 9)).save(tmp_path / "x.tif")
    (tmp_path / "x.tif").rename(tmp_path / "photo.nef")
    assert "preview of 160 × 120" in open_image(tmp_path / "photo.nef").notes[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 3\n", "git lfs pull"),
        (b"II*\0\x08\0\0\0\0\0", "TIFF of a kind that is not read"),
    ],
)
def test_what_only_looks_like_a_picture_is_named(tmp_path, content, words):
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(ImageError, match=words):
        open_image(tmp_path / "x.png")


def test_an_address_stays_one_as_a_path():
    with pytest.raises(ImageError, match="is an address, and nothing is fetched"):
        open_image(Path("https://example.org/a.jpg"))


def _linear_rgb_profile() -> bytes:
    """sRGB's colours with gamma 1: the curves of Pillow's own sRGB profile replaced."""
    from PIL import ImageCms

    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    return _with_curves(bytes(content), (b"rTRC", b"gTRC", b"bTRC"), b"linear")


def _with_curves(profile: bytes, tags: tuple[bytes, ...], name: bytes) -> bytes:
    """The profile with `tags` pointing to a curve of gamma 1 at its end, and another description."""
    curve = b"curv" + bytes(8)
    content = bytearray(profile.replace("sRGB".encode("utf-16-be"), "flat".encode("utf-16-be")))
    content += bytes(-len(content) % 4)
    place = len(content)
    content += curve
    for i in range(int.from_bytes(content[128:132], "big")):
        at = 132 + 12 * i
        if bytes(content[at : at + 4]) in tags:
            content[at + 4 : at + 12] = place.to_bytes(4, "big") + len(curve).to_bytes(4, "big")
    content[0:4] = len(content).to_bytes(4, "big")
    return bytes(content)


def _linear_grey_profile() -> bytes:
    """ICC.1:2004-10: a monochrome display profile with white point and a grey curve of gamma 1."""
    white = b"XYZ " + bytes(4) + b"".join(int(v * 65536).to_bytes(4, "big") for v in (0.9642, 1.0, 0.8249))
    text = b"desc" + bytes(4) + (5).to_bytes(4, "big") + b"flat\0" + bytes(12) + bytes(67)
    right = b"text" + bytes(4) + b"none\0"
    parts = {b"desc": text, b"wtpt": white, b"kTRC": b"curv" + bytes(8), b"cprt": right}
    table, body, start = b"", b"", 132 + 12 * len(parts)
    for tag, part in parts.items():
        table += tag + (start + len(body)).to_bytes(4, "big") + len(part).to_bytes(4, "big")
        body += part + bytes(-len(part) % 4)
    header = bytearray(128)
    header[8:12], header[12:16], header[16:20], header[20:24] = b"\x02\x10\0\0", b"mntr", b"GRAY", b"XYZ "
    header[36:40] = b"acsp"
    header[68:80] = b"".join(int(v * 65536).to_bytes(4, "big") for v in (0.9642, 1.0, 0.8249))
    content = bytes(header) + len(parts).to_bytes(4, "big") + table + body
    return len(content).to_bytes(4, "big") + content[4:]
