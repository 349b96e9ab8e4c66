"""`facette search`: a recipe, pictures and what to try in, the best recipe out. The same command again goes on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from facette.cli.failures import leave_if_interrupted
from facette.cli.output import (
    AlignAll,
    Bar,
    Cache,
    Device,
    DryRun,
    FittingRecipe,
    Folders,
    Json,
    Labels,
    Seed,
    Set,
    Strict,
    emit,
    progress,
)

if TYPE_CHECKING:
    from facette.recipe import Recipe
    from facette.training.search import Search


def search(
    recipe: FittingRecipe = "pictures",
    data: Folders = None,
    over: Annotated[
        list[str] | None,
        typer.Option(
            "--over",
            metavar="KEY=VALUES",
            help="What to try: objective.beta=0.5..8, or model.latent=16,32,64. May be repeated.",
        ),
    ] = None,
    trials: Annotated[int, typer.Option("--trials", min=1, help="How many recipes to try in all.")] = 20,
    minutes: Annotated[
        float | None, typer.Option("--minutes", min=0, help="Stop after this time; the same command goes on.")
    ] = None,
    by: Annotated[
        Literal["elbo", "unexplained_variance", "score"],
        typer.Option("--by", help="Which figure of a validation decides."),
    ] = "elbo",
    prune: Annotated[
        bool,
        typer.Option(
            "--prune/--no-prune", help="End a trial that is worse than half of the others were there."
        ),
    ] = True,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="The search's folder.  [default: runs/ and the recipe's name, with -search behind]",
            file_okay=False,
        ),
    ] = None,
    overrides: Set = None,
    device: Device = "auto",
    cache: Cache = None,
    align: AlignAll = True,
    labels: Labels = None,
    strict: Strict = False,
    seed: Seed = 0,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Try recipes and keep the best, best.toml, to be trained; search.html has the curves. Run the
    same command again to go on where it stopped."""
    from facette.cli.data import open_source
    from facette.cli.train import choose_recipe
    from facette.data.open import open_datasets
    from facette.data.proposal import recipe_for
    from facette.errors import import_extra
    from facette.reports.search_page import findings, search_page, to_json
    from facette.training.ranges import parse_ranges
    from facette.training.rehearsal import rehearse
    from facette.training.search import search as search_recipes

    ranges = parse_ranges(over or [])
    import_extra("optuna", "search", "searching recipes")
    base, sources, chosen = choose_recipe(recipe, data or [], overrides or [])
    name = "pictures" if chosen else recipe
    folder = out or Path("runs") / f"{base.name}-search"
    store, _ = open_source(sources, base, cache=cache, align=align, attributes=labels, strict=strict)
    stores = {str(base.input): store}

    def make(changes: list[str]) -> Recipe:
        return recipe_for(name, sources, [*(overrides or []), *changes])

    def open_store(tried: Recipe) -> Any:
        if str(tried.input) not in stores:  # another form is searched, below the one bar that there is
            way = "auto" if align else "never"
            stores[str(tried.input)] = open_datasets(
                sources, tried.input, cache, strict, attributes=labels, align=way
            )
        return stores[str(tried.input)]

    if dry_run:
        for each in ranges:
            for change in each.extremes:
                make([change])
        rehearse(base, store, device=device)
        plan = {"recipe": base.name, "folder": str(folder), "over": over, "trials": trials, "by": by}
        text = f"{base.name}: {trials} trials over {', '.join(over or [])} by {by} into {folder}"
        emit(plan, text, as_json)
        return
    with progress(None, "searching", "images") as bar:
        view = _View(bar, trials)

        def after(standing: Search) -> None:
            view.stands(standing)
            search_page(standing).save(folder / "search.html")

        ended = search_recipes(
            make,
            open_store,
            ranges,
            folder,
            trials=trials,
            minutes=minutes,
            by=by,
            prune=prune,
            seed=seed,
            device=device,
            watcher=view,
            after=after,
        )
    page = search_page(ended).save(folder / "search.html")
    text = "\n".join([str(ended.recipe or folder), str(page), *findings(ended)])
    emit({**to_json(ended), "page": str(page)}, text, as_json)
    leave_if_interrupted(ended.interrupted, ended.signal)


class _View:
    """A watcher that draws one bar over all trials of this call, and says a line after each."""

    def __init__(self, bar: Bar, trials: int):
        self._bar, self._trials, self._over = bar, trials, -1  # how many are over: not known yet
        # images: in this call, of this trial, and of a whole one
        self._shown = self._begun = self._length = 0

    def started(self, step: int, steps: int) -> None:
        self._begun, self._steps, self._step = self._shown, steps, step

    def stepped(self, step: int, images: int) -> None:
        self._shown += images
        self._length = max(self._length, self._begun + images * (self._steps - self._step))
        left = max(self._trials - self._over - 1, 0)
        self._bar.total(self._length + left * images * self._steps)
        self._bar.advance(images)

    def measured(self, row: dict[str, Any]) -> None:
        if row["event"] == "validation":
            self._bar.say(f"trial {self._over + 1} of {self._trials}")

    def said(self, sentence: str) -> None:
        if sentence.startswith("going on"):
            self._bar.remark(sentence)

    def stands(self, standing: Search) -> None:
        """A trial is over: what is left is shorter where it was ended early."""
        self._length = self._shown
        before, self._over = self._over, len(standing.trials)
        if before in (-1, self._over):
            return
        trial = standing.trials[-1]
        values = "  ".join(
            f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in trial.values.items()
        )
        if trial.state == "refused":
            self._bar.remark(f"trial {trial.number}: refused, {trial.why}")
            return
        best = (
            "" if standing.best is None else f" (best {standing.best.best:.5g}, trial {standing.best.number})"
        )
        early = ", ended early" if trial.state == "pruned" else ""
        reached = "–" if trial.best is None else f"{trial.best:.5g}"
        self._bar.remark(f"trial {trial.number}: {standing.by} {reached}{early}{best}  {values}")
