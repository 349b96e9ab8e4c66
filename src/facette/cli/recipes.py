"""`facette recipes`: the shipped runs, and one of them in full."""

from __future__ import annotations

from typing import Annotated

import typer

from facette.cli.output import Json, Set, emit


def recipes(
    name: Annotated[
        str, typer.Argument(help="A recipe to show in full, ready to be saved and changed.")
    ] = "",
    overrides: Set = None,
    as_json: Json = False,
) -> None:
    """List the shipped recipes, or print one as TOML."""
    from facette.recipe import load_recipe, shipped_recipes

    if name:
        recipe = load_recipe(name, overrides or [])
        emit(recipe.model_dump(mode="json", exclude_none=True), recipe.to_toml().rstrip(), as_json)
        return
    summaries = {n: load_recipe(n).summary for n in shipped_recipes()}
    width = max(map(len, summaries))
    emit(summaries, "\n".join(f"{n:<{width}}  {summary}" for n, summary in summaries.items()), as_json)
