"""A data set named on the command line, opened with a progress bar and an account of what was left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from facette.cli.output import progress, remark
from facette.errors import DataError
from facette.recipe import Recipe

SHOWN_UNREADABLE = 5


def open_source(
    source: str,
    recipe: Recipe,
    *,
    cache: Path | None = None,
    attributes: Path | None = None,
    strict: bool = False,
    fresh: bool = False,
    remarks: bool = True,
) -> tuple[Any, str]:
    """The packed data set for a recipe's input, and what to call it. Unreadable pictures are said on stderr, if
    `remarks`. `fresh`: decode again what was decoded before."""
    from facette.data import open_dataset

    if not source and recipe.input.kind == "vector":
        from facette.data.mixture import SOURCE

        source = SOURCE  # the points that the recipe is about
    if not source:
        raise DataError(
            f"recipe {recipe.name!r} needs pictures: name a folder, a zip, a CelebA folder, or synthetic-faces"
        )
    with progress(None, "reading pictures", "pictures") as bar:

        def show(done: int, total: int) -> None:
            bar.total(total)
            bar.advance(done - show.done)  # type: ignore[attr-defined]
            show.done = done  # type: ignore[attr-defined]

        show.done = 0  # type: ignore[attr-defined]
        store = open_dataset(source, recipe.input, cache, strict, show, attributes=attributes, fresh=fresh)
    unreadable = getattr(store, "unreadable", []) if remarks else []
    for name, reason in unreadable[:SHOWN_UNREADABLE]:
        remark(f"left out: {name} {reason}")
    if len(unreadable) > SHOWN_UNREADABLE:
        remark(f"left out: {len(unreadable) - SHOWN_UNREADABLE} more; `facette prepare` lists them all")
    return store, source if "/" not in source else Path(source).resolve().name
