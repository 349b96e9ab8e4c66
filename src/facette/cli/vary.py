"""`facette vary`: one photo in, a sheet of its relatives out."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from facette.cli.model import DEFAULT_MODEL, Model
from facette.cli.output import Device, Json, Seed, emit
from facette.cli.photo import Align, Eyes, Face


def vary(
    photo: Annotated[Path, typer.Argument(help="Any photo.")],
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many variations.")] = 10,
    diversity: Annotated[
        float | None,
        typer.Option(
            "--diversity",
            "-d",
            min=0,
            help="How far they go: 0 is the reconstruction.  [default: 7, or 0.01]",
        ),
    ] = None,
    mode: Annotated[
        Literal["factor", "variance"],
        typer.Option("--mode", help="What the diversity multiplies: factor (of σ) or variance (σ²)."),
    ] = "factor",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The sheet.  [default: PHOTO-variations.png]")
    ] = None,
    each: Annotated[
        Path | None, typer.Option("--each", file_okay=False, help="A folder for the single pictures too.")
    ] = None,
    model: Model = DEFAULT_MODEL,
    align: Align = True,
    face: Face = 1,
    eyes: Eyes = None,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Make relatives of one photo, which stands first on the sheet."""
    from facette.cli.model import open_model
    from facette.cli.photo import sheet_path, take_in
    from facette.latent import vary as vary_photo

    target = sheet_path(out, f"{photo.stem}-variations.png")
    opened = open_model(model, device)
    taken = take_in(opened, photo, align, face, eyes)
    variations = vary_photo(opened, taken.picture, count=count, diversity=diversity, seed=seed, mode=mode)
    sheet = variations.save(target)
    singles = [] if each is None else variations.save_each(each)
    data = {
        "sheet": str(sheet),
        "each": [str(path) for path in singles],
        "photo": taken.to_dict(),
        "model": opened.name,
        "count": count,
        "diversity": variations.factor,
        "mode": mode,
        "seed": seed,
        "seeds": list(variations.seeds),
    }
    emit(data, str(sheet), as_json)
