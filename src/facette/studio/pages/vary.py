"""Vary: a photo, a dial, ten relatives; favourites, and going on from one of them.

Everything shown follows from what the controls say. While the dial moves the plain decoder draws; when it rests the
relatives are drawn as `facette vary` draws them, measured, and offered with the command that makes them again. It
does not know where photos come from (`photos.js` and `photo.py`).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from facette.errors import ImageError
from facette.latent.around import Step
from facette.latent.levels import choose_setting, known_curve
from facette.latent.noise import Noise, knows_people
from facette.latent.vary import variation_seeds
from facette.studio.download_links import all_of, in_the_photo, photo_first, row, sheet, single, singles
from facette.studio.events import Afterwards, live
from facette.studio.examples import examples_html
from facette.studio.favourites import (
    MOST,
    Favourite,
    favourites_html,
    recalled,
    seeds_kept,
    with_or_without,
)
from facette.studio.parts import (
    copyable,
    faces,
    folded,
    hidden_input,
    note,
    parse_message,
    photo_box,
    png_bytes,
    preview_address,
)
from facette.studio.state import PreparedPhoto, StartingPoint
from facette.studio.store import BoundedStore
from facette.studio.varying import (
    DETAILS,
    LEVELS,
    MESSAGES,
    NOISES,
    WHOLE,
    Reach,
    VarySettings,
    gallery_html,
    meter_html,
    reaches_of,
    trail_html,
    vary_command,
)

if TYPE_CHECKING:
    from facette.latent.vary import Variations
    from facette.studio.app import Studio

COUNT = 10
SHOWN = 6  # controls that show the relatives
START = "Automatic"
LARGEST_SEED = 999_999_999
REMEMBERED = 512  # pages


def page(studio: Studio) -> None:
    """The tab."""
    import gradio as gr
    from gradio.context import Context

    around, favourites = gr.State(()), gr.State(())
    reaches = reaches_of(studio.model)
    usual = choose_setting(studio.model, LEVELS[START])
    begin = reaches[usual.noise].position(usual.strength)
    with gr.Row(elem_classes="halves"):
        with gr.Column(scale=1, min_width=240, elem_classes="giving"):
            photo = photo_box("Your photo", "vary-photo")
            sight = gr.HTML(elem_id="vary-taken")
        with gr.Column(scale=3, min_width=300, elem_classes="seeing"):
            with gr.Group(elem_classes="dial-bar", elem_id="vary-controls"):
                with gr.Row(elem_classes="dial-row"):
                    level = gr.Radio(
                        list(LEVELS), value=START, label="How different", show_label=False, container=False,
                        elem_id="vary-level", elem_classes="segments", min_width=200, scale=3,
                    )  # fmt: skip
                    again = gr.Button("Ten others", elem_id="vary-again", min_width=90, scale=1)
                dial = gr.Slider(
                    0, WHOLE, begin, step=0.5, label="How different", show_label=False, elem_id="vary-dial",
                    elem_classes=["settles", "plain-dial"],
                )  # fmt: skip
            rest = hidden_input("vary-dial-rest")
            trail = gr.HTML(elem_id="vary-trail")
            gallery = gr.HTML(elem_id="vary-gallery", elem_classes="drawn")
            meter = gr.HTML(elem_id="vary-meter")
            offers = gr.HTML(elem_id="vary-offers")
            kept = gr.HTML(elem_id="vary-pins")
            with gr.Accordion("More", open=False, elem_id="vary-more"):
                with gr.Row():
                    exact = gr.Number(
                        usual.strength, label="Diversity, in figures", minimum=0, elem_id="vary-exact",
                        maximum=max(reach.farthest for reach in reaches.values()), min_width=120,
                    )  # fmt: skip
                    seed = gr.Number(
                        0, label="Seed", precision=0, minimum=0, maximum=LARGEST_SEED, elem_id="vary-seed",
                        min_width=120,
                    )  # fmt: skip
                    lock = gr.Checkbox(False, label="Keep this seed", elem_id="vary-lock")
                details = gr.Radio(
                    list(DETAILS), value=next(iter(DETAILS)), label="Pictures have", elem_id="vary-details"
                )
                noise = gr.Radio(
                    list(NOISES), label="Changes are drawn from", visible=knows_people(studio.model),
                    value=next(words for words, noise in NOISES.items() if noise == usual.noise),
                    elem_id="vary-noise",
                )  # fmt: skip
    pressed, remembered = hidden_input(MESSAGES), hidden_input("vary-remembered")

    # Each is one event: what an act decides and what is drawn of it come together, in one answer.
    settings = [photo, noise, details, dial, seed, around, favourites]
    shown = [gallery, meter, offers, trail, level, exact]
    acts = _Acts(studio, reaches)
    assert Context.root_block is not None, "a page is built inside the studio's blocks"
    live(studio, Context.root_block.load, acts.begin, [photo], [gallery])
    live(studio, photo.change, acts.arrive, settings, [sight, around, kept, *shown])
    live(studio, dial.input, acts.preview, settings, [gallery], in_a_hurry=True)
    for changed in (rest.change, seed.input, details.input):
        live(studio, changed, acts.settle, settings, shown)
    live(studio, level.input, acts.turn, [level, *settings], [dial, *shown])
    for changed in (exact.submit, exact.blur):
        live(studio, changed, acts.turn_exactly, [exact, *settings], [dial, *shown])
    live(studio, again.click, acts.reseed, [lock, *settings], [seed, *shown])
    live(studio, noise.input, acts.home, settings, [dial, around, *shown])
    live(studio, lock.input, acts.lock, [lock], [again])
    live(
        studio, pressed.change, acts.do, [pressed, lock, *settings], [favourites, kept, around, seed, *shown]
    )
    live(studio, remembered.change, acts.recall, [remembered, *settings], [favourites, kept, *shown])


@dataclass(frozen=True, slots=True)
class Controls:
    """What the page holds at an event, in the order of the events' inputs."""

    photo: str
    noise: str
    details: str
    dial: float
    seed: int
    around: tuple[Step, ...]
    favourites: tuple[Favourite, ...]


class _Acts:
    """What happens at each event; every method takes the tab and the values of its inputs."""

    def __init__(self, studio: Studio, reaches: dict[Noise, Reach]):
        self._studio, self._reaches = studio, reaches
        self._resting = BoundedStore[str, VarySettings](REMEMBERED)  # what stands on each page

    def begin(self, tab: str, photo: str) -> Any:
        """The page opens: faces to begin with."""
        import gradio as gr

        return gr.skip() if photo else examples_html(self._studio, tab)

    def arrive(self, tab: str, *values: Any) -> list[Any]:
        """A photo came, with relatives around it, or was refused: then nobody is left on the page but favourites."""
        controls = replace(Controls(*values), around=())
        settled = self._settled(tab, controls)
        return [*self._sight(tab, controls), *settled]

    def _sight(self, tab: str, controls: Controls) -> list[Any]:
        kept = self._kept(tab, controls)
        if not controls.photo:
            return ["", (), kept]
        start = self._studio.prepared.find(StartingPoint(controls.photo))
        pair = faces(
            [start.photo.picture, start.origin.reconstruction],
            ["what it looks at", "what it keeps of it"], alt="the model's view", kind="pair",
        )  # fmt: skip
        report = start.photo.report
        figures = note("; ".join(report.notes)) + note(_percentiles(report))
        return [folded("What the model sees", pair + figures), (), kept]

    def _kept(self, tab: str, controls: Controls) -> Any:
        """The favourites, beside a new photo. Where this event knows none, what stands there stays: after a reload it
        may have been asked before the page's memory of them came, and be answered later."""
        import gradio as gr

        if not controls.favourites:
            return gr.skip()
        return favourites_html(self._studio, tab, controls.favourites, controls.photo)

    def preview(self, tab: str, *values: Any) -> Any:
        """Quick, while the dial moves."""
        import gradio as gr

        controls = Controls(*values)
        settings = self._settings(controls)
        if settings is None or settings == self._resting.find(tab):
            return gr.skip()  # the page may not know yet that these were drawn to stay
        self._resting.drop(tab)
        start = self._studio.prepared.find(settings.place)
        seeds = variation_seeds(settings.seed, COUNT)
        latents = start.origin.latents(seeds, settings.factor, settings.place.noise)  # (10, Z)
        before = preview_address(start.photo.picture)
        kept = seeds_kept(controls.favourites, settings.place, settings.factor)
        names = [f"{start.photo.stem}-{number:02d}.png" for number in range(1, COUNT + 1)]
        pictures = start.glance(latents)
        return Afterwards(partial(gallery_html, settings, seeds, pictures, kept, (names, ()), before))

    def settle(self, tab: str, *values: Any) -> list[Any]:
        """The relatives as they stand."""
        return self._settled(tab, Controls(*values))

    def _settled(self, tab: str, controls: Controls) -> list[Any]:
        """As the command draws it, with what is measured and what is offered."""
        import gradio as gr

        settings = self._settings(controls)
        if settings is None:
            return [examples_html(self._studio, tab), "", "", "", gr.skip(), gr.skip()]
        place, factor, prepared = settings.place, settings.factor, self._studio.prepared
        start, seeds = prepared.find(place), variation_seeds(settings.seed, COUNT)
        relatives = start.origin.variations(seeds, factor, noise=place.noise)
        files = singles(self._studio, tab, "vary", relatives, start.photo.stem)
        kept = seeds_kept(controls.favourites, place, factor)
        photo = partial(png_bytes, relatives.photo)
        before = self._studio.downloads.put(tab, "vary-before", photo, "photo.png", "image/png")
        pasted = in_the_photo(
            self._studio, tab, "vary", start.photo, relatives, f"{start.photo.stem}-variations"
        )
        drawn = gallery_html(settings, seeds, relatives.pictures, kept, files, before, pasted)
        meter = meter_html(known_curve(self._studio.model, place.noise, place.details), factor)
        way = [prepared.find(replace(place, around=place.around[:i])) for i in range(len(place.around))]
        trail = trail_html([*way, start], place.around)
        level = self._reaches[place.noise].level(factor)
        self._rest(tab, settings)
        return [drawn, meter, self._offers(tab, settings, start, relatives), trail, level, factor]

    def _rest(self, tab: str, settings: VarySettings) -> None:
        """What stands on a page from now on."""
        self._resting.put(tab, settings)

    def turn(self, tab: str, level: str, *values: Any) -> list[Any]:
        """The dial to where the word is."""
        controls = Controls(*values)
        return self._turned(tab, controls, self._position(level, controls.noise))

    def turn_exactly(self, tab: str, strength: float, *values: Any) -> list[Any]:
        """The dial to a number."""
        controls = Controls(*values)
        return self._turned(tab, controls, self._reaches[NOISES[controls.noise]].position(strength))

    def _turned(self, tab: str, controls: Controls, position: float) -> list[Any]:
        return [position, *self._settled(tab, replace(controls, dial=position))]

    def _position(self, level: str, noise: str) -> float:
        reach = self._reaches[NOISES[noise]]
        return reach.position(reach.levels[level])

    def lock(self, tab: str, kept: bool) -> Any:
        """A kept seed has no ten others."""
        import gradio as gr

        return gr.update(interactive=not kept)

    def reseed(self, tab: str, locked: bool, *values: Any) -> list[Any]:
        """Ten others, unless the seed is kept."""
        controls = Controls(*values)
        controls = replace(controls, seed=_other_seed(locked, controls.seed))
        return [controls.seed, *self._settled(tab, controls)]

    def home(self, tab: str, *values: Any) -> list[Any]:
        """Back to the photo: under another noise a step would lead elsewhere, and strengths mean something else."""
        controls = Controls(*values)
        controls = replace(controls, around=(), dial=self._position(START, controls.noise))
        return [controls.dial, (), *self._settled(tab, controls)]

    def do(self, tab: str, text: str, locked: bool, *values: Any) -> list[Any]:
        """A button on a picture. What was pressed on pictures that are gone by now means nothing."""
        import gradio as gr

        controls = Controls(*values)
        after = self._done(parse_message(text), locked, controls)
        if after is None:
            return [gr.skip()] * (4 + SHOWN)
        kept = favourites_html(self._studio, tab, after.favourites, after.photo)
        return [after.favourites, kept, after.around, after.seed, *self._settled(tab, after)]

    def _done(self, message: dict[str, Any], locked: bool, controls: Controls) -> Controls | None:
        """What the page holds after a button was pressed; None where that means nothing."""
        settings, favourites, around = self._settings(controls), controls.favourites, controls.around
        match message:
            case {"do": "keep", "seed": int(which), "factor": float() | int() as factor} if settings:
                step = Step(which, float(factor))
                return replace(
                    controls, favourites=with_or_without(self._studio, favourites, settings.place, step)
                )
            case {"do": "drop", "which": int(which)}:
                left = tuple(each for i, each in enumerate(favourites) if i != which)
                return replace(controls, favourites=left)
            case {
                "do": "more",
                "seed": int(which),
                "factor": float() | int() as factor,
                "depth": int(depth),
            } if settings and depth == len(around):
                around = (*around, Step(which, float(factor)))
                return replace(controls, around=around, seed=_other_seed(locked, controls.seed))
            case {"do": "more", "which": int(which)} if which < len(favourites):
                around = (*favourites[which].place.around, favourites[which].step)
                return replace(controls, around=around, seed=_other_seed(locked, controls.seed))
            case {"do": "home", "depth": int(depth), "from": int(last)} if last == len(around):
                return replace(controls, around=around[:depth])
            case _:
                return None

    def recall(self, tab: str, text: str, *values: Any) -> list[Any]:
        """The favourites that the page remembered over a reload, as far as their photos are still here."""
        remembered = parse_message(text).get("favourites", [])
        favourites: tuple[Favourite, ...] = ()
        for message in remembered[:MOST] if isinstance(remembered, list) else ():
            place, step = recalled(message)
            try:
                favourites = with_or_without(self._studio, favourites, place, step)
            except ImageError:
                continue  # its photo is no longer kept here
        controls = replace(Controls(*values), favourites=favourites)
        kept = favourites_html(self._studio, tab, favourites, controls.photo)
        return [favourites, kept, *self._settled(tab, controls)]

    def _settings(self, controls: Controls) -> VarySettings | None:
        """What the controls say; None before there is a photo."""
        if not controls.photo:
            return None
        place = StartingPoint(
            controls.photo, NOISES[controls.noise], controls.around, DETAILS[controls.details]
        )
        return VarySettings(place, self._reaches[place.noise].strength(controls.dial), controls.seed)

    def _offers(self, tab: str, settings: VarySettings, start: PreparedPhoto, relatives: Variations) -> str:
        """What can be saved of the ten, and the command that writes the same."""
        studio, photo = self._studio, start.photo
        stem = f"{photo.stem}-variations"
        words = ["--seed", settings.seed, "--out", f"{stem}.png", "--each", stem]
        command = vary_command(studio, settings.place, settings.factor, photo.name, *words)
        files = {f"{stem}/{i + 1:02d}.png": partial(single, relatives, i) for i in range(COUNT)}
        every = all_of(studio, tab, "vary", files, f"{stem}.zip", "Save all ten", f"{command}\n")
        summary = replace(relatives, remark=photo.report.summary())
        saved = row(every, sheet(studio, tab, "vary", summary, stem))
        first = photo_first(studio, tab, "vary", photo)
        return saved + folded("In a terminal", copyable(command, "These ten, byte for byte", first))


def _other_seed(locked: bool, seed: int) -> int:
    """Another seed, unless it is kept."""
    return seed if locked else secrets.randbelow(1_000_000)


def _percentiles(report: Any) -> str:
    known = report.typicality
    if known is None:
        return ""
    redrawn, usual = (min(round(known[name]), 99) for name in ("error_percentile", "norm_percentile"))
    return f"Of 100 test pictures of the model, {redrawn} are redrawn better than this one, and {usual} are more usual."
