"""`facette map`: where pictures lie in latent space, as points by attribute or with the faces on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from facette.cli.output import Device, Json, Seed, emit, progress, remark


def map_(
    model: Annotated[str, typer.Argument(help="A bundled model's name, a model folder, or a run.")],
    data: Annotated[
        str, typer.Argument(help="A folder or zip of pictures, a CelebA folder, or synthetic-faces[:COUNT].")
    ],
    method: Annotated[
        Literal["tsne", "pca"], typer.Option("--method", help="t-SNE or principal components.")
    ] = "tsne",
    color: Annotated[
        str,
        typer.Option(
            "--color", metavar="ATTRIBUTE", help="Colour by an attribute (or, for a mixture, by component)."
        ),
    ] = "",
    thumbnails: Annotated[
        bool, typer.Option("--thumbnails", help="Draw the pictures instead of points.")
    ] = False,
    split: Annotated[Literal["train", "valid", "test", "all"], typer.Option("--split")] = "all",
    count: Annotated[
        int, typer.Option("--count", "-n", min=4, help="At most so many, drawn by the seed.")
    ] = 2000,
    out: Annotated[Path, typer.Option("--out", "-o", help="The map: .png, .svg or .pdf.")] = Path("map.png"),
    cache: Annotated[Path | None, typer.Option("--cache", help="Where packed pictures are kept.")] = None,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Draw a map of the latent space. The projection is saved beside it as .npz."""
    import numpy as np

    from facette.cli.data import open_source
    from facette.cli.model import open_model
    from facette.errors import UsageError
    from facette.evaluation.neighbours import base_rate, neighbour_purity, trustworthiness
    from facette.evaluation.subject import choose_data
    from facette.latent.project import Projection, project_latents
    from facette.plots.curves import plot_latent_map
    from facette.plots.maps import plot_thumbnail_map
    from facette.plots.style import check_figure_path, footnote, save_figure

    check_figure_path(out)
    opened = open_model(model, device)
    store, label = open_source(data, opened.recipe, cache=cache)
    subject = choose_data(opened, store, split, min(count, len(store.indices(split))), seed, label=label)
    labels = _labels(store, color, subject.indices) if color else None
    if thumbnails and opened.input.kind == "vector":
        raise UsageError("--thumbnails needs a model of pictures: leave it out")
    means = []
    with progress(len(subject.indices), "encoding") as bar:
        for _, batch in subject.batches(256):
            means.append(opened.encode(batch).mean.numpy())
            bar.advance(len(batch))
    latents = np.concatenate(means)
    remark(f"projecting {len(latents):,} latents by {method}")
    points = project_latents(latents, method, seed)

    title = f"{len(points):,} of {label} in the latent space of {opened.name}"
    if thumbnails:
        marked = None if labels is None else labels == color
        figure = plot_thumbnail_map(points, subject.read(subject.indices), marked, title)
    else:
        figure = plot_latent_map(points, None if labels is None else labels.tolist(), title)
    listed = tuple(store.names[int(i)] for i in subject.indices)
    figures = {"trustworthiness": trustworthiness(latents, points)}
    if labels is not None and len(set(labels)) > 1:
        figures |= {
            "base_rate": base_rate(labels),
            "purity_in_latent_space": neighbour_purity(latents, labels),
            "purity_on_the_map": neighbour_purity(points, labels),
        }
    said = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in figures.items())
    footnote(figure, said)
    path = save_figure(figure, out)
    saved = Projection(points, listed, method, seed, opened.name).save(out.with_suffix(".npz"))
    remark(said)
    emit({"map": str(path), "projection": str(saved), "count": len(points), **figures}, str(path), as_json)


def _labels(store: Any, color: str, indices: Any) -> Any:
    """The attribute where a picture has it, "not …" where not, "unknown" else; or the component of a mixture."""
    import numpy as np

    from facette.errors import UsageError

    if color == "component" and getattr(store, "components", None) is not None:
        return np.array([f"component {k + 1}" for k in store.components[indices]])
    if store.attributes is None:
        raise UsageError(
            f"--color {color}: this data set has no attributes; put a CSV beside it, or leave --color out"
        )
    values = store.attributes.column(color)[indices]
    return np.select([values == 1, values == -1], [color, f"not {color}"], "unknown")
