"""Measures the tables and draws the pictures of docs/classics/, one command a page.

    python scripts/docs/classics.py one --model runs/celeba150 --data faces128/valid
    python scripts/docs/classics.py two --model runs/celeba150 --data faces128/valid
    python scripts/docs/classics.py three --model runs/celeba64-z50 --data faces128/valid \\
        --authors celeba64_z50_200epochs.pth --whole original

Tables are written between the marks `<!-- measured: NAME -->` and `<!-- end -->` of the page; pictures go to
docs/figures/classics/. Photos shown are in the public domain, everything else was drawn by a model.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

HERE = Path(__file__).parents[2] / "docs"
PAGES = HERE / "classics"
FIGURES = HERE / "figures" / "classics"
WIDTH = 1300  # pixels
Picture = np.ndarray


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a page is made of."""

    model: str  # a run or a model folder
    data: str  # pictures to measure on
    authors: str | None = None  # their checkpoint, where present
    whole: str | None = None  # whole aligned frames, in CelebA's layout
    to_the_letter: str | None = None  # a run of the report's own recipe, where `model` is not one
    count: int = 1000  # pictures to measure on, at most
    photos: int = 20  # of them, whose variations are measured


def main(arguments: Sequence[str] | None = None) -> None:
    given = parser().parse_args(arguments)
    wanted = Wanted(
        given.model, given.data, given.authors, given.whole, given.to_the_letter, given.count, given.photos
    )
    page = __import__(f"classic_{given.page}")
    if not given.figures_only:
        write_tables(PAGES / f"{given.page}.md", page.tables(wanted))
        print(PAGES / f"{given.page}.md")
    for path in page.figures(wanted):
        print(path)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("page", choices=("one", "two", "three"))
    made.add_argument("--model", required=True, help="the trained network: a run or a model folder")
    made.add_argument("--data", required=True, help="pictures that it never saw")
    made.add_argument("--authors", help="page three: its authors' weights, where present")
    made.add_argument("--whole", help="page three: whole aligned frames in CelebA's layout")
    made.add_argument("--to-the-letter", help="page three: a run of the report's recipe as it is")
    made.add_argument("--count", type=int, default=1000, help="measure on so many pictures")
    made.add_argument("--photos", type=int, default=20, help="measure the variations of so many")
    made.add_argument("--figures-only", action="store_true", help="leave the tables as they are")
    return made


# ── pages ────────────────────────────────────────────────────────────────────────────────────────────────


def write_tables(page: Path, tables: Mapping[str, str]) -> None:
    """Put every table between its marks. Raises ValueError where marks and tables are not the same."""
    text = page.read_text("utf-8")
    marks = re.findall(r"<!-- measured: ([\w-]+) -->", text)
    if sorted(marks) != sorted(tables):
        raise ValueError(f"{page.name} has places for {sorted(marks)}, but {sorted(tables)} were measured")
    for name, table in tables.items():
        mark = f"<!-- measured: {name} -->"
        begin = text.index(mark) + len(mark)
        end = text.index("<!-- end -->", begin)
        text = f"{text[:begin]}\n{table.strip()}\n{text[end:]}"
    page.write_text(text, "utf-8")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [f"| {' | '.join(head)} |", f"| {' | '.join(['---'] * len(head))} |"]
    return "\n".join([*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows)])


def short(value: float) -> str:
    """Three digits that count, and the minus of a printed page."""
    if abs(value) < 1e-9:
        return "0"
    shown = f"{value:,.0f}" if abs(value) >= 100 else f"{value:#.3g}".rstrip(".")
    return shown.replace("-", "−")


# ── models and pictures ──────────────────────────────────────────────────────────────────────────────────


def origin(model: Any, count: int) -> str:
    """Where a model comes from and on how much it was measured, in sentences for the page."""
    known = model.provenance
    passes, pictures = known["image_passes"], known["images"]
    return (
        f"Measured with `{model.name}` after {passes:,} image passes: {passes / pictures:.1f} epochs of "
        f"{pictures:,} pictures, {known['seconds'] / 60:.0f} minutes on {known['hardware']}. "
        f"Figures are of {count:,} faces that it never saw, unless said otherwise."
    )


def photo(model: Any, name: Literal["astronaut", "hopper"]) -> Picture:
    """A public-domain photo in the model's frame, (S, S, 3)."""
    import facette
    from facette.cli.demo import find_photo
    from facette.images.faces.align import intake

    return intake(facette.open_image(find_photo(name)).image, model.input).picture


def read(model: Any, data: Any, count: int) -> Picture:
    """Up to `count` pictures of a data set as the model takes them, (N, S, S, 3)."""
    from facette.data.selection import choose_data

    chosen = choose_data(model, data, "all")
    every = max(1, len(chosen.indices) // count)
    return chosen.read(chosen.indices[::every][:count])


def card(evaluation: Any) -> dict[str, str]:
    """The figures of one evaluation that the tables show."""
    made, bound = evaluation.reconstruction, evaluation.bound
    return {
        "unexplained variance": short(made.unexplained_variance.value),
        "PSNR, dB": short(made.psnr.value),
        "SSIM": short(made.ssim.value),
        "sharpness of real": short(made.sharpness.value),
        "ELBO, nats": short(bound.elbo.value),
        "rate, nats": short(bound.rate.value),
        "bits per dimension": "–"
        if bound.bits_per_dimension is None
        else short(bound.bits_per_dimension.value),
        "active units": f"{evaluation.latents.active} of {evaluation.latents.size}",
        "mean posterior σ": short(evaluation.latents.posterior_scale),
    }


def side_by_side(columns: Mapping[str, Mapping[str, str]]) -> str:
    """Several cards as one table."""
    names = dict.fromkeys(name for one in columns.values() for name in one)
    rows = [[name, *(one.get(name, "") for one in columns.values())] for name in names]
    return table(["measure", *columns], rows)


def save(image: Image.Image, name: str) -> Path:
    """As wide as a repository page shows it twice over, light enough to travel with the code."""
    if image.width > WIDTH:
        image = image.resize((WIDTH, round(WIDTH * image.height / image.width)), Image.Resampling.LANCZOS)
    FIGURES.mkdir(parents=True, exist_ok=True)
    path = FIGURES / f"{name}.jpg"
    image.convert("RGB").save(path, quality=87)
    return path


def save_plot(figure: Any, name: str) -> Path:
    """A matplotlib figure, the same way."""
    import tempfile

    from facette.plots.style import save_figure

    with (
        tempfile.TemporaryDirectory() as folder,
        Image.open(save_figure(figure, Path(folder) / "figure.png")) as drawn,
    ):
        return save(drawn.convert("RGB"), name)


if __name__ == "__main__":
    main()
