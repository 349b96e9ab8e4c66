"""`facette vary`: one photo in, a sheet of its relatives out."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from facette.cli.model import Model, Plain, With
from facette.cli.output import Device, Json, Seed, emit, progress, remark
from facette.cli.paste import Paste
from facette.cli.photo import Align, AllFaces, Details, Each, Eyes, Face, Hide, Photo, Side
from facette.models import DEFAULT_MODEL

if TYPE_CHECKING:
    from facette.latent.photo import PhotoInput
    from facette.latent.vary import Variations

Diversity = Annotated[
    str | None,
    typer.Option(
        "--diversity",
        "-d",
        metavar="LEVEL|NUMBER",
        help="How far they go: subtle, medium, auto (almost as different as another photo of the same person) or "
        "bold; or a factor of the photo's own σ; with --noise people a share.  [default: auto]",
    ),
]
NoiseKind = Annotated[
    Literal["people", "posterior"] | None,
    typer.Option(
        "--noise",
        help="How people differ, or where the model is unsure of this photo.  "
        "[default: people for levels and likeness, posterior for numbers]",
    ),
]


def vary(
    photo: Photo,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many variations.")] = 10,
    diversity: Diversity = None,
    likeness: Annotated[
        float | None,
        typer.Option(
            "--likeness",
            min=0,
            max=1,
            help="Instead: how like the person, 1 the photo itself, 0 a stranger.",
        ),
    ] = None,
    mode: Annotated[
        Literal["factor", "variance"],
        typer.Option("--mode", help="What the diversity multiplies: factor (of σ) or variance (σ²)."),
    ] = "factor",
    noise: NoiseKind = None,
    spread: Annotated[
        Literal["random", "best"],
        typer.Option(
            "--spread", help="Take them as drawn, or of many those that differ in the most different ways."
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
    each: Each = None,
    model: Model = DEFAULT_MODEL,
    plain: Plain = False,
    align: Align = True,
    face: Face = 1,
    all_faces: AllFaces = False,
    eyes: Eyes = None,
    hide: Hide = None,
    refine: Annotated[
        int,
        typer.Option("--refine", min=0, metavar="N", help="Fit this photo closer in N gradient steps first."),
    ] = 0,
    told: With = None,
    paste: Paste = False,
    details: Details = "photo",
    side: Side = None,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Make relatives of one photo, which stands first on the sheet."""
    from facette.cli.model import open_model
    from facette.cli.paste import paste_results
    from facette.cli.photo import check_all_faces, numbered, sheet_path, take_in_faces
    from facette.latent.around import parse_step
    from facette.latent.vary import vary as vary_photo
    from facette.model.conditions import parse_values
    from facette.progress import unheard

    check_all_faces(all_faces, align, face, eyes)
    condition = parse_values(told or [])
    steps = [parse_step(text) for text in around or []]
    target = sheet_path(out, f"{photo.stem}-variations.png")
    opened = open_model(model, device, plain, light=not refine)
    photos = take_in_faces(opened, photo, all_faces, align, face, eyes, hide)
    results, accounts = [], []
    for number, taken_in in enumerate(photos, start=1):
        drawn, first = (count, seed) if pick is None else (1, pick)
        with progress(refine, "refining", "steps") if refine else nullcontext() as bar:
            variations = vary_photo(
                opened,
                taken_in,
                drawn,
                parse_diversity(diversity),
                first,
                mode,
                refine,
                noise,
                steps,
                details,
                side,
                likeness=likeness,
                spread=spread if pick is None else "random",
                pool=pool,
                condition=condition,
                progress=bar.advance if bar else unheard,
            )
        sheet, singles = numbered(target, number), each and numbered(each, number)
        results.append(variations)
        accounts.append(_write(variations, taken_in, sheet, singles))
    pasted = {"pasted": paste_results(opened, photos, results, target) if paste else []}
    sheets = "\n".join(account["sheet"] for account in accounts)
    emit({"faces": accounts, **pasted} if all_faces else {**accounts[0], **pasted}, sheets, as_json)


def _write(variations: "Variations", intake: "PhotoInput", target: Path, each: Path | None) -> dict[str, Any]:
    """Writes the sheet, and what else was asked for; returns an account of it."""
    from facette.cli.film import save_result
    from facette.cli.photo import account_of

    written = save_result(replace(variations, remark=intake.report.summary()), target, each)
    if variations.note:
        remark(variations.note)
    account = {
        **written,
        "photo": account_of(intake),
        **variations.settings(),
    }
    if variations.refined is not None:
        account["elbo_before"] = float(variations.refined.elbo_before[0])
        account["elbo_after"] = float(variations.refined.elbo_after[0])
        remark(f"refined: ELBO {account['elbo_before']:.1f} → {account['elbo_after']:.1f} nats")
    return account


def parse_diversity(text: str | None) -> "float | str | None":
    """A number where it is one; a level or nothing as it is."""
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        return text
