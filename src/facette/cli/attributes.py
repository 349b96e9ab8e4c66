"""`facette attributes`: directions in the latent space, fitted to labelled pictures and kept in the model file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from facette.cli.model import ModelArgument, open_model
from facette.cli.output import Cache, Device, Json, Labels, Seed, emit, progress, remark

RATED = 200  # photos that edits are tried on


def attributes(
    action: Annotated[
        Literal["fit", "rate", "show"],
        typer.Argument(
            help="fit directions to labelled DATA, rate how strong an edit must be to be seen on DATA, or show what "
            "MODEL knows."
        ),
    ],
    model: ModelArgument,
    data: Annotated[
        str,
        typer.Argument(help="For fit and rate: a folder, zip, CelebA folder, or synthetic-faces[:COUNT]."),
    ] = "",
    labels: Labels = None,
    factors: Annotated[
        bool,
        typer.Option("--factors", help="The true factors of generated faces instead of their attributes."),
    ] = False,
    method: Annotated[
        Literal["logistic", "difference", "both"],
        typer.Option(
            "--method",
            help="Logistic normals, differences of means, or both: scores from the former, moves from the latter.",
        ),
    ] = "logistic",
    orthogonal: Annotated[
        bool,
        typer.Option("--orthogonal", help="Free each direction from what goes with the other attributes."),
    ] = False,
    split: Annotated[
        Literal["train", "valid", "test", "all"] | None,
        typer.Option(
            "--split", help="Which part of DATA.  [default: train; for rate valid]", show_default=False
        ),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(
            "--count", "-n", min=20, help="At most so many.  [default: all; for rate 200]", show_default=False
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", file_okay=False, help="A folder for a copy of the model, instead of MODEL itself."
        ),
    ] = None,
    cache: Cache = None,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Fit one direction for each labelled attribute, rate what edits are worth, or show both. Without labels: the main
    axes."""
    from facette.errors import UsageError
    from facette.latent.directions import fit_directions, known_directions

    opened = open_model(model, device)
    if action == "show":
        if data:
            raise UsageError(f"show takes a model alone: leave out {data!r}.")
        known = known_directions(opened)
        return emit(_account(known), _table(known), as_json)
    if not data:
        raise UsageError(
            f"{action} needs pictures: name a folder, a zip, a CelebA folder, or synthetic-faces."
        )
    if action == "rate":
        return _rate(opened, model, data, split or "valid", count or RATED, cache, out, as_json)
    encoded, label = _encoded(opened, data, labels, factors, split or "train", count, cache)
    table = encoded.table
    if table is None:
        return _keep_cloud(opened, model, encoded.posterior, label, out, as_json)
    with progress(len(table.names), "fitting", "attributes") as bar:
        directions, left_out = fit_directions(
            encoded.posterior,
            table.values,
            table.names,
            method=method,
            orthogonal=orthogonal,
            data=label,
            seed=seed,
            progress=bar.advance,
        )
    if left_out:
        remark(f"left out, too few pictures with or without: {', '.join(left_out)}")
    return _keep_directions(directions, model, out, as_json)


def _rate(
    opened: Any,
    model: str,
    data: str,
    split: str,
    count: int,
    cache: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Try every attribute on photos, both ways, and keep in the model file how strong it must be to be seen."""
    from facette.checkpoint.extras import add_extras
    from facette.cli.data import open_source
    from facette.data.source import sampled_rows
    from facette.dial.calibrate import judged_side, people_of
    from facette.dial.edits import EditedPhotos, measure_edits
    from facette.judges.identity import EXTRA, available
    from facette.latent.directions import known_directions
    from facette.latent.worth import figures_of, worth_rows, worth_table

    directions = known_directions(opened)
    judged = opened.input.model_copy(update={"size": judged_side(opened)})
    store, label = open_source(data, opened.recipe.model_copy(update={"input": judged}), cache=cache)
    indices = store.indices(split)
    indices = indices[sampled_rows(len(indices), count)]
    if not available():
        remark(
            f'no judge of who a face is: pip install "facette[{EXTRA}]", or nobody says who stays the same'
        )
    photos = EditedPhotos.of(opened, store.read(indices), people_of(store, indices))
    with progress(len(directions.names), "trying", "attributes") as bar:
        worth = measure_edits(opened, directions, photos, advance=bar.advance)
    path = add_extras(model, {}, figures_of(worth, f"{len(indices):,} pictures of {label} ({split})"), out)
    told = worth_rows(open_model(str(path), "auto"))
    emit({"model": str(path), **told}, f"{worth_table(told)}\n{path}", as_json)


def _encoded(
    opened: Any,
    data: str,
    labels: Path | None,
    factors: bool,
    split: str,
    count: int | None,
    cache: Path | None,
) -> tuple[Any, str]:
    """The chosen pictures with their labels, and what to call the data."""
    from facette.cli.data import open_source
    from facette.latent.attributes import encode_labelled

    store, label = open_source(data, opened.recipe, cache=cache, attributes=labels)
    total = len(store.indices(split)[:count])
    with progress(total, "encoding", "pictures") as bar:
        encoded = encode_labelled(opened, store, split, count, factors, bar.advance)
    return encoded, f"{total:,} pictures of {label} ({split})"


def _keep_directions(directions: Any, model: str, out: Path | None, as_json: bool) -> None:
    path = directions.save(model, out)
    emit({"model": str(path), **_account(directions)}, f"{_table(directions)}\n{path}", as_json)


def _keep_cloud(opened: Any, model: str, posterior: Any, label: str, out: Path | None, as_json: bool) -> None:
    """What unlabelled pictures have to say: where they lie, and along which axes they differ."""
    from facette.checkpoint.extras import add_extras
    from facette.latent.cloud import cloud_tensors, measure_cloud
    from facette.latent.traverse import ranked

    cloud = measure_cloud(posterior)
    rows = ranked(opened, cloud, "axes")[:10]
    path = add_extras(model, cloud_tensors(cloud), {}, out)
    remark(
        f"{label} have no labels: the main axes were kept; see them with `facette traverse MODEL --along axes`"
    )
    lines = [f"{row.name}: {100 * row.figure:.1f} % of the variance" for row in rows]
    axes = [{"name": row.name, "share": row.figure} for row in rows]
    emit({"model": str(path), "axes": axes, "data": label}, "\n".join([*lines, str(path)]), as_json)


def _account(known: Any) -> dict[str, Any]:
    from dataclasses import asdict

    rows = {
        name: {**asdict(quality), "entangled": dict(known.entangled(name, 5))}
        for name, quality in zip(known.names, known.quality, strict=True)
    }
    return {"method": known.method, "orthogonal": known.orthogonal, "data": known.data, "attributes": rows}


def _table(known: Any) -> str:
    """A line for each attribute, best known first."""
    import sys

    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("attribute", "have it", "AUC", "other method", "one step also changes"):
        table.add_column(heading, overflow="fold")
    for name, quality in sorted(zip(known.names, known.quality, strict=True), key=lambda pair: -pair[1].auc):
        also = ", ".join(f"{other} {effect:+.2f}" for other, effect in known.entangled(name))
        area = f"{quality.auc:.3f} ± {quality.auc_deviation:.3f}"
        table.add_row(name, f"{100 * quality.share:.1f} %", area, f"{quality.auc_other:.3f}", also)
    how = f"{known.method}{', orthogonalised' if known.orthogonal else ''}, on {known.data}"
    console = Console(width=None if sys.stdout.isatty() else 140)
    with console.capture() as capture:
        console.print(how, table, sep="\n", highlight=False, markup=False)
    return capture.get().rstrip()
