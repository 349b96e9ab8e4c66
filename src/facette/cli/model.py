"""The model a command works with: one option and one way to open it."""

from typing import Annotated

import typer

Model = Annotated[str, typer.Option("--model", help="A bundled model's name, a model folder, or a run.")]

DEFAULT_MODEL = "faces64"


def open_model(name: str, device: str):
    """The loaded model on the wished device."""
    from facette.checkpoint.native import load_model

    return load_model(name, device=device)
