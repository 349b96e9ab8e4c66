"""What each objective does to the latents of generated faces, at equal passes: `python benchmarks/objectives.py`.

Every objective trains the same network on the same pictures from three seeds, on one thread. Measured on faces that it
has not seen, whose true factors are known: MIG, DCI disentanglement, the FactorVAE score, and unexplained variance.
Figures go to `results/objectives.json`, run by run, so that a benchmark that was stopped goes on where it was, and the
table to `results/objectives.md`. Some 25 minutes on one idle core.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from facette.checkpoint.native import load_model
from facette.data import open_dataset
from facette.data.synthetic import FACTORS
from facette.files import write_atomically
from facette.measures.disentanglement import measure_disentanglement
from facette.recipe import load_recipe
from facette.runtime import generator
from facette.training import train

RESULTS = Path(__file__).parent / "results"
SEEDS = (0, 1, 2)
FACES, LEARNED, MEASURED = 5_000, 3_800, 500  # drawn, learned from, and measured of those left
STUDENT = 4.303  # two-sided 95 % of Student's t with 2 degrees of freedom: three seeds
COMMON = [
    f"train.pictures={LEARNED}",
    "train.batch=32",
    "model.latent=10",
    "model.encoder.widths=[16,32]",
    "model.decoder.widths=[16,32]",
    "model.likelihood.sigma=0.2",
    "train.mixture_components=[]",
    "train.validate_every=100000",
    "train.preview_every=100000",
    "train.save_every=100000",
]
TC = "objective.total_correlation."
OBJECTIVES: dict[str, list[str]] = {
    "VAE": [],
    "β-VAE, β = 4": ["objective.beta=4"],
    "β-VAE, β = 16": ["objective.beta=16"],
    "β-TC-VAE, weight 15": [f"{TC}weight=15"],
    "β-TC-VAE, weight 50": [f"{TC}weight=50"],
    "β-TC-VAE, weight 150": [f"{TC}weight=150"],
    "FactorVAE, weight 50": [
        f"{TC}weight=50",
        f"{TC}estimate=discriminator",
        f"{TC}discriminator.width=128",
        f"{TC}discriminator.lr=1e-3",
    ],
    "DIP-VAE I": ["objective.dip.kind=i", "objective.dip.diagonal=100"],
    "DIP-VAE II": ["objective.dip.kind=ii"],
    "MMD, weight 1000": ["objective.mmd.weight=1000"],
    "capacity 12 nats": [
        "objective.schedule=constant",
        "objective.beta=30",
        "objective.capacity={nats=12.0,steps=250}",
    ],
    "IWAE, 3 draws": ["objective.importance.samples=3"],
    "Laplace": ["model.likelihood.kind=laplace"],
    "discretised logistic": ["model.likelihood.kind=logistic"],
}
COLUMNS = {
    "mutual_information_gap": "MIG",
    "disentanglement": "DCI disentanglement",
    "factor_score": "FactorVAE score",
    "unexplained_variance": "unexplained variance",
    "total_correlation": "total correlation, nats",
    "rate": "rate, nats",
}


def main() -> None:
    asked = _arguments()
    torch.set_num_threads(1)
    file = asked.results / "objectives.json"
    settings = {
        "steps": asked.steps,
        "common": COMMON,
        "objectives": OBJECTIVES,
        "faces": [FACES, LEARNED, MEASURED],
    }
    before = json.loads(file.read_text("utf-8")) if file.exists() else {}
    runs = before.get("runs", {}) if before.get("settings") == settings else {}
    store = open_dataset(f"synthetic-faces:{FACES}", load_recipe("quick").input)
    for seed in SEEDS:
        for name, overrides in OBJECTIVES.items():
            if f"{name} · {seed}" in runs:
                continue
            runs[f"{name} · {seed}"] = _measured(store, [*COMMON, *overrides], asked.steps, seed)
            write_atomically(
                file, json.dumps({"settings": settings, "runs": runs}, indent=1, ensure_ascii=False) + "\n"
            )
            write_atomically(asked.results / "objectives.md", page(runs, asked.steps))
            print(name, seed, runs[f"{name} · {seed}"], flush=True)


def _measured(store, overrides: list[str], steps: int, seed: int) -> dict[str, float]:
    """Train once and measure the faces that were not learned from."""
    recipe = load_recipe("quick", [*overrides, f"train.steps={steps}", f"seed={seed}"])
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        ended = train(recipe, store, folder, device="cpu")
        assert ended.model is not None
        model = load_model(ended.model)
    seconds = time.monotonic() - began
    rows = store.indices("train")[LEARNED : LEARNED + MEASURED]
    pictures = store.read(rows)
    posterior = model.encode(pictures)
    draws = posterior.sample(generator=generator(seed, "draws"))
    drawn = model.decode(posterior.mean)
    real, mean = pictures / 255.0, pictures.mean(0) / 255.0
    values = store.factors.values[rows]
    categorical = [factor.kind == "categorical" for factor in FACTORS]
    told = measure_disentanglement(posterior.mean.numpy(), values, categorical, seed)
    return {
        "mutual_information_gap": told.mutual_information_gap,
        "disentanglement": told.disentanglement,
        "factor_score": told.factor_score,
        "unexplained_variance": float(np.square(real - drawn / 255.0).sum() / np.square(real - mean).sum()),
        "total_correlation": normal_total_correlation(draws.double()),
        "rate": float(posterior.kl_standard_normal().mean()),
        "seconds": round(seconds, 1),
    }


def normal_total_correlation(z: Tensor) -> float:
    """Of the normal with the covariance of these draws (N, Z), in nats: what latents linearly tell of each other."""
    return -0.5 * float(torch.corrcoef(z.T).logdet())


def page(runs: dict[str, dict[str, float]], steps: int) -> str:
    """The table: means over seeds with 95 % intervals of Student's t."""
    lines = [
        "# Objectives on generated faces",
        "",
        f"The same network ({steps:,} steps of 32 pictures, 10 latents, σ = 0.2) under each objective; measured on "
        f"faces that it has not seen, whose {len(FACTORS)} factors are known. Mean of the seeds ± half of the 95 % "
        "interval (Student's t). Drawn by `python benchmarks/objectives.py`.",
        "",
        f"| objective | seeds | {' | '.join(COLUMNS.values())} |",
        f"| --- | ---: |{' ---: |' * len(COLUMNS)}",
    ]
    for name in OBJECTIVES:
        rows = [figures for key, figures in runs.items() if key.rpartition(" · ")[0] == name]
        if rows:
            cells = [
                _cell([row[column] for row in rows], 3 if column not in ("rate", "total_correlation") else 2)
                for column in COLUMNS
            ]
            lines.append(f"| {name} | {len(rows)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(values: list[float], digits: int) -> str:
    mean = f"{statistics.fmean(values):.{digits}f}"
    if len(values) < len(SEEDS):
        return mean
    return f"{mean} ± {STUDENT * statistics.stdev(values) / math.sqrt(len(values)):.{digits}f}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--steps", type=int, default=500, help="of each run")
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
