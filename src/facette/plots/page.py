"""One self-contained HTML page: words, tables, figures, pictures, and the numbers behind them.

Enters: text, cells, matplotlib figures, uint8 pictures and contact sheets. Leaves: one file that asks nobody for
anything: no script, no font, no picture from elsewhere, and a policy inside that forbids it. All text is escaped.
It knows nothing of what the page is about.

    page = Page("Title", "what and when")
    page.heading("Reconstructions").prose("In one paragraph.\\n\\nAnd another.")
    page.table(("measure", "model"), [("PSNR", 24.51)])
    page.figure(figure, "What the curves show").picture(sheet, "Photos over reconstructions")
    page.gallery(pictures, captions).data({"psnr": 24.51})
    page.save("card.html")
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from facette.errors import UsageError
from facette.files import check_ending, json_of
from facette.images.sheets.file import write_whole
from facette.images.sheets.grid import Sheet
from facette.images.sheets.palette import DARK, LIGHT
from facette.plots.style import hexed
from facette.text import readable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Cell = str | int | float | np.ndarray | Image.Image | None
LARGEST_DRAWING = 250_000  # bytes of SVG; a figure of more is shown as pixels
LOSSLESS_UP_TO = 128 * 128  # pixels: small pictures are kept exactly, large ones as JPEG
JPEG_QUALITY = 88


class Page:
    """A page that grows from top to bottom; every method returns the page itself."""

    def __init__(self, title: str, subtitle: str = ""):
        self.title, self.subtitle = title, subtitle
        self._parts: list[str] = []

    def heading(self, text: str) -> Page:
        """The title of a section."""
        return self._add(f"<h2>{escape(text)}</h2>")

    def prose(self, text: str) -> Page:
        """Paragraphs, one for each block of text between blank lines."""
        return self._add(*(f"<p>{escape(part.strip())}</p>" for part in text.split("\n\n") if part.strip()))

    def bullets(self, sentences: Sequence[str]) -> Page:
        """A list of sentences; nothing for none."""
        items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
        return self._add(f"<ul>{items}</ul>") if items else self

    def table(self, head: Sequence[str], rows: Sequence[Sequence[Cell]], caption: str = "") -> Page:
        """Rows under a head, the first cell of each naming its row; a wide table scrolls by itself.

        Cells are text, numbers (shown to four digits, aligned right), pictures, or None (a dash).
        UsageError: a row of another length than the head.
        """
        for row in rows:
            if len(row) != len(head):
                raise UsageError(f"a table of {len(head)} columns has a row of {len(row)}: {list(row)!r}")
        titles = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
        body = "".join(f"<tr>{_row(row)}</tr>" for row in rows)
        legend = f"<caption>{escape(caption)}</caption>" if caption else ""
        return self._add(
            f'<div class="wide" tabindex="0"><table>{legend}<thead><tr>{titles}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>"
        )

    def figure(self, figure: Figure, caption: str = "") -> Page:
        """A matplotlib figure as a drawing (SVG), or as pixels (PNG) where the drawing would be too large."""
        return self._add(_figure(_drawn(figure), caption, "drawing"))

    def picture(self, picture: np.ndarray | Image.Image | Sheet, caption: str = "") -> Page:
        """One picture as wide as the page allows: a uint8 array (H, W, 3) or (H, W), an image, or a sheet."""
        return self._add(_figure(_inlined(picture), caption))

    def gallery(self, pictures: Sequence[np.ndarray | Image.Image], captions: Sequence[str] = ()) -> Page:
        """Pictures side by side, as many as the window is wide. UsageError: not one caption for each, nor none."""
        if captions and len(captions) != len(pictures):
            raise UsageError(
                f"{len(captions)} captions for {len(pictures)} pictures: give one for each, or none"
            )
        words = captions or [""] * len(pictures)
        each = (_figure(_inlined(picture), word) for picture, word in zip(pictures, words, strict=True))
        return self._add(f'<div class="gallery">{"".join(each)}</div>')

    def data(self, values: Mapping[str, Any], name: str = "The numbers as JSON") -> Page:
        """JSON behind a line that opens it. UsageError: values that JSON does not know, NaN among them."""
        try:
            text = json_of(values, indent=2, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise UsageError(f"{name} cannot be shown: {error}") from None
        return self._add(f"<details><summary>{escape(name)}</summary><pre>{escape(text)}</pre></details>")

    def html(self) -> str:
        """The whole page; the same content gives the same text."""
        under = f'<p class="quiet">{escape(self.subtitle)}</p>' if self.subtitle else ""
        return readable(
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(self.title)}</title>\n<style>{_STYLE}</style></head>\n"
            f"<body><main><h1>{escape(self.title)}</h1>{under}\n"
            + "\n".join(self._parts)
            + "\n</main></body></html>\n"
        )

    def save(self, path: str | Path) -> Path:
        """Write the page, whole or not at all, making parent folders; returns the path.

        UsageError: a name that does not end in .html, or a place that cannot be written.
        """
        text = self.html().encode()
        return write_whole(check_page_path(path), lambda file: file.write(text))

    def _add(self, *parts: str) -> Page:
        self._parts += parts
        return self


def check_page_path(path: str | Path) -> Path:
    """The path, if a page can be written under this name."""
    return check_ending(path, (".html",))


def _row(cells: Sequence[Cell]) -> str:
    first, *rest = cells
    return f'<th scope="row">{_cell(first)}</th>' + "".join(
        f'<td class="number">{_cell(cell)}</td>' if _is_number(cell) else f"<td>{_cell(cell)}</td>"
        for cell in rest
    )


def _is_number(cell: Cell) -> bool:
    return isinstance(cell, int | float | np.number) and not isinstance(cell, bool)


def _cell(cell: Cell) -> str:
    match cell:
        case None:
            return "–"
        case np.ndarray() | Image.Image():
            return _image(_inlined(cell), "")
        case bool() | str():
            return escape(str(cell))
        case int() | np.integer():
            return f"{cell:,}"
        case _:
            return f"{cell:.4g}"


def _figure(source: str, caption: str, kind: str = "picture") -> str:
    words = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure class="{kind}">{_image(source, caption)}{words}</figure>'


def _image(source: str, words: str) -> str:
    return f'<img src="{source}" alt="{escape(words)}">'


def _drawn(figure: Figure) -> str:
    from matplotlib import rc_context

    buffer = BytesIO()
    with rc_context({"svg.hashsalt": "facette"}):  # names inside the drawing are else random
        figure.savefig(buffer, format="svg", facecolor=figure.get_facecolor(), metadata={"Date": None})
    if buffer.tell() <= LARGEST_DRAWING:
        return _address("svg+xml", buffer.getvalue())
    buffer = BytesIO()
    figure.savefig(buffer, format="png", facecolor=figure.get_facecolor())
    return _address("png", buffer.getvalue())


def _inlined(picture: np.ndarray | Image.Image | Sheet) -> str:
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8:
            raise UsageError(f"a page shows pictures of uint8, got {picture.dtype}: multiply floats by 255.")
        image = Image.fromarray(picture)
    else:
        image = picture.image if isinstance(picture, Sheet) else picture
    buffer = BytesIO()
    if image.width * image.height <= LOSSLESS_UP_TO:
        image.save(buffer, "PNG")
        return _address("png", buffer.getvalue())
    image.convert("RGB").save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return _address("jpeg", buffer.getvalue())


def _address(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
# A drawing is on light paper: where the page is dark, its lightness is turned round and its hues are kept.
_STYLE = f"""
:root {{ color-scheme: light dark; }}
body {{ margin: 0; background: {hexed(LIGHT.paper)}; color: {hexed(LIGHT.ink)};
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }}
main {{ max-width: 68rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }}
h1 {{ font-size: 1.7rem; line-height: 1.2; margin: 0.5rem 0; overflow-wrap: anywhere; }}
h2 {{ font-size: 1.2rem; margin: 2.2rem 0 0.6rem; }}
p, ul {{ max-width: 46rem; margin: 0.6rem 0; overflow-wrap: anywhere; }}
ul {{ padding-left: 1.2rem; }}
.quiet, caption, figcaption, summary {{ color: {hexed(LIGHT.muted)}; font-size: 0.9rem; }}
.wide {{ overflow-x: auto; margin: 0.8rem 0; }}
table {{ border-collapse: collapse; font-size: 0.92rem; font-variant-numeric: tabular-nums; }}
caption {{ text-align: left; padding-bottom: 0.4rem; }}
th, td {{ text-align: left; vertical-align: top; padding: 0.4rem 0.9rem 0.4rem 0;
  border-bottom: 1px solid {hexed(LIGHT.line)}; }}
th {{ font-weight: 600; }}
.number {{ text-align: right; }}
@media (max-width: 40rem) {{ td:last-child:not(.number) {{ min-width: 14rem; }} }}
td img {{ width: 64px; }}
figure {{ margin: 1rem 0; }}
img {{ max-width: 100%; height: auto; display: block; }}
.gallery {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(6rem, 1fr)); gap: 0.7rem; }}
.gallery figure {{ margin: 0; }}
.gallery img {{ width: 100%; border-radius: 6px; }}
details {{ margin: 1.5rem 0; }}
summary {{ cursor: pointer; }}
pre {{ overflow-x: auto; font-size: 0.8rem; line-height: 1.35; }}
@media screen and (prefers-color-scheme: dark) {{
  body {{ background: {hexed(DARK.paper)}; color: {hexed(DARK.ink)}; }}
  .quiet, caption, figcaption, summary {{ color: {hexed(DARK.muted)}; }}
  th, td {{ border-color: {hexed(DARK.line)}; }}
  .drawing img {{ filter: invert(0.9) hue-rotate(180deg); }}
}}
"""
