"""`--with`: what a model with conditions is told."""

from typing import Annotated

import typer

With = Annotated[
    list[str] | None,
    typer.Option(
        "--with",
        metavar="NAME=VALUE",
        help="For a model with conditions: what it is told, such as digit=7 or Eyeglasses=yes; repeated for several.",
    ),
]
