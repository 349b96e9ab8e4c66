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
    "likeness": "to the photo, by the attribute network: 1 is the photo, 0 a stranger; with its 95 % interval",
    "realism": "share of real faces that are no nearer to their like; real faces have 0.5",
    "spread": "how far two of the pictures are apart, pixel by pixel, from 0 to 1",
    "variety": "1 − the likeness of two of the pictures: 0 all the same, 1 strangers",
    "sharpness": "fine detail over the photo's: 1 as sharp, below softer, above noisier",
    "seconds": "for one picture, on this machine",
    "memory": "its weights, and the most that making the pictures took on top",
    "parameters": "learned numbers in all networks that take part",
    "weights": "of these numbers, as they lie in memory",
}


def comparison_page(found: Comparison, command: str) -> Page:
    """Everything about two methods on one photo."""
    from facette.plots.comparison import plot_tradeoffs
    from facette.plots.page import Page

    side = len(found.photo)
    page = Page(found.title, found.subtitle)
    page.prose(_opening(found)).picture(found.sheet(), "Which pictures are whose stands at the left.")
    page.heading("Figures")
    page.table(("measure", *(entry.name for entry in found.entries), "meaning"), _figure_rows(found.entries))
    page.prose(
        f"All figures are taken at {side} × {side} pixels, the size of {found.asked['model']}, and with the same "
        "functions; larger pictures were made smaller first. The attribute network knows hair, age, beard, glasses "
        "and expression, not who somebody is, and noise that no eye takes for a face can pass for one with it."
    )
    if found.wished is not None:
        page.heading("Over the whole range")
        page.figure(plot_tradeoffs([tradeoff(entry) for entry in found.entries], title=""), _CURVES)
    for entry in found.entries:
        page.heading(f"{entry.name}, {entry.knob} {entry.chosen.level:.3g}")
        page.gallery(_shown(entry.chosen.made.pictures), _captions(found, entry))
    _add_autoencoders(page, found.photo, found.kept)
    page.heading("What was run").prose(command)
    return (
        page.table(("setting", "value"), _settings(found.asked)).bullets(notes(found)).data(found.to_dict())
    )


def reconstruction_page(found: Reconstruction, command: str) -> Page:
    """Autoencoders side by side on one photo."""
    from facette.plots.page import Page

    page = Page(found.title, f"{found.asked['model']} beside {found.kept[-1].name}")
    page.prose(_KEEPING).picture(found.sheet(), "The photo, and what each autoencoder makes of it.")
    _add_autoencoders(page, found.photo, found.kept)
    page.heading("What was run").prose(command)
    return page.table(("setting", "value"), _settings(found.asked)).data(found.to_dict())


def spoken_duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def comparison_lines(found: Comparison) -> str:
    """The figures as lines for a terminal."""
    return _lines([entry.name for entry in found.entries], _figure_rows(found.entries))


def reconstruction_lines(found: Reconstruction) -> str:
    """The figures as lines for a terminal."""
    return _lines([kept.name for kept in found.kept], _kept_rows(found.kept))


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
        likeness=np.array([one.likeness.value for one in figures]),
        realism=np.array([one.realism for one in figures]),
        spread=np.array([one.spread for one in figures]),
        sharpness=np.array([one.sharpness for one in figures]),
        chosen=entry.curve.index(entry.chosen),
    )


def notes(found: Comparison) -> list[str]:
    """What a reader must know to judge the figures."""
    asked, last = found.asked, found.entries[-1]
    withheld = sum(last.chosen.made.withheld)
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


def _opening(found: Comparison) -> str:
    count, names = len(found.seeds), [entry.name for entry in found.entries]
    parts = [f"{count} relatives of one photo by each method: {', '.join(names[:-1])} and {names[-1]}."]
    if found.wished is None:
        parts.append(
            "Each was run as asked, so they are not equally like the photo, and what is less like it is free to be "
            "more varied; matched likeness compares them where they are."
        )
    elif found.matched:
        reached = found.entries[-1].chosen.figures.likeness.value
        parts.append(
            f"Every knob was turned until the mean likeness to the photo was the same, {reached:.2f}, within "
            f"{found.tolerance:g}."
        )
        if abs(reached - found.wished) > found.tolerance:
            parts.append(f"The wished {found.wished:.2f} is not a likeness that all of them reach.")
    else:
        parts.append(
            "Their likeness could not be made the same: the ranges that they reach do not meet, or no strength lies "
            "near enough. Each is shown where it comes nearest, and the figures below do not compare like with like."
        )
    return " ".join(parts)


def _figure_rows(entries: Sequence[Entry]) -> list[tuple[Any, ...]]:
    """Measures as rows, methods as columns, the meaning last."""
    figures = [entry.chosen.figures for entry in entries]
    made = [entry.chosen.made for entry in entries]
    rows: list[tuple[Any, ...]] = [
        (
            "level",
            *(f"{entry.knob} {entry.chosen.level:.3g}" for entry in entries),
            "what the method was turned to",
        )
    ]
    rows.append(
        (
            "likeness",
            *(f"{f.likeness.value:.3f} ({f.likeness.low:.2f} to {f.likeness.high:.2f})" for f in figures),
            MEANINGS["likeness"],
        )
    )
    rows += [
        (name, *(round(float(getattr(f, name)), 4) for f in figures), MEANINGS[name])
        for name in ("realism", "spread", "variety", "sharpness")
    ]
    rows.append(("seconds", *(one.seconds for one in made), MEANINGS["seconds"]))
    rows.append(("peak memory", *(_size(one.memory) for one in made), MEANINGS["memory"]))
    rows.append(("parameters", *(entry.size.parameters for entry in entries), MEANINGS["parameters"]))
    rows.append(("weights", *(_size(entry.size.bytes) for entry in entries), MEANINGS["weights"]))
    return rows


def _kept_rows(kept: Sequence[Kept]) -> list[tuple[Any, ...]]:
    return [
        ("latents", *(one.latents for one in kept), "numbers that stand for the photo"),
        ("PSNR", *(one.psnr for one in kept), "dB; larger is nearer to the photo, pixel by pixel"),
        ("SSIM", *(one.ssim for one in kept), "structural similarity: 1 is the same picture"),
        ("sharpness", *(one.sharpness for one in kept), MEANINGS["sharpness"]),
        ("likeness", *(one.likeness for one in kept), "to the photo: 1 is the photo, 0 a stranger"),
        ("seconds", *(one.made.seconds for one in kept), "there and back, on this machine"),
        ("parameters", *(one.size.parameters for one in kept), "learned numbers"),
        ("weights", *(_size(one.size.bytes) for one in kept), MEANINGS["weights"]),
    ]


def _add_autoencoders(page: Page, photo: Any, kept: Sequence[Kept]) -> None:
    page.heading("What each autoencoder keeps")
    pictures = _shown(photo[None]) + [_shown(one.made.pictures)[0] for one in kept]
    page.gallery(pictures, ["photo", *(one.name for one in kept)])
    page.table(("measure", *(one.name for one in kept), "meaning"), _kept_rows(kept))


def _captions(found: Comparison, entry: Entry) -> list[str]:
    withheld = entry.chosen.made.withheld
    return [
        f"seed {seed}" + (", withheld" if hidden else "")
        for seed, hidden in zip(found.seeds, withheld, strict=True)
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
