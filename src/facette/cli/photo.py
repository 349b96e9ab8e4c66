"""A photo from the command line into the model: where `--no-align`, `--face`, `--eyes` and `--hide` act.

Enters: a path and the four options as typed. Leaves: a `PhotoInput`, encoded once, and on stderr what was done to
get it. Knows nothing of what a command does with it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from facette.cli.output import remark
from facette.errors import ImageError, NoFaceError, UsageError

if TYPE_CHECKING:
    from facette.latent.photo import PhotoInput
    from facette.model.interface import DrawingModel

MIDDLE = "middle"  # of a photo, where no face is looked for
MOST_FACES = 1000  # in a photo
PARTLY = 1  # the exit code where some of the named photos were left out

Photo = Annotated[Path, typer.Argument(help="Any photo.")]
Align = Annotated[
    bool,
    typer.Option(
        "--align/--no-align", help="Find the face and bring it into the model's frame (face models)."
    ),
]
Face = Annotated[int, typer.Option(min=1, help="Which face, when the photo shows several: 1 is the largest.")]
Faces = Annotated[
    str,
    typer.Option(
        "--face",
        metavar="N,N,…",
        help="Which face, the largest is 1: one number for all photos, or one for each; `middle` takes the centre.",
    ),
]
AllFaces = Annotated[bool, typer.Option("--all-faces", help="Every face of a photo, not only one.")]
Each = Annotated[
    Path | None, typer.Option("--each", file_okay=False, help="A folder for the single pictures too.")
]
Details = Annotated[
    Literal["photo", "model"],
    typer.Option("--details", help="Keep the photo's own details, or show what the model draws by itself."),
]
Side = Annotated[
    int | None,
    typer.Option(
        "--side",
        min=16,
        help="Pixels of a picture's side, up to 1024; what the model draws by itself is enlarged.  "
        "[default: the face's own in the photo, at most 512; the model's own where it draws by itself]",
        show_default=False,
    ),
]
Eyes = Annotated[
    str | None,
    typer.Option(
        metavar="X,Y,X,Y",
        help="The eyes' places in the photo in pixels, the left one of the picture first; no face is searched.",
    ),
]
Hide = Annotated[
    list[str] | None,
    typer.Option(
        "--hide",
        metavar="X,Y,W,H",
        help="A part of the photo, in its pixels, that the model is not shown and draws anew, such as a hand or a "
        "watermark; repeatable.",
    ),
]


def take_in(
    model: "DrawingModel",
    path: Path,
    align: bool = True,
    face: int = 1,
    eyes: str | None = None,
    hide: Sequence[str] | None = None,
) -> "PhotoInput":
    """The photo as `model` sees it, encoded once; what was done to it is remarked on stderr."""
    from facette.latent.photo import take_photo

    places = None if eyes is None else parse_eyes(eyes)
    boxes = list(map(parse_box, hide or ()))
    way = "auto" if align else "never"
    with _remedies(path):
        photo = take_photo(model, path, align=way, face=face, eyes=places, hide=boxes)
    return _remarked(photo)


@dataclass(frozen=True, slots=True)
class SeveralPhotos:
    """The photos of a command line that could be taken in, and why the others could not."""

    photos: "list[PhotoInput]"
    left_out: tuple[dict[str, str], ...] = ()  # path and reason of each

    @property
    def remark(self) -> str:
        """What was done to them, as one line for the sheet."""
        from facette.latent.photo import remarks_on

        return remarks_on(self.photos)

    def account(self) -> dict[str, Any]:
        """The same as plain values, and what was left out."""
        return {"photos": [account_of(photo) for photo in self.photos], "left_out": self.left_out}

    def leave_if_partly(self) -> None:
        """End with code 1 where a photo that was named is missing from what was done."""
        if self.left_out:
            raise SystemExit(PARTLY)


def take_in_several(
    model: "DrawingModel",
    paths: Sequence[Path],
    align: bool = True,
    face: int | Sequence[int | None] = 1,
    eyes: str | None = None,
    all_of_them: bool = False,
    hide: Sequence[str] | None = None,
) -> SeveralPhotos:
    """As `take_in`, with one face for all or one for each as `parse_faces` reads them; photos that show no face or
    cannot be opened are named and left out, and the rest is done, unless `all_of_them` are needed.

    Raises ImageError where a file is not there, and where no photo is left.
    """
    photos, errors = [], {}
    chosen = [face] * len(paths) if isinstance(face, int) else face
    for path, number in zip(paths, chosen, strict=True):
        try:
            photos.append(take_in(model, path, align and number is not None, number or 1, eyes, hide))
        except ImageError as error:
            if all_of_them or not path.exists():
                raise
            errors[path] = error
    if not photos:
        raise next(iter(errors.values()))
    for error in errors.values():
        remark(f"left out: {error}")
    return SeveralPhotos(
        photos, tuple({"path": str(path), "reason": str(error)} for path, error in errors.items())
    )


def check_all_faces(all_faces: bool, align: bool, face: int, eyes: str | None) -> None:
    """Raises UsageError where every face is asked for and then one of them."""
    if all_faces and (face != 1 or eyes is not None or not align):
        raise UsageError("--all-faces takes every face; leave out --face, --eyes and --no-align.")


def take_in_faces(
    model: "DrawingModel",
    path: Path,
    all_faces: bool,
    align: bool,
    face: int,
    eyes: str | None,
    hide: Sequence[str] | None,
) -> "list[PhotoInput]":
    """Every face of the photo, the largest first, or the one that `take_in` takes."""
    from facette.latent.photo import take_faces

    if not all_faces:
        return [take_in(model, path, align, face, eyes, hide)]

    boxes = list(map(parse_box, hide or ()))
    with _remedies(path):
        photos = take_faces(model, path, hide=boxes)
    return [_remarked(photo) for photo in photos]


def account_of(photo: "PhotoInput") -> dict[str, Any]:
    """What was done to a photo, as plain values."""
    return {"path": str(photo.source), **asdict(photo.report)}


@contextmanager
def _remedies(path: Path) -> Iterator[None]:
    """Says in which photo no face was found, and which option helps."""
    try:
        yield
    except NoFaceError as error:
        raise NoFaceError(
            f"{path}: {error}: give the eyes with --eyes X,Y,X,Y, or take its centre with --no-align."
        ) from None


def _remarked(photo: "PhotoInput") -> "PhotoInput":
    remark(f"{photo.name}: {photo.report.summary()}")
    return photo


def numbered(path: Path, face: int) -> Path:
    """The path for one of several faces of a photo: the first has it as it is."""
    return path if face == 1 else path.with_name(f"{path.stem}-face{face}{path.suffix}")


def sheet_path(wished: Path | None, fallback: str) -> Path:
    """Where the sheet goes: as wished, or under a name of its own that nothing else has; see `place_for`.

    An ending that cannot be written is refused before any work is done.
    """
    from facette.cli.places import place_for
    from facette.images.sheets.grid import check_sheet_path

    (path,) = place_for(None if wished is None else check_sheet_path(wished), fallback)
    return path


def parse_faces(text: str, count: int) -> list[int | None]:
    """ "2" as the second face of so many photos, "1,2,middle" as one for each; None is a photo's centre.

    Raises UsageError for anything else.
    """
    parts = [part.strip() for part in text.split(",")]
    parts = parts * count if len(parts) == 1 else parts
    if len(parts) != count or not all(
        part == MIDDLE or (part.isdecimal() and 0 < int(part) < MOST_FACES) for part in parts
    ):
        raise UsageError(
            f"--face takes a number from 1 on, or {MIDDLE}, for all {count} photos or for each of them, got {text!r}."
        )
    return [None if part == MIDDLE else int(part) for part in parts]


def parse_eyes(text: str) -> tuple[tuple[float, float], tuple[float, float]]:
    """ "x,y,x,y" as two points, the left eye of the picture first."""
    try:
        x1, y1, x2, y2 = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(
            f"--eyes takes four numbers X,Y,X,Y such as 210,180,290,182, got {text!r}."
        ) from None
    return (x1, y1), (x2, y2)


def parse_box(text: str) -> tuple[float, float, float, float]:
    """ "x,y,w,h" as left, top, width and height in pixels of the photo."""
    try:
        x, y, wide, high = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--hide takes four numbers X,Y,W,H such as 120,200,80,60, got {text!r}.") from None
    return x, y, wide, high
