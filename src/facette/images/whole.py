"""A whole photo as its file holds it, to be changed in places and written again: own profile, own depth, own metadata.

Enters: the file of a photo. Leaves: its pixels, upright, uint8 or uint16; and another file with changed pixels that
keeps profile, EXIF and resolution, without the embedded thumbnail, which would still show the face that was there.
What cannot be kept as it is (palettes, CMYK, animations, floating point) is read as 8-bit sRGB by `open_image`. Knows
nothing of faces.
"""

import io
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from facette.images.depth import deep_pixels, white_of_pixels
from facette.images.open import TURNED_UPRIGHT, decode, header_within_limits, is_bounded, read_picture
from facette.images.reader import read_apart
from facette.images.sheets.file import JPEG_TEXT, settings_text, write_whole

ORIENTATION, _EXIF_FOLDER, _MAKER_NOTE = 0x0112, 0x8769, 0x927C
JPEG_QUALITY = 95
STRIP = 256  # rows
_BACK = {
    Image.Transpose.ROTATE_90: Image.Transpose.ROTATE_270,
    Image.Transpose.ROTATE_270: Image.Transpose.ROTATE_90,
}
_PLAIN = ("L", "RGB", "RGBA", "LA")
_SIGNATURE = 8  # bytes at the beginning of a PNG


@dataclass(frozen=True, slots=True)
class WholePhoto:
    """The pixels of a file, and what has to be written with them."""

    pixels: NDArray[Any]  # (H, W, C) uint8 or uint16, upright; C is 1 to 4, alpha last where there is any
    form: str  # "JPEG" or "PNG": what it is written as
    turn: Image.Transpose | None  # what made it upright
    kept: Mapping[str, Any]  # profile, EXIF and resolution, as Pillow writes them
    white: int = 255  # the value of a white pixel

    @property
    def ending(self) -> str:
        return ".jpg" if self.form == "JPEG" else ".png"

    def save(self, pixels: NDArray[Any], path: Path, settings: Mapping[str, Any]) -> Path:
        """Write changed pixels, upright as they came, in the file's own orientation, with `settings` beside them."""
        return write_whole(path, self._writer(pixels, settings))

    def encode(self, pixels: NDArray[Any], settings: Mapping[str, Any]) -> bytes:
        """The bytes that `save` writes."""
        buffer = io.BytesIO()
        self._writer(pixels, settings)(buffer)
        return buffer.getvalue()

    def _writer(self, pixels: NDArray[Any], settings: Mapping[str, Any]) -> Callable[[IO[bytes]], object]:
        text = settings_text(settings, JPEG_TEXT if self.form == "JPEG" else None)
        if self.turn is not None:
            turned = _BACK.get(self.turn, self.turn)
            pixels = np.stack(
                [np.asarray(_channel(c).transpose(turned)) for c in np.moveaxis(pixels, 2, 0)], 2
            )
        pixels = np.ascontiguousarray(pixels)
        if pixels.dtype == np.uint16:
            return lambda file: _write_deep(file, pixels, self.kept, text)
        image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
        options: dict[str, Any] = {name: value for name, value in self.kept.items() if value}
        if self.form == "JPEG":
            options |= {"quality": JPEG_QUALITY, "subsampling": 0, "comment": text.encode("ascii")}
        else:
            chunks = PngImagePlugin.PngInfo()
            chunks.add_text("facette", text)
            options |= {"pnginfo": chunks, "compress_type": zlib.Z_RLE, "compress_level": 1}
        return lambda file: image.save(file, self.form, **options)


def open_whole(path: Path) -> WholePhoto:
    """The photo of a file that `open_image` opens; raises ImageError as that does."""
    name, data = read_picture(path)
    return read_whole(data, name)


def read_whole(data: bytes, name: str) -> WholePhoto:
    """`open_whole` of bytes."""
    if is_bounded(data):
        return decode_whole(data, name)
    fields = read_apart("whole", data, name)
    turn = fields["turn"]
    return WholePhoto(**fields | {"turn": None if turn is None else Image.Transpose(turn)})


def ending_of(data: bytes, name: str) -> str:
    """What the name of a changed photo will end in, from its header alone. Raises ImageError as `open_whole` does."""
    if not is_bounded(data):
        return ".png"
    with header_within_limits(data, name) as image:
        stays = image.format == "MPO" or (image.format == "JPEG" and image.mode in _PLAIN)
        return ".jpg" if stays else ".png"


def decode_whole(data: bytes, name: str) -> WholePhoto:
    """`open_whole` of bytes, in this process and however long it takes."""
    with header_within_limits(data, name) as image:
        exif = image.getexif()
        turn = TURNED_UPRIGHT.get(int(exif.get(ORIENTATION, 1)))
        form = "JPEG" if image.format in ("JPEG", "MPO") else "PNG"
        kept = {
            "icc_profile": image.info.get("icc_profile"),
            "exif": _exif_that_fits(exif, JPEG_TEXT if form == "JPEG" else None),
            "dpi": image.info.get("dpi"),
        }
        deep = deep_pixels(data) if image.format == "PNG" else None
        kept_as_is = (
            image.mode in _PLAIN and not getattr(image, "is_animated", False)
        ) or image.format == "MPO"
        if deep is None and not kept_as_is:
            return WholePhoto(_pixels(decode(data, name).image), "PNG", None, {})
        if deep is None:
            upright = image if turn is None else image.transpose(turn)
            pixels = _pixels(upright)
        else:
            pixels = (
                deep if turn is None else np.stack([_turned(c, turn) for c in np.moveaxis(deep, 2, 0)], 2)
            )
    white = 255 if deep is None else white_of_pixels(deep)
    return WholePhoto(pixels, form, turn, kept, white)


def _pixels(image: Image.Image) -> NDArray[np.uint8]:
    """(H, W, C) of a picture, a strip at a time: Pillow would hold all of it twice more on the way."""
    pixels = np.empty((image.height, image.width, len(image.getbands())), np.uint8)
    for top in range(0, image.height, STRIP):
        bottom = min(top + STRIP, image.height)
        strip = np.asarray(image.crop((0, top, image.width, bottom)))
        pixels[top:bottom] = strip.reshape(bottom - top, image.width, -1)
    return pixels


def _exif_that_fits(exif: Image.Exif, most: int | None) -> bytes:
    """EXIF of at most so many bytes, the makers' own notes left out where it would be longer; a thumbnail never goes
    with it."""
    data = exif.tobytes() if len(exif) else b""
    if most is not None and len(data) > most:
        exif.get_ifd(_EXIF_FOLDER).pop(_MAKER_NOTE, None)
        data = exif.tobytes()
    return data if most is None or len(data) <= most else b""


def _write_deep(file: IO[bytes], pixels: NDArray[np.uint16], kept: Mapping[str, Any], text: str) -> None:
    """A PNG of 16 bits by OpenCV, with the chunks that it does not write put in behind the header."""
    ordered = pixels[:, :, [2, 1, 0, 3][: pixels.shape[2]]] if pixels.shape[2] > 2 else pixels
    _, encoded = cv2.imencode(".png", ordered, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    data = encoded.tobytes()
    end = _SIGNATURE + 4 + 4 + 13 + 4  # of the header's chunk
    chunks = io.BytesIO()
    if kept.get("icc_profile"):
        _chunk(chunks, b"iCCP", b"ICC\0\0" + zlib.compress(kept["icc_profile"]))
    if kept.get("exif"):
        _chunk(chunks, b"eXIf", kept["exif"].removeprefix(b"Exif\0\0"))
    _chunk(chunks, b"tEXt", b"facette\0" + text.encode("latin-1"))
    file.write(data[:end] + chunks.getvalue() + data[end:])


def _chunk(file: IO[bytes], name: bytes, content: bytes) -> None:
    body = name + content
    file.write(len(content).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big"))


def _channel(values: NDArray[Any]) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(values))


def _turned(values: NDArray[Any], turn: Image.Transpose) -> NDArray[Any]:
    return np.asarray(_channel(values).transpose(turn))
