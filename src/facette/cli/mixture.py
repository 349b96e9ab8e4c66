"""`facette mixture`: the laboratory. Trains on a density that is known, measures, and draws one page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facette.cli.failures import leave_if_interrupted
from facette.cli.output import Device, Json, Seed, Set, emit, progress, remark

if TYPE_CHECKING:
    from facette.data.mixture import VectorStore
    from facette.evaluation.mixture import DensityFigures
    from facette.model.trained import TrainedModel
    from facette.recipe import Recipe


def mixture(
    data: Annotated[
        str, typer.Argument(help="synthetic-mixture, or synthetic-mixture:seed=S,components=K,count=N.")
    ] = "synthetic-mixture",
    out: Annotated[Path, typer.Option("--out", "-o", help="The page: .png, .pdf or .svg.")] = Path(
        "mixture.png"
    ),
    recipe: Annotated[str, typer.Option("--recipe", help="A recipe of vectors.")] = "mixture3d",
    runs: Annotated[
        Path | None,
        typer.Option(
            "--runs",
            file_okay=False,
            help="Where the runs are kept, one a seed.  [default: runs/RECIPE/DATA]",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Train so many models and give means.")] = 1,
    table: Annotated[
        Path | None, typer.Option("--table", dir_okay=False, help="Write the measures as a Markdown table.")
    ] = None,
    overrides: Set = None,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Train a VAE on a known density, measure it against the truth, draw one page. About a minute a seed."""
    from facette.data.mixture import open_mixture
    from facette.errors import UsageError
    from facette.evaluation.mixture import fit_points, measure_fitted, measure_model, measure_truth
    from facette.files import write_atomically
    from facette.plots.style import check_figure_path, save_figure
    from facette.recipe import load_recipe

    check_figure_path(out)
    recipes = [load_recipe(recipe, [*(overrides or []), f"seed={seed + i}"]) for i in range(seeds)]
    if recipes[0].input.kind != "vector" or recipes[0].input.size != 3:
        raise UsageError(f"recipe {recipe!r} is not one of points in three dimensions: use mixture3d")
    store = open_mixture(data, recipes[0].input.size)
    folder = runs or Path("runs") / recipes[0].name / re.sub(r"\W+", "-", data)
    models = [_trained(run_recipe, store, data, folder, device) for run_recipe in recipes]
    rows: dict[str, list[DensityFigures]] = {"VAE": [], "truth": [], EM: []}
    with progress(3 * seeds, "measuring", "densities") as bar:
        fitted = fit_points(store, seed)
        for run_recipe, model in zip(recipes, models, strict=True):
            rows["VAE"].append(measure_model(model, store, run_recipe.seed))
            bar.advance()
            rows["truth"].append(measure_truth(store, run_recipe.seed))
            bar.advance()
            rows[EM].append(measure_fitted(fitted, store, run_recipe.seed))
            bar.advance()
        bar.say("drawing the page")
        page = save_figure(_page(models[0], store, rows, data, seed), out)
    if table is not None:
        write_atomically(table, _markdown(rows))
        remark(f"wrote {table}")
    figures = {name: [_plain(row) for row in measured] for name, measured in rows.items()}
    emit(
        {
            "page": str(page),
            "data": data,
            "seeds": [run_recipe.seed for run_recipe in recipes],
            "figures": figures,
        },
        str(page),
        as_json,
    )


def _trained(recipe: Recipe, store: VectorStore, data: str, folder: Path, device: str) -> TrainedModel:
    """The model of one seed; a run that is finished is loaded, one that was stopped goes on."""
    from facette.checkpoint.native import load_model
    from facette.cli.train import TrainingView
    from facette.errors import TrainingError
    from facette.training import train
    from facette.training.schedule import steps_of

    batch = recipe.train.batch
    steps = steps_of(recipe.train, len(store.indices("train")))
    with progress(steps * batch, f"training, seed {recipe.seed}", "points") as bar:
        ended = train(
            recipe,
            store,
            folder / f"seed-{recipe.seed}",
            device=device,
            watcher=TrainingView(bar),
            source=data,
            command="facette mixture",
        )
    if ended.interrupted:
        remark(f"stopped at step {ended.step:,} of {ended.steps:,}; run the same command to go on")
    leave_if_interrupted(ended.interrupted, ended.signal)
    if ended.model is None:
        raise TrainingError(
            f"stopped at step {ended.step:,} of {ended.steps:,}; run the same command to go on"
        )
    return load_model(ended.model)


# ── the page and the table ───────────────────────────────────────────────────────────────────────────────

EM = "EM fit"  # a Gaussian mixture fitted to the points by expectation-maximisation
MAPPED = 1500  # points laid out by t-SNE, of data and of latents
MEASURES = (
    ("KL from the truth, nats", "divergence", "{:.3f}"),
    ("modes found", "found", "{:.1f}"),
    ("distance of weights", "weight_distance", "{:.3f}"),
    ("junk", "junk", "{:.3f}"),
    ("two-sample test", "two_sample", "{:.3f}"),
    ("clusters, ARI ÷ best", "clusters", "{:.3f}"),
)


def _plain(figures: DensityFigures) -> dict[str, float]:
    return {
        "divergence": figures.divergence.nats,
        "divergence_error": figures.divergence.standard_error,
        "found": figures.modes.covered,
        "modes": figures.modes.total,
        "weight_distance": figures.modes.weight_distance,
        "junk": figures.modes.junk,
        "two_sample": figures.two_sample,
        "clusters": figures.clusters,
    }


def _mean(measured: list[DensityFigures], key: str) -> float:
    return sum(_plain(row)[key] for row in measured) / len(measured)


def _markdown(rows: dict[str, list[DensityFigures]]) -> str:
    """Densities as rows, measures as columns; means over the seeds, with the worst seed of ours below."""
    worst = [max, min, max, max, max, min]
    count = len(rows["VAE"])
    trained = "one seed" if count == 1 else f"mean of {count} seeds"
    head = ["", *(name for name, _, _ in MEASURES)]
    lines = [head, ["---", *["---:"] * len(MEASURES)]]
    for name, measured in rows.items():
        cells = [form.format(_mean(measured, key)) for _, key, form in MEASURES]
        lines.append([f"{name}, {trained}" if name == "VAE" else name, *cells])
        if name == "VAE" and count > 1:
            values = [[_plain(row)[key] for row in measured] for _, key, _ in MEASURES]
            cells = [form.format(f(v)) for f, v, (_, _, form) in zip(worst, values, MEASURES, strict=True)]
            lines.append(["VAE, worst of the seeds in each measure", *cells])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _page(
    model: TrainedModel, store: VectorStore, rows: dict[str, list[DensityFigures]], data: str, seed: int
) -> Any:
    import numpy as np

    from facette.evaluation.mixture import SAMPLES, draw_points
    from facette.plots import mixture as plots

    truth = store.mixture
    drawn = draw_points(model, SAMPLES, seed)
    real = plots.PointCloud(store.points, store.components)
    samples = plots.PointCloud(drawn, truth.responsibilities(drawn).argmax(axis=1))
    some = np.random.default_rng(seed).choice(len(store), min(MAPPED, len(store)), replace=False)
    latents = model.encode(store.read(some), len(some)).mean.numpy()
    entropy = truth.entropy()
    count = len(rows["VAE"])
    return plots.draw_mixture_page(
        plots.MixturePage(
            title=f"A VAE of {truth.components} Gaussians in three dimensions",
            note=(
                f"{data}: {len(store):,} points, entropy {entropy.nats:.2f} nats.\n"
                f"{'One seed' if count == 1 else f'Means of {count} seeds'}, {SAMPLES:,} samples of each density.\n"
                "KL is an upper bound: from 500 importance samples a point.\n"
                "Junk: beyond 4 standard deviations of every component.\n"
                "Two-sample test: accuracy of a classifier, 0.5 is a coin.\n"
                "Contours of the truth and of samples hold 30, 60, 90 and 99 %."
            ),
            truth=real,
            samples=samples,
            marginals=tuple(
                plots.marginal_grid(
                    lambda points, pair=pair: np.exp(truth.marginal(pair).log_density(points)),
                    drawn[:, pair],
                    plots.limits_of(store.points)[list(pair)],
                )
                for pair in plots.PAIRS
            ),
            data_map=plots.PointCloud(plots.neighbour_map(store.points[some], seed), store.components[some]),
            latent_map=plots.PointCloud(plots.neighbour_map(latents, seed), store.components[some]),
            true_weights=truth.weights,
            sampled_weights=rows["VAE"][0].modes.shares,
            table_head=("", *rows),
            table=tuple(
                (name, *(form.format(_mean(measured, key)) for measured in rows.values()))
                for name, key, form in MEASURES
            ),
        )
    )
