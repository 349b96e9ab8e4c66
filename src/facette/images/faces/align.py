"""From any photo to the frame a model was trained in.

In: an upright photo and the recipe's `ImageInput`. Out: the picture the model takes, and what was done to get
it. `intake` is the one call for commands. Finding faces needs onnxruntime; giving the eyes does not. Knows nothing of
networks but the recipe's frame.

A photo is left alone where that is right: a picture of exactly the frame's size or of the model's own size is
taken as already aligned, and so is one whose face already lies within `CLOSE` of where it would be put.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from PIL import Image

from facette.errors import ImageError, NoFaceError, UsageError
from facette.images.colour import in_mode
from facette.images.faces.find import CELEBA_EYES, FoundFace, find_faces
from facette.images.fit import crop_box, fit_picture
from facette.images.mask import seen_pixels, with_mask
from facette.images.open import OpenedImage
from facette.images.similarity import (
    Point,
    apply,
    box_corners,
    box_to_picture,
    rotation_of,
    scale_of,
    similarity_between,
)
from facette.images.warp import share_outside, warp

if TYPE_CHECKING:
    from facette.recipe import Frame, ImageInput

CLOSE = 0.035  # of the crop's side
EASY, HARD = 50.0, 90.0  # percentiles among the model's test pictures: below, and from here on


@dataclass(frozen=True, slots=True)
class AlignedFace:
    """A face brought into the model's frame. S is the model's side in pixels."""

    picture: np.ndarray  # uint8 (S, S, 3)
    transform: np.ndarray  # (3, 3), from pixels of the recipe's frame to pixels of the photo
    box: tuple[float, float, float, float]  # of that frame, the part the model sees
    rotation_degrees: float  # by which the face leaned, clockwise
    scale: float  # pixels of the photo for each pixel of the frame
    upscaling: float  # pixels of the picture for each pixel of the photo; above 1 detail had to be invented
    outside: float  # share of the picture that lies beyond the photo, 0 to 1
    notes: tuple[str, ...]

    @property
    def to_photo(self) -> np.ndarray:
        """(3, 3), from the picture's pixels to the photo's."""
        return self.transform @ box_to_picture(self.box, self.picture.shape[:2])

    @property
    def corners(self) -> np.ndarray:
        """(4, 2): the picture's corners in the photo, clockwise from its own left top."""
        return apply(self.transform, box_corners(self.box))


@dataclass(frozen=True, slots=True)
class IntakeReport:
    """What was done to a photo. Plain values throughout, so that `asdict` gives JSON."""

    way: Literal["aligned", "eyes given", "already aligned", "fitted"]
    size: tuple[int, int]  # of the photo, width and height
    faces: int | None = None  # how many were found; None when none was looked for
    face: int | None = None  # which of them, 1 the largest
    rotation_degrees: float = 0.0
    upscaling: float = 1.0
    outside: float = 0.0
    corners: tuple[Point, ...] = ()  # of the picture in the photo, clockwise from its own left top
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    typicality: dict[str, Any] | None = field(default=None)  # filled in by those who know the model

    def summary(self) -> str:
        """One sentence for people; the figures behind its words are in `typicality`."""
        known = self.typicality
        place = () if known is None or known["warning"] else (self._spoken(known),)
        return "; ".join((*self.notes, *place, *self.warnings))

    def _spoken(self, known: dict[str, Any]) -> str:
        """How hard the picture is for the model, by the harder of two ranks among the model's test pictures."""
        rank = max(known["error_percentile"], known["norm_percentile"])
        word = "an easy" if rank < EASY else "an ordinary" if rank < HARD else "a hard"
        return f"{word} {'picture' if self.way == 'fitted' else 'face'} for this model"


@dataclass(frozen=True, slots=True)
class Intake:
    """A photo and its place in the model's frame. H, W and C are the model's height, width and channels."""

    # (H, W, C), uint8 or uint16 as the model takes them; beyond the photo its edge is repeated
    picture: np.ndarray
    report: IntakeReport
    to_photo: np.ndarray  # (3, 3), from the picture's pixels to the photo's
    photo: Image.Image  # in the model's mode, upright, whole
    seen: np.ndarray | None = None  # (H, W) bool, False where the photo has nothing; None: all of it was seen

    @property
    def masked(self) -> np.ndarray:
        """uint8 (H, W, C + 1): the picture with its mask, 255 where it was seen and 0 where it is unknown."""
        return with_mask(self.picture, self.seen)


def intake(
    photo: Image.Image | OpenedImage,
    spec: ImageInput,
    *,
    align: Literal["auto", "never", "always"] = "auto",
    face: int = 1,
    eyes: tuple[Point, Point] | None = None,
) -> Intake:
    """Brings a photo into the model's frame.

    "auto" aligns for models of faces unless the photo is already aligned, and fits otherwise; "always" aligns
    whatever the photo's size; "never" cuts the centre. `face`: which one, 1 is the largest. `eyes`: their places in
    the photo, which then is aligned by them. Raises NoFaceError when there is no such face.
    """
    image = photo.image if isinstance(photo, OpenedImage) else photo
    image = in_mode(image, spec.mode)
    if align not in ("auto", "never", "always"):
        raise UsageError(f"align must be 'auto', 'never' or 'always', got {align!r}.")
    if spec.frame is None and (align == "always" or eyes is not None):
        raise UsageError("this model is not one of faces: its pictures cannot be aligned.")
    if align == "never" or spec.frame is None:
        framed = _fitted(image, spec, "fitted", "no face was looked for")
    elif eyes is not None:
        framed = _by_eyes(image, spec, eyes)
    elif align == "auto" and _has_known_size(image, spec):
        framed = _fitted(
            image, spec, "already aligned", f"{image.width} × {image.height} pixels: taken as aligned"
        )
    else:
        framed = _of_found(image, spec, find_faces(image), face, align == "auto")
    return _completed(framed, photo)


def intake_all(
    photo: Image.Image | OpenedImage, spec: ImageInput, *, align: Literal["auto", "never", "always"] = "auto"
) -> list[Intake]:
    """One intake for every face in the photo, the largest first; a single one where no face is looked for."""
    image = photo.image if isinstance(photo, OpenedImage) else photo
    image = in_mode(image, spec.mode)
    if align == "never" or spec.frame is None or (align == "auto" and _has_known_size(image, spec)):
        return [intake(photo, spec, align=align)]
    faces = find_faces(image)
    several = [_of_found(image, spec, faces, i + 1, align == "auto") for i in range(max(1, len(faces)))]
    return [_completed(framed, photo) for framed in several]


def align_found(image: Image.Image, spec: ImageInput, face: FoundFace) -> AlignedFace:
    """Brings a face that was found into the recipe's frame."""
    frame = _frame(spec)
    return _cut(image, spec, face.frame_to_photo @ similarity_between(frame.eyes, CELEBA_EYES))


# ── ways in ──────────────────────────────────────────────────────────────────────────────────────────────


def _of_found(
    image: Image.Image, spec: ImageInput, faces: list[FoundFace], face: int, keep_close: bool
) -> Intake:
    aligned = align_found(image, spec, _choose(faces, face))
    if keep_close and _is_close(image, spec, aligned):
        note = "the face already lies where the model expects it: kept as it is"
        kept = _fitted(image, spec, "already aligned", note)
        return replace(kept, report=replace(kept.report, faces=len(faces), face=face))
    return _described(image, aligned, len(faces), face)


def _completed(framed: Intake, photo: Image.Image | OpenedImage) -> Intake:
    """With what was done to the photo before, and a mask of what it does not show."""
    notes, alpha = (photo.notes, photo.alpha) if isinstance(photo, OpenedImage) else ((), None)
    seen = seen_pixels(framed.photo, alpha, framed.to_photo, framed.picture.shape[:2])
    report = replace(framed.report, notes=(*notes, *framed.report.notes))
    return replace(framed, report=report, seen=None if seen.all() else seen)


def _by_eyes(image: Image.Image, spec: ImageInput, eyes: tuple[Point, Point]) -> Intake:
    framed = _described(image, _align_eyes(image, spec, eyes), None, None)
    return replace(framed, report=replace(framed.report, way="eyes given"))


def _fitted(
    image: Image.Image, spec: ImageInput, way: Literal["fitted", "already aligned"], note: str
) -> Intake:
    left, top, right, bottom = box = crop_box(image.size, spec)
    part = "" if box == (0, 0, *image.size) else f", {right - left:g} × {bottom - top:g} pixels of it cut out"
    upscaling = (spec.shape[0] * spec.shape[1] / ((right - left) * (bottom - top))) ** 0.5
    report = IntakeReport(
        way,
        image.size,
        upscaling=upscaling,
        corners=_plain(box_corners(box)),
        notes=(note + part,),
        warnings=_enlarged(upscaling),
    )
    return Intake(fit_picture(image, spec), report, box_to_picture(box, spec.shape), image)


def _described(image: Image.Image, aligned: AlignedFace, faces: int | None, face: int | None) -> Intake:
    report = IntakeReport(
        "aligned",
        image.size,
        faces,
        face,
        rotation_degrees=aligned.rotation_degrees,
        upscaling=aligned.upscaling,
        outside=aligned.outside,
        corners=_plain(aligned.corners),
        notes=(*((f"face {face} of {faces}",) if faces and faces > 1 else ()), *aligned.notes),
        warnings=_enlarged(aligned.upscaling) + _beyond(aligned.outside),
    )
    return Intake(aligned.picture, report, aligned.to_photo, image)


# ── geometry ─────────────────────────────────────────────────────────────────────────────────────────────


def _align_eyes(image: Image.Image, spec: ImageInput, eyes: tuple[Point, Point]) -> AlignedFace:
    frame = _frame(spec)
    points = np.asarray(eyes, dtype=np.float64)
    if points.shape != (2, 2) or not np.isfinite(points).all():
        raise UsageError(f"eyes are two points (x, y), got {eyes!r}.")
    if (points < 0).any() or (points > image.size).any():
        raise UsageError(
            f"the eyes {_plain(points)} do not lie inside a photo of {image.width} × {image.height}."
        )
    if np.linalg.norm(points[1] - points[0]) < 2:
        raise UsageError(f"the eyes {_plain(points)} lie less than 2 pixels apart.")
    return _cut(image, spec, similarity_between(frame.eyes, _plain(points)))


def _cut(image: Image.Image, spec: ImageInput, frame_to_photo: np.ndarray) -> AlignedFace:
    """One look through the photo at the frame's box, at the model's size."""
    frame = _frame(spec)
    matrix = frame_to_photo @ box_to_picture(frame.box, spec.shape)  # picture to photo
    side = spec.width_height
    rotation, scale = rotation_of(frame_to_photo), scale_of(frame_to_photo)
    upscaling = 1 / scale_of(matrix)
    corners = apply(matrix, box_corners((0, 0, *side)))
    span = np.linalg.norm(corners[1] - corners[0])
    turned = f"turned by {-rotation:.0f}°, " if abs(rotation) >= 0.5 else ""
    note = f"face brought into the frame: {turned}{span:.0f} pixels of the photo across, scaled by {upscaling:.2f}"
    outside = share_outside(image.size, matrix, side)
    picture = warp(image, matrix, side)
    return AlignedFace(picture, frame_to_photo, frame.box, rotation, scale, upscaling, outside, (note,))


def _is_close(image: Image.Image, spec: ImageInput, aligned: AlignedFace) -> bool:
    plain = box_corners(crop_box(image.size, spec))
    gap = np.linalg.norm(aligned.corners - plain, axis=1).max()
    return bool(gap <= CLOSE * np.linalg.norm(plain[1] - plain[0]))


def _has_known_size(image: Image.Image, spec: ImageInput) -> bool:
    return image.size == spec.width_height or image.size == _frame(spec).size


def _choose(faces: list[FoundFace], face: int) -> FoundFace:
    if not faces:
        raise NoFaceError("no face was found in the photo")
    if not 1 <= face <= len(faces):
        raise ImageError(f"face {face} was asked for, but {len(faces)} found in the photo; the largest is 1.")
    return faces[face - 1]


def _frame(spec: ImageInput) -> Frame:
    if spec.frame is None:
        raise UsageError("this model is not one of faces: it has no frame to bring a face into.")
    return spec.frame


def _enlarged(upscaling: float) -> tuple[str, ...]:
    return (f"the photo was enlarged {upscaling:.1f} times: detail is missing",) if upscaling > 1.5 else ()


def _beyond(outside: float) -> tuple[str, ...]:
    return (
        (f"{outside:.0%} of the picture lies beyond the photo and repeats its edge",)
        if outside > 0.02
        else ()
    )


def _plain(points: np.ndarray) -> Any:
    return tuple((round(x, 2), round(y, 2)) for x, y in points.tolist())
