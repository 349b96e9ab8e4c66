"""Inference, measured: `facette vary` from the shell to the file on disk beside the classic script's process, the warm
latency of a photo with ten variations, and how many pictures a second are encoded.

    python benchmarks/inference.py [--quick] [--photo FILE] [--out FOLDER]

Processes run one after another, A B A B, and ratios are taken round by round. Writes inference.json and inference.md.
Both sides of a comparison draw with the same weights: those of the bundled `faces128`, and of the classic 150×150
network as it is before training, which takes as long as after it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from turns import interleaved, middle, ratios, turn

HERE = Path(__file__).parent
NETWORKS = ("faces128", "celeba150")
ROUNDS, QUICK = 9, 3


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} rounds, not {ROUNDS}")
    parser.add_argument(
        "--photo", type=Path, help="a photo with a face to find (default: scikit-image's astronaut)"
    )
    parser.add_argument("--out", type=Path, default=HERE / "results", help="where the results are written")
    asked = parser.parse_args()
    rounds = QUICK if asked.quick else ROUNDS
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        models = {name: prepare(name, place / name) for name in NETWORKS}
        found = {
            "machine": {
                "cpu": _cpu(),
                "cores": len(os.sched_getaffinity(0)),
                "python": platform.python_version(),
            },
            "rounds": rounds,
            "cold": {name: cold(model, place, rounds) for name, model in models.items()},
            "photo": from_photo(asked.photo or astronaut(), place, rounds),
            "warm": {name: warm(model, rounds) for name, model in models.items()},
        }
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "inference.json").write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    (asked.out / "inference.md").write_text(table(found), "utf-8")
    print(table(found))


def prepare(name: str, folder: Path) -> Path:
    """A model folder of Facette and the same network as the classic script wants it, with an aligned picture."""
    import torch
    from PIL import Image
    from textbook import plain_layers

    import facette
    from facette.data.synthetic import draw_faces
    from facette.model.trained import TrainedModel
    from facette.model.vae import build_vae

    recipe = facette.load_recipe(name)
    torch.manual_seed(0)
    model = facette.load(name) if name == "faces128" else TrainedModel(build_vae(recipe), recipe)
    facette.save(model, folder)
    given = recipe.input
    assert given.kind == "image"
    assert given.frame is not None
    parts = {"encoder": plain_layers(model.vae.encoder), "decoder": plain_layers(model.vae.decoder)}
    facts = {"box": given.frame.box, "size": given.size, "symmetric": given.range == "symmetric"}
    torch.save(parts | facts, folder / "network.pth")
    face = Image.fromarray(draw_faces(1, max(given.frame.size), 0, 0).pictures[0])
    face.resize(given.frame.size).save(folder / "aligned.png")
    return folder


def cold(model: Path, place: Path, rounds: int) -> dict[str, Any]:
    """Whole processes, from an aligned picture, so that both sides have the same to do."""
    picture = model / "aligned.png"
    sides = {
        "classic": [HERE / "vary_classic.py", model / "network.pth", picture, place / "grid.png"],
        "plain": [
            "-m",
            "facette",
            "vary",
            picture,
            "--plain",
            "--model",
            model,
            "--out",
            place / "sheet.png",
        ],
        "torch": [HERE / "vary_torch.py", picture, "--plain", "--model", model, "--out", place / "sheet.png"],
    }
    turns = interleaved({name: _process(command, place) for name, command in sides.items()}, rounds)
    return {
        **{f"{name}_s": round(middle(one, "seconds"), 3) for name, one in turns.items()},
        "classic_over_plain": round(median(ratios(turns["classic"], turns["plain"], "seconds")), 2),
        "classic_over_torch": round(median(ratios(turns["classic"], turns["torch"], "seconds")), 2),
    }


def from_photo(photo: Path, place: Path, rounds: int) -> dict[str, float]:
    """Whole processes of `facette vary` with a photo whose face has to be found."""
    base = ["-m", "facette", "vary", photo, "--out", place / "sheet.png"]
    sides = {"plain": [*base, "--plain"], "sharp": base, "ready": [*base, "--plain", "--no-align"]}
    turns = interleaved({name: _process(command, place) for name, command in sides.items()}, rounds)
    return {f"{name}_s": round(middle(one, "seconds"), 3) for name, one in turns.items()}


def warm(model: Path, rounds: int) -> dict[str, float]:
    """One photo and ten variations on one core in processes that are up, and pictures encoded a second."""

    def way(name: str) -> Callable[[int], dict[str, Any]]:
        return lambda number: turn("vary_warm.py", name, model)

    turns = interleaved({name: way(name) for name in ("classic", "torch", "light")}, max(3, rounds // 3))
    found = {f"{name}_ms": round(middle(one, "ms"), 1) for name, one in turns.items()}
    for name in ("torch", "light"):
        found[f"classic_over_{name}"] = round(median(ratios(turns["classic"], turns[name], "ms")), 2)
        found[f"encoded_{name}_per_s"] = round(middle(turns[name], "encoded_per_s"), 1)
    return found


def _process(
    command: list[Any], place: Path, python: str | Path = sys.executable
) -> Callable[[int], dict[str, float]]:
    # As a stranger's installation has them, modules are compiled once and not at every start.
    surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def run(number: int) -> dict[str, float]:
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        words = [str(python), *map(str, command)]
        ran = subprocess.run(words, cwd=place, env=surroundings, capture_output=True, text=True)
        seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        if ran.returncode:
            raise SystemExit(f"{command} ended with {ran.returncode}:\n{ran.stderr[-3000:]}")
        busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return {"seconds": seconds, "busy": busy}

    return run


def astronaut() -> Path:
    import skimage

    return Path(skimage.__file__).parent / "data" / "astronaut.png"


def table(found: dict[str, Any]) -> str:
    lines = [
        "# Inference",
        "",
        f"{found['machine']['cpu']}, {found['machine']['cores']} cores; medians of {found['rounds']} rounds in turns.",
        "",
        "From the shell to ten pictures on disk, from an aligned picture, with the same weights:",
        "",
        "| network | classic script | facette vary --plain | ratio | … where torch draws |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {name} | {one['classic_s']:.2f} s | {one['plain_s']:.2f} s | **{one['classic_over_plain']:.1f}×** | "
        f"{one['torch_s']:.2f} s |"
        for name, one in found["cold"].items()
    ]
    photo = found["photo"]
    lines += [
        "",
        f"From a photo of 512×512 whose face has to be found: {photo['plain_s']:.2f} s plain, {photo['sharp_s']:.2f} s "
        f"sharp; without looking for a face {photo['ready_s']:.2f} s.",
        "",
        "In a process that is up, on one core, one photo encoded and ten variations decoded:",
        "",
        "| network | classic loop | torch | ratio | without torch | ratio | encoded a second: torch | without |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {name} | {one['classic_ms']:.0f} ms "
        f"| {one['torch_ms']:.0f} ms | **{one['classic_over_torch']:.1f}×** "
        f"| {one['light_ms']:.0f} ms | **{one['classic_over_light']:.1f}×** | "
        f"{one['encoded_torch_per_s']:.0f} | {one['encoded_light_per_s']:.0f} |"
        for name, one in found["warm"].items()
    ]
    return "\n".join(lines) + "\n"


def _cpu() -> str:
    rows = Path("/proc/cpuinfo").read_text("utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    return next(
        (row.split(":", 1)[1].strip() for row in rows if row.startswith("model name")), platform.processor()
    )


if __name__ == "__main__":
    main()
