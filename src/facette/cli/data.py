"""A data set named on the command line, opened with a progress bar and an account of what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from facette.cli.output import remark, stages
from facette.errors import DataError
from facette.recipe import Recipe

SHOWN_UNREADABLE = 5


def open_source(
    source: str | Sequence[str],
    recipe: Recipe,
    *,
    cache: Path | None = None,
    attributes: Path | None = None,
    strict: bool = False,
    align: bool = True,
    fresh: bool = False,
    remarks: bool = True,
) -> tuple[Any, str]:
    """The packed data set for a recipe's input, or several as one, and what to call it. Unreadable pictures are said on
    stderr, if `remarks`. `fresh`: decode again what was decoded before."""
    from facette.data.open import open_datasets

    sources = [source] if isinstance(source, str) else list(source)
    sources = [source for source in sources if source]
    if not sources and recipe.input.kind == "vector":
        from facette.data.mixture import SOURCE

        sources = [SOURCE]  # the points that the recipe is about
    if not sources:
        raise DataError(
            f"recipe {recipe.name!r} needs pictures: name a folder, a zip, a CelebA folder, or synthetic-faces"
        )
    with stages() as show:
        store = open_datasets(
            sources,
            recipe.input,
            cache,
            strict,
            show,
            attributes=attributes,
            align="auto" if align else "never",
            fresh=fresh,
        )
    unreadable = getattr(store, "unreadable", []) if remarks else []
    if remarks and getattr(recipe.input, "frame", None) is not None:
        remark(taken_in(store))
    for sentence in done_to(store) if remarks else ():
        remark(sentence)
    remark_left_out(unreadable, "`facette prepare`")
    for listing in getattr(store, "listings", ()) if remarks else ():
        remark(listing.sentence())
    return store, ", ".join(each if "/" not in each else Path(each).resolve().name for each in sources)


def remark_left_out(unreadable: Sequence[Sequence[str]], lister: str) -> None:
    """The first of the pictures (name, reason) that were left out, and what lists the others."""
    for name, reason in unreadable[:SHOWN_UNREADABLE]:
        remark(f"left out: {name} {reason}")
    if len(unreadable) > SHOWN_UNREADABLE:
        remark(f"left out: {len(unreadable) - SHOWN_UNREADABLE} more; {lister} lists them all")


def done_to(store: Any) -> list[str]:
    """What was done to the pictures beside aligning them, and what beside them was passed over."""
    from facette.data.treatment import in_words

    passed_over = getattr(store, "passed_over", "")
    sentences = [
        in_words(getattr(store, "treated", {}), len(store)),
        passed_over and f"passed over: {passed_over}",
    ]
    return [sentence for sentence in sentences if sentence]


def taken_in(store: Any) -> str:
    """How many pictures were aligned, taken as they are, and left out."""
    aligned = getattr(store, "aligned", 0)
    return account_in_words(aligned, len(store) - aligned, len(getattr(store, "unreadable", ())))


def account_in_words(aligned: int, kept: int, left: int) -> str:
    """The sentence with these counts, and what helps where photos were left out."""
    sentence = f"{aligned:,} pictures aligned, {kept:,} taken as they are, {left:,} left out"
    return sentence + (" (--no-align takes the centre of photos without a face)" if aligned and left else "")
