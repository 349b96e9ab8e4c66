"""`facette demo`: ten relatives of a public-domain photo with the bundled model. Nothing is downloaded."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import typer

from facette.cli.model import DEFAULT_MODEL, Model, Plain
from facette.cli.output import Device, Json, Seed, emit, remark
from facette.errors import MissingExtraError

Photo = Literal["astronaut", "hopper"]

# Both are works of the United States government and in the public domain.
CREDITS = {
    "hopper": "Rear Admiral Grace Hopper, photographed by James S. Davis for the US Navy in 1984, public domain",
    "astronaut": "Eileen Collins, photographed for NASA in 1993, public domain",
}


def demo(
    photo: Annotated[
        Photo | None,
        typer.Option(
            "--photo",
            help="astronaut comes with scikit-image, hopper with matplotlib.  [default: the first at hand]",
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The sheet.")] = Path("facette-demo.png"),
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

    photo = photo or first_at_hand()
    remark(CREDITS[photo])
    target = sheet_path(out, "facette-demo.png")
    opened = open_model(model, device, plain, light=True)
    taken = take_in(opened, find_photo(photo))
    variations = vary(opened, taken, seed=seed)
    sheet = replace(variations, remark=taken.report.summary()).save(target)
    data = {
        "sheet": str(sheet),
        "photo": account_of(taken),
        "credit": CREDITS[photo],
        "model": opened.name,
        "count": len(variations.pictures),
        "diversity": variations.factor,
        "seed": seed,
    }
    emit(data, str(sheet), as_json)


def first_at_hand() -> Photo:
    """The astronaut where scikit-image is installed; matplotlib is always there."""
    return "astronaut" if find_spec("skimage") else "hopper"


def find_photo(photo: Photo) -> Path:
    """Where a library has put the photo on this machine."""
    if photo == "hopper":
        from matplotlib.cbook import get_sample_data

        return Path(str(get_sample_data("grace_hopper.jpg", asfileobj=False)))
    try:
        import skimage
    except ModuleNotFoundError:
        raise MissingExtraError(
            "the astronaut comes with scikit-image, which is not installed: pip install scikit-image, or use "
            "--photo hopper."
        ) from None
    return Path(skimage.__file__).parent / "data" / "astronaut.png"
