"""`facette import`: somebody else's checkpoint becomes a model folder; none of its code is run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from facette.cli.output import Json, emit


def import_(
    file: Annotated[Path, typer.Argument(help="A .pth, .pt, .ckpt or .safetensors file.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="MODEL", help="The model folder to write.")],
    recipe: Annotated[
        str | None, typer.Option("--recipe", help="The network it must fit; inferred when not given.")
    ] = None,
    range_: Annotated[
        Literal["unit", "symmetric"] | None,
        typer.Option("--range", help="Pixel values it was trained on: [0, 1] or [-1, 1]."),
    ] = None,
    image_size: Annotated[
        int | None, typer.Option("--image-size", min=1, help="Side of its square pictures, in pixels.")
    ] = None,
    output: Annotated[
        Literal["sigmoid", "tanh"] | None,
        typer.Option("--output", help="Its last activation, where tensors cannot tell."),
    ] = None,
    weights: Annotated[
        str | None, typer.Option("--weights", help="Which set of weights, when the file holds several.")
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option("--drop", metavar="PATTERN", help="Extra tensors to leave out, e.g. 'lpips.*'."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a model that is already there.")] = False,
    as_json: Json = False,
) -> None:
    """Turn somebody else's VAE weights into a Facette model, running none of their code."""
    from facette.checkpoint.foreign import import_checkpoint
    from facette.checkpoint.native import WEIGHTS
    from facette.cli import with_options
    from facette.errors import UsageError

    if (out / WEIGHTS).exists() and not force:
        raise UsageError(f"{out} holds a model already: give another --out, or --force to write over it")
    if out.is_file():
        raise UsageError(f"{out} is a file: --out names the model folder to write")
    model = import_checkpoint(
        file,
        out,
        recipe=recipe,
        range=range_,
        image_size=image_size,
        output=output,
        weights=weights,
        drop=drop or (),
    )
    notes = model.provenance["notes"]
    spec = model.recipe.input
    assert spec.kind == "image"  # no family of the importer is of vectors
    lines = [
        f"{out}: {model.name}, {spec.size}×{spec.size}, {spec.range} range, latent {model.latent}",
        *(f"  {with_options(note, 'import')}" for note in notes),
    ]
    data = {"model": str(out), "recipe": model.recipe.model_dump(mode="json", exclude_none=True)}
    emit(data | {"provenance": model.provenance}, "\n".join(lines), as_json)
