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
) -> tuple[Any, str]:
    """The packed data set for a recipe's input, and what to call it. Unreadable pictures are said on stderr."""
    from facette.data import open_dataset

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
        given = {} if attributes is None else {"attributes": attributes}
        store = open_dataset(source, recipe.input, cache_dir=cache, strict=strict, progress=show, **given)
    unreadable = getattr(store, "unreadable", [])
    for name, reason in unreadable[:SHOWN_UNREADABLE]:
        remark(f"left out: {name} {reason}")
    if len(unreadable) > SHOWN_UNREADABLE:
        remark(f"left out: {len(unreadable) - SHOWN_UNREADABLE} more; `facette prepare` lists them all")
    return store, source if "/" not in source else Path(source).resolve().name
