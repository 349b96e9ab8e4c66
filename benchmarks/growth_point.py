"""One training of the curve of growth, in a process of its own: how fast, how much memory, and how good after so many
pictures."""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from measuring import Clock, Memory, arguments, write
from train_facette import Stopwatch


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("source", help="a folder of pictures, or synthetic-faces:COUNT")
    parser.add_argument("passes", type=int, help="pictures to learn from, counted with repetition")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    asked = parser.parse_args()
    with Memory() as memory:
        figures = trained(asked.source, asked.passes, asked.overrides, Clock(asked.began))
    write(asked.out, figures | memory.figures())


def trained(source: str, passes: int, overrides: list[str], clock: Clock) -> dict[str, Any]:
    """faces64 with some changes, trained on so many pictures; its network, steps and reconstructions in figures."""
    from peak import flops_per_picture

    from facette.data import open_dataset
    from facette.model.vae import build_vae, count_parameters
    from facette.recipe import load_recipe
    from facette.training import train

    batch = load_recipe("faces64", overrides).train.batch
    steps = max(1, passes // batch)
    once = [
        f"train.{name}={steps}"
        for name in ("steps", "validate_every", "preview_every", "save_every", "log_every")
    ]
    warm = ["train.lr_warmup_steps=0", "train.lr_warmup_share=0.05", "train.mixture_components=[]"]
    recipe = load_recipe("faces64", [*once, *warm, "sharpen=none", *overrides])
    store = open_dataset(source, recipe.input)
    watch = Stopwatch(clock)
    with tempfile.TemporaryDirectory() as folder:
        train(recipe, store, Path(folder) / "run", device="cpu", watcher=watch)
    ends = clock.ends
    times = [after - before for before, after in pairwise(ends)] or [ends[0]]
    validation = next(row for row in reversed(watch.rows) if row["event"] == "validation")
    return {
        "passes": steps * batch,
        "parameters": count_parameters(build_vae(recipe)),
        "gflop_per_picture": round(flops_per_picture(recipe) / 1e9, 4),
        "images_per_second": round(batch / median(times), 2),
        "unexplained_variance": round(validation["unexplained_variance"], 5),
        "rate": round(validation["rate"], 2),
    }


if __name__ == "__main__":
    main()
