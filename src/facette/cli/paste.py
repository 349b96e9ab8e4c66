"""Results put back into the whole photo: one file for each relative or edit, with every face of the photo in it.

Enters: the faces of one photo and a result for each. Leaves: the files' names. Knows nothing of how a change is added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from facette.latent.edit import Edit, Strip
    from facette.latent.photo import PhotoInput
    from facette.latent.vary import Variations
    from facette.model.interface import DrawingModel

Paste = Annotated[
    bool,
    typer.Option(
        "--paste",
        help="Also put the change into the whole photo, at its full resolution; JPEG stays JPEG, 16 bits stay 16.",
    ),
]


def paste_results(
    model: DrawingModel,
    photos: Sequence[PhotoInput],
    results: Sequence[Variations | Edit | Strip],
    target: Path,
) -> list[str]:
    """The whole photo with the first picture of every face's result, then with the second …, as TARGET-photo-01 and so
    on; the files' names, which are said on stderr too."""
    import numpy as np

    from facette.cli.output import remark
    from facette.images.colour import in_mode
    from facette.images.convert import as_rgb
    from facette.images.faces.paste import paste_face
    from facette.images.sheets.file import write_image
    from facette.latent.pasting import paste_changes, whole_photo

    paths, faces = [], [_as_drawn(model, *pair) for pair in zip(photos, results, strict=True)]
    whole = whole_photo(photos[0]) if results[0].drawing.details == "photo" else None
    for number in range(len(results[0].pictures)):
        stem = target.with_name(f"{target.stem}-photo-{number + 1:02d}")
        if whole is not None:
            latents = np.stack([np.asarray(result.latents[number], np.float32) for result in results])
            settings = {**results[0].settings_of(number), "faces": len(photos)}
            path = paste_changes(model, whole, faces, latents, stem, settings)
        else:
            image = in_mode(photos[0].image, "RGB")
            for photo, result in zip(photos, results, strict=True):
                picture = as_rgb(result.pictures[number])
                smaller = photo.picture.shape[1] / picture.shape[1]
                image = paste_face(image, picture, photo.to_photo @ np.diag([smaller, smaller, 1.0]))
            path = stem.with_name(stem.name + ".png")
            write_image(image, path)
        paths.append(str(path))
    remark(f"into the photo: {', '.join(paths)}")
    return paths


def _as_drawn(model: DrawingModel, photo: PhotoInput, result: Variations | Edit | Strip) -> PhotoInput:
    """The photo with the posterior that its result started from: another one where it was refined."""
    import numpy as np

    refined = getattr(result, "refined", None)
    if refined is None:
        return photo
    mean = np.asarray(refined.posterior.mean)
    return replace(photo, mean=mean, decoded=model.decode_mean(mean))
