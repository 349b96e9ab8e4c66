"""A sheet on disk: its format from the file name, and inside it the command that makes it again.

Enters: an RGB image, a path, a dictionary that JSON can hold. Leaves: one file, whole or not at all.
"""

import json
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from PIL import Image, PngImagePlugin

from facette.errors import ImageError, UsageError
from facette.files import appearing, check_ending

JPEG_QUALITY = 94
WRITERS = 4  # pictures of a set that are packed at once
_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
_LONGEST_SIDE = {"PNG": 2**31 - 1, "JPEG": 65_500, "WEBP": 16_383}
_PNG_KEY = "facette"
_NUMBERED = re.compile(r"\d+\.png", re.IGNORECASE)  # as single pictures are called
JPEG_TEXT = 65_000  # bytes of settings that a JPEG takes: a segment has at most 65,533
_EXIF_FOLDER, _USER_COMMENT, _SOFTWARE = 0x8769, 0x9286, 0x0131
_ASCII = b"ASCII\0\0\0"  # how EXIF marks the character code of a user comment


def check_sheet_path(path: str | Path) -> Path:
    """The path, if a sheet can be written in its format."""
    return check_ending(path, _FORMATS)


def write_image(image: Image.Image, path: str | Path, metadata: Mapping[str, Any] | None = None) -> Path:
    """Write `image` to `path` with `metadata` inside, making parent folders; the old file stays until the end.

    UsageError: an unknown extension, a folder that cannot be written, a side too long for the format.
    """
    path = check_sheet_path(path)
    form = _form(image, path)
    return write_whole(path, lambda file: image.save(file, form, **_options(form, metadata)))


def encode_image(image: Image.Image, name: str, metadata: Mapping[str, Any] | None = None) -> bytes:
    """The bytes that `write_image` puts into a file of this name. UsageError as there."""
    form = _form(image, check_sheet_path(name))
    buffer = BytesIO()
    image.save(buffer, form, **_options(form, metadata))
    return buffer.getvalue()


def earlier_set(folder: Path) -> list[Path]:
    """The single pictures that an earlier command left in the folder, which the next ones replace.

    Raises UsageError where a picture that Facette did not write has such a name.
    """
    numbered = (
        sorted(path for path in folder.iterdir() if _NUMBERED.fullmatch(path.name)) if folder.is_dir() else []
    )
    for path in numbered:
        if not _is_ours(path):
            raise UsageError(
                f"single pictures are called 01.png, 02.png … and would replace {str(path)!r}, which is not one of "
                "them: name another folder"
            )
    return numbered


def write_set(
    pictures: Sequence[Image.Image],
    folder: Path,
    settings_of: Callable[[int], Mapping[str, Any]] | None = None,
) -> list[Path]:
    """Write pictures as `01.png`, `02.png` …, each with its settings inside; what an earlier command wrote there goes
    away, so that nobody else's are left among them. Raises UsageError as `earlier_set` and `write_image` do."""
    earlier = earlier_set(folder)
    width = max(2, len(str(len(pictures))))

    def write(place: int) -> Path:
        path = folder / f"{place + 1:0{width}d}.png"
        return write_image(pictures[place], path, settings_of and settings_of(place))

    with ThreadPoolExecutor(WRITERS) as pool:  # most of it is packing, which Pillow does beside other threads
        paths = list(pool.map(write, range(len(pictures))))
    for path in set(earlier).difference(paths):
        path.unlink(missing_ok=True)
    return paths


def _is_ours(path: Path) -> bool:
    try:
        with Image.open(path) as image:
            return _PNG_KEY in image.info
    except (OSError, ValueError, SyntaxError):
        return False


def write_whole(path: Path, write: Callable[[IO[bytes]], object]) -> Path:
    """Let `write` fill a file that takes the name `path` only once it is whole, making parent folders.

    UsageError: a folder that cannot be written.
    """
    try:
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a folder")
        with appearing(path, path.suffix) as temporary, temporary.open("w+b") as file:
            write(file)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}; choose another place") from error
    return path


def settings_text(settings: Mapping[str, Any], most: int | None = None) -> str:
    """Settings as ASCII JSON of at most so many bytes: what takes the most room, such as thousands of seeds, is left
    out first, and its name is told under "left_out"."""
    kept = {name: json.dumps(value, ensure_ascii=True, default=str) for name, value in settings.items()}
    left: list[str] = []
    while True:
        told = {**settings, "left_out": left} if left else settings
        text = json.dumps(
            {name: told[name] for name in told if name not in left}, ensure_ascii=True, default=str
        )
        if most is None or len(text) <= most or not kept:
            return text
        longest = max(kept, key=lambda name: len(kept[name]))
        left.append(longest)
        del kept[longest]


def read_metadata(path: str | Path) -> dict[str, Any]:
    """What `write_image` put into the file; empty when there is none. ImageError: not a readable picture."""
    try:
        with Image.open(path, formats=sorted(set(_FORMATS.values()))) as image:
            if isinstance(image, PngImagePlugin.PngImageFile):
                return json.loads(image.text.get(_PNG_KEY, "{}"))
            comment = image.getexif().get_ifd(_EXIF_FOLDER).get(_USER_COMMENT, b"")
    except OSError as error:
        raise ImageError(f"cannot read {path}: {error}") from error
    return json.loads(comment[len(_ASCII) :]) if comment.startswith(_ASCII + b"{") else {}


def _form(image: Image.Image, path: Path) -> str:
    """The format of the name's ending; UsageError where its sides cannot be as long."""
    form = _FORMATS[path.suffix.lower()]
    if max(image.size) > _LONGEST_SIDE[form]:
        raise UsageError(
            f"{path.name} would be {image.width}×{image.height}, too big for {form}: choose .png"
        )
    return form


def _options(form: str, metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    text = settings_text(metadata or {}, JPEG_TEXT if form == "JPEG" else None)
    if form == "PNG":
        chunks = PngImagePlugin.PngInfo()
        chunks.add_text("Software", "Facette")
        chunks.add_text(_PNG_KEY, text)
        # Enlarged pictures are runs and little else: looking for those alone takes a fifth of the time and 6 % more
        # bytes; Pillow's usual way takes longer than ten variations do.
        return {"pnginfo": chunks, "compress_type": zlib.Z_RLE}
    exif = Image.Exif()
    exif[_SOFTWARE] = "Facette"
    exif.get_ifd(_EXIF_FOLDER)[_USER_COMMENT] = _ASCII + text.encode("ascii")
    if form == "WEBP":
        return {"quality": JPEG_QUALITY, "method": 5, "exif": exif}
    return {"quality": JPEG_QUALITY, "subsampling": 0, "optimize": True, "exif": exif}
