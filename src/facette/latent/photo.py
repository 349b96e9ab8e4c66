"""A photo, taken in once and encoded once: the value that everything which starts from a photo passes on.

Enters: a model and a photo as a file, bytes, a Pillow image or an array of the model's channels. Leaves: a
`PhotoInput`: the picture in the model's frame, the same frame at the photo's own size, what of it the photo does not
show, the posterior, its decoded mean, and how typical the photo is. Each network has run once. Knows nothing of what is
done with it.

Legend: H × W pixels and C channels of the model's pictures, h × w of a wished size, Z latents. Sides are the longer
ones.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facette.errors import UsageError
from facette.images.convert import as_unit, to_unit
from facette.images.faces.align import Intake, IntakeReport, intake, intake_all
from facette.images.mask import Box, hide_boxes, with_mask
from facette.images.open import MAX_BYTES, OpenedImage, open_image
from facette.images.similarity import Point, apply, box_corners, scale_of, similarity
from facette.images.warp import look_again
from facette.latent.details import Values, to_bytes
from facette.latent.inputs import Picture, check_pictured
from facette.latent.typicality import typicality_of
from facette.model.interface import DrawingModel

MOST_SIDE = 512  # of a photo's frame, unless another is wished
LARGEST_SIDE = 1024  # that may be wished
MARGIN = 8  # steps around a frame that interpolation may reach for

Align = Literal["auto", "never", "always"]


@dataclass(frozen=True, slots=True, eq=False)
class PhotoInput:
    """A photo as one model sees it."""

    name: str  # of the file; "photo" where there is none
    model: str  # name of the model that encoded it
    picture: Picture  # (H, W, C)
    image: Image.Image  # the whole photo, upright, in the model's mode
    to_photo: NDArray[np.float64]  # (3, 3), from the picture's pixels to the photo's
    report: IntakeReport  # what was done to it, and how typical it is
    mean: NDArray[np.float32]  # (1, Z) of the posterior
    scale: NDArray[np.float32]  # (1, Z) of the posterior, σ
    # (1, C, H, W), in the recipe's range and not clipped: the first stage's D(mean)
    decoded: NDArray[np.float32]
    hidden: NDArray[np.bool_] | None = None  # (H, W), what a model that knows masks was not shown
    source: Path | None = None  # the file, where there is one

    @property
    def encoded(self) -> Picture:
        """What the encoder was shown: the picture, and behind its channels a mask where something was hidden."""
        return self.picture if self.hidden is None else with_mask(self.picture, ~self.hidden)

    @property
    def own_side(self) -> int:
        """The frame's longer side in pixels of the photo, and never below the model's."""
        longest = max(self.picture.shape[:2])
        return max(longest, round(longest * scale_of(self.to_photo)))

    def side(self, wished: int | None = None, most: int = MOST_SIDE) -> int:
        """The side a result has: the wished one, or the frame's own in the photo up to `most`.

        Raises UsageError for a wish below the model's own side or above 1,024.
        """
        least = max(self.picture.shape[:2])
        return max(least, min(self.own_side, most)) if wished is None else check_side(wished, least)

    def frame(self, side: int) -> Values:
        """What the picture shows, from the photo at this side: float32 (h, w, C), 0 black and 1 white."""
        shape = self.shape_at(side)
        if shape == self.picture.shape[:2]:
            return as_unit(self.picture, np.float32)
        return as_unit(look_again(self.image, self.to_photo, self.picture.shape[:2], shape), np.float32)

    def shape_at(self, side: int) -> tuple[int, int]:
        """(h, w) of a frame whose longer side has so many pixels."""
        return shape_at(self.picture.shape[:2], side)

    def cropped(self) -> "PhotoInput":
        """The same, holding no more of the photo than frames of up to 512 pixels need; that of 512 to the bit."""
        step = max(1, int(self.own_side / MOST_SIDE / 2))  # by which `warp` would average first
        high, wide = self.picture.shape[:2]
        corners = apply(self.to_photo, box_corners((0, 0, wide, high)))
        low = np.clip(np.floor(corners.min(axis=0) / step) - MARGIN, 0, None).astype(int) * step
        high = np.minimum((np.ceil(corners.max(axis=0) / step) + MARGIN).astype(int) * step, self.image.size)
        low = np.minimum(low, high - 1)  # a frame wholly beside the photo repeats its nearest edge
        to_part = np.diag([1 / step, 1 / step, 1]) @ similarity(1, 0, *(-low).tolist()) @ self.to_photo
        part = self.image.crop((*low.tolist(), *high.tolist()))
        return replace(self, image=part.reduce(step) if step > 1 else part, to_photo=to_part)

    def unseen(self, side: int) -> NDArray[np.bool_] | None:
        """(h, w): pixels of the frame that the photo does not show; None where there are none."""
        own, wished = self.picture.shape[:2], self.shape_at(side)
        down, across = ((np.arange(n) + 0.5) * m / n for m, n in zip(own, wished, strict=True))
        points = apply(self.to_photo, np.stack(np.meshgrid(across, down), axis=-1))  # (h, w, 2)
        beyond: NDArray[np.bool_] = np.any((points < 0) | (points > np.array(self.image.size)), axis=-1)
        if self.hidden is not None:
            beyond |= self.hidden[np.ix_(down.astype(int), across.astype(int))]
        return beyond if beyond.any() else None


def remarks_on(photos: Sequence[PhotoInput]) -> str:
    """What was done to each photo, as one line for a sheet."""
    return " · ".join(f"{photo.name}: {photo.report.summary()}" for photo in photos)


def check_side(wished: int, least: int) -> int:
    """The wished side. Raises UsageError for one below the model's own side, `least`, or above 1,024."""
    if not least <= wished <= max(LARGEST_SIDE, least):
        raise UsageError(
            f"a side of {wished} pixels cannot be drawn: {least} (the model's own) to {LARGEST_SIDE} can."
        )
    return wished


def shape_at(shape: tuple[int, ...], side: int) -> tuple[int, int]:
    """(h, w) of a picture (H, W) whose longer side gets so many pixels."""
    high, wide = shape
    return round(high * side / max(high, wide)), round(wide * side / max(high, wide))


PhotoSource: TypeAlias = str | Path | bytes | Image.Image | NDArray[Any] | OpenedImage | PhotoInput


def take_photo(
    model: DrawingModel,
    source: PhotoSource,
    *,
    align: Align = "auto",
    face: int = 1,
    eyes: tuple[Point, Point] | None = None,
    hide: Sequence[Box] = (),
    max_bytes: int = MAX_BYTES,
) -> PhotoInput:
    """The photo as this model sees it; one that was taken in already comes back as it is.

    `align`, `face` and `eyes` as `facette.images.faces.align.intake` takes them. An array of exactly the model's size
    is taken as it is. `hide`: boxes of the photo (left, top, width, height, in its pixels) that the model is not shown
    and draws by itself. Raises ImageError for what cannot be opened, NoFaceError where no face is found, and UsageError
    for a model of vectors, a photo that another model has encoded, and a box that lies beside the photo or that this
    model cannot be kept from seeing.
    """
    if isinstance(source, PhotoInput):
        if source.model != model.name:
            raise UsageError(
                f"this photo was encoded by {source.model!r}, not by {model.name!r}: take it in again."
            )
        return source
    return _encoded(model, frame_photo(model, source, align, face, eyes, hide, max_bytes), *_named(source))


def take_faces(
    model: DrawingModel, source: PhotoSource, *, hide: Sequence[Box] = (), max_bytes: int = MAX_BYTES
) -> list[PhotoInput]:
    """Every face of the photo, the largest first; one where no face is looked for. `hide` and errors as there."""
    check_pictured(model)
    return [
        _encoded(model, framed, *_named(source))
        for framed in intake_all(_opened(model, source, max_bytes, hide), model.input)
    ]


def frame_photo(
    model: DrawingModel,
    source: PhotoSource,
    align: Align = "auto",
    face: int = 1,
    eyes: tuple[Point, Point] | None = None,
    hide: Sequence[Box] = (),
    max_bytes: int = MAX_BYTES,
) -> Intake:
    """The photo in the model's frame, not encoded. Raises as `take_photo` does."""
    check_pictured(model)
    if isinstance(source, np.ndarray):
        source = _checked_array(source, model)
        if source.shape[:2] == model.input.shape and align == "auto" and eyes is None and not hide:
            return _as_it_is(source)
    return intake(_opened(model, source, max_bytes, hide), model.input, align=align, face=face, eyes=eyes)


def resolve_picture(model: DrawingModel, source: PhotoSource) -> Picture:
    """The picture (H, W, C) of a photo in the model's frame, without encoding it. Raises as `take_photo` does."""
    return source.picture if isinstance(source, PhotoInput) else frame_photo(model, source).picture


def unit_values(model: DrawingModel, means: NDArray[np.float32]) -> Values:
    """Means (N, C, H, W) as (N, H, W, C) in which 0 is black and 1 white, not clipped."""
    return np.ascontiguousarray(to_unit(means, model.input.range).transpose(0, 2, 3, 1), dtype=np.float32)


def _encoded(model: DrawingModel, framed: Intake, name: str, source: Path | None) -> PhotoInput:
    masked = getattr(model.input, "masked", False)
    encoded = framed.masked if masked else framed.picture
    posterior = model.encode(encoded[None])
    mean, scale = np.asarray(posterior.mean, np.float32), np.asarray(posterior.scale, np.float32)
    decoded = model.decode_mean(mean)
    known = typicality_of(
        model, encoded, mean[0], to_bytes(unit_values(model, decoded), model.input.dtype)[0]
    )
    report = framed.report
    if known is not None:
        warnings = (*report.warnings, known.warning) if known.warning else report.warnings
        report = replace(report, typicality=asdict(known), warnings=warnings)
    return PhotoInput(
        name=name,
        model=model.name,
        picture=_own(framed.picture),
        image=framed.photo,
        to_photo=framed.to_photo,
        report=report,
        mean=mean,
        scale=scale,
        decoded=decoded,
        hidden=~framed.seen if masked and framed.seen is not None else None,
        source=source,
    )


def _as_it_is(picture: Picture) -> Intake:
    high, wide = picture.shape[:2]
    report = IntakeReport(
        "already aligned", (wide, high), notes=(f"{wide} × {high} pixels: taken as they are",)
    )
    return Intake(_own(picture), report, np.eye(3), _image(picture))


def _named(source: PhotoSource) -> tuple[str, Path | None]:
    """What to call a photo, and the file it came from."""
    if isinstance(source, str | Path):
        return Path(source).name, Path(source)
    return "photo", None


def _own(picture: Picture) -> Picture:
    """The picture as networks take it: contiguous and writable, copied only where it is not (views of Pillow's
    memory are read-only, an OpenCV picture with its channels turned round runs backwards)."""
    return np.require(picture, requirements=["C", "W"])


def _checked_array(picture: NDArray[Any], model: DrawingModel) -> Picture:
    """An array with the model's channels; grey may come without an axis for them. Raises UsageError for others."""
    inputs = model.input
    whole = picture[:, :, None] if picture.ndim == 2 else picture
    if whole.dtype != inputs.dtype or whole.ndim != 3 or whole.shape[2] != inputs.channels:
        form = {1: "grey", 3: "RGB", 4: "RGB and alpha"}[inputs.channels]
        remedy = ": multiply floats by 255 and round, repeat grey three times" if inputs.mode == "RGB" else ""
        raise UsageError(
            f"a picture array must be {inputs.dtype} of shape (height, width, {inputs.channels}) in {form}, got "
            f"{picture.dtype} {picture.shape}{remedy}."
        )
    return whole


def _image(picture: Picture) -> Image.Image:
    """A picture of any form as Pillow holds it."""
    values = picture[:, :, 0] if picture.shape[2] == 1 else picture
    return Image.fromarray(values.astype(np.float32) if values.dtype == np.uint16 else _own(values))


def _opened(
    model: DrawingModel, source: PhotoSource, max_bytes: int, hide: Sequence[Box] = ()
) -> Image.Image | OpenedImage:
    if not hide:
        return _any_opened(model, source, max_bytes)
    if not getattr(model.input, "masked", False):
        raise UsageError(
            f"{model.name!r} has not learned to draw what it cannot see (input.alpha 'mask' does that): nothing of a "
            "photo can be hidden from it."
        )
    return hide_boxes(_any_opened(model, source, max_bytes), hide)


def _any_opened(model: DrawingModel, source: PhotoSource, max_bytes: int) -> Image.Image | OpenedImage:
    if isinstance(source, OpenedImage):
        return source
    if isinstance(source, np.ndarray):
        return _image(source)
    if isinstance(source, str | Path | bytes | Image.Image):
        return open_image(source, max_bytes=max_bytes, mode=model.input.mode)
    raise UsageError(f"a picture is a file, a Pillow image or an array, got {type(source).__name__}.")
