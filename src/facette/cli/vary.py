"""`facette vary`: one photo in, a sheet of its relatives out."""

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from facette.cli.model import DEFAULT_MODEL, Model, Plain
from facette.cli.output import Device, Json, Seed, emit, remark
from facette.cli.photo import Align, AllFaces, Details, Eyes, Face, Photo, Side

if TYPE_CHECKING:
    from facette.dial.vary import Dialled
    from facette.latent.photo import PhotoInput
    from facette.latent.vary import Variations


def vary(
    photo: Photo,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many variations.")] = 10,
    diversity: Annotated[
        str | None,
        typer.Option(
            "--diversity",
            "-d",
            metavar="NUMBER|auto",
            help="How far they go: 0 is the reconstruction; auto is the farthest that stays like the photo.  "
            "[default: 7, or 0.01]",
        ),
    ] = None,
    likeness: Annotated[
        float | None,
        typer.Option(
            "--likeness",
            min=0,
            max=1,
            help="Instead: how like the photo, 1 the reconstruction, 0 a stranger.",
        ),
    ] = None,
    mode: Annotated[
        Literal["factor", "variance"],
        typer.Option("--mode", help="What the diversity multiplies: factor (of σ) or variance (σ²)."),
    ] = "factor",
    noise: Annotated[
        Literal["posterior", "aggregate"],
        typer.Option(
            "--noise", help="Shaped by this photo's σ, or by all faces together (calibrated models)."
        ),
    ] = "posterior",
    spread: Annotated[
        Literal["random", "best"],
        typer.Option(
            "--spread", help="Take them as drawn, or of many those that differ most at that likeness."
        ),
    ] = "random",
    pool: Annotated[
        int, typer.Option("--pool", min=1, help="How many to choose from with --spread best.")
    ] = 100,
    pick: Annotated[
        int | None,
        typer.Option("--pick", metavar="SEED", min=0, help="Only the variation of this seed, again."),
    ] = None,
    around: Annotated[
        list[str] | None,
        typer.Option(
            "--around",
            metavar="SEED@DIVERSITY",
            help="Start from this variation of the photo; repeated, from a variation of that one.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The sheet.  [default: PHOTO-variations.png]")
    ] = None,
    each: Annotated[
        Path | None, typer.Option("--each", file_okay=False, help="A folder for the single pictures too.")
    ] = None,
    model: Model = DEFAULT_MODEL,
    plain: Plain = False,
    align: Align = True,
    face: Face = 1,
    all_faces: AllFaces = False,
    eyes: Eyes = None,
    refine: Annotated[
        int,
        typer.Option("--refine", min=0, metavar="N", help="Fit this photo closer in N gradient steps first."),
    ] = 0,
    paste: Annotated[
        bool, typer.Option("--paste", help="Also put each variation back into the photo, beside the sheet.")
    ] = False,
    details: Details = "photo",
    side: Side = None,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Make relatives of one photo, which stands first on the sheet."""
    from facette.cli.model import open_model
    from facette.cli.photo import sheet_path, take_in, take_in_all
    from facette.errors import UsageError
    from facette.latent.around import parse_step

    if all_faces and (face != 1 or eyes is not None or not align):
        raise UsageError("--all-faces takes every face; leave out --face, --eyes and --no-align.")
    wished = _diversity(diversity)
    measured = wished == "auto" or likeness is not None or spread == "best"
    if measured and mode != "factor":
        raise UsageError(
            "--diversity auto, --likeness and --spread best go with factors of σ: leave out --mode variance."
        )
    steps = [parse_step(text) for text in around or []]
    if measured and steps:
        raise UsageError("--around goes with a --diversity in numbers.")
    target = sheet_path(out, f"{photo.stem}-variations.png")
    light = not (measured or refine or noise == "aggregate")
    opened = open_model(model, device, plain or (details == "photo" and not measured), light)
    taken = take_in_all(opened, photo) if all_faces else [take_in(opened, photo, align, face, eyes)]
    made = []
    for number, one in enumerate(taken, start=1):
        if measured:
            from facette.dial.vary import dial_vary

            found = dial_vary(
                opened,
                one,
                count,
                diversity=wished,
                likeness=likeness,
                noise=noise,
                spread=spread,
                pool=pool,
                seed=seed,
                refine=refine,
                pick=pick,
            )
        else:
            from facette.latent.vary import vary as vary_photo

            assert not isinstance(wished, str)  # "auto" is measured
            number_of, first = (count, seed) if pick is None else (1, pick)
            found = vary_photo(
                opened, one, number_of, wished, first, mode, refine, noise, steps, details, side
            )
        sheet, singles = _numbered(target, number), each and _numbered(each, number)
        made.append(_write(found, one, sheet, singles, paste))
    emit(made[0] if not all_faces else {"faces": made}, "\n".join(one["sheet"] for one in made), as_json)


def _write(
    found: "Variations | Dialled", taken: "PhotoInput", target: Path, each: Path | None, paste: bool
) -> dict[str, Any]:
    """Writes the sheet, and what else was asked for; returns an account of it."""
    from facette.cli.photo import account_of
    from facette.latent.vary import Variations

    said = taken.report.summary()
    if isinstance(found, Variations):
        variations = found
        sheet = replace(variations, remark=said).save(target)
    else:
        variations = found.variations
        sheet = replace(found, variations=replace(variations, remark=said)).save(target)
        _tell(found)
    singles = [] if each is None else variations.save_each(each)
    account = {
        "sheet": str(sheet),
        "each": [str(path) for path in singles],
        "pasted": _paste(variations, taken, target) if paste else [],
        "photo": account_of(taken),
        **found.settings(),
    }
    if variations.refined is not None:
        account["elbo_before"] = float(variations.refined.elbo_before[0])
        account["elbo_after"] = float(variations.refined.elbo_after[0])
        remark(f"refined: ELBO {account['elbo_before']:.1f} → {account['elbo_after']:.1f} nats")
    return account


def _tell(found: "Dialled") -> None:
    """The factor, and each variation with its seed and scores, for people."""
    remark(f"factor {found.variations.factor:g}; --pick SEED makes one of these again")
    for score in found.settings()["scores"]:
        like = (
            f"cosine {score['cosine']:.2f}"
            if score["likeness"] is None
            else f"likeness {score['likeness']:5.2f}"
        )
        remark(f"  seed {score['seed']:<12} {like}  realism {score['realism']:.2f}")


def _diversity(text: str | None) -> "float | str | None":
    """A number, "auto" or None."""
    from facette.errors import UsageError

    if text is None or text == "auto":
        return text
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number >= 0):
        raise UsageError(f"--diversity takes a number of at least 0, or auto, got {text!r}.")
    return number


def _paste(variations: "Variations", taken: "PhotoInput", target: Path) -> list[str]:
    """The photo with each variation in it, as TARGET-photo-01.png and so on."""
    import numpy as np

    from facette.images.faces.paste import paste_face

    paths = []
    smaller = len(taken.picture) / len(variations.photo)
    for number, picture in enumerate(variations.pictures, start=1):
        path = target.with_name(f"{target.stem}-photo-{number:02d}.png")
        paste_face(taken.image, picture, taken.to_photo @ np.diag([smaller, smaller, 1.0])).save(path)
        paths.append(str(path))
    return paths


def _numbered(path: Path, face: int) -> Path:
    return path if face == 1 else path.with_name(f"{path.stem}-face{face}{path.suffix}")
