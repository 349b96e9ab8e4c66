"""`facette map`: where pictures lie in latent space, as a figure and as a page to walk in."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

import typer

from facette.cli.model import ModelArgument, Plain
from facette.cli.output import AlignAll, Cache, Device, Json, Labels, Pictures, Seed, emit, progress, remark


def map_(
    model: ModelArgument,
    data: Pictures,
    method: Annotated[
        Literal["tsne", "umap", "pca"], typer.Option("--method", help="t-SNE, UMAP or principal components.")
    ] = "tsne",
    color: Annotated[
        str,
        typer.Option(
            "--color",
            metavar="LABEL",
            help="Colour by an attribute, a class or a number of the labels (for a mixture: component).",
        ),
    ] = "",
    thumbnails: Annotated[
        bool,
        typer.Option("--thumbnails", help="In the figure only the faces, without the points beside them."),
    ] = False,
    place: Annotated[
        list[Path] | None,
        typer.Option("--place", metavar="PHOTO", help="Put a photo on the finished map; may be repeated."),
    ] = None,
    onto: Annotated[
        Path | None,
        typer.Option(
            "--onto", metavar="MAP.npz", help="Place DATA on this saved map; nothing is fitted anew."
        ),
    ] = None,
    split: Annotated[Literal["train", "valid", "test", "all"], typer.Option("--split")] = "all",
    count: Annotated[
        int, typer.Option("--count", "-n", min=4, help="At most so many, drawn by the seed.")
    ] = 2000,
    out: Annotated[
        list[Path] | None,
        typer.Option(
            "--out",
            "-o",
            help="A figure (.png, .svg, .pdf) or the interactive page (.html); may be repeated. "
            "Default: map.png and map.html.",
        ),
    ] = None,
    labels: Labels = None,
    cache: Cache = None,
    align: AlignAll = True,
    seed: Seed = 0,
    device: Device = "auto",
    plain: Plain = False,
    as_json: Json = False,
) -> None:
    """Draw a map of the latent space, as a figure and as a page that works offline: zoom, hover, neighbours,
    colours, lasso. The projection is saved beside it as .npz, so that --onto can place new photos on it."""
    from facette.cli.data import open_source
    from facette.cli.model import open_model
    from facette.cli.photo import SeveralPhotos, take_in_several
    from facette.errors import UsageError, import_extra
    from facette.mapping import map_latents

    wished = _places(out, keeps=onto is None)
    page = any(path.suffix.lower() == ".html" for path in wished)
    if page:
        import_extra("bokeh", "map", "An interactive map (--out map.png draws only the figure)")
    opened = open_model(model, device, plain)
    if thumbnails and opened.input.kind == "vector":
        raise UsageError("--thumbnails needs a model of pictures: leave it out")
    names = Counter(path.name for path in place or [])
    several = take_in_several(opened, place) if place else SeveralPhotos([])
    photos = {
        photo.name if names[photo.name] == 1 else str(photo.source): photo.picture for photo in several.photos
    }
    store, label = open_source(data, opened.recipe, cache=cache, align=align, attributes=labels)
    total = min(count, len(store.indices(split)))
    with progress(total, "encoding, projecting", "images") as bar:
        drawn = map_latents(
            opened,
            store,
            method=method,
            color=color,
            split=split,
            count=count,
            seed=seed,
            place=photos,
            onto=onto,
            reconstructions=page,
            label=label,
            progress=bar.advance,
        )
    paths = [drawn.save(path, *([thumbnails] if thumbnails else [])) for path in wished]
    saved = onto or drawn.save(wished[0].with_suffix(".npz"))
    remark(drawn.chart.remarks)
    written = [str(path) for path in paths]
    result = {"files": written, "projection": str(saved), "count": total, **drawn.figures}
    if photos:
        places = drawn.points[-len(photos) :].tolist()
        result["placed"] = dict(zip(photos, places, strict=True))
        result["left_out"] = several.left_out
    emit(result, "\n".join(written), as_json)
    several.leave_if_partly()


def _places(out: list[Path] | None, keeps: bool) -> list[Path]:
    """Where figure and page go; the projection lies beside the first of them, unless an older one is used."""
    from facette.cli.places import place_for
    from facette.mapping import check_map_path

    projection = (".npz",) if keeps else ()
    if not out:
        figure, page, *_ = place_for(None, "map.png", ".html", *projection)
        return [figure, page]
    first, *others = [check_map_path(path) for path in out]
    for path, beside in ((first, projection), *((path, ()) for path in others)):
        place_for(path, "", *beside)
    return [first, *others]
