"""`facette reconstruct`: photos in, what the model keeps of them out."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from facette.cli.model import Model, Plain
from facette.cli.output import Device, Json, emit
from facette.cli.photo import Align, Eyes, Face, Hide, Side
from facette.models import DEFAULT_MODEL


def reconstruct(
    photos: Annotated[list[Path], typer.Argument(help="Any photos.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The sheet.  [default: reconstructions.png]")
    ] = None,
    each: Annotated[
        Path | None, typer.Option("--each", file_okay=False, help="A folder for the single pictures too.")
    ] = None,
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
    from facette.cli.model import open_model
    from facette.cli.photo import account_of, remarks_on, sheet_path, take_in_several
    from facette.latent.reconstruct import reconstruct as reconstruct_photos

    target = sheet_path(out, "reconstructions.png")
    opened = open_model(model, device, plain, light=True)
    several = take_in_several(opened, photos, align, face, eyes, hide=hide)
    reconstructions = reconstruct_photos(opened, several.photos, side)
    sheet = replace(reconstructions, remark=remarks_on(several.photos)).save(target)
    singles = [] if each is None else reconstructions.save_each(each)
    data = {
        "sheet": str(sheet),
        "each": [str(path) for path in singles],
        "photos": [account_of(photo) for photo in several.photos],
        "left_out": several.left_out,
        "model": opened.name,
        **reconstructions.drawing.settings(),
    }
    emit(data, str(sheet), as_json)
    several.leave_if_partly()
