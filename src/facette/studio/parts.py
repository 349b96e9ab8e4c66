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

EXACT, PREVIEW = 128, 256  # sides in pixels: shown as they are up to the one, as previews of the other beyond


@dataclass(frozen=True, slots=True)
class PictureButton:
    """A small button on a picture: what it says, what it is for, and what it tells the page's hidden input."""

    sign: str
    words: str
    say: Mapping[str, Any]
    pressed: bool | None = None  # for what can be on or off


def photo_box(label: str, name: str, shared: bool = True) -> Any:
    """A box to drop, paste or choose a photo, or to take one; returns a component whose value is what it holds.

    `name` is unique in the studio. Bind its `.change`; give the value to `studio.photos.take`. The value is empty while
    there is no photo to work with: none was given, or the last one was refused. A `shared` box takes over the photo
    that was given in another tab.
    """
    import gradio as gr

    follows = " data-shared" if shared else ""
    gr.HTML(
        f"""<div class="photo-box" data-input="{name}"{follows}>
  <label class="drop" for="{name}-file"><img class="photo-shown" alt="" hidden>
    <span class="photo-words"><strong class="photo-name">{escape(label)}</strong>
    <span>Drop or paste a picture, or <u>choose a file</u></span></span></label>
  <input class="unseen" type="file" id="{name}-file" aria-label="{escape(label)}: choose a file"
    accept="image/*,.heic,.heif">
  <p class="photo-said" role="status" aria-live="polite"></p>
  <div class="photo-faces" role="group" aria-label="Faces in this photo"></div>
  <div class="camera"><button type="button" data-camera="start">Use the camera</button>
    <video playsinline muted hidden></video>
    <button type="button" data-camera="shoot" hidden>Take the photo</button>
    <button type="button" data-camera="stop" hidden>Close the camera</button></div></div>""",
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
    addresses: Sequence[str] = (),
    to: str = "",
    buttons: Sequence[Sequence[PictureButton]] = (),
    kind: str = "",
    before: str = "",
    pasted: Sequence[tuple[str, str]] = (),
) -> str:
    """Pictures side by side as HTML, each of which opens large; each (H, W, 3), uint8.

    `names`: file names, which give each a download, from `addresses` or else the picture itself. `buttons`: the
    buttons of each, whose messages go to the hidden input `to`. `before`: the address of what all of them were made
    of. `kind`: a CSS class. `pasted`: address and name of the whole photo with each in it.
    """
    cells = []
    for i, picture in enumerate(pictures):
        words, shown = f"{alt} {i + 1}", preview_address(picture)
        whole = addresses[i] if addresses else shown if len(picture) <= EXACT else png_address(picture)
        row = "".join(_button(to, button) for button in (buttons[i] if buttons else ()))
        if names:
            row += (
                f'<a class="picture-button" href="{escape(whole)}" download="{escape(names[i])}" '
                f'title="Save" aria-label="Save {escape(words)}">{SIGNS["down"]}</a>'
            )
        caption = captions[i] if i < len(captions) else ""
        cells.append(_figure(shown, whole, words, caption, row, pasted[i] if pasted else None))
    start = f' data-before="{escape(before)}"' if before else ""
    return f'<div class="faces {escape(kind)}"{start}>{"".join(cells)}</div>' if cells else ""


def face(
    picture: np.ndarray,
    caption: str,
    alt: str,
    before: str = "",
    whole: str = "",
    pasted: tuple[str, str] | None = None,
    name: str = "",
) -> str:
    """One picture with its caption as HTML; it opens large, from the address `whole` or as it is, where it can be saved
    under a file `name`. `pasted` as `faces` takes them."""
    shown = preview_address(picture)
    whole = whole or (shown if len(picture) <= EXACT else png_address(picture))
    start = f' data-before="{escape(before)}"' if before else ""
    return f'<div class="single"{start}>{_figure(shown, whole, alt, caption, "", pasted, name)}</div>'


def _figure(
    shown: str,
    whole: str,
    words: str,
    caption: str,
    row: str,
    pasted: tuple[str, str] | None,
    name: str = "",
) -> str:
    under = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    bar = f'<div class="picture-buttons">{row}</div>' if row else ""
    beyond = f' data-whole="{escape(whole)}"' if whole != shown else ""
    if name:
        beyond += f' data-name="{escape(name)}"'
    if pasted:
        beyond += f' data-pasted="{escape(pasted[0])}" data-pasted-name="{escape(pasted[1])}"'
    return (
        f"<figure{beyond}>"
        f'<button type="button" class="look" title="Look at it" aria-label="Look at {escape(words)}">'
        f'<img src="{shown}" alt="{escape(words)}" draggable="true"></button>{bar}{under}</figure>'
    )


def report_controls(name: str, words: str) -> tuple[Any, Any, Any, Any]:
    """What a page has that makes a report: the button that starts it, with these words, the one that stops it, how far
    it is, and the report."""
    import gradio as gr

    with gr.Row(elem_classes="presses"):
        start = gr.Button(words, variant="primary", elem_id=f"{name}-start", min_width=110)
        stop = gr.Button("Stop", elem_id=f"{name}-stop", elem_classes="stops", min_width=110)
    return start, stop, gr.HTML(elem_id=f"{name}-told"), gr.HTML(elem_id=f"{name}-report")


def note(words: str, kind: str = "quiet") -> str:
    """A paragraph as HTML; kind "quiet", "warn" or "plain"."""
    return f'<p class="{escape(kind)}">{escape(words)}</p>' if words else ""


def link(address: str, words: str, name: str = "") -> str:
    """A link to something offered for download; with a file name it is saved, not opened."""
    saved = f' download="{escape(name)}"' if name else ' target="_blank" rel="noopener"'
    return f'<a class="button" href="{escape(address)}"{saved}>{escape(words)}</a>'


def frame(address: str, title: str) -> str:
    """A page offered for download, inside this one."""
    return f'<iframe class="report" src="{escape(address)}" title="{escape(title)}"></iframe>'


def copyable(command: str, words: str = "The same from the command line", first: str = "") -> str:
    """A command with a button that copies it; `first` is HTML of what must be saved before it can run."""
    return (
        f'<div class="command"><span class="quiet">{escape(words)}</span>{first}'
        f'<code tabindex="0">{escape(command)}</code>'
        '<button type="button" data-copy>Copy</button></div>'
    )


def folded(summary: str, content: str) -> str:
    """What is behind a word: HTML that opens when it is asked for."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>" if content else ""


def command_line(*words: str | float | int) -> str:
    """`facette …` as one may type it: every word quoted where a shell needs it."""
    return shlex.join(["facette", *(_word(word) for word in words)])


def png_address(picture: np.ndarray) -> str:
    """A picture (H, W, C) as a data address, its pixels exactly."""
    return "data:image/png;base64," + base64.b64encode(png_bytes(picture)).decode("ascii")


def preview_address(picture: np.ndarray) -> str:
    """A picture (H, W, C) as it is looked at: its pixels exactly while it is small, else 256 of them as WebP."""
    from io import BytesIO

    from facette.images.convert import picture_image

    buffer = BytesIO()
    if max(picture.shape[:2]) <= EXACT:
        picture_image(picture).save(buffer, "PNG", compress_level=1)  # quick: it is looked at once
        kind = "png"
    else:
        picture_image(thumbnail(picture)).save(buffer, "WEBP", quality=85, method=2)
        kind = "webp"
    return f"data:image/{kind};base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def thumbnail(picture: np.ndarray) -> np.ndarray:
    """A picture (H, W, C) as RGB, at 256 pixels a side at most."""
    from PIL import Image

    from facette.images.convert import as_rgb

    if max(picture.shape[:2]) <= PREVIEW:
        return as_rgb(picture)
    image = Image.fromarray(as_rgb(picture))
    image.thumbnail((PREVIEW, PREVIEW), Image.Resampling.LANCZOS)
    return np.asarray(image)


def png_bytes(picture: np.ndarray) -> bytes:
    """A picture (H, W, C) as a file, to the byte what `--each` writes."""
    from facette.images.convert import picture_image
    from facette.images.sheets.file import encode_image

    return encode_image(picture_image(picture), "picture.png")


def button(to: str, say: Mapping[str, Any], words: str, content: str = "") -> str:
    """A button that writes into a hidden input: with its words on it, or with other HTML that they then describe."""
    message = escape(json.dumps(dict(say)))
    inside = (
        f' title="{escape(words)}" aria-label="{escape(words)}">{content}' if content else f">{escape(words)}"
    )
    return f'<button type="button" data-input="{escape(to)}" data-say="{message}"{inside}</button>'


def _button(to: str, button: PictureButton) -> str:
    state = "" if button.pressed is None else f' aria-pressed="{str(button.pressed).lower()}" data-stays'
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
