"""Photos of visitors: bytes in, the face in the model's frame out, all of it in memory.

Enters: the bytes of an upload. Leaves: a token for the page, and for whoever has the token the same `PhotoInput` as
`facette vary` works with: opened within the same limits, upright, face found and aligned, encoded once. The bytes
are kept as they came (a decoded photo is ten times as large) until they are not used for a while or newer photos
need the room.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from facette.errors import ImageError, NoFaceError

if TYPE_CHECKING:
    from facette.images.faces.align import IntakeReport
    from facette.latent.inputs import Picture
    from facette.latent.photo import PhotoInput
    from facette.model.interface import DrawingModel

MAX_UPLOAD = 32 * 2**20  # bytes of one photo
KEPT_SECONDS = 2 * 60 * 60.0
MOST_BYTES = 512 * 2**20
MOST_PHOTOS = 512
LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class StudioPhoto:
    """A photo as the model sees it, under the name that the browser gave it."""

    input: PhotoInput  # of the whole photo only what its frame needs
    to_photo: Any  # (3, 3), from the picture's pixels to the whole photo's
    align: bool
    face: int

    @property
    def name(self) -> str:
        return self.input.name

    @property
    def picture(self) -> Picture:
        """(S, S, 3)."""
        return self.input.picture

    @property
    def report(self) -> IntakeReport:
        return self.input.report

    @property
    def stem(self) -> str:
        return PurePath(self.name).stem or "photo"


@dataclass(slots=True)
class _Held:
    name: str
    data: bytes
    until: float
    taken: dict[tuple[bool, int], StudioPhoto] = field(default_factory=dict)


class Photos:
    """The photos of all visitors, each under a token that only its own page knows."""

    def __init__(
        self,
        model: DrawingModel,
        most_bytes: int = MOST_BYTES,
        kept_seconds: float = KEPT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._model, self._most, self._kept, self._clock = model, most_bytes, kept_seconds, clock
        self._held: OrderedDict[str, _Held] = OrderedDict()  # the one used longest ago first
        self._lock = threading.Lock()

    def put(self, data: bytes, name: str = "photo") -> str:
        """Keep a photo that can be opened; returns its token. Raises ImageError for one that cannot."""
        from facette.images.open import open_image

        open_image(data, max_bytes=MAX_UPLOAD)
        token = secrets.token_urlsafe(24)
        with self._lock:
            now = self._clock()
            for stale in [one for one, held in self._held.items() if held.until <= now]:
                del self._held[stale]
            while self._held and (self.weight + len(data) > self._most or len(self._held) >= MOST_PHOTOS):
                self._held.popitem(last=False)
            self._held[token] = _Held(safe_name(name), data, now + self._kept)
        return token

    def take(self, token: str, align: bool = True, face: int = 1) -> StudioPhoto:
        """The photo in the model's frame, as `facette vary` takes it in.

        Raises ImageError for a photo that is no longer kept, and as the intake does.
        """
        held = self._find(token)
        known = held.taken.get((align, face))
        if known is None:
            known = self._intake(held, align, face)
            if len(held.taken) > 1:
                held.taken.clear()
            held.taken[(align, face)] = known
        return known

    def open(self, token: str) -> Any:
        """The whole photo, upright, as an RGB Pillow image. Raises ImageError for one that is no longer kept."""
        from facette.images.open import open_image

        return open_image(self._find(token).data, max_bytes=MAX_UPLOAD).image

    @property
    def weight(self) -> int:
        """Bytes held now."""
        return sum(len(held.data) for held in self._held.values())

    def _find(self, token: str) -> _Held:
        with self._lock:
            held = self._held.get(token)
            if held is None or held.until <= self._clock():
                self._held.pop(token, None)
                raise ImageError("this photo is no longer kept here: drop it into the page again.")
            self._held.move_to_end(token)
            held.until = self._clock() + self._kept
            return held

    def _intake(self, held: _Held, align: bool, face: int) -> StudioPhoto:
        from facette.latent.photo import take_photo

        way = "auto" if align else "never"
        try:
            photo = take_photo(self._model, held.data, align=way, face=face, max_bytes=MAX_UPLOAD)
        except NoFaceError as error:
            raise NoFaceError(
                f"{error}: switch off “Find the face” to take its centre, or try another one."
            ) from None
        return StudioPhoto(replace(photo.cropped(), name=held.name), photo.to_photo, align, face)


def safe_name(name: str) -> str:
    """The last part of a file name from outside, printable and short; "photo" for nothing."""
    last = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(letter for letter in last if letter.isprintable()).strip().lstrip(".-")
    stem, dot, ending = kept.rpartition(".")
    return f"{stem[:LONGEST_NAME]}.{ending[:8]}" if dot and stem else kept[:LONGEST_NAME] or "photo"
