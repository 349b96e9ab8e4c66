"""`facette sweep`: one photo at growing diversity, a row for each factor; with --report also what that does to it."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from facette.cli.model import DEFAULT_MODEL, Model, Plain
from facette.cli.output import Device, Json, Seed, emit, remark
from facette.cli.photo import Align, Eyes, Face, Photo

if TYPE_CHECKING:
    from facette.dial.sweep import DialSweep


def sweep(
    photo: Photo,
    first: Annotated[float, typer.Option("--from", min=0, help="The factor of the first row.")] = 1.0,
    last: Annotated[float, typer.Option("--to", min=0, help="The factor of the last row.")] = 10.0,
    rows: Annotated[int, typer.Option("--rows", min=1, help="How many factors, evenly spaced.")] = 10,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many variations in a row.")] = 10,
    mode: Annotated[
        Literal["factor", "variance"],
        typer.Option("--mode", help="What the factor multiplies: factor (of σ) or variance (σ²)."),
    ] = "factor",
    noise: Annotated[
        Literal["posterior", "aggregate"],
        typer.Option(
            "--noise", help="Shaped by this photo's σ, or by all faces together (calibrated models)."
        ),
    ] = "posterior",
    report: Annotated[
        bool,
        typer.Option(
            "--report",
            help="Also a page with likeness, realism, spread and the factor to take (calibrated models).",
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
    seed: Seed = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Show what each diversity does to one photo; a column keeps its direction from row to row."""
    from facette.cli.model import open_model
    from facette.cli.photo import account_of, sheet_path, take_in
    from facette.errors import UsageError
    from facette.latent.vary import spaced_factors
    from facette.latent.vary import sweep as sweep_photo

    if report and mode != "factor":
        raise UsageError("--report measures factors of σ: leave out --mode variance.")
    factors = spaced_factors(first, last, rows)
    target = sheet_path(out, f"{photo.stem}-sweep.png")
    opened = open_model(model, device, plain, light=not report and noise == "posterior")
    taken = take_in(opened, photo, align, face, eyes)
    said = taken.report.summary()
    if report:
        from facette.dial.sweep import dial_sweep

        measured = dial_sweep(opened, taken, factors, count=count, seed=seed, noise=noise).remarked(said)
        swept, sheet, page = measured.sweep, measured.save(target), _write_page(measured, photo.name, target)
    else:
        swept = sweep_photo(opened, taken, factors, count=count, seed=seed, mode=mode, noise=noise)
        sheet, page, measured = replace(swept, remark=said).save(target), None, None
    data = {
        "sheet": str(sheet),
        "photo": account_of(taken),
        "model": opened.name,
        "factors": list(swept.factors),
        "count": count,
        "mode": mode,
        "noise": noise,
        "seed": seed,
        "seeds": list(swept.rows[0].seeds),
    }
    if measured is not None:
        data = {**data, "page": str(page), **_measures(measured)}
        remark(_recommendation(measured))
    emit(data, str(sheet) if page is None else f"{sheet}\n{page}", as_json)


def _write_page(measured: "DialSweep", name: str, sheet: Path) -> Path:
    """The report beside the sheet, under the same name."""
    from facette.plots.dial import dial_page

    one = measured.sweep.rows[0]
    words = [_recommendation(measured), f"The photo: {measured.sweep.remark}."]
    subtitle = (
        f"model {one.model} · {one.noise} noise · {len(one.seeds)} variations a row · seed {one.seeds[0]}"
    )
    page = dial_page(f"Diversity of {name}", subtitle, measured.sheet(), measured.settings(), words)
    return page.save(sheet.with_suffix(".html"))


def _measures(measured: "DialSweep") -> dict[str, Any]:
    names = ("recommended", "threshold", "realism_floor", "reconstruction_likeness", "readings")
    settings = measured.settings()
    return {name: settings[name] for name in names}


def _recommendation(measured: "DialSweep") -> str:
    if measured.recommended is None:
        return (
            "No factor is recommended: the model redraws this photo so unlike it "
            f"(likeness {measured.redrawn:.2f}) that strangers come as near ({measured.threshold:.2f})."
        )
    return (
        f"Recommended factor: {measured.recommended:g}. Up to there every variation stays more like the photo than "
        "99 % of strangers are, and as realistic as at factor 1 but for 20 %."
    )
