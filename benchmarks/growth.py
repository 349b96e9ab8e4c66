"""How speed, memory and quality grow with a model: `python benchmarks/growth.py`.

`faces64` is trained again and again on the same number of pictures, with one thing changed at a time: its width, its
latent size, how many different pictures there are, and how large they are. Each training is a process of its own.
Figures go to `results/growth.json`, point by point, so that a benchmark that was stopped goes on where it was; the
page and the plots to `results/growth.md` and `results/growth.svg`. By estimate an hour or two on two idle cores.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from speed import machine
from table import rows
from turns import Figures, turn

from facette.files import write_atomically

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Axis:
    """What is changed: its values, each with what it changes of the recipe."""

    name: str
    unit: str
    points: dict[float, tuple[str, ...]]


def widths(first: int) -> tuple[str, ...]:
    levels = f"[{first},{2 * first},{4 * first}]"
    return (f"model.encoder.widths={levels}", f"model.decoder.widths={levels}")


def axes_of(values: dict[str, Sequence[int]]) -> list[Axis]:
    """The four axes, of the values that are asked for."""
    return [
        Axis("width", "channels of the finest level", {v: widths(v) for v in values["width"]}),
        Axis("latent", "latents", {v: (f"model.latent={v}",) for v in values["latent"]}),
        Axis("pictures", "different pictures", {v: (f"train.pictures={v}",) for v in values["pictures"]}),
        Axis("size", "pixels of a side", {v: (f"input.size={v}",) for v in values["size"]}),
    ]


FULL: dict[str, Sequence[int]] = {
    "width": (32, 64, 96, 128),
    "latent": (32, 64, 128, 256, 512),
    "pictures": (250, 1_000, 4_000, 8_000),
    "size": (32, 64, 96, 128),
}
SMALL: dict[str, Sequence[int]] = {
    "width": (16, 32),
    "latent": (8, 64),
    "pictures": (32, 256),
    "size": (32, 64),
}
SMALLER = ("train.batch=16", "train.validate_count=32", "train.preview_count=2", *widths(32), "input.size=32")
KEYS = {
    "images_per_second": "images/s",
    "peak_anonymous_mb": "peak memory, anonymous, MB",
    "unexplained_variance": "unexplained variance",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data", help="a folder of at least 10,000 pictures; drawn faces when left out")
    parser.add_argument(
        "--passes", type=int, help="pictures that each training learns from, with repetition: 32,000"
    )
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--small", action="store_true", help="a tiny version: a trial of the benchmark")
    parser.add_argument("--beside", default="", help="what else ran on the machine, for the page")
    asked = parser.parse_args()
    passes = asked.passes or (512 if asked.small else 32_000)
    settings = {
        "source": asked.data or f"synthetic-faces:{320 if asked.small else 10_000}",
        "passes": passes,
        "base": list(SMALLER if asked.small else ()),
        "machine": machine(),
    }
    print(measured(asked.results, settings, axes_of(SMALL if asked.small else FULL), asked.beside))


def measured(folder: Path, settings: Figures, axes: list[Axis], beside: str = "") -> Path:
    """Measure every point that is not there yet, and then write the page. Points of other settings are left behind."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "growth.json"
    results: Figures = json.loads(file.read_text("utf-8")) if file.exists() else {}
    if results.get("settings") != settings:
        results = {"settings": settings, "axes": {}}
    results |= {"date": f"{datetime.now(UTC):%Y-%m-%d}", "beside": beside}
    for axis, value, overrides in missing(results, axes):
        chosen = [part for change in (*settings["base"], *overrides) for part in ("--set", change)]
        point = turn("growth_point.py", settings["source"], settings["passes"], *chosen)
        points = results["axes"].setdefault(axis.name, {"unit": axis.unit, "points": {}})["points"]
        points[str(value)] = point
        write_atomically(file, json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    draw(results, folder / "growth.svg")
    write_atomically(folder / "growth.md", page(results))
    return folder / "growth.md"


def missing(results: Figures, axes: list[Axis]) -> list[tuple[Axis, float, tuple[str, ...]]]:
    """The points that are still to be measured, each with what it changes of the recipe."""
    return [
        (axis, value, overrides)
        for axis in axes
        for value, overrides in axis.points.items()
        if str(value) not in results["axes"].get(axis.name, {"points": {}})["points"]
    ]


def page(results: Figures) -> str:
    """One page of Markdown, with the plots and the tables behind them."""
    settings = results["settings"]
    lines = [
        "# Growth",
        "",
        f"*{settings['machine']}, {results['date']}.* Written by `python benchmarks/growth.py`.",
        "",
        f"`faces64`{_changed(settings['base'])}, trained on {settings['passes']:,} pictures of {settings['source']}, "
        "counted with repetition, with one thing changed at a time. Unexplained variance is of held-out pictures, by "
        "the averaged weights, after that training, which is the same for all: a larger model may need a longer one.",
        "",
    ]
    if results["beside"]:
        lines += [f"**{results['beside']}**", ""]
    lines += [
        "![Speed, memory and unexplained variance over width, latents, pictures and size](growth.svg)",
        "",
    ]
    for axis in results["axes"].values():
        body = [
            [
                value,
                f"{point['parameters'] / 1e6:.2f}",
                point["gflop_per_picture"],
                *(point[key] for key in KEYS),
            ]
            for value, point in axis["points"].items()
        ]
        lines += [*rows([axis["unit"], "million weights", "GFLOP a picture", *KEYS.values()], body), ""]
    return "\n".join(lines)


def _changed(base: list[str]) -> str:
    return f" (with {', '.join(f'`{change}`' for change in base)})" if base else ""


def draw(results: Figures, path: Path) -> None:
    """A panel for every axis and every figure: values on a logarithmic scale, figures from zero, alike along a row."""
    from facette.plots.style import accent, label, new_figure, save_figure

    axes: dict[str, Any] = results["axes"]
    figure = new_figure("How faces64 grows", len(KEYS), len(axes), size=(3.2 * len(axes), 7.6))
    panels = iter(figure.axes)
    for row, (key, name) in enumerate(KEYS.items()):
        most = 1.1 * max(point[key] for axis in axes.values() for point in axis["points"].values())
        for column, axis in enumerate(axes.values()):
            panel = next(panels)
            values = [float(value) for value in axis["points"]]
            panel.plot(
                values, [point[key] for point in axis["points"].values()], marker="o", color=accent(row)
            )
            panel.set_xscale("log", base=2)
            panel.set_ylim(0, most)
            panel.set_xticks(values, [f"{value:g}" for value in values])
            panel.minorticks_off()
            label(panel, x=axis["unit"] if row == len(KEYS) - 1 else "", y=name if column == 0 else "")
    save_figure(figure, path)


if __name__ == "__main__":
    main()
