"""Edit: the same person, changed, one slider for each attribute that the model knows.

Enters: a photo, wishes in standard deviations of each score, and what must stay. Leaves: the edited picture,
what else will change, the sheet, the picture, and the command that makes them again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from facette.errors import UsageError
from facette.latent import edit
from facette.latent.directions import Directions, known_directions
from facette.latent.edit import Edit
from facette.latent.worth import Way, Worth, known_worth
from facette.studio.download_links import in_the_photo, photo_first, picture, row, sheet
from facette.studio.events import live
from facette.studio.parts import command_line, copyable, face, folded, note, photo_box, png_bytes
from facette.studio.photo import Choice

if TYPE_CHECKING:
    from facette.studio.app import Studio

# What people ask for first, as they would say it. Other attributes follow by `by_use`, under their own names.
WORDS = {
    "Smiling": "Smile",
    "Young": "Younger",
    "Eyeglasses": "Glasses",
    "Blond_Hair": "Blond hair",
    "Male": "More like a man",
    "Mustache": "Moustache",
    "Bangs": "Fringe",
    "Gray_Hair": "Grey hair",
    "Mouth_Slightly_Open": "Open mouth",
    "No_Beard": "No beard",
    "Wearing_Hat": "Hat",
    "Heavy_Makeup": "Make-up",
    "Wearing_Lipstick": "Lipstick",
    "High_Cheekbones": "High cheekbones",
    "Black_Hair": "Black hair",
}
Known = dict[str, dict[Way, Worth]]
FIRST = 8  # sliders before those behind "more"
SAID = 4  # side effects that are said at once
STRONGEST = 3.0  # standard deviations that a slider goes at least; farther where it takes more to be seen
PERSON = ("Male", "Young")  # what `keep the person` keeps, where the model knows it
NOTHING = "Move a slider: to the right for more of it, to the left for less."


def page(studio: Studio) -> None:
    """The tab."""
    import gradio as gr

    try:
        directions = known_directions(studio.model)
    except UsageError as error:
        gr.HTML(note(str(error), "plain"))
        return
    worth = known_worth(studio.model)
    known = by_use(directions)
    names = [name for name in known if is_offered(worth, name)]
    person = [name for name in PERSON if name in known]
    with gr.Row(elem_classes="halves"):
        with gr.Column(scale=2, min_width=280, elem_classes="beside"):
            photo = photo_box("Your photo", "edit-photo")
            shown = gr.HTML(note("Give a photo first."), elem_id="edit-picture")
            offers = gr.HTML(elem_id="edit-offers")
            warning = gr.HTML(elem_id="edit-warning")
        with gr.Column(scale=3, min_width=300):
            sliders = [_slider(name, reach(worth, name)) for name in names[:FIRST]]
            with gr.Row():
                keep = gr.Checkbox(
                    False, label="Stay the same person", elem_id="edit-keep-person", visible=bool(person)
                )
                reset = gr.Button("All back to the middle", min_width=120)
            with gr.Accordion(f"{len(names) - FIRST} more", open=False, visible=len(names) > FIRST):
                sliders += [_slider(name, reach(worth, name)) for name in names[FIRST:]]
                also = gr.Dropdown(
                    [(spoken(name), name) for name in known], multiselect=True, label="What must not change",
                    elem_id="edit-keep", filterable=True,
                )  # fmt: skip

    def change(tab: str, held: str, person_stays: bool, others: Sequence[str], *strengths: float):
        wishes = {name: round(s, 3) for name, s in zip(names, strengths, strict=True) if s}
        kept = kept_of(wishes, person if person_stays else (), others or ())
        return _changed(studio, tab, held, wishes, kept)

    def back(tab: str, held: str) -> list[Any]:
        return [*([0.0] * len(sliders)), *_changed(studio, tab, held, {}, [])]

    inputs, outputs = [photo, keep, also, *sliders], [shown, warning, offers]
    changed = [photo.change, keep.input, also.input, *(slider.input for slider in sliders)]
    live(studio, partial(gr.on, changed), change, inputs, outputs)
    live(studio, reset.click, back, [photo], [*sliders, *outputs])


def by_use(directions: Directions) -> list[str]:
    """Attributes: what people ask for first, then those that are read well and that half of the pictures have."""
    use = {
        name: (quality.auc - 0.5) * (quality.share * (1 - quality.share)) ** 0.5
        for name, quality in zip(directions.names, directions.quality, strict=True)
    }
    asked = [name for name in WORDS if name in use]
    return [*asked, *sorted(use.keys() - asked, key=lambda name: -use[name])]


def is_offered(worth: Known, name: str) -> bool:
    """Whether the model can change it one way or the other, as far as that was measured."""
    ways = worth.get(name)
    return ways is None or any(figure.offered for figure in ways.values())


def reach(worth: Known, name: str) -> float:
    """How far its slider goes to either side, in standard deviations."""
    return max([STRONGEST, *(figure.strength for figure in worth.get(name, {}).values() if figure.offered)])


def spoken(name: str) -> str:
    """An attribute as a person would say it."""
    return WORDS.get(name, name.replace("_", " ").capitalize())


def kept_of(wishes: dict[str, float], person: Sequence[str], others: Sequence[str]) -> list[str]:
    """What is kept: the person as far as no wish is about it, and what was named; a wish for that is a mistake."""
    return list(dict.fromkeys([*(name for name in person if name not in wishes), *others]))


def _slider(name: str, reach: float) -> Any:
    import gradio as gr

    return gr.Slider(
        -reach,
        reach,
        0,
        step=0.1,
        label=spoken(name),
        elem_id=f"edit-{name}",
        elem_classes="from-middle",
    )


def _changed(
    studio: Studio, tab: str, held: str, wishes: dict[str, float], kept: list[str]
) -> tuple[str, str, str]:
    """The picture, what else will change, and what can be saved."""
    if not held:
        return note("Give a photo first."), "", ""
    portrait = studio.photos.take(held)
    if not wishes:
        return face(portrait.picture, "", "the photo"), note(NOTHING), ""
    edited = edit(studio.model, portrait.input, wishes, kept)
    edited = replace(edited, remark=portrait.report.summary())
    stem = f"{portrait.stem}-edited"
    words = [portrait.name, *(f"{name}={strength:+g}" for name, strength in wishes.items())]
    options = [
        *(["--keep", ",".join(kept)] if kept else []),
        *Choice.of(held).words(),
        *studio.command_words(),
    ]
    command = command_line("edit", *words, *options, "--out", f"{stem}.png", "--each", stem)
    whole, saved = picture(studio, tab, "edit-picture", edited, f"{stem}-01")
    before = studio.downloads.put(
        tab, "edit-before", partial(png_bytes, edited.photo), "photo.png", "image/png"
    )
    offers = row(saved, sheet(studio, tab, "edit", edited, stem))
    first = photo_first(studio, tab, "edit", portrait)
    terminal = folded("In a terminal", copyable(command, "The sheet, and the picture in a folder", first))
    (pasted,) = in_the_photo(studio, tab, "edit", portrait, edited, stem)
    shown = face(edited.pictures[0], "", "the edited face", before, whole, pasted, f"{stem}-01.png")
    return shown, _effects(edited), offers + terminal


def _effects(edited: Edit) -> str:
    """What else will change: the strongest in words, all as `facette edit` says it behind them."""
    effects = list(edited.shift.notable.items())
    if not effects:
        return note("Nothing else changes to speak of.")
    names = [f"{'more' if effect > 0 else 'less'} {spoken(name).lower()}" for name, effect in effects[:SAID]]
    words = f"This also changes a little: {', '.join(names)}."
    return note(words, "warn") + folded("Figures", note(edited.shift.warning, "plain"))
