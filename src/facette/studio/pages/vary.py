"""Vary: a photo, a dial, ten relatives; favourites, and going on from one of them.

Everything shown follows from what the controls say. While the dial moves the plain decoder draws; when it rests the
relatives are drawn as `facette vary` draws them, measured, and offered with the command that makes them again.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from facette.errors import UsageError
from facette.latent.around import Step
from facette.latent.vary import DIVERSITY, variation_seeds
from facette.studio.download_links import sheet
from facette.studio.events import aside, live
from facette.studio.parts import copyable, face, hidden_input, note, parse_message, photo_box
from facette.studio.state import StartingPoint
from facette.studio.varying import (
    NOISES,
    Pin,
    VarySettings,
    favourites_html,
    gallery_html,
    measured_html,
    trail_html,
    typical_html,
    vary_command,
)

if TYPE_CHECKING:
    from facette.studio.app import Studio

COUNT = 10
FARTHEST = 21.0  # of the dial, for models that were never calibrated
LARGEST_SEED = 999_999_999
MOST_PINS = 24  # favourites


def page(studio: Studio) -> None:
    """The tab."""
    import gradio as gr

    settled, around, pins, automatic = gr.State(None), gr.State(()), gr.State(()), gr.State(None)
    with gr.Row(elem_classes="halves"):
        with gr.Column(scale=1, min_width=280):
            photo = photo_box("Your photo", "vary-photo")
            taken = gr.HTML(elem_id="vary-taken")
            with gr.Accordion("How the photo is taken in", open=False):
                align = gr.Checkbox(
                    True, label="Find the face", info="Off: the middle of the photo is taken."
                )
                which = gr.Number(1, label="Which face", info="1 is the largest.", precision=0, minimum=1)
                noise = gr.Radio(
                    list(NOISES),
                    value="its own σ",
                    label="Variation shaped by",
                    visible=studio.standings.shaped,
                )
        with gr.Column(scale=3, min_width=320):
            with gr.Row(elem_classes="dials"):
                with gr.Column(scale=3, min_width=260):
                    dial = gr.Slider(
                        0,
                        _farthest(studio),
                        DIVERSITY["factor"],
                        step=0.01,
                        label="Diversity",
                        info="0 is the reconstruction; the farther, the bolder.",
                        elem_id="vary-dial",
                        elem_classes="settles",
                    )
                    scale = gr.HTML(elem_id="vary-scale")
                    rest = hidden_input("vary-dial-rest")
                with gr.Column(scale=1, min_width=170):
                    seed = gr.Number(
                        0, label="Seed", precision=0, minimum=0, maximum=LARGEST_SEED, elem_id="vary-seed"
                    )
                    lock = gr.Checkbox(False, label="Keep this seed", elem_id="vary-lock")
            with gr.Row(elem_classes="presses"):
                again = gr.Button("Ten others", elem_id="vary-again", min_width=110)
                auto = gr.Button("Automatic diversity", elem_id="vary-auto", interactive=False, min_width=110)
            meter = gr.HTML(elem_id="vary-meter")
            trail = gr.HTML(elem_id="vary-trail")
            gallery = gr.HTML(
                note("Drop a photo, and ten relatives of it appear here."), elem_id="vary-gallery"
            )
            offers = gr.HTML(elem_id="vary-offers")
            favourites = gr.HTML(elem_id="vary-pins")
    pressed = hidden_input("vary-button")

    wish = [photo, align, which, noise, dial, seed, around]
    shown = [gallery, meter, offers, trail, settled]
    acts = _Acts(studio)

    for changed in (photo.change, align.input, which.input):
        arrived = live(
            studio,
            changed,
            acts.arrive,
            [photo, align, which, pins],
            [taken, around, scale, auto, favourites],
        )
        drawn = live(studio, arrived.success, acts.settle, [*wish, pins], shown)
        aside(studio, drawn.success, acts.mark, wish, [scale, auto, automatic])
    moved = live(studio, noise.input, acts.home, (), [around])
    drawn = live(studio, moved.success, acts.settle, [*wish, pins], shown)
    aside(studio, drawn.success, acts.mark, wish, [scale, auto, automatic])

    live(studio, dial.input, acts.preview, [*wish, pins, settled], [gallery])
    for changed in (rest.change, seed.input):
        live(studio, changed, acts.settle, [*wish, pins], shown)
    live(studio, lock.input, acts.lock, [lock], [again])
    others = live(studio, again.click, acts.reseed, [lock, seed], [seed])
    live(studio, others.success, acts.settle, [*wish, pins], shown)
    turned = live(studio, auto.click, acts.turn, [automatic], [dial])
    live(studio, turned.success, acts.settle, [*wish, pins], shown)
    done = live(
        studio, pressed.change, acts.do, [pressed, lock, *wish, pins], [pins, favourites, around, seed]
    )
    live(studio, done.success, acts.settle, [*wish, pins], shown)


class _Acts:
    """What happens at each event; every method takes the tab and the values of its inputs."""

    def __init__(self, studio: Studio):
        self._studio = studio

    def arrive(self, tab: str, token: str, align: bool, which: Any, pins: tuple[Pin, ...]) -> list[Any]:
        """A photo came, or is to be taken in otherwise."""
        import gradio as gr

        if not token:
            return [gr.skip()] * 5
        found = self._studio.standings.find(StartingPoint(token, align, int(which or 1)))
        pair = face(found.taken.picture, "as the model sees it", "the photo in the model's frame")
        kept = face(found.origin.reconstruction, "what the model keeps of it", "the reconstruction")
        report = found.taken.report
        said = note("; ".join(report.notes)) + "".join(note(words, "warn") for words in report.warnings)
        shown = f'<div class="pair">{pair}{kept}</div>{said}{typical_html(report)}'
        waiting = gr.update(interactive=False, value="Automatic diversity")
        return [shown, (), "", waiting, favourites_html(self._studio, pins, token)]

    def preview(self, tab: str, *values: Any) -> Any:
        """Quick, while the dial moves."""
        import gradio as gr

        *controls, pins, settled = values
        wish = VarySettings.of(*controls)
        if wish is None or wish == settled:
            return gr.skip()
        origin = self._studio.standings.find(wish.place).origin
        seeds = variation_seeds(wish.seed, COUNT)
        latents = origin.latents(seeds, wish.factor, wish.place.noise)  # (10, Z)
        pictures = origin.model.plain().decode(latents)
        return gallery_html(wish, seeds, pictures, [" "] * COUNT, pins, "vary")

    def settle(self, tab: str, *values: Any) -> list[Any]:
        """As the command draws it, with what is measured and what is offered."""
        import gradio as gr

        *controls, pins = values
        wish = VarySettings.of(*controls)
        if wish is None:
            return [gr.skip()] * 5
        standing = self._studio.standings.find(wish.place)
        seeds = variation_seeds(wish.seed, COUNT)
        made = standing.origin.variations(seeds, wish.factor, noise=wish.place.noise)
        captions, meter = measured_html(standing, made)
        stem = standing.taken.stem
        drawn = gallery_html(wish, seeds, made.pictures, captions, pins, stem)
        remarked = replace(made, remark=standing.taken.report.summary())
        saved = sheet(self._studio, tab, "vary", remarked, f"{stem}-variations")
        command = copyable(
            vary_command(
                self._studio, wish, standing.taken.name, "--seed", wish.seed, "--each", f"{stem}-variations"
            )
        )
        return [drawn, meter, f'<div class="presses">{saved}</div>{command}', trail_html(wish.place), wish]

    def mark(self, tab: str, *values: Any) -> list[Any]:
        """Where the automatic diversity lies on the dial."""
        import gradio as gr

        from facette.dial.search import automatic_factor, dial_of

        wish, studio = VarySettings.of(*values), self._studio
        if wish is None or wish.place.around or not studio.standings.measured:
            return [gr.skip(), gr.skip(), None]
        taken = studio.standings.find(wish.place).taken
        try:
            factor = automatic_factor(dial_of(studio.model, taken.picture, wish.place.noise))
        except UsageError as error:
            return [note(str(error), "warn"), gr.update(interactive=False), None]
        share = min(factor / _farthest(self._studio), 1.0)
        words = f"automatic {factor:g}: as far as they stay like the photo and look real"
        flag = f'<div class="flag" style="left: calc(8px + (100% - 16px) * {share:.4f})" aria-hidden="true"></div>'
        button = gr.update(interactive=True, value=f"Automatic: {factor:g}")
        return [f'<div class="scale">{flag}</div>{note(words)}', button, factor]

    def turn(self, tab: str, factor: float | None) -> Any:
        """The dial to where the mark is."""
        import gradio as gr

        return gr.skip() if factor is None else factor

    def lock(self, tab: str, kept: bool) -> Any:
        """A kept seed has no ten others."""
        import gradio as gr

        return gr.update(interactive=not kept)

    def reseed(self, tab: str, kept: bool, seed: Any) -> int:
        """Another seed, unless it is kept."""
        return int(seed or 0) if kept else secrets.randbelow(1_000_000)

    def home(self, tab: str) -> tuple[Step, ...]:
        """Back to the photo: under another noise a step would lead elsewhere."""
        return ()

    def do(self, tab: str, said: str, kept: bool, *values: Any) -> list[Any]:
        """A button on a picture."""
        import gradio as gr

        *controls, pins = values
        wish, told = VarySettings.of(*controls), parse_message(said)
        around, seed = controls[-1], controls[-2]
        match told:
            case {"do": "pin", "seed": int(which), "factor": float() | int() as factor} if wish is not None:
                pins = self._pinned(replace(wish, factor=float(factor)), which, pins)
            case {"do": "unpin", "which": int(which)}:
                pins = tuple(pin for i, pin in enumerate(pins) if i != which)
            case {"do": "more", "seed": int(which), "factor": float() | int() as factor} if wish is not None:
                around = (*wish.place.around, Step(which, float(factor)))
                seed = self.reseed(tab, kept, seed)
            case {"do": "more", "which": int(which)} if which < len(pins):
                around, seed = (*pins[which].place.around, pins[which].step), self.reseed(tab, kept, seed)
            case {"do": "home", "depth": int(depth)}:
                around = around[:depth]
            case _:
                return [gr.skip()] * 4
        return [pins, favourites_html(self._studio, pins, controls[0]), around, seed]

    def _pinned(self, wish: VarySettings, seed: int, pins: tuple[Pin, ...]) -> tuple[Pin, ...]:
        """With the variation of a seed among the favourites, or without it where it was."""
        there = [pin for pin in pins if (pin.place, pin.factor, pin.seed) == (wish.place, wish.factor, seed)]
        if there:
            return tuple(pin for pin in pins if pin is not there[0])
        if len(pins) >= MOST_PINS:
            raise UsageError(f"{MOST_PINS} favourites are kept at most: let one of them go first.")
        standing = self._studio.standings.find(wish.place)
        made = standing.origin.variations([seed], wish.factor, noise=wish.place.noise)
        return (*pins, Pin(wish.place, wish.factor, seed, made.pictures[0], standing.taken.name))


def _farthest(studio: Studio) -> float:
    """The end of the dial: the largest factor that the model was calibrated at."""
    if not studio.standings.measured:
        return FARTHEST
    from facette.dial.search import known_factors

    return max(known_factors(studio.model))
