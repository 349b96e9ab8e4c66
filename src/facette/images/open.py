"""Opens any picture a person may hand over.

In: a path, bytes, a binary file, or a PIL image. Out: an upright picture, 8-bit RGB unless another mode is asked
for, with notes saying what was done to it on the way (turned, flattened, first frame of many …). Knows nothing of faces
or models.

Whatever is wrong with a picture becomes one `ImageError` of one sentence. The limits on bytes and on pixels
are checked before anything is decoded, and only decoders of common picture formats may run at all (Pillow
also knows formats that start other programs, such as EPS).
"""

import importlib.util
import io
import stat
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image, UnidentifiedImageError

from facette.errors import ImageError
from facette.files import is_address, stand_in
from facette.form import Mode
from facette.images.colour import deep_note, to_mode
from facette.images.depth import colours_in_eight, is_deep_png
from facette.images.dicom import FIRST as FIRST_PAGE
from facette.images.dicom import SUFFIXES as DICOM_SUFFIXES
from facette.images.dicom import dicom_image, is_dicom

MAX_BYTES = 64 * 2**20
MAX_SCANS = 64  # passes over a JPEG; progressive ones of cameras and editors have about ten
MAX_SCANNED = 1_500_000_000  # pixels times passes: some ten seconds
MAX_PIXELS = 80_000_000  # stays below Pillow's own bomb limit (89 million), so the refusal is always ours
SMALLEST_SIDE = 8
# Names of files worth trying when a folder is searched; what is in them decides, not the name.
SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".avif", ".gif", ".bmp", ".dib"),
    *(".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".ico", ".heic", ".heif"),
    *DICOM_SUFFIXES,
)

# Left out on purpose: formats that run other programs (EPS), and those nobody takes photos in.
_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "AVIF", "GIF", "BMP", "DIB", "TIFF", "PPM", "JPEG2000", "ICO")
_FORMATS_SPOKEN = "JPEG, PNG, WebP, AVIF, GIF, BMP, TIFF, PPM, JPEG 2000, ICO, HEIC, DICOM"
_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_EXIF_ORIENTATION = 0x0112
_DNG_VERSION = 50706  # the TIFF tag
_RAW = (".dng", ".nef", ".nrw", ".cr2", ".arw", ".sr2", ".orf", ".rw2", ".pef", ".srw", ".3fr", ".iiq")
FIRST_FRAME = "first frame of an animation"
RAW_FILE = "a camera's raw file: "
_PNG = b"\x89PNG\r\n\x1a\n"
_BOUNDED = (_PNG, b"\xff\xd8\xff", b"GIF8")
TURNED_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class OpenedImage:
    image: Image.Image  # in the mode asked for, upright
    notes: tuple[str, ...]  # what was done to it, in the order it was done
    original_size: tuple[int, int]  # width, height upright, before any reduction while decoding
    # mode L, of the picture's size: 0 where it is transparent; None: nowhere
    alpha: Image.Image | None = None


@dataclass(frozen=True, slots=True)
class DecodeSettings:
    """How a picture is to be read, as `open_image` says it."""

    max_pixels: int = MAX_PIXELS
    draft_side: int | None = None
    background: Sequence[int] = (255, 255, 255)
    mode: Mode = "RGB"
    white: int | None = None


def open_image(
    source: str | Path | bytes | BinaryIO | Image.Image,
    *,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
    draft_side: int | None = None,
    background: tuple[int, int, int] = (255, 255, 255),
    mode: Mode = "RGB",
    white: int | None = None,
) -> OpenedImage:
    """Opens `source` as an upright picture.

    `mode`: RGB, L (grey), RGBA, or F, which is grey with the values of 16 bits, 0 to 65,535.
    `draft_side`: a shorter side of this many pixels is enough; large JPEGs are then decoded at 1/2, 1/4 or
    1/8 of their size, which is several times faster. `background`: the colour transparent parts are laid on.
    `white`: the value that is white in pictures of 16 bits, where somebody knows (see `facette.images.depth`).
    `max_pixels` above 178,956,970 has no effect: Pillow refuses those itself.
    Raises ImageError with one sentence for everything that cannot be opened. Nothing is ever fetched.
    """
    settings = DecodeSettings(max_pixels, draft_side, background, mode, white)
    if isinstance(source, Image.Image):
        return _explained(source, None, "the picture", settings)
    name, data = read_picture(source, max_bytes)
    if is_bounded(data):
        return _explained(None, data, name, settings)
    from facette.images.reader import read_apart  # most pictures need none

    return OpenedImage(**read_apart("open", data, name, **asdict(settings)))


def is_bounded(data: bytes) -> bool:
    """Whether decoding costs no more than its pixels and its bytes, by what the file begins with.

    Every other format takes a reader's time, not this process's: of wavelets and video a small file may mean minutes of
    work, a TIFF may hold any of them, some decoders are written in Python, and most are seldom used and less tried.
    """
    return data.startswith(_BOUNDED) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")


def decode(data: bytes, name: str, **settings: Any) -> OpenedImage:
    """`open_image` of bytes, in this process and however long it takes; options as `DecodeSettings` has them."""
    return _explained(None, data, name, DecodeSettings(**settings))


def _explained(
    opened: Image.Image | None, data: bytes | None, name: str, settings: DecodeSettings
) -> OpenedImage:
    """Whatever goes wrong, as one sentence."""
    with _quiet_decoders():
        try:
            try:
                return _opened(opened, data or b"", name, settings)
            except ValueError as error:
                if data is None or "MAX_TEXT" not in str(error):
                    raise
            left = "texts or a profile of more than 1 MiB were left out"  # Pillow refuses a PNG for them
            decoded = _opened(None, _without_texts(data), name, settings)
            return replace(decoded, notes=(left, *decoded.notes))
        except ImageError:
            raise
        # The decoders fail in every way there is on hostile bytes: struct.error, SyntaxError, OverflowError,
        # zlib.error, MemoryError … Here, and only here, all of them mean the same thing: the picture is bad.
        except Exception as error:
            raise ImageError(_explain(error, name, data, settings.max_pixels)) from error


def _opened(opened: Image.Image | None, data: bytes, name: str, settings: DecodeSettings) -> OpenedImage:
    image, notes = (opened, []) if opened is not None else _begun(data, name, settings.max_pixels)
    notes += _reduced_beyond(image, settings.max_pixels)
    _check_limits(image, None if opened is not None else data, name, settings.max_pixels)
    notes += _preview_notes(image, name)
    decoded = _decode(image, data, name, settings)
    return replace(decoded, notes=(*notes, *decoded.notes))


def read_picture(source: str | Path | bytes | BinaryIO, max_bytes: int = MAX_BYTES) -> tuple[str, bytes]:
    """The name to speak of the source by, and its bytes. Raises ImageError for what is no file, or too large."""
    if isinstance(source, bytes | bytearray | memoryview):
        name, data = "the picture", bytes(source)
    elif isinstance(source, str | Path):
        name, data = _speakable(str(source)), _read_file(source, max_bytes)
    elif hasattr(source, "read"):
        name, data = _speakable(str(getattr(source, "name", "the picture"))), source.read(max_bytes + 1)
        if not isinstance(data, bytes):
            raise ImageError(f"{name} was opened as text; open it in binary mode ('rb').")
    else:
        raise ImageError(
            f"A picture is a path, bytes, a binary file or a PIL image, not {type(source).__name__}."
        )
    if not data:
        raise ImageError(f"{name} is empty (0 bytes).")
    if len(data) > max_bytes:
        raise ImageError(f"{name} has more than the {max_bytes:,} bytes allowed for one picture.")
    return name, data


def _read_file(source: str | Path, max_bytes: int) -> bytes:
    name = _speakable(str(source))
    if is_address(source) and not Path(source).exists():
        raise ImageError(f"{name} is an address, and nothing is fetched; save the picture and name the file.")
    try:
        # Asked before opening: opening a pipe or a device could block for ever.
        kind = Path(source).stat().st_mode
        if stat.S_ISDIR(kind):
            raise ImageError(f"{name} is a folder, not a picture.")
        if not stat.S_ISREG(kind):
            raise ImageError(f"{name} is not an ordinary file.")
        with Path(source).open("rb") as file:
            return file.read(max_bytes + 1)
    except FileNotFoundError:
        raise ImageError(f"{name} does not exist.") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{name} cannot be read: {reason}.") from error


def _begun(data: bytes, name: str, max_pixels: int) -> tuple[Image.Image, list[str]]:
    """The picture of these bytes, and notes: not decoded yet, but for DICOM's, whose size is checked first."""
    if is_dicom(data):
        return dicom_image(data, name, lambda size: _check_size(size, name, max_pixels))
    return _header(data), []


def _header(data: bytes) -> Image.Image:
    """Parses the header only; no pixel is decoded yet."""
    Image.preinit()  # the commonest formats: loading the decoders of all takes longer than opening most photos
    try:
        return _identified(data)
    except UnidentifiedImageError:
        Image.init()
        return _identified(data)


def _without_texts(data: bytes) -> bytes:
    """A PNG without those chunks that people and programs write beside the pixels."""
    kept, at = [_PNG], len(_PNG)
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] not in (b"iTXt", b"zTXt", b"tEXt", b"iCCP"):
            kept.append(data[at:end])
        at = end
    return b"".join(kept)


def _reduced_beyond(image: Image.Image, max_pixels: int) -> list[str]:
    """Has a JPEG of too many pixels decoded at 1/2, 1/4 or 1/8 of its size, which costs no more than its share."""
    width, height = image.size
    if image.format not in ("JPEG", "MPO") or width * height <= max_pixels:
        return []
    image.draft(None, (width // 2, height // 2))
    return [f"decoded at {image.width} × {image.height} of its {width} × {height} pixels"]


def _preview_notes(image: Image.Image, name: str) -> list[str]:
    """A camera's raw file is a TIFF whose first picture is a small preview."""
    raw = image.format == "TIFF" and (
        _DNG_VERSION in getattr(image, "tag_v2", {}) or name.lower().endswith(_RAW)
    )
    return [f"{RAW_FILE}its preview of {image.width} × {image.height} pixels was taken"] if raw else []


def _identified(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=_formats(data))


def _formats(data: bytes) -> list[str]:
    """The decoders that may try to open these bytes, by Pillow's names."""
    names = [name for name in _FORMATS if name in Image.OPEN]  # a lean build of Pillow may lack some
    if _is_heic(data) and importlib.util.find_spec("pillow_heif") is not None:
        import pillow_heif

        pillow_heif.register_heif_opener()
        names.append("HEIF")
    return names


def header_within_limits(data: bytes, name: str) -> Image.Image:
    """The picture, not decoded yet, of bytes that `decode` takes too. Raises ImageError beyond its limits."""
    image, _ = _begun(data, name, MAX_PIXELS)
    _check_limits(image, data, name, MAX_PIXELS)
    return image


def _check_limits(image: Image.Image, data: bytes | None, name: str, max_pixels: int) -> None:
    _check_size(image.size, name, max_pixels)
    if data is not None and image.format in ("JPEG", "MPO"):
        _check_scans(data, image.size, name)


def _check_size(size: tuple[int, int], name: str, max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise ImageError(f"{name} is {width:,} × {height:,} pixels, more than the {max_pixels:,} allowed.")
    if min(size) < SMALLEST_SIDE:
        raise ImageError(
            f"{name} is {width} × {height} pixels; a picture needs at least {SMALLEST_SIDE} on each side."
        )


def _check_scans(data: bytes, size: tuple[int, int], name: str) -> None:
    """A pass over a whole picture may be as short as a few bytes; its time is bounded before it is spent.

    The mark of a pass cannot stand within coded numbers, where 0xFF is always followed by 0 (ITU T.81, B.1.1.2).
    """
    scans = data.count(b"\xff\xda")
    if scans > MAX_SCANS or scans * size[0] * size[1] > MAX_SCANNED:
        raise ImageError(
            f"{name} is drawn in {scans:,} passes over {size[0]:,} × {size[1]:,} pixels: this would take absurdly long."
        )


def _decode(image: Image.Image, data: bytes, name: str, settings: DecodeSettings) -> OpenedImage:
    red, green, blue = settings.background
    notes = _frame_notes(image)
    full_size = image.size
    if settings.draft_side is not None and image.format == "JPEG":
        image.draft(None, (settings.draft_side, settings.draft_side))
    image.load()
    # Read after decoding: the TIFF decoder turns the picture itself and then forgets the tag.
    turn = TURNED_UPRIGHT.get(_orientation(image))
    if is_deep_png(data) and (deeper := colours_in_eight(data, settings.white)) is not None:
        brighter, narrow = deeper
        brighter.info["icc_profile"] = image.info.get("icc_profile")
        image, notes = brighter, [*notes, deep_note(narrow)]
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    image, colour_notes = to_mode(image, name, settings.mode, (red, green, blue), settings.white)
    notes += colour_notes
    if turn is not None:
        image = image.transpose(turn)
        alpha = None if alpha is None else alpha.transpose(turn)
        notes.append("turned upright as its EXIF orientation says")
        if turn in (TURNED_UPRIGHT[5], TURNED_UPRIGHT[6], TURNED_UPRIGHT[7], TURNED_UPRIGHT[8]):
            full_size = (full_size[1], full_size[0])
    return OpenedImage(image, tuple(notes), full_size, alpha)


def _frame_notes(image: Image.Image) -> list[str]:
    # A phone's MPO holds a second view or a gain map, which is not an animation.
    if image.format == "MPO" or not getattr(image, "is_animated", False):
        return []
    if image.format in ("TIFF", "HEIF", "ICO"):
        return [FIRST_PAGE]
    return [FIRST_FRAME]


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_EXIF_ORIENTATION, 1))
    except (
        Exception
    ):  # damaged EXIF must not cost a person a picture that decodes well: it is taken as upright
        return 1


def _explain(error: Exception, name: str, data: bytes | None, max_pixels: int) -> str:
    if isinstance(error, UnidentifiedImageError):
        if data is not None and _is_heic(data):
            return f'{name} is a HEIC picture; reading it needs: pip install "facette[heic]"'
        if data is not None and (instead := stand_in(data[:64])):
            return f"{name} is {instead}."
        if data is not None and data[:4] in (b"II*\0", b"MM\0*"):
            return f"{name} is a TIFF of a kind that is not read here: save it with 8 or 16 bits a channel."
        return f"{name} is not a picture in a format that is read here ({_FORMATS_SPOKEN})."
    if isinstance(error, Image.DecompressionBombError):
        return f"{name} has more than the {max_pixels:,} pixels allowed for one picture."
    if isinstance(error, MemoryError):
        return f"{name} needs more memory than there is."
    reason = " ".join(str(error).split()).rstrip(".")[:160] or type(error).__name__
    return f"{name} is damaged and cannot be decoded: {reason}."


def _is_heic(data: bytes) -> bool:
    return data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS


def _speakable(name: str) -> str:
    return name if name.isprintable() else repr(name)


class _Quiet:
    """How many threads are decoding, and the warning filters to put back when the last one is done."""

    lock = threading.Lock()
    depth = 0
    saved: warnings.catch_warnings | None = None


@contextmanager
def _quiet_decoders() -> Iterator[None]:
    """Silences the decoders' warnings (corrupt EXIF, bombs): what matters of them is an error or note here.

    `warnings.catch_warnings` alone leaves the filters wrong when threads overlap; counting them does not.
    """
    with _Quiet.lock:
        if _Quiet.depth == 0:
            _Quiet.saved = warnings.catch_warnings()
            _Quiet.saved.__enter__()
            warnings.filterwarnings("ignore", module=r"PIL|pillow_heif")
        _Quiet.depth += 1
    try:
        yield
    finally:
        with _Quiet.lock:
            _Quiet.depth -= 1
            if _Quiet.depth == 0 and _Quiet.saved is not None:
                _Quiet.saved.__exit__(None, None, None)
                _Quiet.saved = None
