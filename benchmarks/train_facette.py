"""Facette's side: a whole run of `facette.training.train` from a folder of JPEGs, packing included.

A second stage is left out: the peers have none.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from measuring import Clock, Memory, arguments, write


class Stopwatch:
    """A watcher that notes when each step ended, and what was measured when."""

    def __init__(self, clock: Clock):
        self.clock = clock
        self.rows: list[dict[str, Any]] = []

    def started(self, step: int, steps: int) -> None: ...

    def stepped(self, step: int, images: int) -> None:
        self.clock.step()

    def measured(self, row: dict[str, Any]) -> None:
        self.rows.append(row | {"at": round(self.clock.now(), 3)})

    def said(self, sentence: str) -> None: ...


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("recipe", help="a shipped recipe's name, or the path of one")
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    asked = parser.parse_args()
    clock = Clock(asked.began)
    with tempfile.TemporaryDirectory() as folder, Memory() as memory:
        from facette.data import open_dataset
        from facette.recipe import load_recipe
        from facette.training import train

        recipe = load_recipe(asked.recipe, asked.overrides).model_copy(update={"sharpen": None})
        before = clock.now()
        store = open_dataset(asked.pictures, recipe.input, Path(folder) / "cache")
        packed = clock.now()
        watch = Stopwatch(clock)
        train(recipe, store, Path(folder) / "run", device="cpu", watcher=watch)
    write(
        asked.out,
        {
            "imports_s": before,
            "packing_s": packed - before,
            "ends": clock.ends,
            "train": [row for row in watch.rows if row["event"] == "train"],
            "validation": [
                {k: v for k, v in row.items() if k != "rate_per_dimension"}
                for row in watch.rows
                if row["event"] == "validation"
            ],
            **memory.figures(),
        },
    )


if __name__ == "__main__":
    main()
