"""`facette train`: a recipe and pictures in, a run out. The same command again goes on where it stopped."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facette.cli.failures import leave_if_interrupted, leave_launched
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
    Set,
    Strict,
    emit,
    progress,
    remark,
)
from facette.errors import UsageError

if TYPE_CHECKING:
    from facette.recipe import Recipe
    from facette.training import Finished


Track = Annotated[
    list[str] | None,
    typer.Option(
        "--track",
        metavar="wandb|mlflow",
        help="Also tell this tracker what the journal gets; it keeps it on this machine, unless its own settings say "
        "otherwise. May be repeated.",
    ),
]


def train(
    recipe: FittingRecipe = "pictures",
    data: Folders = None,
    run: Annotated[
        Path | None,
        typer.Option(
            "--out", help="The run's folder; by default runs/ and the recipe's name.", file_okay=False
        ),
    ] = None,
    overrides: Set = None,
    device: Device = "auto",
    cache: Cache = None,
    align: AlignAll = True,
    labels: Labels = None,
    strict: Strict = False,
    start: Annotated[
        str | None,
        typer.Option("--from", help="Start from this model's weights, wherever its layers fit."),
    ] = None,
    track: Track = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Train a model. Run the same command again to go on where it stopped. Without a recipe, what the pictures are
    decides: --dry-run prints what was chosen."""
    from facette.checkpoint.native import load_model
    from facette.cli.data import open_source
    from facette.training import train as train_run
    from facette.training.batches import balanced
    from facette.training.rehearsal import rehearse
    from facette.training.schedule import learning_on, steps_of, training_rows
    from facette.training.track import check_trackers

    check_trackers(track or ())
    resolved, data, chosen = choose_recipe(recipe, data or [], overrides or [])
    folder = run or Path("runs") / resolved.name
    store, source = open_source(data, resolved, cache=cache, align=align, attributes=labels, strict=strict)
    rows = training_rows(store, resolved.train.pictures)
    images = len(rows)
    shown = len(balanced(rows, store, resolved.train.balance))
    model = None if start is None else load_model(start)
    if model is not None and (shorter := learning_on(resolved, shown, overrides or [])) is not resolved:
        resolved = shorter
        remark(
            f"few pictures, and a model that has learnt: {resolved.train.steps:,} steps at a learning rate of "
            f"{resolved.train.lr:g}; --set train.steps=… and train.lr=… say otherwise"
        )
    steps = steps_of(resolved.train, shown)
    if dry_run:
        rehearse(resolved, store, device=device, start=model, run=folder)
        plan = {"recipe": resolved.name, "run": str(folder), "pictures": images, "steps": steps}
        text = f"{resolved.name}: {steps:,} steps of {resolved.train.batch} over {images:,} pictures into {folder}"
        if chosen:
            plan["chosen"] = resolved.model_dump(mode="json", exclude_none=True)
            text = f"{resolved.to_toml().rstrip()}\n\n# {text}"
        emit(plan, text, as_json)
        return
    command = "facette " + " ".join(sys.argv[1:])
    with progress(steps * resolved.train.batch, "training", "images") as bar:
        ended = train_run(
            resolved,
            store,
            folder,
            device=device,
            watcher=TrainingView(bar),
            source=source,
            command=command,
            start=model,
            track=track or (),
        )
    emit(*ended_as(ended), as_json)
    leave_if_interrupted(ended.interrupted, ended.signal)
    leave_launched()


def choose_recipe(recipe: str, data: list[str], overrides: list[str]) -> tuple[Recipe, list[str], bool]:
    """The recipe, what it is to learn from, and whether it was made for that: where none is named, or the one for any
    pictures."""
    from facette.data.proposal import BASE, recipe_for
    from facette.recipe import shipped_recipes

    named = recipe in shipped_recipes() or recipe.endswith(".toml")
    if not named and is_data(recipe):
        data, recipe = [recipe, *data], BASE
    elif not named and not data:
        raise UsageError(
            f"{recipe!r} is no folder or zip of pictures, nor a recipe: name pictures, or one of "
            f"{', '.join(shipped_recipes())} and pictures behind it."
        )
    fitted = recipe_for(recipe, data, overrides)
    if recipe == BASE and data:
        assert fitted.input.kind == "image"
        high, wide = fitted.input.shape
        channels = {1: "grey", 3: "colour", 4: "colour with transparency"}[fitted.input.channels]
        remark(
            f"{fitted.name}: {channels} of {wide} × {high} pixels, {fitted.model.latent} latents, as fits the pictures"
        )
    return fitted, data, recipe == BASE and bool(data)


def is_data(name: str) -> bool:
    """Whether a name is of pictures and not of a recipe."""
    from facette.data.open import FACES

    return Path(name).exists() or name.partition(":")[0] == FACES


def ended_as(ended: Finished) -> tuple[dict[str, Any], str]:
    """How a run ended, for machines and for people."""
    text = (
        f"stopped at step {ended.step:,} of {ended.steps:,}; run the same command to go on: {ended.run}"
        if ended.interrupted
        else str(ended.model or ended.run)
    )
    data = {
        "run": str(ended.run),
        "model": str(ended.model) if ended.model else None,
        "step": ended.step,
        "steps": ended.steps,
        "interrupted": ended.interrupted,
        "rule": ended.rule or None,
    }
    return data, text


class TrainingView:
    """A watcher that draws the bar, anew for each stage; one line is printed per validation."""

    def __init__(self, bar: Bar):
        self._bar = bar
        self._steps = 0  # of a stage that has begun, until its first step says how many images a step has

    def started(self, step: int, steps: int) -> None:
        self._steps = steps

    def stepped(self, step: int, images: int) -> None:
        if self._steps:
            self._bar.begin(step * images, self._steps * images)
            self._steps = 0
        else:
            self._bar.advance(images)

    def measured(self, row: dict[str, Any]) -> None:
        if "critic" in row:
            self._bar.say(f"critic {row['critic']:.2f}  squared {row['squared']:.4f}")
        elif row["event"] == "train":
            self._bar.say(f"rate {row['rate']:.0f}  distortion {row['distortion']:.0f} nats")
        elif "sharpness_of_samples" in row:
            self._bar.remark(
                f"step {row['step']:>7,}  sharpness {row['sharpness_of_reconstructions']:.2f} "
                f"(samples {row['sharpness_of_samples']:.2f})  "
                f"unexplained variance {row['unexplained_variance']:.4f} "
                f"(plain {row['plain_unexplained_variance']:.4f})"
            )
        else:
            weighted = row.get("weighted_elbo", row["elbo"])
            with_weights = f" (weighted {weighted:.1f})" if weighted != row["elbo"] else ""
            self._bar.remark(
                f"step {row['step']:>7,}  elbo {row['elbo']:.1f} nats{with_weights}  rate {row['rate']:.1f}  "
                f"unexplained variance {row['unexplained_variance']:.4f}  units used {row['used_units']}"
            )

    def said(self, sentence: str) -> None:
        self._bar.remark(sentence)
