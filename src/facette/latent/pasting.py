"""Relatives and edits put back into the whole photo: the change of every face added where it was, at full resolution.

Enters: a model, the faces of one photo and a latent for each. Leaves: one file beside the results, in the photo's own
profile and depth. How a change runs out at its frame's border is decided in `facette.images.faces.paste`.

Legend: P faces, Z latents, S side of the model's pictures.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facette.errors import UsageError
from facette.images.depth import to_levels
from facette.images.faces.paste import FaceChange, add_changes
from facette.images.whole import WholePhoto, open_whole
from facette.latent.details import Values, add_change
from facette.latent.photo import PhotoInput, unit_values
from facette.latent.points import Latents, means_each
from facette.model.interface import DrawingModel


def whole_photo(photo: PhotoInput) -> WholePhoto:
    """The file that a photo came from. Raises UsageError for a photo that came from none."""
    if photo.source is None:
        raise UsageError("only a photo that came from a file can be changed as a whole: name the file.")
    return open_whole(photo.source)


def paste_changes(
    model: DrawingModel,
    whole: WholePhoto,
    photos: Sequence[PhotoInput],
    latents: Latents,
    stem: Path,
    settings: Mapping[str, Any],
) -> Path:
    """The whole photo with the faces P changed to `latents` (P, Z), written as `stem` with the photo's own ending.

    Raises UsageError where the file would fall onto the photo.
    """
    path = stem.with_name(stem.name + whole.ending)
    source = photos[0].source
    if source is not None and path.exists() and path.samefile(source):
        raise UsageError(f"{path} is the photo itself: choose another name for the result.")
    return whole.save(changed_pixels(model, whole, photos, latents), path, settings)


def changed_pixels(
    model: DrawingModel,
    whole: WholePhoto,
    photos: Sequence[PhotoInput],
    latents: Latents,
    places: Sequence[NDArray[np.float64]] | None = None,
) -> NDArray[Any]:
    """The pixels of the whole photo with the faces P changed to `latents` (P, Z).

    `places`: the ways from the faces' pictures to the whole photo, (3, 3) each, where the faces hold but a part of it
    (`PhotoInput.cropped`).
    """
    ways = [photo.to_photo for photo in photos] if places is None else places
    changes = [
        _change(model, photo, latent[None], way)
        for photo, latent, way in zip(photos, latents, ways, strict=True)
    ]
    profile = _into_profile(whole.kept.get("icc_profile"), whole.white)
    return add_changes(whole.pixels, changes, profile, whole.white)


def _change(
    model: DrawingModel, photo: PhotoInput, latent: Latents, to_photo: NDArray[np.float64]
) -> FaceChange:
    """What is added to the photo's colours on the way to `latent` (1, Z): the change of means (S, S, C), and where
    something is hidden what leads from it to the mean, at the frame's own size. A photo's transparency stays as it
    is."""
    before, after = (unit_values(model, values)[0] for values in (photo.decoded, means_each(model, latent)))
    if photo.hidden is None:
        return FaceChange(_in_colours(after - before), to_photo)
    side = photo.side()
    frame = photo.frame(side)
    smaller = max(photo.picture.shape[:2]) / side
    changed = add_change(frame, before, after, photo.unseen(side))
    return FaceChange(_in_colours(changed - frame), to_photo @ np.diag([smaller, smaller, 1.0]))


def _in_colours(change: Values) -> Values:
    """(S, S, C) as (S, S, 3)."""
    return np.repeat(change, 3, axis=2) if change.shape[2] == 1 else change[:, :, :3]


def _into_profile(
    profile: bytes | None, white: int
) -> Callable[[NDArray[Any], NDArray[np.float32]], NDArray[np.float32]] | None:
    """A change of sRGB values as one of values of the profile; None where they are the same, or there is no saying."""
    if not profile:
        return None
    from PIL import ImageCms

    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in (ImageCms.getProfileDescription(own) or "").lower():
            return None
        srgb = ImageCms.createProfile("sRGB")
        there = ImageCms.buildTransform(own, srgb, "RGB", "RGB")
        back = ImageCms.buildTransform(srgb, own, "RGB", "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None  # damaged, or of grey or printing inks: the values are taken as they are

    def shown(pixels: NDArray[Any], change: NDArray[np.float32]) -> NDArray[np.float32]:
        if pixels.shape[2] < 3:
            return change
        colours = pixels[:, :, :3]
        bytes_ = colours if colours.dtype == np.uint8 else to_levels(colours, white)
        seen = np.asarray(
            ImageCms.applyTransform(Image.fromarray(np.ascontiguousarray(bytes_)), there), np.float32
        )
        changed = np.rint(np.clip(seen + 255 * change, 0, 255)).astype(np.uint8)
        before, after = (
            np.asarray(ImageCms.applyTransform(Image.fromarray(v), back), np.float32)
            for v in (seen.astype(np.uint8), changed)
        )
        return (after - before) / np.float32(255)

    return shown
