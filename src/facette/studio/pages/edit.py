"""Edit: the same person, changed, one slider for each attribute that the model knows.

Enters: a photo, wishes in standard deviations of each score, and what must stay. Leaves: the edited picture,
what else will change, the sheet, the picture, and the command that makes it again.
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
from facette.latent.sheets import signed
from facette.studio.download_links import picture, row, sheet
from facette.studio.events import live
from facette.studio.parts import command_line, copyable, face, faces, note, photo_box

if TYPE_CHECKING:
    from facette.studio.app import Studio

FIRST = 8  # sliders before those behind "more"
SAID = 6  # side effects that are said at once
STRONGEST = 3.0  # standard deviations; farther out faces are no longer plausible
PERSON = ("Male", "Young")  # what `keep the person` keeps, where the model knows it
NOTHING = "Move a slider. One step is one standard deviation of what the data show."


def page(studio: Studio) -> None:
    """The tab."""
    import gradio as gr

    try:
        directions = known_directions(studio.model)
    except UsageError as error:
        gr.HTML(note(str(error), "plain"))
        return
    names = by_use(directions)
    person = [name for name in PERSON if name in names]
    photo = photo_box("Photo", "edit-photo")
    with gr.Row():
        with gr.Column(elem_classes="beside"):
            shown = gr.HTML(elem_id="edit-picture")
            warning = gr.HTML(elem_id="edit-warning")
            keep = gr.Checkbox(
                False, label=f"Keep the person: {' and '.join(person)} stay", elem_id="edit-keep-person",
                visible=bool(person),
            )  # fmt: skip
            also = gr.Dropdown(
                names, multiselect=True, label="Keep these too", elem_id="edit-keep", filterable=True
            )
            reset = gr.Button("All sliders to 0")
            offers, command = gr.HTML(elem_id="edit-offers"), gr.HTML(elem_id="edit-command")
        with gr.Column():
            sliders = [_slider(name) for name in names[:FIRST]]
            with gr.Accordion(f"{len(names) - FIRST} more", open=False, visible=len(names) > FIRST):
                sliders += [_slider(name) for name in names[FIRST:]]

    def change(tab: str, token: str, person_stays: bool, others: Sequence[str], *strengths: float):
        wishes = {name: round(s, 3) for name, s in zip(names, strengths, strict=True) if s}
        kept = kept_of(wishes, person if person_stays else (), others)
        return _changed(studio, tab, token, wishes, kept)

    inputs, outputs = [photo, keep, also, *sliders], [shown, warning, offers, command]
    changed = [photo.change, keep.input, also.input, *(slider.input for slider in sliders)]
    live(studio, partial(gr.on, changed), change, inputs, outputs)
    settled = live(studio, reset.click, lambda tab: [0.0] * len(sliders), [], sliders)
    live(studio, settled.then, change, inputs, outputs)


def by_use(directions: Directions) -> list[str]:
    """Attributes, the most useful first: those that are read well and that about half of the pictures have."""
    use = {
        name: (quality.auc - 0.5) * (quality.share * (1 - quality.share)) ** 0.5
        for name, quality in zip(directions.names, directions.quality, strict=True)
    }
    return sorted(use, key=lambda name: -use[name])


def kept_of(wishes: dict[str, float], person: Sequence[str], others: Sequence[str]) -> list[str]:
    """What is kept: the person as far as no wish is about it, and what was named; a wish for that is a mistake."""
    return list(dict.fromkeys([*(name for name in person if name not in wishes), *others]))


def _slider(name: str) -> Any:
    import gradio as gr

    spoken = name.replace("_", " ")
    return gr.Slider(-STRONGEST, STRONGEST, 0, step=0.1, label=spoken, elem_id=f"edit-{name}")


def _changed(
    studio: Studio, tab: str, token: str, wishes: dict[str, float], kept: list[str]
) -> tuple[str, str, str, str]:
    """The picture, what else will change, what can be saved, and the command."""
    if not token:
        return "", note("Give a photo first."), "", ""
    portrait = studio.photos.take(token)
    if not wishes:
        return face(portrait.picture, portrait.report.summary(), "the photo"), note(NOTHING), "", ""
    edited = edit(studio.model, portrait.picture, wishes, kept)
    edited = replace(edited, remark=portrait.report.summary())
    stem = f"{portrait.stem}-edited"
    offers = row(
        picture(studio, tab, "edit-picture", edited.pictures[0], stem),
        sheet(studio, tab, "edit", edited, f"{stem}-sheet"),
    )
    words = [portrait.name, *(f"{name}={strength:+g}" for name, strength in wishes.items())]
    options = [*(["--keep", ",".join(kept)] if kept else []), *studio.command_words()]
    command = command_line("edit", *words, *options)
    return _shown(edited), _effects(edited), offers, copyable(command)


def _shown(edited: Edit) -> str:
    """The edited picture large, and what it was made of small."""
    changes = ", ".join(f"{name} {signed(strength)}" for name, strength in edited.wishes.items())
    before = faces(
        [edited.photo, edited.reconstruction], ["photo", "as the model sees it"], alt="before", kind="pair"
    )
    return face(edited.pictures[0], changes, "the edited face") + before


def _effects(edited: Edit) -> str:
    """What else will change, as `facette edit` says it: the strongest at once, the rest on demand."""
    effects = list(edited.shift.notable.items())
    if not effects:
        return note("Nothing else changes to speak of.")
    first, rest = (replace(edited.shift, notable=dict(some)) for some in (effects[:SAID], effects[SAID:]))
    warning = note(first.warning, "warn")
    if not rest.notable:
        return warning
    more = f"and {len(rest.notable)} more, less strongly"
    return f"{warning}<details><summary>{more}</summary>{note(rest.warning, 'plain')}</details>"
