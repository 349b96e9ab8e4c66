"""`facette prepare`: decode a data set once, so that training and evaluation start at once and read at random."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from facette.cli.output import AlignAll, Cache, Json, Labels, Pictures, Set, Strict, emit
from facette.models import DEFAULT_MODEL


def prepare(
    source: Pictures,
    recipe: Annotated[
        str,
        typer.Option(
            "--recipe",
            help="Whose picture size and crop to prepare for: a name or a TOML file; pictures is fitted to them.",
        ),
    ] = DEFAULT_MODEL,
    overrides: Set = None,
    cache: Cache = None,
    align: AlignAll = True,
    labels: Labels = None,
    strict: Strict = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Decode again, even if that was done before.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Decode a data set once. Interrupted, the same command goes on where it stopped."""
    from facette.cli.data import done_to, open_source
    from facette.data.proposal import recipe_for
    from facette.errors import UsageError
    from facette.recipe import ImageInput

    resolved = recipe_for(recipe, [source], overrides or [])
    if not isinstance(resolved.input, ImageInput):
        raise UsageError(f"recipe {resolved.name!r} takes vectors; there are no pictures to prepare.")
    store, _ = open_source(
        source,
        resolved,
        cache=cache,
        align=align,
        attributes=labels,
        strict=strict,
        fresh=fresh,
        remarks=False,
    )
    for part in getattr(store, "stores", (store,)):  # of several folders, each has a store of its own
        part.verify()
    account = _account(store)
    listings = [*done_to(store), *(listing.sentence() for listing in store.listings)]
    emit(account, _spoken(account, listings), as_json)


def _account(store: Any) -> dict[str, Any]:
    from facette.text import readable

    return {
        "store": str(store.path),
        "pictures": len(store),
        "size": store.size,
        "fingerprint": store.fingerprint,
        "splits": {part: len(store.indices(part)) for part in ("train", "valid", "test")},
        "lists": [
            {"file": listing.file, "gives": listing.gives, "pictures": listing.pictures}
            for listing in store.listings
        ],
        "attributes": [] if store.attributes is None else list(store.attributes.names),
        "aligned": store.aligned,
        "treated": store.treated,
        "passed_over": store.passed_over,
        "unreadable": [{"name": readable(name), "reason": reason} for name, reason in store.unreadable],
    }


def _spoken(account: dict[str, Any], listings: list[str]) -> str:
    from facette.form import spoken_size

    splits = ", ".join(f"{count:,} {part}" for part, count in account["splits"].items() if count)
    lines = [
        account["store"],
        f"{account['pictures']:,} pictures of {spoken_size(account['size'])}: {splits}",
    ]
    lines += [f"{account['aligned']:,} of them aligned"] if account["aligned"] else []
    lines += listings
    if account["attributes"]:
        lines.append(f"{len(account['attributes'])} attributes: {', '.join(account['attributes'])}")
    if account["unreadable"]:
        lines.append(f"{len(account['unreadable']):,} unreadable, left out:")
        lines += [f"  {entry['name']} {entry['reason']}" for entry in account["unreadable"]]
    return "\n".join(lines)
