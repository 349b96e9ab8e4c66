"""`facette push`: a model to a hub, because somebody said so."""

from typing import Annotated

import typer

from facette.cli.model import ModelArgument
from facette.cli.output import Json, emit, remark


def push(
    model: ModelArgument,
    repository: Annotated[str, typer.Argument(help="Where it goes, e.g. someone/my-faces.")],
    private: Annotated[bool, typer.Option("--private", help="A new repository that only you see.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be uploaded, and upload nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Upload a model and its card to a model hub. `hf auth login` says who you are."""
    from facette.checkpoint.hub import FILES, push_to_hub
    from facette.cli.model import open_model

    opened = open_model(model, "cpu")
    data = {"model": opened.name, "repository": repository, "files": list(FILES)}
    if terms := opened.provenance.get("terms"):
        remark(f"terms of use that travel with the model: {terms}")
    if dry_run:
        emit({**data, "address": None}, f"would upload {', '.join(FILES)} to {repository}", as_json)
        return
    address = push_to_hub(opened, repository, private=private or None)
    emit({**data, "address": address}, address, as_json)
