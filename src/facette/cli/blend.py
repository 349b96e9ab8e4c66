"""`facette blend`: several photos in, one face out."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from facette.cli.model import Model, Plain
from facette.cli.output import Device, Json, emit
from facette.cli.photo import Align, Details, Faces, Side
from facette.models import DEFAULT_MODEL


def blend(
    photos: Annotated[list[Path], typer.Argument(help="Two photos or more.")],
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            "-w",
            metavar="W,W,…",
            help="One for each photo; a negative one takes away.  [default: all alike]",
            show_default=False,
        ),
    ] = None,
    norm: Annotated[
        bool, typer.Option("--norm", help="Give the blend the length of the photos' latents: less ordinary.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The sheet.  [default: blend.png]")] = None,
    each: Annotated[
        Path | None, typer.Option("--each", file_okay=False, help="A folder for the blend alone too.")
    ] = None,
    model: Model = DEFAULT_MODEL,
    plain: Plain = False,
    align: Align = True,
    faces: Faces = "1",
    details: Details = "photo",
    side: Side = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Average faces, or add and take away: `--weights 1,-1,1`."""
    from facette.cli.film import save_result
    from facette.cli.model import open_model
    from facette.cli.photo import parse_faces, sheet_path, take_in_several
    from facette.errors import UsageError
    from facette.latent import blend as blend_photos

    if len(photos) < 2:
        raise UsageError("a blend needs at least two photos: name another one.")
    target = sheet_path(out, "blend.png")
    numbers = None if weights is None else _numbers(weights)
    chosen = parse_faces(faces, len(photos))
    opened = open_model(model, device, plain, light=True)
    # Each weight is that of one photo.
    several = take_in_several(opened, photos, align, chosen, all_of_them=numbers is not None)
    portraits = several.photos
    if len(portraits) < 2:
        raise UsageError("a blend needs at least two photos, and only one is left: name another one.")
    result = blend_photos(
        opened, *portraits, weights=numbers, norm_corrected=norm, details=details, side=side
    )
    written = save_result(replace(result, remark=several.remark), target, each)
    data = {**written, **several.account(), **result.settings(), "shares": list(result.shares)}
    emit(data, written["sheet"], as_json)
    several.leave_if_partly()


def _numbers(text: str) -> list[float]:
    from facette.errors import UsageError

    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"--weights takes numbers such as 1,1,2, got {text!r}.") from None
