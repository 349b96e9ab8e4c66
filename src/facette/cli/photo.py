"""A photo from the command line to the model's frame: the one place where `--no-align`, `--face` and `--eyes` act.

Enters: a path and the three options as typed. Leaves: a `uint8 (S, S, 3)` picture and what was done to get it.
Knows nothing of what a command does with the picture.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from facette.cli.output import remark
from facette.errors import UsageError

Photo = Annotated[Path, typer.Argument(help="Any photo.")]
Align = Annotated[
    bool,
    typer.Option(
        "--align/--no-align", help="Find the face and bring it into the model's frame (face models)."
    ),
]
Face = Annotated[int, typer.Option(min=1, help="Which face, when the photo shows several: 1 is the largest.")]
AllFaces = Annotated[bool, typer.Option("--all-faces", help="Every face of a photo, not only one.")]
Eyes = Annotated[
    str | None,
    typer.Option(
        metavar="X,Y,X,Y",
        help="The eyes' places in the photo in pixels, the left one of the picture first; no face is searched.",
    ),
]


@dataclass(frozen=True, slots=True)
class Taken:
    """A photo in the model's frame."""

    path: Path
    picture: Any  # uint8 (S, S, 3)
    report: Any  # what was done to it
    photo: Any  # the Pillow image it was taken from, upright
    to_photo: Any  # (3, 3), from the picture's pixels to that image's

    def to_dict(self) -> dict[str, Any]:
        return {"path": str(self.path), **asdict(self.report)}


def take_in(model, path: Path, align: bool = True, face: int = 1, eyes: str | None = None) -> Taken:
    """The photo in the frame of `model`; what was done to it is remarked on stderr."""
    from facette.images.faces.align import intake

    opened = _open(model, path)
    places = None if eyes is None else parse_eyes(eyes)
    way = "auto" if align else "never"
    return _taken(model, path, opened, intake(opened, model.input, align=way, face=face, eyes=places))


def take_in_all(model, path: Path) -> list[Taken]:
    """Every face of the photo, the largest first."""
    from facette.images.faces.align import intake_all

    opened = _open(model, path)
    return [_taken(model, path, opened, one) for one in intake_all(opened, model.input)]


def _open(model, path: Path):
    from facette.images.open import open_image
    from facette.latent.inputs import image_size

    image_size(model)  # refuses models of vectors before anything is opened
    return open_image(path)


def _taken(model, path: Path, opened, intake) -> Taken:
    from facette.latent.typicality import with_typicality

    report = with_typicality(model, intake).report
    remark(f"{path.name}: {report.summary()}")
    return Taken(path, intake.picture, report, opened.image, intake.to_photo)


def remarks_on(taken: list[Taken]) -> str:
    """What was done to several photos, as one line for the sheet."""
    return " · ".join(f"{one.path.name}: {one.report.summary()}" for one in taken)


def sheet_path(wished: Path | None, fallback: str) -> Path:
    """Where the sheet goes; an ending that cannot be written is refused before any work is done."""
    from facette.images.sheets.grid import check_sheet_path

    return check_sheet_path(wished or Path(fallback))


def parse_eyes(text: str) -> tuple[tuple[float, float], tuple[float, float]]:
    """ "x,y,x,y" as two points, the left eye of the picture first."""
    try:
        x1, y1, x2, y2 = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(
            f"--eyes takes four numbers X,Y,X,Y such as 210,180,290,182, got {text!r}."
        ) from None
    return (x1, y1), (x2, y2)
