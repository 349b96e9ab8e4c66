"""The comparisons: what runs in which turn, and what is made of the times.

Enters: where pictures and environments lie. Leaves: for each section one plain dictionary of figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from peer import pythae_python
from pictures import prepare, repeated
from turns import Figures, interleaved, middle, ratios, turn

RECIPES = Path(__file__).parent / "recipes"
QUIET = (
    "train.log_every=1",
    "train.validate_count=16",
    "train.preview_count=2",
    "train.mixture_components=[]",
)
SPARING = ("train.recompute=true", "train.fused_update=true")
EPOCHS = 3  # of the whole runs that are compared with the textbook loop


@dataclass(frozen=True, slots=True)
class Bench:
    """How much is measured, and on what. `small` makes a trial of the benchmark itself, not of anything's speed."""

    cache: Path
    given: Path | None = None  # a folder of JPEGs; drawn faces when None
    rounds: int = 2
    peer_seconds: float = 200.0  # of training that pythae's network gets before faces64 must reach it
    small: bool = False

    def pictures(self, train: int, valid: int) -> Path:
        whole = None if self.small else (1920, 256)
        if whole is None:
            return prepare(self.cache, train, valid, self.given)
        most = prepare(self.cache, *whole, self.given)
        return most if (train, valid) == whole else prepare(self.cache / "parts", train, valid, most)

    def scaled(self, count: int, least: int) -> int:
        return least if self.small else count


# ── against a textbook loop ──────────────────────────────────────────────────────────────────────────────


def classic150(bench: Bench) -> Figures:
    return _against_textbook(bench, "celeba150", bench.scaled(160, 16))


def vanilla64(bench: Bench) -> Figures:
    return _against_textbook(bench, str(RECIPES / "vanilla64.toml"), bench.scaled(960, 64))


def _against_textbook(bench: Bench, recipe: str, pictures: int) -> Figures:
    folder, epochs = bench.pictures(pictures, 16), 2 if bench.small else EPOCHS
    settings = [part for s in (*QUIET, f"train.epochs={epochs}") for part in ("--set", s)]

    def textbook(number: int, *options: str) -> Figures:
        asked = ("--epochs", epochs, "--noise", number, *options)
        return turn("train_textbook.py", recipe, folder, *asked)

    turns = interleaved(
        {"textbook": textbook, "facette": lambda _: turn("train_facette.py", recipe, folder, *settings)},
        bench.rounds,
    )
    # Curves, not times: what pictures are resized by changes them, so here both sides use ours.
    alike = [textbook(number, "--filter", "lanczos") for number in range(2)]
    for figures in (figures for side in turns.values() for figures in side):
        figures |= _times(figures, pictures, epochs)
    return {
        "pictures": pictures,
        "epochs": epochs,
        **{name: _summary(side) for name, side in turns.items()},
        "times_as_fast": {
            "steady": ratios(turns["facette"], turns["textbook"], "steady_images_per_second"),
            "first_epoch": ratios(turns["textbook"], turns["facette"], "first_epoch_s"),
            "whole_run": ratios(turns["textbook"], turns["facette"], "whole_run_s"),
            "whole_run_with_imports": ratios(turns["textbook"], turns["facette"], "process_s"),
        },
        "curves": _curves(turns["facette"], alike, recipe),
    }


def _times(figures: Figures, pictures: int, epochs: int) -> Figures:
    """What the ends of the steps say. A run begins when its process has imported what it needs."""
    ends, steps = figures["ends"], len(figures["ends"]) // epochs
    began, seen = figures["imports_s"], pictures // steps * (len(ends) - steps)
    return {
        "first_step_s": ends[0],
        "first_epoch_s": ends[steps - 1] - began,
        "whole_run_s": ends[-1] - began,
        "process_s": ends[-1],
        "steady_images_per_second": seen / (ends[-1] - ends[steps - 1]),
    }


def _summary(side: list[Figures]) -> Figures:
    keys = ("steady_images_per_second", "first_step_s", "first_epoch_s", "whole_run_s", "process_s")
    memory = ("peak_anonymous_mb", "peak_resident_mb")
    packing = ("packing_s",) if "packing_s" in side[0] else ()
    return {key: round(middle(side, key), 3) for key in (*keys, *packing, *memory)}


def _curves(facette: list[Figures], textbook: list[Figures], recipe: str) -> Figures:
    """How far the two curves are from each other, beside how far the textbook's are with another noise.

    Mean squared error per value and rate in nats, averaged over the second half of the steps; relative.
    """
    mine = [_squared(figures, recipe) for figures in facette]
    theirs = [np.array(figures["squared"]) for figures in textbook]
    rates = [np.array([row["rate"] for row in figures["train"]]) for figures in facette]
    their_rates = [np.array(figures["rate"]) for figures in textbook]
    late = slice(len(mine[0]) // 2, None)
    return {
        "squared_error": [
            round(float(np.mean([c[late].mean() for c in side])), 5) for side in (mine, theirs)
        ],
        "rate": [round(float(np.mean([c[late].mean() for c in side])), 1) for side in (rates, their_rates)],
        "squared_error_apart": _apart(mine[0][late], theirs[0][late]),
        "squared_error_apart_by_noise_alone": _apart(theirs[-1][late], theirs[0][late]),
    }


def _squared(figures: Figures, recipe: str) -> np.ndarray:
    """Mean squared errors per value from distortions in nats: the Gaussian's formula read backwards."""
    from facette.recipe import load_recipe

    read = load_recipe(recipe)
    sigma, values = read.model.likelihood.sigma, 3 * read.input.size**2
    assert isinstance(sigma, float)
    distortion = np.array([row["distortion"] for row in figures["train"]])
    return (distortion / values - np.log(sigma) - 0.5 * np.log(2 * np.pi)) * 2 * sigma**2


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    return round(float(np.abs(a - b).mean() / b.mean()), 4)


# ── against pythae ───────────────────────────────────────────────────────────────────────────────────────


def pythae(bench: Bench) -> Figures:
    """The same network in pythae's trainer and in ours: speed on a few batches, memory on 10,000 pictures."""
    python = pythae_python(bench.cache)
    batch, steps = bench.scaled(32, 4), bench.scaled(4, 2)
    folder = bench.pictures(bench.scaled(320, 16), 16)
    peer = ("train_pythae.py", folder, "--batch", batch, "--lr", 1e-4)
    recipe, ours = (
        str(RECIPES / "pythae64.toml"),
        (*QUIET, f"train.batch={batch}", "train.validate_every=1000"),
    )
    settings = [part for s in (*ours, f"train.steps={steps + 1}") for part in ("--set", s)]
    turns = interleaved(
        {
            "pythae": lambda _: turn(*peer, "--steps", steps + 1, python=python),
            "facette": lambda _: turn("train_facette.py", recipe, folder, *settings),
        },
        bench.rounds,
    )
    for figures in (figures for side in turns.values() for figures in side):
        ends = figures["ends"]
        figures["images_per_second"] = batch * (len(ends) - 1) / (ends[-1] - ends[0])
    many = repeated(folder, bench.cache, bench.scaled(10_000, 64))
    few = ("--set", "train.steps=2"), ("--batch", batch, "--lr", 1e-4, "--steps", 2)
    memory = {
        "pythae": turn("train_pythae.py", many, *few[1], python=python),
        "facette": turn("train_facette.py", recipe, many, *settings, *few[0]),
    }
    sparing = [part for option in SPARING for part in ("--set", option)]
    spared = turn("train_facette.py", recipe, many, *settings, *few[0], *sparing)
    return {
        "batch": batch,
        **{
            name: {"images_per_second": round(middle(side, "images_per_second"), 2)}
            for name, side in turns.items()
        },
        "times_as_fast": ratios(turns["facette"], turns["pythae"], "images_per_second"),
        "memory_pictures": bench.scaled(10_000, 64),
        "memory_mb": {name: figures["peak_anonymous_mb"] for name, figures in memory.items()},
        "memory_share": round(
            memory["facette"]["peak_anonymous_mb"] / memory["pythae"]["peak_anonymous_mb"], 3
        ),
        "spared_memory_mb": spared["peak_anonymous_mb"],
        "spared_memory_share": round(spared["peak_anonymous_mb"] / memory["pythae"]["peak_anonymous_mb"], 3),
        "memory_grown_mb": {
            name: round(memory[name]["peak_anonymous_mb"] - median(f["peak_anonymous_mb"] for f in side), 1)
            for name, side in turns.items()
        },
    }


def faces64(bench: Bench) -> Figures:
    """How soon faces64 reconstructs held-out pictures as well as pythae's network after its time."""
    python = pythae_python(bench.cache)
    folder = bench.pictures(bench.scaled(1920, 64), bench.scaled(256, 16))
    seconds = bench.scaled(int(bench.peer_seconds), 20)
    options = ("--batch", bench.scaled(32, 8), "--lr", 1e-3, "--steps", 10**6, "--seconds", seconds)
    theirs = turn("train_pythae.py", folder, *options, python=python)
    every, steps = bench.scaled(20, 5), bench.scaled(300, 20)
    settings = (f"train.steps={steps}", f"train.validate_every={every}", "train.validate_count=256")
    extra = ("train.preview_every=1000", "train.mixture_components=[]", "train.lr_warmup_steps=20")
    chosen = [part for s in (*settings, *extra) for part in ("--set", s)]
    ours = turn("train_facette.py", "faces64", folder, *chosen)
    wanted = theirs["validation"]["mse"] / theirs["validation"]["variance"]
    reached = [row for row in ours["validation"] if row["unexplained_variance"] <= wanted]
    time = reached[0]["at"] if reached else None
    return {
        "pythae": {
            "seconds": round(theirs["ends"][-1], 1),
            "pictures_seen": len(theirs["ends"]) * bench.scaled(32, 8),
            "validation_mse": round(theirs["validation"]["mse"], 5),
            "unexplained_variance": round(wanted, 4),
        },
        "facette": {
            "seconds": time,
            "of_which_imports_and_packing": round(ours["imports_s"] + ours["packing_s"], 1),
            "steps": reached[0]["step"] if reached else None,
            "curve": [[row["at"], round(row["unexplained_variance"], 4)] for row in ours["validation"]],
        },
        "share_of_time": None if time is None else round(time / theirs["ends"][-1], 4),
    }


# ── inside ───────────────────────────────────────────────────────────────────────────────────────────────


def parts(bench: Bench) -> Figures:
    """Parts of a step and shares of the convolution peak, for each network."""
    networks = {"faces64": "faces64", "classic150": "celeba150", "vanilla64": str(RECIPES / "vanilla64.toml")}
    return {
        name: turn("peak.py", recipe, "--seconds", bench.scaled(8, 1)) for name, recipe in networks.items()
    }


def stages(bench: Bench) -> Figures:
    """Both stages of faces128, at their own batches, beside the convolution peak."""
    return turn("stages.py", "faces128", "--seconds", bench.scaled(20, 1))


def memory(bench: Bench) -> Figures:
    """Peak memory of training over ever larger packed stores."""
    counts = (1_000, 10_000) if bench.small else (10_000, 1_000_000)
    found = [turn("flat_memory.py", count) for count in counts]
    peaks = [figures["peak_anonymous_mb"] for figures in found]
    return {"pictures": list(counts), "peak_anonymous_mb": peaks, "grown": round(peaks[-1] / peaks[0] - 1, 4)}


def sparing(bench: Bench) -> Figures:
    """Images per second and peak memory of a step with activations computed again, and with weights that move within
    the backward pass; each network and each way in turns."""
    networks = {"pythae64": str(RECIPES / "pythae64.toml"), "faces64": "faces64", "classic150": "celeba150"}
    ways = {"neither": (), "recompute": SPARING[:1], "fused_update": SPARING[1:], "both": SPARING}
    seconds = bench.scaled(8, 1)

    def side(recipe: str, options: Sequence[str]) -> Callable[[int], Figures]:
        chosen = [part for option in ("train.clip=none", *options) for part in ("--set", option)]
        return lambda _: turn("peak.py", recipe, "--step-only", "--seconds", seconds, *chosen)

    figures: Figures = {}
    for name, recipe in networks.items():
        sides = {way: side(recipe, options) for way, options in ways.items()}
        turns = interleaved(sides, bench.rounds)
        figures[name] = {
            way: {key: round(middle(runs, key), 1) for key in ("images_per_second", "peak_anonymous_mb")}
            for way, runs in turns.items()
        }
    return figures


def scaling(bench: Bench) -> Figures:
    """Images per second of faces64's step over picture size, batch and latent size."""
    axes: dict[str, Sequence[int]] = {
        "input.size": (32, 64, 128),
        "train.batch": (8, 128),  # 32 is the recipe's, and 256 its latent size
        "model.latent": (64, 1024),
    }
    if bench.small:
        axes = {key: values[:1] for key, values in axes.items()}
    return {key: {str(value): _at(key, value, bench) for value in values} for key, values in axes.items()}


def _at(key: str, value: int, bench: Bench) -> Figures:
    return turn(
        "peak.py", "faces64", "--step-only", "--set", f"{key}={value}", "--seconds", bench.scaled(2, 1)
    )


SECTIONS: dict[str, Callable[[Bench], Figures]] = {
    "classic150": classic150,
    "vanilla64": vanilla64,
    "pythae": pythae,
    "faces64": faces64,
    "parts": parts,
    "stages": stages,
    "memory": memory,
    "sparing": sparing,
    "scaling": scaling,
}
