"""How a run goes, for people: its state in a sentence, its curves and its latest preview.

Enters: a `TrainingRun`, whose folder is read. Leaves: words, and pictures as bytes. Knows nothing of pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facette.checkpoint.locate import describe_model, find_model
from facette.errors import FacetteError
from facette.recipe import load_recipe
from facette.studio.runs import TrainingRun
from facette.training.journal import JOURNAL, PREVIEWS, SHARPEN, read_journal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STATES = {
    "running": "is running",
    "stopping": "saves and stops",
    "stopped": "has stopped",
    "finished": "has finished",
    "failed": "has failed",
    "other": "was started outside the studio",
}


def in_words(run: TrainingRun) -> str:
    """A run's state, how far it is, how long it will take, and how good it is, as one or two sentences for people."""
    rows = read_journal(run.folder)
    of = "" if run.steps is None else f" of {run.steps:,}"
    parts = [f"{run.name} {STATES[run.state]}", f"step {run.step:,}{of}"]
    left = seconds_left(run, rows)
    if run.state == "running" and left is not None:
        parts.append(f"about {_duration(left)} left")
    if measured := _last(rows, "elbo"):
        parts.append(
            f"redraws {max(0.0, 1 - measured['unexplained_variance']):.0%} of what makes pictures differ"
        )
    second = read_journal(run.folder / SHARPEN)
    if second:
        parts.append(f"second stage at step {max(row['step'] for row in second):,}")
    problem = f" {run.problem}" if run.problem else ""
    return " · ".join(parts) + "." + problem


def figures(run: TrainingRun) -> str:
    """What was measured at the last validation; empty before the first one."""
    measured = _last(read_journal(run.folder), "elbo")
    if measured is None:
        return ""
    return (
        f"evidence lower bound {measured['elbo']:,.1f} nats"
        f" · unexplained variance {measured['unexplained_variance']:.3f}"
    )


def seconds_left(run: TrainingRun, rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Until the last step, at the speed of the last log line; None where that cannot be known."""
    logged = _last(rows, "images_per_second")
    if logged is None or run.steps is None or not logged["images_per_second"]:
        return None
    try:
        batch = load_recipe(run.folder / "recipe.toml").train.batch
    except FacetteError:
        return None  # not written yet, or by another version
    return max(0, run.steps - run.step) * batch / logged["images_per_second"]


def best_step(run: TrainingRun) -> int | None:
    """The step of the best model; None where its file does not say."""
    if run.model is None:
        return None
    step = describe_model(find_model(run.model)).get("provenance", {}).get("steps")
    return step if isinstance(step, int) else None


def stamp(run: TrainingRun) -> tuple[int, ...]:
    """What changes when there is something new to draw."""
    files = (run.folder / JOURNAL, run.folder / SHARPEN / JOURNAL)
    return tuple(path.stat().st_size if path.is_file() else 0 for path in files)


def curves(run: TrainingRun) -> bytes | None:
    """The journal's curves as a PNG: of the second stage where it is in it; None before the first log line."""
    return _curves(run.folder, stamp(run))


def rates(run: TrainingRun) -> bytes | None:
    """The rate of every latent at the last validation as a PNG; None before the first one."""
    return _rates(run.folder, stamp(run))


def preview(run: TrainingRun) -> tuple[int, bytes] | None:
    """The latest preview's step and PNG; of the second stage where it is in it."""
    for folder in (run.folder / SHARPEN / PREVIEWS, run.folder / PREVIEWS):
        previews = sorted(folder.glob("step-*.png"))
        if previews:
            return int(previews[-1].stem.partition("-")[2]), previews[-1].read_bytes()
    return None


@lru_cache(maxsize=8)
def _curves(folder: Path, stamp: tuple[int, ...]) -> bytes | None:
    from facette.errors import UsageError
    from facette.plots.curves import plot_training

    second = read_journal(folder / SHARPEN)
    rows = second or read_journal(folder)
    try:
        return _png(plot_training(rows, "The second stage" if second else "Training"))
    except UsageError:
        return None


@lru_cache(maxsize=8)
def _rates(folder: Path, stamp: tuple[int, ...]) -> bytes | None:
    from facette.plots.curves import plot_rate_per_latent

    measured = _last(read_journal(folder), "rate_per_dimension")
    return None if measured is None else _png(plot_rate_per_latent(np.array(measured["rate_per_dimension"])))


def _png(figure: Figure) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=96, facecolor=figure.get_facecolor())
    return buffer.getvalue()


def _last(rows: Sequence[Mapping[str, Any]], key: str) -> Mapping[str, Any] | None:
    """The last row that has the key."""
    return next((row for row in reversed(rows) if key in row), None)


def _duration(seconds: float) -> str:
    for unit, length in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"
