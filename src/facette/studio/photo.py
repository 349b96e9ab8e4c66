"""Photos of visitors: bytes in, the face in the model's frame out, all of it in memory.

Enters: the bytes of an upload. Leaves: a token for the page, and for whoever has the token the same `PhotoInput` as
`facette vary` works with: opened within the same limits, upright, face found and aligned, encoded once. A box of a page
says with the token which face is meant, or that the middle is (`Choice`). The bytes
are kept as they came (a decoded photo is ten times as large) until they are not used for a while or newer photos
need the room.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from facette.errors import ImageError, NoFaceError
from facette.studio.store import BoundedStore

if TYPE_CHECKING:
    from facette.images.faces.align import IntakeReport
    from facette.latent.inputs import Picture
    from facette.latent.photo import PhotoInput
    from facette.model.interface import DrawingModel

MAX_UPLOAD = 32 * 2**20  # bytes of one photo
KEPT_SECONDS = 2 * 60 * 60.0
MOST_BYTES = 512 * 2**20
MOST_PHOTOS = 512
LONGEST_NAME = 255  # bytes of a file's name, on every disk
LONGEST_STEM = 80  # letters at the start of the names of what is made of a photo
MIDDLE = "middle"
EASY, UNUSUAL = 50.0, 95.0  # percentiles of the model's test pictures, by how well they are redrawn
MOST_CHOICES = 4  # of one photo, kept with it
MOST_FACES = 12  # of one photo that are offered


@dataclass(frozen=True, slots=True)
class Choice:
    """What a photo box holds: a photo, and which part of it is meant. As text: TOKEN, TOKEN/2 or TOKEN/middle."""

    token: str
    align: bool = True
    face: int = 1  # 1 is the largest

    @classmethod
    def of(cls, text: str) -> Choice:
        """The choice that a page sent. What no page of ours sends is a photo that is not kept."""
        token, _, part = text.partition("/")
        if part == MIDDLE:
            return cls(token, align=False)
        return cls(token, face=int(part)) if part.isdecimal() and 0 < len(part) < 4 else cls(token)

    @property
    def part(self) -> str:
        """Which face, or the middle."""
        return str(self.face) if self.align else MIDDLE

    def __str__(self) -> str:
        return self.token if self.align and self.face == 1 else f"{self.token}/{self.part}"

    def words(self) -> list[str]:
        """The same as arguments of a command."""
        return [
            *([] if self.align else ["--no-align"]),
            *(["--face", str(self.face)] if self.face > 1 else []),
        ]


@dataclass(frozen=True, slots=True)
class StudioPhoto:
    """A photo as the model sees it, under the name that the browser gave it."""

    input: PhotoInput  # of the whole photo only what its frame needs
    to_photo: Any  # (3, 3), from the picture's pixels to the whole photo's
    choice: Choice
    fleeting: bool  # whether it lies nowhere but here: pasted, from the camera, or drawn on the page

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
        """The start of the names of what is made of it."""
        return (PurePath(self.name).stem or "photo")[:LONGEST_STEM]


@dataclass(frozen=True, slots=True)
class SentPhoto:
    """A photo for another process, which takes it in again by a model of its own."""

    name: str
    data: bytes  # as it came
    choice: Choice

    def kept_by(self, photos: Photos) -> str:
        """What a box would hold of it there."""
        return str(replace(self.choice, token=photos.put(self.data, self.name)))


@dataclass(slots=True)
class _Held:
    name: str
    data: bytes
    fleeting: bool
    looking: threading.Lock = field(default_factory=threading.Lock)  # one search of a photo at a time
    known: dict[Choice, StudioPhoto | ImageError] = field(default_factory=dict)


class Photos:
    """The photos of all visitors, each under a token that only its own page knows."""

    def __init__(
        self,
        model: DrawingModel,
        most_bytes: int = MOST_BYTES,
        kept_seconds: float = KEPT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._model = model
        self._held = BoundedStore[str, _Held](MOST_PHOTOS, most_bytes, kept_seconds, clock, renewed=True)

    def put(self, data: bytes, name: str = "photo", fleeting: bool = False) -> str:
        """Keep a photo that can be opened; returns its token. Raises ImageError for one that cannot.

        `fleeting`: it has no file of that name at the visitor's.
        """
        from facette.images.open import open_image

        open_image(data, max_bytes=MAX_UPLOAD)
        token = secrets.token_urlsafe(24)
        self._held.put(token, _Held(safe_name(name), data, fleeting), len(data))
        return token

    def take(self, text: str) -> StudioPhoto:
        """The photo that a box holds, in the model's frame, as `facette vary` takes it in.

        A photo is searched once: a refusal is remembered with it. Raises ImageError for a photo that is no longer
        kept, and as the intake does.
        """
        choice = Choice.of(text)
        held = self._find(choice.token)
        with held.looking:
            if choice not in held.known:
                if len(held.known) >= MOST_CHOICES:
                    held.known.clear()
                try:
                    held.known[choice] = self._intake(held, choice)
                except ImageError as error:
                    held.known[choice] = error
            known = held.known[choice]
        if isinstance(known, ImageError):
            raise known.with_traceback(None)
        return known

    def faces(self, token: str) -> list[Any]:
        """The pictures (S, S, 3) of all faces in a photo where there are several, the largest first."""
        from facette.images.faces.align import intake_all

        held = self._find(token)
        return [framed.picture for framed in intake_all(self._opened(held), self._model.input)][:MOST_FACES]

    def file(self, text: str) -> tuple[str, bytes]:
        """Name and content of the photo as it came."""
        held = self._find(Choice.of(text).token)
        return held.name, held.data

    def sent(self, text: str) -> SentPhoto:
        """The photo that a box holds, for another process. Raises ImageError for one that is no longer kept."""
        return SentPhoto(*self.file(text), Choice.of(text))

    def open(self, text: str) -> Any:
        """The whole photo, upright, as an RGB Pillow image. Raises ImageError for one that is no longer kept."""
        return self._opened(self._find(Choice.of(text).token)).image

    @property
    def weight(self) -> int:
        """Bytes held now."""
        return self._held.weight

    def _find(self, token: str) -> _Held:
        held = self._held.find(token)
        if held is None:
            raise ImageError("this photo is no longer kept here: drop it into the page again.")
        return held

    def _opened(self, held: _Held) -> Any:
        from facette.images.open import open_image

        return open_image(held.data, max_bytes=MAX_UPLOAD)

    def _intake(self, held: _Held, choice: Choice) -> StudioPhoto:
        from facette.latent.photo import take_photo

        way = "auto" if choice.align else "never"
        try:
            photo = take_photo(self._model, held.data, align=way, face=choice.face, max_bytes=MAX_UPLOAD)
        except NoFaceError:
            raise NoFaceError("No face was found in this picture.") from None
        return StudioPhoto(replace(photo.cropped(), name=held.name), photo.to_photo, choice, held.fleeting)


def photo_words(report: Any) -> tuple[str, list[str]]:
    """What a photo is to the model, as a person would say it, and what stands in the way of good pictures."""
    known = report.typicality
    if known is None:
        return "", list(report.warnings)
    hard, far = known["error_percentile"], known["norm_percentile"]
    unusual = bool(known["warning"]) or max(hard, far) > UNUSUAL
    words = (
        "An unusual face for this model: expect a rougher drawing."
        if unusual
        else "An easy face for this model."
        if hard <= EASY
        else "A usual face for this model."
    )
    return words, [warning for warning in report.warnings if warning != known["warning"]]


def safe_name(name: str) -> str:
    """The last part of a file name from outside, printable and no longer than a disk takes; "photo" for nothing."""
    last = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(letter for letter in last if letter.isprintable()).strip().lstrip(".-")
    stem, dot, ending = kept.rpartition(".")
    if not (dot and stem):
        return _cut(kept, LONGEST_NAME) or "photo"
    return f"{_cut(stem, LONGEST_NAME - 9)}.{_cut(ending, 8)}"


def _cut(text: str, size: int) -> str:
    """So much of it as fits into so many bytes."""
    return text.encode("utf-8", "ignore")[:size].decode("utf-8", "ignore")
