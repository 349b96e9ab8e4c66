"""Memory of a training run over a generated store of N packed pictures, N up to millions.

The store is what packing leaves: names, a partition, pixels; its pixel file is sparse, so that it takes no place on
the disk and reads as black. Training reads it as it reads any other.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
from measuring import Clock, Memory, arguments, write

SIZE = 32


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("pictures", type=int)
    parser.add_argument("--steps", type=int, default=40)
    asked = parser.parse_args()
    clock = Clock(asked.began)
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        generate(store, asked.pictures)
        with Memory() as memory:
            train_on(store, Path(folder) / "run", asked.steps)
    write(asked.out, {"pictures": asked.pictures, "seconds": clock.now(), **memory.figures()})


def generate(folder: Path, count: int) -> None:
    """A packed store of `count` black pictures in `folder`, written without holding it in memory."""
    from facette.data.packed import FORMAT, STORE, UNREADABLE, pixels_name

    folder.mkdir(parents=True)
    with (folder / pixels_name(8)).open("wb") as file:
        file.truncate(count * SIZE * SIZE * 3)
    digits = 12  # a name: "000000000123"
    names = np.lib.format.open_memmap(folder / "names.npy", "w+", np.uint8, (count * digits,))
    ends = np.lib.format.open_memmap(folder / "name_ends.npy", "w+", np.int64, (count,))
    for start in range(0, count, 100_000):
        stop = min(start + 100_000, count)
        text = "".join(f"{i:0{digits}d}" for i in range(start, stop)).encode()
        names[start * digits : stop * digits] = np.frombuffer(text, np.uint8)
        ends[start:stop] = np.arange(start + 1, stop + 1) * digits
    about = {
        "format": FORMAT,
        "source": f"{count} black pictures",
        "size": SIZE,
        "rows": count,
        "pictures": count,
        "fingerprint": f"black-{count}",
    }
    (folder / UNREADABLE).write_text("[]", "utf-8")
    (folder / STORE).write_text(json.dumps(about), "utf-8")


def train_on(store: Path, run: Path, steps: int) -> None:
    from facette.data.packed import ImageStore
    from facette.data.split import split_by_name
    from facette.recipe import load_recipe
    from facette.training import train

    opened = ImageStore(store)
    opened.partition = split_by_name(opened.names)
    overrides = [f"train.steps={steps}", "train.mixture_components=[]", f"train.validate_every={steps}"]
    train(load_recipe("quick", overrides), opened, run, device="cpu")


if __name__ == "__main__":
    main()
