"""`facette info`: what a model file holds, and what to know about it, without loading its weights."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from facette.cli.output import Json, emit
from facette.models import DEFAULT_MODEL


def info(
    model: Annotated[
        str, typer.Argument(help="A bundled model's name, a model folder, a run, or a .safetensors.")
    ] = DEFAULT_MODEL,
    as_json: Json = False,
) -> None:
    """Show what a model is, where it comes from and how well it does."""
    from facette.checkpoint.locate import describe_model, find_model

    path = find_model(model)
    header = describe_model(path)
    emit({"path": str(path), **header}, describe(str(path), header), as_json)


def describe(path: str, header: dict[str, Any]) -> str:
    """The header of a model file as lines for people."""
    from facette.form import spoken_form

    recipe, provenance = header["recipe"], header.get("provenance", {})
    form, spec = recipe["input"], recipe["model"]
    takes = (
        f"{form['size']} values"
        if form["kind"] == "vector"
        else f"{spoken_form(form['size'], form.get('channels', 3), form.get('depth', 8))}, {form['range']} range"
    )
    likelihood = spec["likelihood"]
    rows = [
        ("model", f"{recipe['name']}: {recipe['summary']}"),
        ("file", path),
        ("takes", takes),
        ("latent", f"{spec['latent']} dimensions"),
        ("networks", f"{spec['encoder']['kind']} encoder, {spec['decoder']['kind']} decoder"),
        (
            "likelihood",
            f"{likelihood['kind']}"
            + (f", σ {likelihood['sigma']}" if likelihood["kind"] == "gaussian" else ""),
        ),
        ("objective", f"β = {recipe['objective']['beta']:g}, {recipe['objective']['schedule']}"),
    ]
    rows += [
        (key.replace("_", " "), _short(value))
        for key, value in provenance.items()
        if key not in ("notes", "terms")
    ]
    rows += [
        (key.replace("_", " "), _short(value))
        for key, value in header.get("metrics", {}).items()
        if not isinstance(value, (dict, list))
    ]
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:<{width}}  {value}" for name, value in rows]
    if terms := provenance.get("terms"):
        lines += ["", f"terms of use: {terms}"]
    lines += [f"note: {note}" for note in provenance.get("notes", [])]
    return "\n".join(lines)


def _short(value: Any) -> str:
    return (
        f"{value:.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
    )
