"""What the pages are put together from: a box for a photo, pictures with their buttons, the command to copy.

Enters: arrays, words. Leaves: Gradio components and HTML, with every text escaped. The script `assets/studio.js`
gives them life: a button with `data-input` writes its `data-say` into that hidden box, whose change is then an
event.
"""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class PictureButton:
    """A small button on a picture: what it says, what it is for, and what it tells the page's hidden input."""

    sign: str
    words: str
    say: Mapping[str, Any]
    pressed: bool | None = None  # for what can be on or off


def photo_box(label: str, name: str) -> Any:
    """A box to drop, paste or choose a photo, or to take one; returns a component whose value is the photo's token.

    `name` is unique in the studio. Bind its `.change`; give the token to `studio.photos.take`.
    """
    import gradio as gr

    gr.HTML(
        f"""<div class="photo-box" data-input="{name}">
  <label class="drop" for="{name}-file"><strong>{escape(label)}</strong>
    <span>Drop or paste a picture, or <u>choose a file</u></span></label>
  <input class="unseen" type="file" id="{name}-file" aria-label="{escape(label)}: choose a file"
    accept="image/*,.heic,.heif">
  <div class="camera"><button type="button" data-camera="start">Use the camera</button>
    <video playsinline muted hidden></video>
    <button type="button" data-camera="shoot" hidden>Take the photo</button>
    <button type="button" data-camera="stop" hidden>Close the camera</button></div>
  <p class="photo-said" role="status" aria-live="polite"></p></div>""",
    )
    return hidden_input(name)


def hidden_input(name: str) -> Any:
    """A hidden box that the page's script writes into; its `.change` is the event."""
    import gradio as gr

    return gr.Textbox(
        "",
        label=name,
        elem_id=name,
        elem_classes="hidden-input",
        container=False,
        max_lines=1,
        interactive=True,
    )


def parse_message(text: str) -> dict[str, Any]:
    """The message of a button, from its hidden box; empty for what is none of ours."""
    try:
        message = json.loads(text)
    except (TypeError, ValueError):
        return {}
    return message if isinstance(message, dict) else {}


def faces(
    pictures: Sequence[np.ndarray],
    captions: Sequence[str] = (),
    *,
    alt: str = "variation",
    names: Sequence[str] = (),
    to: str = "",
    buttons: Sequence[Sequence[PictureButton]] = (),
    marks: Sequence[str] = (),
    kind: str = "",
) -> str:
    """Pictures side by side as HTML; each (H, W, 3), uint8.

    `names`: file names, which give each a download. `buttons`: the buttons of each, whose messages go
    to the hidden input `to`. `marks`: a CSS class for each; `kind`: one for all.
    """
    cells = []
    for i, picture in enumerate(pictures):
        caption = captions[i] if i < len(captions) else ""
        row = "".join(_button(to, shown) for shown in (buttons[i] if buttons else ()))
        source = png_address(picture)
        if names:
            words = f"Download {alt} {i + 1}"
            row += (
                f'<a class="picture-button" href="{source}" download="{escape(names[i])}" title="{words}" '
                f'aria-label="{words}">{SIGNS["down"]}</a>'
            )
        under = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
        bar = f'<div class="picture-buttons">{row}</div>' if row else ""
        mark = f' class="{escape(marks[i])}"' if marks and marks[i] else ""
        cells.append(
            f'<figure{mark}><img src="{source}" alt="{escape(f"{alt} {i + 1}")}">{bar}{under}</figure>'
        )
    return f'<div class="faces {escape(kind)}">{"".join(cells)}</div>' if cells else ""


def face(picture: np.ndarray, caption: str, alt: str) -> str:
    """One picture with its caption as HTML."""
    return (
        f'<figure class="one"><img src="{png_address(picture)}" alt="{escape(alt)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def note(words: str, kind: str = "quiet") -> str:
    """A paragraph as HTML; kind "quiet", "warn" or "plain"."""
    return f'<p class="{escape(kind)}">{escape(words)}</p>' if words else ""


def link(address: str, words: str, name: str = "") -> str:
    """A link to something on the shelf; with a file name it is saved, not opened."""
    saved = f' download="{escape(name)}"' if name else ' target="_blank" rel="noopener"'
    return f'<a class="button" href="{escape(address)}"{saved}>{escape(words)}</a>'


def frame(address: str, title: str) -> str:
    """A page from the shelf inside this one."""
    return f'<iframe class="report" src="{escape(address)}" title="{escape(title)}"></iframe>'


def copyable(command: str, words: str = "The same from the command line") -> str:
    """A command with a button that copies it."""
    return (
        f'<div class="command"><span class="quiet">{escape(words)}</span>'
        f'<code tabindex="0">{escape(command)}</code>'
        '<button type="button" data-copy>Copy</button></div>'
    )


def command_line(*words: str | float | int) -> str:
    """`facette …` as one may type it: every word quoted where a shell needs it."""
    return shlex.join(["facette", *(_word(word) for word in words)])


def png_address(picture: np.ndarray) -> str:
    """A picture (H, W, 3) as a data address, its pixels exactly."""
    return "data:image/png;base64," + base64.b64encode(png_bytes(picture)).decode("ascii")


def png_bytes(picture: np.ndarray) -> bytes:
    """A picture (H, W, 3) as a file, to the byte what `--each` writes."""
    from PIL import Image

    from facette.images.sheets.file import encode_image

    return encode_image(Image.fromarray(picture), "picture.png")


def button(to: str, say: Mapping[str, Any], words: str) -> str:
    """A button of words that writes into a hidden input."""
    message = escape(json.dumps(dict(say)))
    return f'<button type="button" data-input="{escape(to)}" data-say="{message}">{escape(words)}</button>'


def _button(to: str, button: PictureButton) -> str:
    state = "" if button.pressed is None else f' aria-pressed="{str(button.pressed).lower()}"'
    message = escape(json.dumps(dict(button.say)))
    return (
        f'<button type="button" class="picture-button" data-input="{escape(to)}" data-say="{message}"{state} '
        f'title="{escape(button.words)}" aria-label="{escape(button.words)}">{SIGNS[button.sign]}</button>'
    )


def _word(word: str | float | int) -> str:
    return f"{word:.12g}" if isinstance(word, float) else str(word)


def _sign(path: str) -> str:
    return f'<svg viewBox="0 0 24 24" width="18" height="18" aria-hidden="true"><path d="{path}"/></svg>'


SIGNS = {
    "pin": _sign("M9 3h6l-1 6 4 4v2h-5v6l-1 1-1-1v-6H6v-2l4-4z"),
    "more": _sign("M12 4v16M4 12h16M6.5 6.5l11 11M17.5 6.5l-11 11"),
    "down": _sign("M12 3v12m-5-5 5 5 5-5M4 20h16"),
    "drop": _sign("M6 6l12 12M18 6 6 18"),
    "back": _sign("M10 5 4 11l6 6M4 11h10a6 6 0 0 1 6 6v2"),
}
