"""Sample: pictures of nobody, drawn from the prior, and others like one of them."""

from __future__ import annotations

import secrets
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from facette.latent import sample, vary
from facette.latent.photo import take_photo
from facette.studio.download_links import row, sheet, single, singles
from facette.studio.events import live
from facette.studio.parts import (
    PictureButton,
    button,
    command_line,
    copyable,
    faces,
    folded,
    hidden_input,
    parse_message,
    preview_address,
)

if TYPE_CHECKING:
    from facette.studio.app import Studio

MESSAGES = "sample-button"
COUNTS = (20, 40, 60)
# words for people
PRIORS = {"like its pictures": "fitted", "as it was trained": "normal"}
LARGEST_SEED = 999_999_999
LIKE = 20  # relatives of one that was picked
ORDINARY = 0.7  # times the spread of the prior, to begin with: most faces are drawn well


def page(studio: Studio) -> None:
    """The tab."""
    import gradio as gr
    from gradio.context import Context

    picked, settled = gr.State(None), gr.State(None)  # which of the wall others are like; what is shown
    fitted = studio.model.fitted_prior is not None
    with gr.Row(elem_classes="dials"):
        temperature = gr.Slider(
            0, 2, ORDINARY, step=0.05, label="More ordinary, or bolder", elem_id="sample-warmth",
            elem_classes="settles", scale=3, min_width=260,
        )  # fmt: skip
        count = gr.Radio(
            list(COUNTS), value=COUNTS[0], label="How many", elem_id="sample-count", min_width=240
        )
        others = gr.Button("Others", variant="primary", elem_id="sample-others", min_width=110)
    rest = hidden_input("sample-warmth-rest")
    trail, wall, offers = gr.HTML(), gr.HTML(elem_id="sample-wall"), gr.HTML(elem_id="sample-offers")
    with gr.Accordion("More", open=False), gr.Row():
        seed = gr.Number(
            0,
            label="Seed",
            precision=0,
            minimum=0,
            maximum=LARGEST_SEED,
            elem_id="sample-seed",
            min_width=120,
        )
        prior = gr.Radio(
            list(PRIORS), value=list(PRIORS)[0 if fitted else 1], label="Faces are drawn", visible=fitted
        )
    pressed = hidden_input(MESSAGES)

    wish, shown = [count, prior, temperature, seed, picked], [wall, trail, offers, settled]
    acts = _Acts(studio)
    opened = Context.block
    assert isinstance(opened, gr.Tab), "a page is built inside its tab"
    live(studio, opened.select, acts.begin, [settled, *wish], shown)
    live(studio, others.click, acts.renew, wish, [seed, picked, *shown])
    for changed in (count.input, prior.input):
        live(studio, changed, acts.whole, wish, [picked, *shown])
    for changed in (rest.change, seed.input):
        live(studio, changed, acts.show, wish, shown)
    live(studio, pressed.change, acts.do, [pressed, *wish], [picked, *shown])


class _Acts:
    """What happens at each event; every method takes the tab and the values of its inputs."""

    def __init__(self, studio: Studio):
        self._studio = studio

    def renew(self, tab: str, count: int, prior: str, warmth: float, *_: Any) -> list[Any]:
        """Another seed, and the wall of it."""
        seed = secrets.randbelow(1_000_000)
        return [seed, None, *self.show(tab, count, prior, warmth, seed, None)]

    def whole(self, tab: str, count: int, prior: str, warmth: float, seed: int, _: Any) -> list[Any]:
        """From the relatives of one back to the wall."""
        return [None, *self.show(tab, count, prior, warmth, seed, None)]

    def do(
        self, tab: str, message: str, count: int, prior: str, warmth: float, seed: int, _: Any
    ) -> list[Any]:
        """A button on a picture: others like it, or back to the wall."""
        which = parse_message(message).get("like")
        picked = which if isinstance(which, int) else None
        return [picked, *self.show(tab, count, prior, warmth, seed, picked)]

    def begin(self, tab: str, settled: Any, *wish: Any) -> list[Any]:
        """The page opens: its wall, unless it stands there already."""
        import gradio as gr

        return [gr.skip()] * 4 if settled else self.show(tab, *wish)

    def show(
        self, tab: str, count: int, prior: str, warmth: float, seed: int, picked: int | None
    ) -> list[Any]:
        """The wall, or the relatives of one of it."""
        studio, warmth = self._studio, float(f"{warmth:.6g}")
        chosen = cast(Any, PRIORS[prior] if studio.model.fitted_prior is not None else "normal")
        wall = sample(studio.model, count, seed, chosen, warmth)
        words = ["--count", count, "--temperature", warmth, "--seed", seed]
        words += ["--prior", "normal"] if chosen == "normal" else []
        command = command_line("sample", *studio.command_words(), *words, "--each", "samples")
        width = max(2, len(str(count)))  # of the numbers in the names of `--each`
        if picked is None or not 0 <= picked < len(wall.pictures):
            buttons = [
                (PictureButton("more", "More like it", {"like": i}),) for i in range(len(wall.pictures))
            ]
            names, addresses = singles(studio, tab, "sample", wall, "sample")
            drawn = faces(
                list(wall.pictures),
                alt="sample",
                names=names,
                addresses=addresses,
                to=MESSAGES,
                buttons=buttons,
                kind="wall",
            )
            return [drawn, "", self._offers(tab, wall, "samples", copyable(command, "")), True]
        picture, name = wall.pictures[picked], f"samples/{picked + 1:0{width}d}.png"
        photo = take_photo(studio.model, single(wall, picked))  # as the command finds it in that file
        near = replace(vary(studio.model, photo, LIKE), remark=photo.report.summary())
        stem = f"like-sample-{picked + 1}"
        names, addresses = singles(studio, tab, "like", near, stem)
        address = studio.downloads.put(tab, "liked", partial(single, wall, picked), "sample.png", "image/png")
        drawn = faces(
            [picture, *near.pictures], ["the sample"], alt="relative", names=["sample.png", *names], kind="wall",
            addresses=[address, *addresses], before=preview_address(picture),
        )  # fmt: skip
        trail = (
            f'<nav class="trail" aria-label="Back">{button(MESSAGES, {"like": None}, "All samples")}</nav>'
        )
        words = ["--count", LIKE, "--out", f"{stem}.png", "--each", stem]
        again = command_line("vary", name, *studio.command_words(), *words)
        commands = copyable(command, "") + copyable(again, "and then")
        return [drawn, trail, self._offers(tab, near, stem, commands), True]

    def _offers(self, tab: str, result: Any, stem: str, commands: str) -> str:
        return row(sheet(self._studio, tab, "sample", result, stem)) + folded("In a terminal", commands)
