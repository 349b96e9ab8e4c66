"""What one NVIDIA card does with Facette, in less than ten minutes: `python benchmarks/gpu.py`.

Checks what no CPU can (gpu_checks.py), measures pictures per second and utilisation at 64, 128 and 256 pixels beside
the card's own peaks (gpu_rates.py), and trains both stages of `faces128` in the minutes that are left, on a folder of
pictures (`--data`) or on drawn faces. Writes results/gpu.json and results/gpu.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from gpu_checks import Extent, checked
from gpu_rates import RateExtent, peaks, rates
from table import rows

from facette.data.open import open_dataset
from facette.errors import FacetteError
from facette.recipe import load_recipe
from facette.training import train
from facette.training.journal import SHARPEN, read_journal

RESULTS = Path(__file__).parent / "results"
Figures = dict[str, Any]
ABSENT = "benchmarks/gpu.py measures an NVIDIA card, and torch sees none here."
LEAST = 60.0  # seconds of training, below which it says nothing


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything; seconds."""

    checks: Extent
    rates: RateExtent
    total: float = 570.0
    checks_until: float = 200.0
    rates_until: float = 360.0
    overrides: tuple[str, ...] = ()  # of the recipe that is trained at the end
    drawn: int = 2_000  # faces, where no folder is given
    least: float = LEAST


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data", help="pictures that faces128 learns from; drawn faces when left out")
    parser.add_argument("--minutes", type=float, default=9.5, help="of everything together")
    parser.add_argument("--results", type=Path, default=RESULTS)
    asked = parser.parse_args()
    if not torch.cuda.is_available():
        print(ABSENT, file=sys.stderr)
        sys.exit(2)
    device = torch.device("cuda", 0)
    batches = {64: 512, 128: 256, 256: 64}
    plan = Plan(Extent(device), RateExtent(device, batches), total=60 * asked.minutes)
    print(write(asked.results, measured(plan, asked.data)))


def measured(plan: Plan, data: str | None = None) -> Figures:
    """Everything, in the time of the plan."""
    began, device = time.monotonic(), plan.rates.device

    def until(seconds: float) -> Callable[[], float]:
        return lambda: min(seconds, plan.total) - (time.monotonic() - began)

    figures: Figures = {
        "machine": _machine(device),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "peaks": peaks(plan.rates),
    }
    figures["checks"] = checked(plan.checks, until(plan.checks_until))
    figures["rates"] = rates(plan.rates, figures["peaks"], until(plan.rates_until))
    figures["training"] = trained(plan, data, until(plan.total))
    figures["seconds"] = round(time.monotonic() - began, 1)
    return figures


def trained(plan: Plan, data: str | None, left: Callable[[], float]) -> Figures:
    """Both stages of `faces128` in the time left: two thirds for the first, the rest for the second."""
    source = data or f"synthetic-faces:{plan.drawn}"
    recipe = load_recipe("faces128", ["train.batch=256", "train.balance={}", *plan.overrides])
    try:
        store = open_dataset(source, recipe.input)
        if left() < plan.least:
            return {"source": source, "why": f"only {max(0.0, left()):.0f} s were left"}
        spec = recipe.train.model_copy(update={"minutes": max(0.02, left() * 2 / 3 / 60)})
        recipe = recipe.model_copy(update={"train": spec})
        with tempfile.TemporaryDirectory() as folder:
            ended = train(recipe, store, folder, device=str(plan.rates.device), watcher=Alarm(left))
            first, second = read_journal(Path(folder)), read_journal(Path(folder) / SHARPEN)
    except (FacetteError, RuntimeError) as error:
        return {"source": source, "why": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
    return {
        "source": source,
        "pictures": len(store),
        "ended_by": ended.rule or ("the clock" if ended.interrupted else "its length"),
        "first": _stage(first, ("elbo", "rate", "unexplained_variance"), recipe.train.batch),
        "second": _stage(
            second,
            ("sharpness_of_reconstructions", "sharpness_of_samples", "unexplained_variance"),
            recipe.sharpen.batch if recipe.sharpen else 0,
        ),
    }


class Alarm:
    """A watcher that ends a run when the time is over."""

    def __init__(self, left: Callable[[], float]):
        self._left = left

    def stops(self) -> bool:
        return self._left() <= 0


def _stage(journal: list[Figures], names: tuple[str, ...], batch: int) -> Figures:
    """What a stage came to: its steps and pictures, its rate in the middle of the run, and its last validation."""
    steps = [row for row in journal if row["event"] == "train"]
    validations = [row for row in journal if row["event"] == "validation"]
    figures: Figures = {"steps": journal[-1]["step"] if journal else 0}
    figures["image_passes"] = figures["steps"] * batch
    if steps:
        figures["images_per_second"] = sorted(row["images_per_second"] for row in steps)[len(steps) // 2]
    if validations:
        figures |= {name: round(validations[-1][name], 4) for name in names}
    return figures


def _machine(device: torch.device) -> str:
    where = (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else "a CPU, for a trial of this benchmark"
    )
    return f"{where}, torch {torch.__version__}"


def write(folder: Path, figures: Figures) -> Path:
    """The figures as JSON and as a page, which is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gpu.json").write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (folder / "gpu.md").write_text(page(figures), "utf-8")
    return folder / "gpu.md"


def page(figures: Figures) -> str:
    """One page of Markdown."""
    answers = {True: "yes", False: "**no**", None: "not measured"}
    checks = [
        [
            name,
            answers[check["holds"]],
            _listed({key: value for key, value in check.items() if key != "holds"}),
        ]
        for name, check in figures["checks"].items()
    ]
    heads = (
        "batch",
        "images/s",
        "GFLOP a picture",
        "TFLOP/s",
        "of the matrix peak",
        "of the convolution peak",
        "MB",
    )
    measured_rates = [
        [
            name,
            *(rate[key] for key in ("batch", "images_per_second", "gflop_per_picture", "tflops")),
            f"{rate['share_of_matrix_peak']:.1%}",
            f"{rate['share_of_convolution_peak']:.1%}",
            rate["peak_memory_mb"] or "",
        ]
        if "batch" in rate
        else [name, *[""] * 6, rate["why"]]
        for name, rate in figures["rates"].items()
    ]
    training = figures["training"]
    lines = [
        "# One card",
        "",
        f"*{figures['machine']}, {figures['date']}; {figures['seconds']} s in all.*",
        "Written by `python benchmarks/gpu.py`.",
        "",
        "## Checked",
        "",
        *rows(["", "holds", ""], checks),
        "",
        "SyncBatchNorm and FSDP2 run in a group of one process: that the converted network learns as the plain one is "
        "checked, not what processes tell each other.",
        "",
        "## How fast",
        "",
        "Peaks: "
        + "; ".join(f"{name} {_listed(values)}" for name, values in figures["peaks"].items())
        + ". Steps are whole: bytes to the card, forward, backward, Adam, the average of the weights.",
        "",
        *rows(["faces64's network at", *heads], measured_rates),
        "",
        "## `faces128`, for the minutes that were left",
        "",
        *(
            f"- {name}: {_listed(value) if isinstance(value, dict) else value}"
            for name, value in training.items()
        ),
        "",
    ]
    return "\n".join(lines)


def _listed(values: Figures) -> str:
    return ", ".join(
        f"{key} {_listed(v) if isinstance(v, dict) else v}".strip() for key, v in values.items()
    ).replace("_", " ")


if __name__ == "__main__":
    main()
