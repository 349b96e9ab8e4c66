"""`facette align`: a training folder out of ordinary photos."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facette.cli.output import Json, emit, progress, remark
from facette.cli.photo import AllFaces, Face, parse_eyes
from facette.errors import DataError, ImageError, UsageError
from facette.models import DEFAULT_MODEL

if TYPE_CHECKING:
    from facette.data.eyes import EyeTable
    from facette.images.faces.align import Intake
    from facette.recipe import ImageInput


def align(
    source: Annotated[Path, typer.Argument(help="A photo, or a folder of photos with its subfolders.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder for the faces.", file_okay=False)],
    recipe: Annotated[
        str, typer.Option("--recipe", help="Whose frame to bring faces into: a name or a TOML file.")
    ] = DEFAULT_MODEL,
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
    from facette.files import name_apart, name_key, owned

    spec = _frame_of(recipe, size)
    if all_faces and (eyes is not None or face != 1):
        raise UsageError("--all-faces takes every face; leave out --face and --eyes.")
    choice = {"all_faces": all_faces, "face": face}
    if not source.is_dir():
        places = None if eyes is None else parse_eyes(eyes)
        target = name_apart(_target(out / source.name, False), {name_key(source)})
        faces = _faces_of(source, spec, eyes=places, **choice)
        with owned(out, "facette align"):
            written = _write_faces(faces, source, target, all_faces, set())
            return _finish(out, written, [], as_json)
    photos = _photos_in(source, out)
    known = None if eyes is None else _known_eyes(Path(eyes))
    same = Counter(name_key(photo.with_suffix("")) for photo in photos)
    used = {name_key(photo) for photo in photos}  # no face is written onto a photo
    written, left_out = [], []
    with owned(out, "facette align"), progress(len(photos), "aligning", "photos") as bar:
        for photo in photos:
            name = photo.relative_to(source)
            try:
                places = None if known is None else known.of(name.as_posix())
                faces = _faces_of(photo, spec, eyes=places, **choice)
            except (ImageError, UsageError) as error:
                left_out.append({"photo": str(photo), "reason": str(error)})
            else:  # a place where nothing can be written ends it all
                target = _target(out / name, same[name_key(photo.with_suffix(""))] > 1)
                written += _write_faces(faces, photo, target, all_faces, used)
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

    spec = load_recipe(recipe).input
    if not isinstance(spec, ImageInput) or spec.frame is None:
        raise UsageError(
            f"recipe {recipe!r} has no frame for faces; take one of a face model, such as {DEFAULT_MODEL}."
        )
    return spec.model_copy(update={"size": size})


def _photos_in(folder: Path, out: Path) -> list[Path]:
    """Picture files of the folder in order of their names; hidden ones and our own output are passed over."""
    from facette.data.folder import FolderSource, others_spoken
    from facette.images.open import SUFFIXES

    ours, root = out.resolve(), folder.resolve()
    if ours == root:
        raise UsageError(f"the faces would lie among the photos of {str(folder)!r}: name another folder")
    source = FolderSource(folder)
    photos = [folder / name for name in source.names]
    if ours.is_relative_to(root):
        photos = [photo for photo in photos if ours not in photo.resolve().parents]
    if not photos:
        raise DataError(
            f"{folder} holds no photos ({', '.join(SUFFIXES[:6])} …){others_spoken(source.others, ', but ')}."
        )
    if source.others:
        remark(f"passed over: {others_spoken(source.others)}")
    return photos


def _faces_of(photo: Path, spec: "ImageInput", *, all_faces: bool, face: int, eyes: Any) -> "list[Intake]":
    """The photo's face in the frame, or each of them."""
    from facette.images.faces.align import intake, intake_all
    from facette.images.open import open_image

    opened = open_image(photo)
    if all_faces:
        return intake_all(opened, spec, align="always")
    return [intake(opened, spec, align="always", face=face, eyes=eyes)]


def _write_faces(
    faces: "list[Intake]", photo: Path, target: Path, all_faces: bool, used: set[str]
) -> list[dict[str, Any]]:
    """Writes one face, or each, as `target` and with its number behind; returns an account of each.

    `used`: names that no face may have; those that are written are added.
    """
    from facette.files import name_apart

    account = []
    for framed in faces:
        number = framed.report.face if all_faces else 1
        wished = target if number in (1, None) else target.with_name(f"{target.stem}-face{number}.png")
        account.append(_write(framed, photo, name_apart(wished, used)))
    return account


def _target(path: Path, shared: bool) -> Path:
    """Where a photo's face goes: its own name, so that lists go on speaking of it. Where several photos of a folder
    share one, the ending tells them apart."""
    ending = path.suffix.lower().removeprefix(".")
    told = f"-{ending}" if shared and ending not in ("jpg", "") else ""
    return path.with_name(f"{path.stem}{told}.png")


def _write(intake: "Intake", photo: Path, target: Path) -> dict[str, Any]:
    from dataclasses import asdict

    from facette.images.convert import picture_image
    from facette.images.sheets.file import write_whole

    if target.exists():
        remark(f"{target} is replaced")
    face = picture_image(intake.picture if intake.seen is None else intake.masked)
    write_whole(target, lambda file: face.save(file, "PNG"))
    return {"photo": str(photo), "picture": str(target), **asdict(intake.report)}


def _finish(out: Path, written: list[dict], left_out: list[dict], as_json: bool) -> None:
    from facette.files import json_text, write_atomically

    for entry in left_out:
        remark(f"left out: {entry['reason']}" if entry["photo"] in entry["reason"] else
               f"left out: {entry['photo']}: {entry['reason']}")  # fmt: skip
    if not written:
        raise DataError(
            f"none of the {len(left_out)} photos could be aligned, so nothing was written to {out}."
        )
    report = {"out": str(out), "aligned": len(written), "left_out": left_out, "pictures": written}
    write_atomically(out / "report.json", json_text(report))
    remark(f"{len(written)} faces written, {len(left_out)} photos left out")
    emit(report, str(out), as_json)
