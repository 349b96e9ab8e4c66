"""The interactive map: one HTML page that asks nobody for anything, and forbids itself to.

Enters: a `Chart`. Leaves: a page on which Bokeh draws the points (WebGL where there is one) and a script beside
this file does the rest: pictures under the pointer, neighbours of a click, colours, faces on the map, and a lasso
whose files can be copied. What comes from outside (titles, names of files) is escaped and never becomes markup.
"""

from __future__ import annotations

import re
from base64 import b64encode
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from facette.errors import import_extra
from facette.files import json_of
from facette.images.sheets.file import write_whole
from facette.images.sheets.palette import DARK, LIGHT
from facette.plots.interactive_map.atlas import Atlas, pack_atlas, slots_by_place
from facette.plots.maps import Chart, base64_of
from facette.plots.page import check_page_path
from facette.plots.style import accent, hexed

_HERE = Path(__file__).parent
# Bokeh compiles its WebGL calls from text: hence 'unsafe-eval'. Nothing may be fetched, from anywhere.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:"
)


def save_map_page(chart: Chart, path: str | Path) -> Path:
    """Write the page, whole or not at all; returns the path. UsageError: no .html, or a place that is not writable."""
    text = map_page(chart).encode()
    return write_whole(check_page_path(path), lambda file: file.write(text))


def map_page(chart: Chart) -> str:
    """The page as text. MissingExtraError where Bokeh is not installed."""
    atlases = _atlases(chart)
    parts = {
        "policy": escape(_POLICY),
        "title": escape(chart.title),
        "subtitle": escape(chart.subtitle),
        "remarks": escape(chart.remarks),
        "style": _style(),
        "data": _json(_data(chart, atlases)),
        "plot": _json(_plot(chart)),
        "atlas": "\n".join(
            f'<script type="text/plain" id="atlas-{kind}{number}">{b64encode(sheet).decode()}</script>'
            for kind, atlas in atlases.items()
            for number, sheet in enumerate(atlas.sheets)
        ),
        "bokeh": _bokeh_script(),
        "script": _read("page.js"),
    }
    return _fill(_read("page.html"), parts)


def _data(chart: Chart, atlases: dict[str, Atlas]) -> dict[str, Any]:
    """What the script knows, numbers as base64 of little-endian arrays."""
    x, y = np.asarray(chart.points, "<f4").T
    ground = np.asarray(np.empty((0, 2)) if chart.ground is None else chart.ground, "<f4")
    unknown = np.zeros(chart.placed, np.uint8)  # placed photos belong to no group
    atlas = atlases.get("p")
    return {
        "x": base64_of(x),
        "y": base64_of(y),
        "ground": [base64_of(ground[:, 0]), base64_of(ground[:, 1])],
        "names": chart.names,
        "neighbours": base64_of(np.asarray(chart.neighbours, "<i4")),
        "placed": chart.placed,
        "shown": chart.shown,
        "plain": accent(1),
        "columns": [
            column.described(np.concatenate([column.codes[: chart.settled], unknown]))
            for column in chart.columns
        ],
        "atlas": atlas
        and {
            "columns": atlas.columns,
            "rows": atlas.rows,
            "pages": {
                "count": len(atlas.sheets),
                "last": len(atlas.slots) - (len(atlas.sheets) - 1) * atlas.columns * atlas.rows,
            },
            "slots": base64_of(np.asarray(atlas.slots, "<i4")),
            "reconstructions": "r" in atlases,
        },
    }


def _atlases(chart: Chart) -> dict[str, Atlas]:
    if chart.pictures is None:
        return {}
    slots = slots_by_place(chart.points)
    packed = {"p": pack_atlas(chart.pictures, slots)}
    if chart.reconstructions is not None:
        packed["r"] = pack_atlas(chart.reconstructions, slots)
    return packed


def _plot(chart: Chart) -> Any:
    """Bokeh's own description of an empty plot with its tools; the script puts the points in."""
    import_extra("bokeh", "map", "an interactive map")
    from bokeh.embed import json_item
    from bokeh.models import (
        ColumnDataSource,
        LassoSelectTool,
        LinearColorMapper,
        PanTool,
        Plot,
        Range1d,
        Scatter,
        Segment,
        WheelZoomTool,
    )

    plot = Plot(
        x_range=Range1d(start=0, end=1),
        y_range=Range1d(start=0, end=1),
        sizing_mode="stretch_both",
        output_backend="webgl",
        min_border=0,
        toolbar_location=None,
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
        lod_threshold=8_000,  # on a plain canvas, of more points only some are drawn while they move
        lod_factor=4,
        lod_interval=2_000,  # also where a frame takes long: there it helps most
        lod_timeout=1_000,
    )
    empty: list[float] = []
    points = ColumnDataSource({"x": empty, "y": empty, "group": empty}, name="points")
    rings = ColumnDataSource({"x": empty, "y": empty, "size": empty}, name="rings")
    rays = ColumnDataSource({"x0": empty, "y0": empty, "x1": empty, "y1": empty}, name="rays")
    mapper = LinearColorMapper(palette=[accent(1), accent(1)], low=-0.5, high=1.5, name="mapper")
    size = float(np.clip(45 / max(len(chart.points), 1) ** 0.25, 3.5, 9))  # 6.7 pixels for 2,000
    below = ColumnDataSource({"x": empty, "y": empty}, name="ground")
    plot.add_glyph(below, Scatter(size=4, fill_color=hexed(LIGHT.muted), line_color=None, fill_alpha=0.25))
    dots = plot.add_glyph(
        points,
        Scatter(
            size=size, fill_color={"field": "group", "transform": mapper}, line_color=None, fill_alpha=0.75
        ),
        nonselection_glyph=Scatter(
            size=size, fill_color={"field": "group", "transform": mapper}, line_color=None, fill_alpha=0.12
        ),
    )
    plot.add_glyph(rays, Segment(x0="x0", y0="y0", x1="x1", y1="y1", line_alpha=0.5, name="ray"))
    plot.add_glyph(rings, Scatter(size="size", fill_color=None, line_width=2.5, name="ring"))
    lasso = LassoSelectTool(renderers=[dots], continuous=False, name="lasso")
    pan, wheel = PanTool(name="pan"), WheelZoomTool(zoom_on_axis=False)
    plot.add_tools(pan, wheel, lasso)
    plot.toolbar.active_drag, plot.toolbar.active_scroll = pan, wheel
    return json_item(plot)


def _bokeh_script() -> str:
    """BokehJS with its WebGL part, from the installed package."""
    import_extra("bokeh", "map", "an interactive map")
    from bokeh.resources import Resources

    return "\n".join(Resources(mode="inline", components=["bokeh", "bokeh-gl"]).js_raw)


def _style() -> str:
    colours = {
        prefix + name: hexed(getattr(theme, name))
        for prefix, theme in (("", LIGHT), ("dark_", DARK))
        for name in ("paper", "ink", "muted", "line", "accent")
    }
    return _fill(_read("page.css"), colours)


def _fill(template: str, parts: dict[str, str]) -> str:
    """The template with every @name@ replaced, all at once: what is put in is never searched again."""
    return re.sub(r"@(\w+)@", lambda match: parts[match[1]], template)


def _json(value: Any) -> str:
    """JSON that can stand inside a script element whatever the names in it are."""
    return json_of(value).replace("<", "\\u003c")


def _read(name: str) -> str:
    return (_HERE / name).read_text("utf-8")
