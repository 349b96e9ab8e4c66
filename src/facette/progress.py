"""How far a piece of work has come: one way of telling it, from the innermost loop to the bar or the page.

Enters: what a loop has done. Leaves: calls of whoever shows it. Knows nothing of bars and pages.
"""

from __future__ import annotations

from collections.abc import Callable

Advance = Callable[[int], object]  # so much more is done
# a stage's name, how much of it is done, and how much it is in all
Progress = Callable[[str, int, int], object]


def unheard(more: int) -> None:
    """An `Advance` for when nobody listens."""


def untold(stage: str, done: int, total: int) -> None:
    """A `Progress` for when nobody listens."""


def stage(progress: Progress, name: str, total: int) -> Advance:
    """Tell that a stage begins; the returned function tells that so much more of it is done."""
    done = 0
    if total:
        progress(name, done, total)

    def advance(more: int) -> None:
        nonlocal done
        done += more
        progress(name, done, total)

    return advance
