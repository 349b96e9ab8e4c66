"""Trains one small network with five weights and measures each: the table of docs/guide/numbers.md.

    python scripts/docs/beta.py

Five runs of the recipe `quick` on generated faces, about two minutes of one core.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from classics import short, table, write_tables

import facette

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "numbers.md"
DATA = "synthetic-faces"
RUNS = {
    "β = 1, σ at its optimum": (),
    "β = 0.1": ("objective.beta=0.1",),
    "β = 10": ("objective.beta=10.0",),
    "σ fixed at 0.3": ("model.likelihood.sigma=0.3",),
    "σ fixed at 1, “a sum of squares”": ("model.likelihood.sigma=1.0",),
}


def main(steps: int | None = None) -> None:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for place, (name, changes) in enumerate(RUNS.items()):
            length = [] if steps is None else [f"train.steps={steps}"]
            recipe = facette.load_recipe("quick", [*changes, *length, "train.mixture_components=[]"])
            store = facette.open_dataset(DATA, recipe.input)
            facette.train(recipe, store, Path(folder) / str(place), device="cpu", source=DATA)
            rows.append([name, *_figures(facette.load(str(Path(folder) / str(place))), store)])
            print(" · ".join(rows[-1]), file=sys.stderr)
    head = ["", "σ", "rate", "distortion", "ELBO", "bits per dimension", "unexplained variance", "active"]
    write_tables(PAGE, {"beta": table(head, rows)})


def _figures(model, store) -> list[str]:
    found = facette.evaluate(model, store, split="valid")
    bound = found.bound
    assert bound.bits_per_dimension is not None
    return [
        short(model.vae.likelihood.sigma),
        short(bound.rate.value),
        short(bound.distortion.value),
        short(bound.elbo.value),
        short(bound.bits_per_dimension.value),
        short(found.reconstruction.unexplained_variance.value),
        f"{found.latents.active} of {found.latents.size}",
    ]


if __name__ == "__main__":
    main()
