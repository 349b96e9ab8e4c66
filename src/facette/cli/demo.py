"""`facette demo`: ten relatives of a public-domain photo with the bundled model. Nothing is downloaded."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from facette.cli.model import Model, Plain
from facette.cli.output import Device, Json, Seed, emit, remark
from facette.images.example import CREDIT, example_photo
from facette.models import DEFAULT_MODEL

Photo = Literal["astronaut", "hopper"]

# Both are works of the United States government and in the public domain.
CREDITS = {
    "hopper": "Rear Admiral Grace Hopper, photographed by James S. Davis for the US Navy in 1984, public domain",
    "astronaut": CREDIT,
}


def demo(
    photo: Annotated[
        Photo, typer.Option("--photo", help="astronaut comes with Facette, hopper with matplotlib.")
    ] = "astronaut",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The sheet.  [default: facette-demo.png]")
    ] = None,
    model: Model = DEFAULT_MODEL,
    plain: Plain = False,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Make ten variations of a photo that is already on this machine, with the bundled model."""
    from facette.cli.model import open_model
    from facette.cli.photo import account_of, sheet_path, take_in
    from facette.latent.vary import vary

    remark(CREDITS[photo])
    target = sheet_path(out, "facette-demo.png")
    opened = open_model(model, device, plain, light=True)
    intake = take_in(opened, find_photo(photo))
    variations = vary(opened, intake, seed=seed)
    sheet = replace(variations, remark=intake.report.summary()).save(target)
    data = {
        "sheet": str(sheet),
        "photo": account_of(intake),
        "credit": CREDITS[photo],
        "model": opened.name,
        "count": len(variations.pictures),
        "diversity": variations.factor,
        "seed": seed,
    }
    emit(data, str(sheet), as_json)


def find_photo(photo: Photo) -> Path:
    """Where the photo is: the astronaut in the package, the admiral where matplotlib has put her."""
    if photo == "astronaut":
        return example_photo()
    from facette.errors import import_extra

    cbook = import_extra(
        "matplotlib.cbook", "train", "the photo of the admiral, which comes with matplotlib,"
    )
    return Path(str(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)))
