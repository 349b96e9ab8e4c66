"""A search over recipes as one self-contained page: the best so far, the curves, every trial, the numbers as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facette.plots.page import Page
    from facette.training.search import Attempt, Search

QUANTITIES = {
    "elbo": ("evidence lower bound", "nats per picture"),
    "unexplained_variance": ("unexplained variance", "share of the variance"),
    "score": ("score: minus the recipe's sum", "nats per picture"),
}
STATES = {"complete": "to its end", "pruned": "ended early", "refused": "refused"}


def search_page(search: Search) -> Page:
    """The search as it stands."""
    import numpy as np

    from facette.plots.page import Page
    from facette.plots.search import Course, plot_courses, plot_values

    quantity, unit = QUANTITIES[search.by]
    page = Page(f"Search in {search.folder.name}", f"{len(search.trials)} trials by {quantity}, {unit}")
    page.bullets(findings(search))
    courses = [
        Course(trial.number, np.array(trial.curve, float), trial.state == "pruned")
        for trial in search.trials
        if trial.curve
    ]
    best = None if search.best is None else search.best.number
    if courses:
        page.figure(plot_courses(courses, best, quantity, unit), "Dashed trials were ended early.")
    finished = [trial for trial in search.trials if trial.state == "complete" and trial.best is not None]
    if finished and best is not None:
        reached = np.array([trial.best for trial in finished], float)
        values = {key: [trial.values[key] for trial in finished] for key in search.keys}
        place = [trial.number for trial in finished].index(best)
        page.figure(
            plot_values(values, reached, place, quantity),
            "Trials that came to their end; the best in colour.",
        )
    page.heading("Trials")
    page.table(
        ("trial", *search.keys, quantity, "validations", "how it ended"),
        [_row(t, search) for t in search.trials],
    )
    return page.data(to_json(search))


def findings(search: Search) -> list[str]:
    """What a search has come to, in sentences."""
    if search.best is None:
        return ["No trial has come to its end yet."]
    quantity, unit = QUANTITIES[search.by]
    values = ", ".join(f"{key} {_spoken(value)}" for key, value in search.best.values.items())
    counts = [(state, sum(trial.state == state for trial in search.trials)) for state in STATES]
    parts = [f"{count} {STATES[state]}" for state, count in counts if count]
    return [
        f"Best: {quantity} {search.best.best:.5g} ({unit}), trial {search.best.number}: {values}.",
        f"Its recipe: facette train {search.recipe}.",
        f"{len(search.trials)} trials: {', '.join(parts)}.",
    ]


def to_json(search: Search) -> dict[str, Any]:
    """Plain JSON values of a search."""
    return {
        "folder": str(search.folder),
        "by": search.by,
        "best": None if search.best is None else _trial(search.best),
        "recipe": None if search.recipe is None else str(search.recipe),
        "trials": [_trial(trial) for trial in search.trials],
        "interrupted": search.interrupted,
    }


def _trial(trial: Attempt) -> dict[str, Any]:
    return {
        "number": trial.number,
        "values": trial.values,
        "state": trial.state,
        "best": trial.best,
        "run": str(trial.run),
        "why": trial.why or None,
    }


def _row(trial: Attempt, search: Search) -> tuple[Any, ...]:
    values = (trial.values.get(key) for key in search.keys)
    return (str(trial.number), *values, trial.best, len(trial.curve), trial.why or STATES[trial.state])


def _spoken(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
