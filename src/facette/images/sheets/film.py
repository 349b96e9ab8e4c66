"""Pictures that follow each other, as an animated GIF or an MP4.

Enters: pictures (T, H, W, C) and a path. Leaves: one file, whole or not at all, or its bytes. The codecs are
Pillow's and PyAV's (`pip install "facette[animate]"`). Knows nothing of models.
"""

import json
from collections.abc import Callable, Mapping
from io import BytesIO
from math import isqrt
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from facette.errors import UsageError, import_extra
from facette.images.convert import as_rgb
from facette.images.sheets.file import write_whole

ENDINGS = (".gif", ".mp4")
SECONDS = 4.0  # from the first picture to the last one shown
SIDE = 256  # of a frame in pixels, where the pictures are smaller
HUNDREDTHS = 2  # a GIF's frame lasts a whole number of hundredths of a second; players ignore fewer than two
# frames, and pixels of all of them, that a GIF's palette is chosen from
PALETTE_FROM, PALETTE_PIXELS = 32, 1 << 18
QUALITY = "18"  # x264's constant rate factor: no loss that is seen


def is_animation(path: str | Path) -> bool:
    """Whether the file's ending asks for an animation."""
    return Path(path).suffix.lower() in ENDINGS


def check_animation(path: str | Path) -> Path:
    """The path, if an animation can be written to it; so a command can refuse before it has worked.

    Raises UsageError for another ending, MissingExtraError for an MP4 without PyAV.
    """
    path = Path(path)
    if not is_animation(path):
        raise UsageError(f"cannot write {path}: a film's name ends in {' or '.join(ENDINGS)}")
    if path.suffix.lower() == ".mp4":
        _codecs()
    return path


def save_animation(
    frames: np.ndarray,
    path: str | Path,
    *,
    seconds: float | None = None,
    side: int | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Path:
    """Write frames (T, H, W, C) as .gif (endless) or .mp4; the same frames, the same bytes. Returns the path.

    `seconds`: how long all frames last (default 4). `side`: the longer side of the film in pixels (default 256, or
    the pictures' own where that is more). `metadata` goes into the file's comment. Raises UsageError for another
    ending or fewer than two frames, MissingExtraError for an MP4 without PyAV.
    """
    path = check_animation(path)
    return write_whole(path, _writer(frames, path, seconds, side, metadata))


def encode_animation(
    frames: np.ndarray,
    name: str,
    *,
    seconds: float | None = None,
    side: int | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> bytes:
    """A whole film of this name as bytes. Raises as `save_animation` does."""
    buffer = BytesIO()
    _writer(frames, check_animation(name), seconds, side, metadata)(buffer)
    return buffer.getvalue()


def _writer(
    frames: np.ndarray,
    path: Path,
    seconds: float | None,
    side: int | None,
    metadata: Mapping[str, Any] | None,
) -> Callable[[IO[bytes]], None]:
    if len(frames) < 2:
        raise UsageError(f"a film needs at least 2 pictures, got {len(frames)}.")
    length = SECONDS if seconds is None else seconds
    if not 0 < length < float("inf"):
        raise UsageError(f"a film lasts more than 0 seconds, got {seconds!r}.")
    comment = json.dumps(dict(metadata or {}), default=str)
    shown = [_enlarged(frame, side) for frame in frames]
    write = _write_gif if path.suffix.lower() == ".gif" else _write_mp4
    return lambda file: write(shown, file, length, comment)


def _codecs() -> Any:
    return import_extra("av", "animate", "writing an MP4")


def _enlarged(frame: np.ndarray, side: int | None) -> Image.Image:
    """The frame at its shown size, both sides even, as video codecs want them."""
    image = Image.fromarray(np.ascontiguousarray(as_rgb(frame, checkered=True)))
    wished = side or max(SIDE, *image.size)
    width, height = (max(2, 2 * round(edge * wished / max(image.size) / 2)) for edge in image.size)
    return image if image.size == (width, height) else image.resize((width, height), Image.Resampling.LANCZOS)


def _write_gif(shown: list[Image.Image], file: IO[bytes], seconds: float, comment: str) -> None:
    """One palette for all frames: a palette for each would make still parts flicker."""
    step = -(-len(shown) // PALETTE_FROM)
    wall = np.concatenate([np.asarray(image) for image in shown[::step]])
    apart = max(1, isqrt(wall.shape[0] * wall.shape[1] // PALETTE_PIXELS))
    wall = np.ascontiguousarray(wall[::apart, ::apart])
    palette = Image.fromarray(wall).quantize(256, method=Image.Quantize.MAXCOVERAGE, kmeans=3)
    painted = [image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for image in shown]
    each = max(HUNDREDTHS, round(100 * seconds / len(shown))) * 10  # milliseconds
    options: dict[str, Any] = {"save_all": True, "append_images": painted[1:], "duration": each, "loop": 0}
    painted[0].save(file, "GIF", comment=comment.encode("ascii"), optimize=False, disposal=1, **options)


def _write_mp4(shown: list[Image.Image], file: IO[bytes], seconds: float, comment: str) -> None:
    from fractions import Fraction

    video = _codecs()
    rate = Fraction(len(shown) / seconds).limit_denominator(1000)
    # The index goes to the front, so that a film plays while it loads; FFmpeg opens the file once more for that.
    options = {} if isinstance(file, BytesIO) else {"movflags": "+faststart"}
    with video.open(file, "w", format="mp4", options=options) as container:
        container.metadata["comment"] = comment
        stream = container.add_stream("libx264", rate=rate, options={"crf": QUALITY, "threads": "1"})
        stream.width, stream.height = shown[0].size
        stream.pix_fmt = "yuv420p"
        for image in shown:
            container.mux(stream.encode(video.VideoFrame.from_image(image)))
        container.mux(stream.encode())
