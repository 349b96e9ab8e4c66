"""`facette sweep`: one photo at growing diversity, a row for each strength; with --report also what that does to it."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from facette.cli.model import Model, Plain
from facette.cli.output import Device, Json, Seed, emit, remark
from facette.cli.photo import Align, Details, Eyes, Face, Hide, Photo, Side
from facette.models import DEFAULT_MODEL

if TYPE_CHECKING:
    from facette.dial.sweep import DialSweep

RANGE = {"people": (0.2, 2.0), "posterior": (1.0, 10.0)}  # strengths of the first and the last row


def sweep(
    photo: Photo,
    first: Annotated[
        float | None,
        typer.Option("--from", min=0, help="The strength of the first row.  [default: 0.2, or 1 with σ]"),
    ] = None,
    last: Annotated[
        float | None,
        typer.Option("--to", min=0, help="The strength of the last row.  [default: 2, or 10 with σ]"),
    ] = None,
    rows: Annotated[int, typer.Option("--rows", min=1, help="How many strengths, evenly spaced.")] = 10,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many variations in a row.")] = 10,
    mode: Annotated[
        Literal["factor", "variance"],
        typer.Option("--mode", help="What the factor multiplies: factor (of σ) or variance (σ²)."),
    ] = "factor",
    noise: Annotated[
        Literal["people", "posterior"] | None,
        typer.Option(
            "--noise",
            help="Shares of how people differ, or factors of this photo's σ.  [default: people; σ where --from or --to "
            "is given]",
        ),
    ] = None,
    report: Annotated[
        bool,
        typer.Option(
            "--report",
            help="Also a page with likeness to the person, realism and spread (calibrated models).",
        ),
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The sheet.  [default: PHOTO-sweep.png]")
    ] = None,
    model: Model = DEFAULT_MODEL,
    plain: Plain = False,
    align: Align = True,
    face: Face = 1,
    eyes: Eyes = None,
    hide: Hide = None,
    details: Details = "photo",
    side: Side = None,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Show what each diversity does to one photo; a column keeps its direction from row to row."""
    from facette.cli.model import open_model
    from facette.cli.photo import account_of, take_in
    from facette.cli.places import place_for
    from facette.errors import UsageError
    from facette.images.sheets.grid import check_sheet_path
    from facette.latent.noise import knows_people
    from facette.latent.vary import spaced_factors
    from facette.latent.vary import sweep as sweep_photo

    if report and mode != "factor":
        raise UsageError("--report measures factors of σ: leave out --mode variance.")
    wished = None if out is None else check_sheet_path(out)
    target = place_for(wished, f"{photo.stem}-sweep.png", *((".html",) if report else ()))[0]
    opened = open_model(model, device, plain, light=not report)
    if noise is None:
        numbers = first is not None or last is not None or mode == "variance"
        noise = "people" if knows_people(opened) and not numbers else "posterior"
    low, high = RANGE[noise]
    factors = spaced_factors(low if first is None else first, high if last is None else last, rows)
    intake = take_in(opened, photo, align, face, eyes, hide)
    summary = intake.report.summary()
    if report:
        from facette.dial.sweep import dial_sweep

        measured = dial_sweep(
            opened, intake, factors, count=count, seed=seed, noise=noise, details=details, side=side
        ).remarked(summary)
        swept, sheet, page = measured.sweep, measured.save(target), _write_page(measured, photo.name, target)
    else:
        swept = sweep_photo(
            opened,
            intake,
            factors,
            count=count,
            seed=seed,
            mode=mode,
            noise=noise,
            details=details,
            side=side,
        )
        sheet, page, measured = replace(swept, remark=summary).save(target), None, None
    data = {
        "sheet": str(sheet),
        "photo": account_of(intake),
        "model": opened.name,
        "factors": list(swept.factors),
        "count": count,
        "mode": mode,
        "noise": noise,
        "details": details,
        "seed": seed,
        "seeds": list(swept.rows[0].seeds),
    }
    if measured is not None:
        data = {**data, "page": str(page), **_measures(measured)}
        remark(_meaning(measured))
    emit(data, str(sheet) if page is None else f"{sheet}\n{page}", as_json)


def _write_page(measured: "DialSweep", name: str, sheet: Path) -> Path:
    """The report beside the sheet, under the same name."""
    from facette.plots.dial import dial_page

    first = measured.sweep.rows[0]
    words = [_meaning(measured), f"The photo: {measured.sweep.remark}."]
    words_of_seeds = f"{len(first.seeds)} variations a row · seed {first.seeds[0]}"
    subtitle = f"model {first.model} · {first.noise} noise · {words_of_seeds}"
    page = dial_page(f"Diversity of {name}", subtitle, measured.sheet(), measured.settings(), words)
    return page.save(sheet.with_suffix(".html"))


def _measures(measured: "DialSweep") -> dict[str, Any]:
    settings = measured.settings()
    return {name: settings[name] for name in ("automatic", "judged", "readings")}


def _meaning(measured: "DialSweep") -> str:
    how = "measured on these pictures" if measured.judged else "as the model's curve expects"
    return (
        f"Auto is {measured.automatic:g}: almost as different as another photo of the same person. Likeness is "
        f"{how}: 1 the photo itself, 0 a stranger."
    )
