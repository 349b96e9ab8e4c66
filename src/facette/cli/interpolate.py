"""`facette interpolate`: two photos in, the path between them out."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from facette.cli.model import DEFAULT_MODEL, Model
from facette.cli.output import Device, Json, emit
from facette.cli.photo import Align


def interpolate(
    a: Annotated[Path, typer.Argument(help="The photo to start from.")],
    b: Annotated[Path, typer.Argument(help="The photo to arrive at.")],
    steps: Annotated[int, typer.Option("--steps", min=2, help="How many pictures, both ends included.")] = 10,
    method: Annotated[
        Literal["linear", "slerp"], typer.Option("--method", help="linear, or slerp along the great circle.")
    ] = "linear",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The sheet.  [default: A-to-B.png]")] = None,
    each: Annotated[
        Path | None, typer.Option("--each", file_okay=False, help="A folder for the single pictures too.")
    ] = None,
    model: Model = DEFAULT_MODEL,
    align: Align = True,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Walk from one photo to another."""
    from facette.cli.model import open_model
    from facette.cli.photo import remarks_on, sheet_path, take_in
    from facette.latent import interpolate as interpolate_photos

    target = sheet_path(out, f"{a.stem}-to-{b.stem}.png")
    opened = open_model(model, device)
    taken = [take_in(opened, photo, align) for photo in (a, b)]
    path = interpolate_photos(opened, taken[0].picture, taken[1].picture, steps=steps, method=method)
    sheet = replace(path, remark=remarks_on(taken)).save(target)
    singles = [] if each is None else path.save_each(each)
    data = {
        "sheet": str(sheet),
        "each": [str(single) for single in singles],
        "photos": [one.to_dict() for one in taken],
        "model": opened.name,
        "steps": steps,
        "method": method,
    }
    emit(data, str(sheet), as_json)
