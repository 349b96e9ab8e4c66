"""The model a command works with: one option and one way to open it."""

from typing import Annotated, Any

import typer

WHICH = "A bundled model's name, a model folder, or a run."
Model = Annotated[str, typer.Option("--model", help=WHICH)]
ModelArgument = Annotated[str, typer.Argument(help=WHICH)]

Plain = Annotated[
    bool,
    typer.Option("--plain", help="Without the second stage: the bare decoder's mean, as blurred as it is."),
]
With = Annotated[
    list[str] | None,
    typer.Option(
        "--with",
        metavar="NAME=VALUE",
        help="For a model with conditions: what it is told, such as digit=7 or Eyeglasses=yes; repeated for several.",
    ),
]


def open_model(name: str, device: str, plain: bool = False, light: bool = False) -> Any:
    """The loaded model on the wished device; `plain` leaves its second stage out.

    `light` says that the command only encodes photos and decodes latents, a few: then the model comes without torch
    where that can be had, for torch alone takes longer to import than ten pictures to draw.
    """
    _remark_on_age(name)
    if light:
        from facette.checkpoint.drawing import open_to_draw

        return open_to_draw(name, device, plain)
    from facette.checkpoint.native import load_model

    model = load_model(name, device=device)
    return model.plain() if plain else model


def _remark_on_age(name: str) -> None:
    """Says that a file of an older version, or of another program, cannot show whether a disk has changed it."""
    from facette.checkpoint.digest import has_digest
    from facette.checkpoint.locate import find_model
    from facette.cli.output import remark

    path = find_model(name)
    if not has_digest(path):
        remark(
            f"{path} carries no digest, as files of Facette 0.1 do: a bit that turned in it would not be noticed. "
            "facette.save(facette.load(…), …) writes one."
        )
