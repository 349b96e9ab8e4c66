"""Map: who stands beside whom in the latent space, to walk on: pick a face, draw a way to another, put a photo there.

Enters: nothing (the model's own samples), a folder, or a saved map; then picks. Leaves: the picture at a point or on
the way between two. The page keeps the map as its projection; what is seen of it is a download.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any

from facette.latent.paths import path
from facette.latent.points import decode_each, encode_each
from facette.latent.project import Method, Projection
from facette.plots.interactive_map.atlas import Atlas
from facette.studio.apart import NamedModel, work_apart
from facette.studio.chart import SAVED, Walk, chart_files, draw_map, methods, packed
from facette.studio.download_links import drawn_picture
from facette.studio.events import Tell, live, long
from facette.studio.parts import (
    command_line,
    copyable,
    face,
    faces,
    folded,
    hidden_input,
    link,
    note,
    parse_message,
    photo_box,
    png_address,
)
from facette.studio.path_view import Way, picture_between

if TYPE_CHECKING:
    from facette.studio.app import Studio

NAMES: dict[str, Method] = {"t-SNE": "tsne", "UMAP": "umap", "Principal components": "pca"}
SAMPLES = 300  # of the model's own, where no data are named
FEWEST, MOST, USUAL = 50, 3000, 500  # pictures on a map
STEPS = 9  # pictures of a way
PLACING = "Looking for the photo's place on the map"


@dataclass(frozen=True, slots=True)
class MapOrder:
    """All that a map drawn in a process of its own needs."""

    model: NamedModel
    source: str  # as `draw_map` takes it
    method: Method
    count: int
    seed: int


@dataclass(frozen=True, slots=True)
class DrawnMap:
    """A map as it is drawn: what every page that shows it needs."""

    walk: Walk
    described: dict[str, Any]
    atlas: Atlas
    shown: str  # the column to colour by
    remarks: str


@dataclass(frozen=True, slots=True)
class PageMap:
    """A map on one page."""

    walk: Walk
    chart: str  # address
    sheets: tuple[str, ...]  # addresses
    column: str
    pictures: tuple[Any, ...] = ()  # of the placed photos, (S, S, 3) each
    held: tuple[str, ...] = ()  # what the photo box held when each was placed


def page(studio: Studio) -> None:
    """The tab."""
    import gradio as gr
    from gradio.context import Context

    own = _OwnSamples(studio)
    ways = [name for name, method in NAMES.items() if method in methods()]
    with gr.Accordion("What to map", open=False):
        with gr.Row():
            source = gr.Textbox(
                "", label="Pictures", elem_id="map-source", scale=2, visible=not studio.shared,
                placeholder=f"empty: {SAMPLES} samples of the model",
                info=f"A folder or zip, a CelebA folder, synthetic-faces:COUNT, or a saved map ({SAVED})",
            )  # fmt: skip
            method = gr.Dropdown(
                ways, value=ways[0], label="Projection", elem_id="map-method", filterable=False, min_width=220
            )
            count = gr.Slider(FEWEST, MOST, USUAL, step=50, label="At most so many", elem_id="map-count")
            seed = gr.Number(0, label="Seed", precision=0, minimum=0, min_width=80)
        with gr.Row():
            draw = gr.Button("Draw the map", variant="primary", elem_id="map-draw")
            halt = gr.Button("Stop", elem_id="map-stop")
    told = gr.HTML(elem_id="map-told")
    with gr.Row():
        with gr.Column(scale=3):
            shown = gr.HTML(
                note("The map of the model's own samples is drawn in some seconds."), elem_id="map-map"
            )
            under = gr.HTML(elem_id="map-under")
        with gr.Column(scale=1, min_width=260):
            seen = gr.HTML(note("Pick a face on the map."), elem_id="map-picture")
            place = gr.Slider(
                0, 100, 50, step=1, label="How far on the way, in %", visible=False, elem_id="map-place"
            )
            words = gr.HTML(elem_id="map-words")
            placing = gr.HTML(elem_id="map-placing")
            photo = photo_box("Put a photo on the map", "map-photo", shared=False)
    wall = gr.HTML(elem_id="map-way")
    picked = hidden_input("map-walk")
    state, way = gr.State(None), gr.State(None)

    def first(tab: str, tell: Any, there: PageMap | None) -> list[Any]:
        return [there, gr.skip(), gr.skip()] if there else _on_page(studio, tab, own.ready(tell), "")

    def other(tab: str, tell: Any, named: str, called: str, most: float, number: float) -> list[Any]:
        named = studio.readable(named) if named.strip() else ""
        if not named and NAMES[called] == methods()[0] and not number:
            return _on_page(studio, tab, own.ready(tell), "")
        order = MapOrder(studio.named, named, NAMES[called], int(most) if named else SAMPLES, int(number))
        return _on_page(studio, tab, work_apart(map_of, order, tell), _command(order))

    drawn = [state, shown, under]
    opened = Context.block
    assert isinstance(opened, gr.Tab), "a page is built inside its tab"
    there = [
        long(studio, opened.select, first, [state], told, drawn, halt),
        long(studio, draw.click, other, [source, method, count, seed], told, drawn, halt),
    ]
    live(
        studio,
        picked.change,
        partial(_walked, studio),
        [picked, state, place],
        [seen, words, wall, way, place],
    )
    live(studio, place.input, partial(picture_between, studio), [way, place], [seen], in_a_hurry=True)
    for trigger in (photo.change, *(event.success for event in there)):
        long(
            studio, trigger, partial(_placed, studio), [photo, state], placing, [state, shown],
            lane="placing", trigger_mode="always_last",
        )  # fmt: skip


class _OwnSamples:
    """The map of the model's samples: drawn when somebody first looks, then the same for all."""

    def __init__(self, studio: Studio):
        self._studio, self._lock = studio, threading.Lock()
        self._drawn: DrawnMap | None = None

    def ready(self, tell: Any) -> DrawnMap:
        with self._lock:
            if self._drawn is None:
                order = MapOrder(self._studio.named, "", methods()[0], SAMPLES, 0)
                drawn: DrawnMap = work_apart(map_of, order, tell)
                self._drawn = drawn
            return self._drawn


def map_of(order: MapOrder, tell: Tell) -> DrawnMap:
    """The map, ready to be shown. Raises as `draw_map` does."""
    tell("Loading the model")
    model = order.model.open()
    walk, chart = draw_map(model, order.source, order.method, order.count, order.seed, tell)
    tell("packing the faces")
    described, atlas = chart_files(model, walk, chart)
    columns = [column["name"] for column in described["columns"]]
    shown = "Smiling" if "Smiling" in columns else columns[0] if columns else ""
    return DrawnMap(walk, described, atlas, shown, chart.remarks)


@dataclass(frozen=True, slots=True)
class PlacingOrder:
    """A photo to be put on a map."""

    projection: Projection
    latent: Any  # (Z,)


def place_of(order: PlacingOrder, tell: Tell) -> Any:
    """Where a photo lies on a map, (2,). Raises as `Projection.place` does."""
    return order.projection.place(order.latent[None])[0]


def _on_page(studio: Studio, tab: str, ready: DrawnMap, command: str) -> list[Any]:
    """The map as a page shows it: its state, its HTML, and what stands under it."""
    chart = studio.downloads.put(tab, "map-chart", packed(ready.described), "map.json", "application/json")
    sheets = tuple(
        studio.downloads.put(tab, f"map-sheet-{place}", sheet, f"faces-{place}.webp", "image/webp")
        for place, sheet in enumerate(ready.atlas.sheets)
    )
    shown = PageMap(ready.walk, chart, sheets, ready.shown)
    saved = studio.downloads.put(
        tab, "map-saved", lambda: _npz(ready.walk), f"map{SAVED}", "application/octet-stream"
    )
    under = (
        link(saved, "Save the map", f"map{SAVED}")
        + (copyable(command) if command else "")
        + (folded("Figures", note(ready.remarks)) if ready.remarks else "")
    )
    return [shown, _html(shown), under]


def _npz(walk: Walk) -> bytes:
    file = BytesIO()
    walk.projection.write(file)
    return file.getvalue()


def _html(shown: PageMap) -> str:
    placed = [
        {
            "x": float(photo.point[0]),
            "y": float(photo.point[1]),
            "name": photo.name,
            "source": png_address(drawn),
        }
        for photo, drawn in zip(shown.walk.placed, shown.pictures, strict=True)
    ]
    count = shown.walk.settled + len(placed)
    return f"""<div class="latent-map" data-input="map-walk" data-chart="{escape(shown.chart)}"
  data-sheets="{escape(json.dumps(shown.sheets))}" data-placed="{escape(json.dumps(placed))}"
  data-shown="{escape(shown.column)}">
  <div class="map-tools"><button type="button" data-map="closer" aria-label="Closer">+</button>
    <button type="button" data-map="farther" aria-label="Farther">−</button>
    <button type="button" data-map="whole">Whole map</button>
    <button type="button" data-map="faces" aria-pressed="true">Faces</button>
    <button type="button" data-map="joining" aria-pressed="false">Draw ways</button>
    <label>Colour by <select data-map="colour"></select></label></div>
  <canvas tabindex="0" role="application" aria-label="Map of {count} faces. Arrow keys walk from face to face, Enter
picks one, Shift and Enter draw the way to one, plus and minus zoom, 0 shows the whole map."></canvas>
  <ul class="map-legend"></ul>
  <p class="map-said quiet" role="status" aria-live="polite"></p></div>"""


def _walked(studio: Studio, tab: str, message: str, shown: PageMap | None, share: float) -> list[Any]:
    """One face, or the way between two."""
    import gradio as gr

    asked = parse_message(message)
    if shown is None or "from" not in asked:
        return [gr.skip()] * 5
    ends = [int(asked[name]) for name in ("from", "to") if name in asked]
    latents, names = [shown.walk.latent(end) for end in ends], [shown.walk.name(end) for end in ends]
    if len(ends) == 1:
        drawn = decode_each(studio.model, latents[0])[0]
        stem = f"face-{ends[0]}"
        saved = drawn_picture(studio, tab, "map-picture", drawn, stem)
        seen = face(drawn, names[0], f"the face of {names[0]}", name=f"{stem}.png")
        return [seen, saved, "", None, gr.update(visible=False)]
    way = path(latents[0][0], latents[1][0], STEPS)  # (T, Z)
    grid = Way.between_latents(way)
    pictures = decode_each(studio.model, way)
    captions = [names[0], *("" for _ in range(STEPS - 2)), names[1]]
    told = note(f"From {names[0]} to {names[1]}")
    wall = faces(list(pictures), captions, alt="step", kind="small")
    return [picture_between(studio, tab, grid, share), told, wall, grid, gr.update(visible=True)]


def _placed(studio: Studio, tab: str, tell: Tell, token: str, shown: PageMap | None) -> list[Any]:
    """The map with the photo on it; where it lies is found beside everybody's work, by libraries that are large."""
    import gradio as gr

    if not token or shown is None or token in shown.held:
        return [gr.skip()] * 2

    def looking(words: str = PLACING, share: float | None = None) -> None:
        tell(PLACING)

    looking()
    photo = studio.photos.take(token)
    with studio.turn:
        mean, _ = encode_each(studio.model, photo.picture[None])  # (1, Z)
    point = work_apart(place_of, PlacingOrder(shown.walk.projection, mean[0]), looking)
    walk = shown.walk.with_photo(photo.name, mean[0], point)
    after = replace(shown, walk=walk, pictures=(*shown.pictures, photo.picture), held=(*shown.held, token))
    return [after, _html(after)]


def _command(order: MapOrder) -> str:
    if not order.source or order.source.endswith(SAVED):
        return ""
    options = ["--method", order.method, "--count", order.count, "--seed", order.seed]
    return command_line("map", order.model.name, order.source, *options)
