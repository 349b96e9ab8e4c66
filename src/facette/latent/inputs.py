"""What callers may hand to the latent room, brought into one form.

Enters: a model or its name; a picture as an array, a Pillow image or a file. Leaves: a loaded model and a
`uint8 (S, S, 3)` picture of its size. Knows nothing of what is done with them.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facette.errors import UsageError

Picture = NDArray[np.uint8]  # (S, S, 3), RGB


def resolve_model(model):
    """A loaded model as it is; a name or path through `facette.load`."""
    if isinstance(model, str | Path):
        from facette.checkpoint.native import load_model

        return load_model(model)
    return model


def image_size(model) -> int:
    """Side of the model's pictures in pixels; UsageError for a model of vectors, which has none."""
    if model.input.kind != "image":
        raise UsageError(f"{model.name!r} is a model of {model.input.kind}s: this needs one of pictures.")
    return model.input.size


def resolve_picture(model, picture) -> Picture:
    """One picture in the model's frame.

    An array of exactly the model's size is taken as it is. A file, a Pillow image, or an array of any other size
    is brought into the frame as a photo is: upright, face found and aligned where the model is one of faces.
    """
    size = image_size(model)
    if isinstance(picture, np.ndarray):
        _check_array(picture)
        if picture.shape[:2] == (size, size):
            return _own(picture)
    image = _as_photo(picture)
    from facette.images.faces.align import intake

    return _own(intake(image, model.input).picture)


def resolve_pictures(model, pictures) -> Picture:
    """Several pictures, each as `resolve_picture` takes one, stacked: (N, S, S, 3). One alone counts as N = 1."""
    several = isinstance(pictures, list | tuple) or (isinstance(pictures, np.ndarray) and pictures.ndim != 3)
    many = list(pictures) if several else [pictures]
    if not many:
        raise UsageError("no picture was given: name at least one.")
    return np.stack([resolve_picture(model, one) for one in many])


def _own(picture: Picture) -> Picture:
    """The picture as torch takes it: contiguous and writable, copied only where it is not (views of Pillow's
    memory are read-only, an OpenCV picture with its channels turned round runs backwards)."""
    return np.require(picture, requirements=["C", "W"])


def _check_array(picture: np.ndarray) -> None:
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise UsageError(
            f"a picture array must be uint8 of shape (height, width, 3) in RGB, got {picture.dtype} "
            f"{picture.shape}: multiply floats by 255 and round, repeat grey three times."
        )


def _as_photo(picture):
    from PIL import Image

    from facette.images.open import open_image

    if isinstance(picture, np.ndarray):
        return Image.fromarray(picture)
    if isinstance(picture, str | Path | Image.Image):
        return open_image(picture)
    raise UsageError(f"a picture is a file, a Pillow image or a uint8 array, got {type(picture).__name__}.")
