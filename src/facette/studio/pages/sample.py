"""Sample: pictures of nobody, drawn from the prior, and others like one of them."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, cast

from facette.errors import UsageError
from facette.latent import sample, vary
from facette.studio.download_links import sheet
from facette.studio.events import live
from facette.studio.parts import (
    PictureButton,
    button,
    command_line,
    copyable,
    faces,
    hidden_input,
    parse_message,
)

if TYPE_CHECKING:
    from facette.studio.app import Studio

MESSAGES = "sample-button"
COUNTS = (20, 40, 60)
PRIORS = {
    "fitted to its pictures": "fitted",
    "the normal one it was trained with": "normal",
}  # words for people
LARGEST_SEED = 999_999_999
LIKE = 20  # relatives of one that was picked


def page(studio: Studio) -> None:
    """The tab."""
    import gradio as gr

    picked = gr.State(None)  # which of the wall others are like
    with gr.Row(elem_classes="dials"):
        with gr.Column(scale=3, min_width=260):
            temperature = gr.Slider(
                0,
                2,
                1,
                step=0.01,
                label="Temperature",
                info="Below 1 more ordinary, above 1 bolder.",
                elem_id="sample-warmth",
                elem_classes="settles",
            )
            rest = hidden_input("sample-warmth-rest")
        with gr.Column(scale=1, min_width=170):
            seed = gr.Number(
                0, label="Seed", precision=0, minimum=0, maximum=LARGEST_SEED, elem_id="sample-seed"
            )
    with gr.Row():
        count = gr.Radio(list(COUNTS), value=COUNTS[0], label="How many", elem_id="sample-count")
        prior = gr.Radio(
            list(PRIORS),
            value=next(iter(PRIORS)) if studio.model.fitted_prior is not None else list(PRIORS)[1],
            label="Drawn from the prior",
            visible=studio.model.fitted_prior is not None,
        )
    with gr.Row(elem_classes="presses"):
        draw = gr.Button("Draw", variant="primary", elem_id="sample-draw", min_width=110)
        others = gr.Button("Draw others", elem_id="sample-others", min_width=110)
    trail, wall, offers = gr.HTML(), gr.HTML(elem_id="sample-wall"), gr.HTML(elem_id="sample-offers")
    pressed = hidden_input(MESSAGES)

    wish, shown = [count, prior, temperature, seed, picked], [wall, trail, offers]
    acts = _Acts(studio)
    live(studio, draw.click, acts.show, wish, shown)
    renewed = live(studio, others.click, acts.renew, (), [seed, picked])
    live(studio, renewed.success, acts.show, wish, shown)
    for changed in (count.input, prior.input):
        whole = live(studio, changed, acts.whole, (), [picked])
        live(studio, whole.success, acts.show, wish, shown)
    for changed in (rest.change, seed.input):
        live(studio, changed, acts.show, wish, shown)
    done = live(studio, pressed.change, acts.do, [pressed], [picked])
    live(studio, done.success, acts.show, wish, shown)


class _Acts:
    """What happens at each event; every method takes the tab and the values of its inputs."""

    def __init__(self, studio: Studio):
        self._studio = studio

    def renew(self, tab: str) -> tuple[int, None]:
        """Another seed, and the wall of it."""
        return secrets.randbelow(1_000_000), None

    def whole(self, tab: str) -> None:
        """From the relatives of one back to the wall."""
        return

    def do(self, tab: str, message: str) -> int | None:
        """A button on a picture: others like it, or back to the wall."""
        which = parse_message(message).get("like")
        return which if isinstance(which, int) else None

    def show(
        self, tab: str, count: int, prior: str, warmth: float, seed: Any, picked: int | None
    ) -> list[str]:
        """The wall, or the relatives of one of it."""
        if seed is None or warmth is None:
            raise UsageError("a number is missing: fill in the temperature and the seed.")
        studio, warmth = self._studio, float(f"{warmth:.6g}")
        chosen = cast(Any, PRIORS[prior] if studio.model.fitted_prior is not None else "normal")
        wall = sample(studio.model, int(count), int(seed), chosen, warmth)
        words = ["--count", count, "--temperature", warmth, "--seed", int(seed)]
        words += ["--prior", "normal"] if chosen == "normal" else []
        command = command_line("sample", *studio.command_words(), *words, "--each", "samples")
        width = max(2, len(str(count)))  # of the numbers in the names of `--each`
        if picked is None or not 0 <= picked < len(wall.pictures):
            buttons = [
                (PictureButton("more", f"More like sample {i + 1}", {"like": i}),)
                for i in range(len(wall.pictures))
            ]
            names = [f"sample-{i:0{width}d}.png" for i in range(1, count + 1)]
            drawn = faces(
                list(wall.pictures), alt="sample", names=names, to=MESSAGES, buttons=buttons, kind="wall"
            )
            return [drawn, "", self._offers(tab, wall, "samples", copyable(command))]
        picture, name = wall.pictures[picked], f"samples/{picked + 1:0{width}d}.png"
        near = vary(studio.drawer, picture, LIKE)
        names = [f"like-sample-{picked + 1}-{i:02d}.png" for i in range(1, LIKE + 1)]
        drawn = faces([picture, *near.pictures], ["the sample"], alt="relative", names=["sample.png", *names])
        trail = (
            f'<nav class="trail" aria-label="Back">{button(MESSAGES, {"like": None}, "‹ all samples")}</nav>'
        )
        again = command_line("vary", name, *studio.command_words(), "--count", LIKE)
        return [
            drawn,
            trail,
            self._offers(tab, near, "like-one", copyable(command) + copyable(again, "and then")),
        ]

    def _offers(self, tab: str, result: Any, stem: str, commands: str) -> str:
        return f'<div class="presses">{sheet(self._studio, tab, "sample", result, stem)}</div>{commands}'
