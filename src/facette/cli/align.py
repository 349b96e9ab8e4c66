"""`facette align`: a training folder out of ordinary photos."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facette.cli.output import Json, emit, progress, remark
from facette.cli.photo import AllFaces, Face, parse_eyes
from facette.errors import DataError, ImageError, UsageError

if TYPE_CHECKING:
    from facette.data.eyes import EyeTable
    from facette.images.faces.align import Intake
    from facette.recipe import ImageInput


def align(
    source: Annotated[Path, typer.Argument(help="A photo, or a folder of photos with its subfolders.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder for the faces.", file_okay=False)],
    recipe: Annotated[
        str, typer.Option("--recipe", help="Whose frame to bring faces into: a name or a TOML file.")
    ] = "faces64",
    size: Annotated[int, typer.Option("--size", min=16, max=2048, help="Pixels a side of each face.")] = 128,
    all_faces: AllFaces = False,
    face: Face = 1,
    eyes: Annotated[
        str | None,
        typer.Option(
            metavar="X,Y,X,Y|CSV",
            help="The eyes' places in the photo in pixels, the left one of the picture first; no face is searched. "
            "For a folder: a CSV with columns image_id, left_eye_x, left_eye_y, right_eye_x, right_eye_y; rows "
            "whose face_score is below 0 are left out.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Cut the faces out of photos, upright and in a model's frame, ready for `facette train`.

    What lies beyond a photo is transparent in the face's file, and unknown to recipes with input.alpha = "mask". What
    was left out, and why, is said at the end and written to report.json beside the faces.
    """
    spec = _frame_of(recipe, size)
    if all_faces and (eyes is not None or face != 1):
        raise UsageError("--all-faces takes every face; leave out --face and --eyes.")
    choice = {"all_faces": all_faces, "face": face}
    if not source.is_dir():
        places = None if eyes is None else parse_eyes(eyes)
        written = _align_photo(source, out / source.name, spec, eyes=places, **choice)
        return _finish(out, written, [], as_json)
    photos = _photos_in(source, out)
    known = None if eyes is None else _known_eyes(Path(eyes))
    written, left_out = [], []
    with progress(len(photos), "aligning", "photos") as bar:
        for photo in photos:
            name = photo.relative_to(source)
            try:
                places = None if known is None else known.of(name.as_posix())
                written += _align_photo(photo, out / name, spec, eyes=places, **choice)
            except (ImageError, UsageError) as error:
                left_out.append({"photo": str(photo), "reason": str(error)})
            bar.advance()
    return _finish(out, written, left_out, as_json)


def _known_eyes(path: Path) -> "EyeTable":
    from facette.data.eyes import read_eyes

    if not path.is_file():
        raise UsageError(
            f"for a folder --eyes names a CSV with the eyes' places of its photos; there is no {str(path)!r}"
        )
    return read_eyes(path)


def _frame_of(recipe: str, size: int) -> "ImageInput":
    """The recipe's input with its frame, at another size."""
    from facette.recipe import ImageInput, load_recipe

    given = load_recipe(recipe).input
    if not isinstance(given, ImageInput) or given.frame is None:
        raise UsageError(
            f"recipe {recipe!r} has no frame for faces; take one of a face model, such as faces64."
        )
    return given.model_copy(update={"size": size})


def _photos_in(folder: Path, out: Path) -> list[Path]:
    """Picture files of the folder in order of their names; hidden ones and our own output are passed over."""
    from facette.images.open import SUFFIXES

    ours = out.resolve()
    photos = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and ours not in path.resolve().parents
    ]
    if not photos:
        raise DataError(f"{folder} holds no photos ({', '.join(SUFFIXES[:6])} …).")
    return photos


def _align_photo(
    photo: Path, target: Path, spec: "ImageInput", *, all_faces: bool, face: int, eyes
) -> list[dict]:
    """Writes one face, or each, as `target` with the ending .png; returns an account of each."""
    from facette.images.faces.align import intake, intake_all
    from facette.images.open import open_image

    opened = open_image(photo)
    if all_faces:
        faces = intake_all(opened, spec, align="always")
    else:
        faces = [intake(opened, spec, align="always", face=face, eyes=eyes)]
    return [_write(taken, photo, _target(target, taken.report.face if all_faces else 1)) for taken in faces]


def _target(path: Path, face: int | None) -> Path:
    # The old ending stays in the name: a.jpg and a.png of one folder must not become the same file.
    ending = path.suffix.lower().removeprefix(".")
    name = path.stem + (f"-{ending}" if ending and ending not in ("jpg", "jpeg") else "")
    return path.with_name(name + ("" if face in (1, None) else f"-face{face}") + ".png")


def _write(taken: "Intake", photo: Path, target: Path) -> dict[str, Any]:
    from dataclasses import asdict

    from PIL import Image

    target.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(taken.picture if taken.seen is None else taken.masked).save(target)
    return {"photo": str(photo), "picture": str(target), **asdict(taken.report)}


def _finish(out: Path, written: list[dict], left_out: list[dict], as_json: bool) -> None:
    import json

    for entry in left_out:
        remark(f"left out: {entry['reason']}" if entry["photo"] in entry["reason"] else
               f"left out: {entry['photo']}: {entry['reason']}")  # fmt: skip
    if not written:
        raise DataError(
            f"none of the {len(left_out)} photos could be aligned, so nothing was written to {out}."
        )
    report = {"out": str(out), "aligned": len(written), "left_out": left_out, "pictures": written}
    (out / "report.json").write_text(json.dumps(report, ensure_ascii=False, indent=2) + "\n", "utf-8")
    remark(f"{len(written)} faces written, {len(left_out)} photos left out")
    emit(report, str(out), as_json)
