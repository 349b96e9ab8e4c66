"""`facette reconstruct`: photos in, what the model keeps of them out."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from facette.cli.model import Model, Plain
from facette.cli.output import Device, Json, emit
from facette.cli.photo import Align, Each, Eyes, Face, Hide, Side
from facette.models import DEFAULT_MODEL


def reconstruct(
    photos: Annotated[list[Path], typer.Argument(help="Any photos.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The sheet.  [default: reconstructions.png]")
    ] = None,
    each: Each = None,
    model: Model = DEFAULT_MODEL,
    plain: Plain = False,
    align: Align = True,
    face: Face = 1,
    eyes: Eyes = None,
    hide: Hide = None,
    side: Side = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Show photos above what the model keeps of them."""
    from facette.cli.film import save_result
    from facette.cli.model import open_model
    from facette.cli.photo import sheet_path, take_in_several
    from facette.latent.reconstruct import reconstruct as reconstruct_photos

    target = sheet_path(out, "reconstructions.png")
    opened = open_model(model, device, plain, light=True)
    several = take_in_several(opened, photos, align, face, eyes, hide=hide)
    reconstructions = reconstruct_photos(opened, several.photos, side)
    written = save_result(replace(reconstructions, remark=several.remark), target, each)
    settings = {"model": opened.name, **reconstructions.drawing.settings()}
    emit({**written, **several.account(), **settings}, written["sheet"], as_json)
    several.leave_if_partly()
