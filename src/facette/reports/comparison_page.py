"""A comparison as one self-contained page: whose pictures are whose, the figures, the curves, and what was run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facette.comparison.autoencoders import Kept, Reconstruction
    from facette.comparison.result import Comparison, Entry
    from facette.plots.comparison import Tradeoff
    from facette.plots.page import Page

LARGEST_SHOWN = 256  # px: pictures in a gallery are no larger, so that the page stays light
LIBRARIES = ("facette", "torch", "diffusers", "transformers", "accelerate", "huggingface-hub")
MEANINGS = {
    "similarity": "to the photo, by the attribute network: 1 is the photo, 0 a stranger; with its 95 % interval",
    "realism": "share of real faces that are no nearer to their like; real faces have 0.5",
    "spread": "how far two of the pictures are apart, pixel by pixel, from 0 to 1",
    "variety": "1 − the similarity of two of the pictures: 0 all the same, 1 strangers",
    "sharpness": "fine detail over the photo's: 1 as sharp, below softer, above noisier",
    "seconds": "for one picture, on this machine",
    "memory": "its weights, and the most that making the pictures took on top",
    "parameters": "learned numbers in all networks that take part",
    "weights": "of these numbers, as they lie in memory",
}


def comparison_page(comparison: Comparison, command: str) -> Page:
    """Everything about two methods on one photo."""
    from facette.plots.comparison import plot_tradeoffs
    from facette.plots.page import Page

    side = len(comparison.photo)
    page = Page(comparison.title, comparison.subtitle)
    page.prose(_opening(comparison)).picture(
        comparison.sheet(), "Which pictures are whose stands at the left."
    )
    page.heading("Figures")
    page.table(
        ("measure", *(entry.name for entry in comparison.entries), "meaning"),
        _figure_rows(comparison.entries),
    )
    page.prose(
        f"All figures are taken at {side} × {side} pixels, the size of {comparison.asked['model']}, and with the same "
        "functions; larger pictures were made smaller first. The attribute network knows hair, age, beard, glasses "
        "and expression, not who somebody is, and noise that no eye takes for a face can pass for one with it."
    )
    if comparison.wished is not None:
        page.heading("Over the whole range")
        page.figure(plot_tradeoffs([tradeoff(entry) for entry in comparison.entries], title=""), _CURVES)
    for entry in comparison.entries:
        page.heading(f"{entry.name}, {entry.knob} {entry.chosen.level:.3g}")
        page.gallery(_shown(entry.chosen.output.pictures), _captions(comparison, entry))
    _add_autoencoders(page, comparison.photo, comparison.kept)
    page.heading("What was run").prose(command)
    return (
        page.table(("setting", "value"), _settings(comparison.asked))
        .bullets(notes(comparison))
        .data(comparison.to_dict())
    )


def reconstruction_page(reconstruction: Reconstruction, command: str) -> Page:
    """Autoencoders side by side on one photo."""
    from facette.plots.page import Page

    page = Page(
        reconstruction.title, f"{reconstruction.asked['model']} beside {reconstruction.kept[-1].name}"
    )
    page.prose(_KEEPING).picture(reconstruction.sheet(), "The photo, and what each autoencoder makes of it.")
    _add_autoencoders(page, reconstruction.photo, reconstruction.kept)
    page.heading("What was run").prose(command)
    return page.table(("setting", "value"), _settings(reconstruction.asked)).data(reconstruction.to_dict())


def spoken_duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def comparison_lines(comparison: Comparison) -> str:
    """The figures as lines for a terminal."""
    return _lines([entry.name for entry in comparison.entries], _figure_rows(comparison.entries))


def reconstruction_lines(reconstruction: Reconstruction) -> str:
    """The figures as lines for a terminal."""
    return _lines([kept.name for kept in reconstruction.kept], _kept_rows(reconstruction.kept))


def command_line(options: dict[str, Any], photo: str) -> str:
    """The command that runs this again; None and False stand for options that were not given."""
    words = ["facette", "compare", photo]
    for name, value in options.items():
        if value is True:
            words.append(name)
        elif value is not None and value is not False:
            words += [name, f"{value:g}" if isinstance(value, float) else str(value)]
    return shlex.join(words)


def tradeoff(entry: Entry) -> Tradeoff:
    """A method's curve for drawing."""
    import numpy as np

    from facette.plots.comparison import Tradeoff

    levels = np.array([trial.level for trial in entry.curve])
    figures = [trial.figures for trial in entry.curve]
    return Tradeoff(
        name=entry.name,
        level=levels / entry.strongest,
        similarity=np.array([figure.similarity.value for figure in figures]),
        realism=np.array([figure.realism for figure in figures]),
        spread=np.array([figure.spread for figure in figures]),
        sharpness=np.array([figure.sharpness for figure in figures]),
        chosen=entry.curve.index(entry.chosen),
    )


def notes(comparison: Comparison) -> list[str]:
    """What a reader must know to judge the figures."""
    asked, last = comparison.asked, comparison.entries[-1]
    withheld = sum(last.chosen.output.withheld)
    lines = [
        f"A strength is a share of the {asked['steps']} steps, so there are {asked['steps'] + 1} strengths and "
        "none between; at 0 the pipeline comes down to its autoencoder's reconstruction, and that is what is shown.",
    ]
    if not asked["safety_checker"]:
        lines.append("No safety checker looked at the pictures: the checkpoint has none, or it was left out.")
    elif withheld:
        lines.append(
            f"The safety checker withheld {withheld} pictures; they are black and not in the figures."
        )
    if asked["device"].startswith("cuda"):
        turns = ", its networks on the card in turns" if asked["offloaded"] else ""
        lines.append(f"The diffusion model computed in {asked['precision']}{turns}.")
    return lines


_CURVES = (
    "Each method from its reconstruction to its strongest level. A ring marks the level at which they are compared "
    "above. In the last three panels two methods are compared fairly where they stand above one another."
)
_KEEPING = (
    "A photo through each autoencoder and back. The number of latents decides most of it: a vector of a few hundred "
    "numbers that can be varied, and a map of thousands that follows the picture, are made for different ends."
)


def _opening(comparison: Comparison) -> str:
    count, names = len(comparison.seeds), [entry.name for entry in comparison.entries]
    parts = [f"{count} relatives of one photo by each method: {', '.join(names[:-1])} and {names[-1]}."]
    if comparison.wished is None:
        parts.append(
            "Each was run as asked, so they are not equally like the photo, and what is less like it is free to be "
            "more varied; matched similarity compares them where they are."
        )
    elif comparison.matched:
        reached = comparison.entries[-1].chosen.figures.similarity.value
        parts.append(
            f"Every knob was turned until the mean similarity to the photo was the same, {reached:.2f}, within "
            f"{comparison.tolerance:g}."
        )
        if abs(reached - comparison.wished) > comparison.tolerance:
            parts.append(f"The wished {comparison.wished:.2f} is not a similarity that all of them reach.")
    else:
        parts.append(
            "Their similarity could not be made the same: the ranges that they reach do not meet, or no strength lies "
            "near enough. Each is shown where it comes nearest, and the figures below do not compare like with like."
        )
    return " ".join(parts)


def _figure_rows(entries: Sequence[Entry]) -> list[tuple[Any, ...]]:
    """Measures as rows, methods as columns, the meaning last."""
    figures = [entry.chosen.figures for entry in entries]
    outputs = [entry.chosen.output for entry in entries]
    rows: list[tuple[Any, ...]] = [
        (
            "level",
            *(f"{entry.knob} {entry.chosen.level:.3g}" for entry in entries),
            "what the method was turned to",
        )
    ]
    rows.append(
        (
            "similarity",
            *(
                f"{f.similarity.value:.3f} ({f.similarity.low:.2f} to {f.similarity.high:.2f})"
                for f in figures
            ),
            MEANINGS["similarity"],
        )
    )
    rows += [
        (name, *(round(float(getattr(f, name)), 4) for f in figures), MEANINGS[name])
        for name in ("realism", "spread", "variety", "sharpness")
    ]
    rows.append(("seconds", *(output.seconds for output in outputs), MEANINGS["seconds"]))
    rows.append(("peak memory", *(_size(output.memory) for output in outputs), MEANINGS["memory"]))
    rows.append(("parameters", *(entry.size.parameters for entry in entries), MEANINGS["parameters"]))
    rows.append(("weights", *(_size(entry.size.bytes) for entry in entries), MEANINGS["weights"]))
    return rows


def _kept_rows(kept: Sequence[Kept]) -> list[tuple[Any, ...]]:
    return [
        ("latents", *(autoencoder.latents for autoencoder in kept), "numbers that stand for the photo"),
        (
            "PSNR",
            *(autoencoder.psnr for autoencoder in kept),
            "dB; larger is nearer to the photo, pixel by pixel",
        ),
        ("SSIM", *(autoencoder.ssim for autoencoder in kept), "structural similarity: 1 is the same picture"),
        ("sharpness", *(autoencoder.sharpness for autoencoder in kept), MEANINGS["sharpness"]),
        (
            "similarity",
            *(autoencoder.similarity for autoencoder in kept),
            "to the photo: 1 is the photo, 0 a stranger",
        ),
        ("seconds", *(autoencoder.output.seconds for autoencoder in kept), "there and back, on this machine"),
        ("parameters", *(autoencoder.size.parameters for autoencoder in kept), "learned numbers"),
        ("weights", *(_size(autoencoder.size.bytes) for autoencoder in kept), MEANINGS["weights"]),
    ]


def _add_autoencoders(page: Page, photo: Any, kept: Sequence[Kept]) -> None:
    page.heading("What each autoencoder keeps")
    pictures = _shown(photo[None]) + [_shown(autoencoder.output.pictures)[0] for autoencoder in kept]
    page.gallery(pictures, ["photo", *(autoencoder.name for autoencoder in kept)])
    page.table(("measure", *(autoencoder.name for autoencoder in kept), "meaning"), _kept_rows(kept))


def _captions(comparison: Comparison, entry: Entry) -> list[str]:
    withheld = entry.chosen.output.withheld
    return [
        f"seed {seed}" + (", withheld" if hidden else "")
        for seed, hidden in zip(comparison.seeds, withheld, strict=True)
    ]


def _shown(pictures: Any) -> list[Any]:
    from facette.comparison.trials import to_side

    side = min(pictures.shape[1], LARGEST_SHOWN)
    return list(to_side(pictures, side))


def _settings(asked: dict[str, Any]) -> list[tuple[str, str]]:
    """What was asked for, and with which versions, as rows."""
    spoken = {True: "yes", False: "no"}
    rows = [
        (name.replace("_", " "), spoken[value] if isinstance(value, bool) else str(value))
        for name, value in asked.items()
        if value is not None
    ]
    return rows + [(library, version(library)) for library in LIBRARIES]


def version(library: str) -> str:
    """The installed version of a library."""
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return "not installed"


def _size(count: int | None) -> str | None:
    if count is None:
        return None
    megabytes = count / 1e6
    return f"{megabytes:,.0f} MB" if megabytes >= 10 else f"{megabytes:.2g} MB"


def _lines(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> str:
    """Rows without their meanings, in columns."""
    table = [["", *names], *([str(row[0]), *(_plain(cell) for cell in row[1:-1])] for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    padded = ([text.ljust(width) for text, width in zip(row, widths, strict=True)] for row in table)
    return "\n".join("  ".join(row).rstrip() for row in padded)


def _plain(cell: Any) -> str:
    return "–" if cell is None else f"{cell:.4g}" if isinstance(cell, float) else str(cell)
