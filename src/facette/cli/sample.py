"""`facette sample`: pictures of nobody, or points of a model of vectors."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from facette.cli.model import Model, Plain, With
from facette.cli.output import Device, Json, Seed, emit
from facette.cli.photo import Each, Side
from facette.models import DEFAULT_MODEL


def sample(
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many samples.")] = 20,
    prior: Annotated[
        Literal["fitted", "normal"] | None,
        typer.Option(
            "--prior", help="fitted (to the latents after training) or normal.  [default: fitted if there]"
        ),
    ] = None,
    temperature: Annotated[
        float, typer.Option("--temperature", min=0, help="Below 1 more ordinary, above 1 bolder.")
    ] = 1.0,
    told: With = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The sheet, or a CSV of points.  [default: samples.png, .csv]"),
    ] = None,
    each: Each = None,
    model: Model = DEFAULT_MODEL,
    plain: Plain = False,
    side: Side = None,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Draw new pictures from the model's prior."""
    from facette.cli.film import save_result
    from facette.cli.model import open_model
    from facette.cli.places import place_for
    from facette.latent import sample as draw
    from facette.model.conditions import parse_values

    opened = open_model(model, device, plain, light=True)
    condition = parse_values(told or [])
    (target,) = place_for(out, "samples.csv" if opened.input.kind == "vector" else "samples.png")
    samples = draw(opened, count, seed, prior, temperature, condition, side)
    written = save_result(samples, target, each)
    data = {
        "sheet" if samples.are_pictures else "points": written["sheet"],
        "each": written["each"],
        "model": opened.name,
        "count": count,
        "prior": samples.prior,
        "temperature": temperature,
        **({"condition": condition} if condition else {}),
        "seed": seed,
        **({} if samples.drawing is None else samples.drawing.settings()),
    }
    emit(data, written["sheet"], as_json)
