"""How the studio looks: the house's colours in Gradio's theme, light and dark, and the page's own style sheet.

Fonts are those of the visitor's system: nothing is fetched from anywhere.
"""

from __future__ import annotations

from typing import Any

from facette.images.sheets.palette import DARK, LIGHT, Colour, Theme

HEAD = (
    '<link rel="stylesheet" href="/studio.css"><script src="/studio.js" defer></script>'
    '<meta name="color-scheme" content="light dark">'
)
FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "DejaVu Sans Mono", "monospace")
RAISED_LIGHT, RAISED_DARK = "#fffdf9", "#222228"
# The accents darkened, and lightened, until white and black stand on them at 4.5 : 1 and more.
PRESS_LIGHT, PRESS_DARK = "#a83350", "#f0a0b2"


def look() -> tuple[Any, str]:
    """Gradio's theme, and the variables that the style sheet is written with."""
    from gradio.themes import Base

    light, dark = _colours(LIGHT, RAISED_LIGHT), _colours(DARK, RAISED_DARK)
    theme = Base(primary_hue="rose", neutral_hue="stone", font=FONTS, font_mono=MONO, radius_size="lg")
    pairs = {
        "body_background_fill": "paper",
        "background_fill_primary": "raised",
        "background_fill_secondary": "paper",
        "block_background_fill": "raised",
        "body_text_color": "ink",
        "body_text_color_subdued": "muted",
        "block_info_text_color": "muted",
        "block_label_text_color": "ink",
        "block_title_text_color": "ink",
        "border_color_primary": "line",
        "block_border_color": "line",
        "input_background_fill": "paper",
        "input_border_color": "edge",
        "input_placeholder_color": "muted",
        "button_primary_background_fill": "press",
        "button_primary_background_fill_hover": "press",
        "button_primary_text_color": "on_press",
        "button_secondary_background_fill": "raised",
        "button_secondary_text_color": "ink",
        "button_secondary_border_color": "edge",
        "button_secondary_background_fill_hover": "paper",
        "slider_color": "press",
        "color_accent": "press",
        "checkbox_background_color": "paper",
        "checkbox_background_color_selected": "press",
        "checkbox_border_color": "edge",
        "checkbox_border_color_hover": "ink",
        "checkbox_border_color_focus": "press",
        "checkbox_border_color_selected": "press",
        "link_text_color": "press",
    }
    values = {name: light[word] for name, word in pairs.items()}
    values |= {f"{name}_dark": dark[word] for name, word in pairs.items()}
    known = {name: value for name, value in values.items() if hasattr(theme, name)}
    theme.set(**known)
    return theme, f":root {{ {_variables(light)} }} .dark {{ {_variables(dark)} }}"


def contrasts() -> list[tuple[str, str, str]]:
    """Every colour of words with what it stands on, for whoever checks that they can be read: name, words, ground."""
    pairs = []
    for name, colours in (("light", _colours(LIGHT, RAISED_LIGHT)), ("dark", _colours(DARK, RAISED_DARK))):
        for words in ("ink", "muted", "press"):
            pairs += [(f"{name}: {words} on {on}", colours[words], colours[on]) for on in ("paper", "raised")]
        pairs.append((f"{name}: on_press on press", colours["on_press"], colours["press"]))
    return pairs


def _colours(theme: Theme, raised: str) -> dict[str, str]:
    light = theme is LIGHT
    return {
        "paper": _hexed(theme.paper),
        "ink": _hexed(theme.ink),
        "muted": _hexed(theme.muted),
        "line": _hexed(theme.line),
        "edge": "#8d8880" if light else "#7d7c86",
        "raised": raised,
        "press": PRESS_LIGHT if light else PRESS_DARK,
        "on_press": "#ffffff" if light else "#1b1216",
    }


def _variables(colours: dict[str, str]) -> str:
    return " ".join(f"--f-{name.replace('_', '-')}: {value};" for name, value in colours.items())


def _hexed(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
