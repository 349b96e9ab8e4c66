"""`facette export`: a model in, files for other runtimes out."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from facette.cli.model import ModelArgument, Plain
from facette.cli.output import Json, emit


def export(
    model: ModelArgument,
    to: Annotated[
        Literal["onnx", "torch-export", "diffusers"],
        typer.Option("--to", help="ONNX files, torch.export programs, or a component of diffusers."),
    ] = "onnx",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", file_okay=False, help="The folder.  [default: MODEL-FORMAT]"),
    ] = None,
    plain: Plain = False,
    as_json: Json = False,
) -> None:
    """Write a model's encoder and decoder for other runtimes, checked against the model itself.

    To onnx, a model whose layers are not those of a shipped recipe also gets the graphs with which `vary` draws
    without torch, kept in your cache folder.
    """
    from facette.checkpoint.export import export_model
    from facette.checkpoint.trace import keep_graphs
    from facette.cli.model import open_model

    opened = open_model(model, "cpu", plain)
    written = export_model(opened, out or Path(f"{opened.name}-{to}"), to)
    kept = keep_graphs(opened) if to == "onnx" else []
    data: dict[str, Any] = {
        **asdict(written),
        "folder": str(written.folder),
        "files": [str(path) for path in written.files],
        "graphs": [str(path) for path in kept],
    }
    lines = [*data["files"], *data["graphs"], f"largest difference to the model: {written.difference:.1g}"]
    emit(data, "\n".join(lines), as_json)
