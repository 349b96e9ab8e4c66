"""Evaluate: the card of `facette evaluate`, measured here and shown in the page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from facette.errors import UsageError
from facette.studio.events import long
from facette.studio.parts import command_line, copyable, frame, link, note

if TYPE_CHECKING:
    from facette.studio.app import Studio
    from facette.studio.events import Tell

SPLITS = ("auto", "train", "valid", "test", "all")


def page(studio: Studio) -> None:
    """The tab."""
    import gradio as gr

    gr.HTML(
        note("Measures the model on pictures: reconstructions, likelihood, latents, samples, distributions.")
    )
    with gr.Row():
        data = gr.Textbox(
            "synthetic-faces:400",
            label="Pictures",
            info="A folder or zip, a CelebA folder, or synthetic-faces:COUNT.",
            elem_id="evaluate-data",
            scale=3,
        )
        beside = gr.Textbox(
            "",
            label="Another model beside it",
            info="A name, a model folder or a run; may stay empty.",
            scale=2,
        )
    with gr.Row():
        count = gr.Number(
            300, label="How many pictures", info="More are surer, and slower.", precision=0, minimum=2
        )
        split = gr.Dropdown(
            list(SPLITS), value="auto", label="Part", info="auto: what the model was not trained on."
        )
        seed = gr.Number(0, label="Seed", precision=0, minimum=0)
    with gr.Row(elem_classes="presses"):
        start = gr.Button("Measure", variant="primary", elem_id="evaluate-start", min_width=110)
        stop = gr.Button("Stop", elem_id="evaluate-stop", min_width=110)
    told, shown = gr.HTML(elem_id="evaluate-told"), gr.HTML(elem_id="evaluate-report")

    def measure(tab: str, tell: Tell, *values: Any) -> str:
        return _measured(studio, tab, tell, *values)

    long(studio, start.click, measure, [data, beside, count, split, seed], told, [shown], stop)


def _measured(
    studio: Studio, tab: str, tell: Tell, data: str, beside: str, count: Any, split: Any, seed: Any
) -> str:
    """The card in a frame, a link that saves it, and the command that makes it."""
    from facette.data.selection import choose_data, common_split
    from facette.evaluation import evaluate
    from facette.reports.evaluation_page import card_page

    if count is None or seed is None:
        raise UsageError("a number is missing: fill in how many pictures, and the seed.")
    source = studio.readable(data)
    opened = _opened(studio, source, beside.strip(), tell)
    part = common_split([(model, store) for model, store in opened.values()], split)
    evaluations = []
    for name, (model, store) in opened.items():
        label = source if "/" not in source else Path(source).resolve().name
        subject = choose_data(model, store, part, int(count), int(seed), label=label, source=source)

        def show(stage: str, done: int, total: int, name: str = name) -> None:
            tell(f"{name}: {stage}", done / total if total else None)

        evaluations.append(evaluate(model, subject, seed=int(seed), name=name, progress=show))
    tell("drawing the card")
    content = card_page(evaluations).html().encode()
    address = studio.shelf.put(tab, "evaluate", content, "evaluation.html", "text/html; charset=utf-8")
    models = [studio.model_name, *([beside.strip()] if beside.strip() else [])]
    words = ["--count", int(count), "--split", split, "--seed", int(seed), "--out", "evaluation"]
    command = copyable(command_line("evaluate", *models, source, *words))
    saved = link(address, "Save the card", "evaluation.html")
    return f'<div class="presses">{saved}</div>{command}{frame(address, "The evaluation card")}'


def _opened(studio: Studio, source: str, beside: str, tell: Tell) -> dict[str, tuple[Any, Any]]:
    """Each model by name, with the data in its size."""
    from facette.checkpoint.native import load_model
    from facette.data import open_dataset

    models = {studio.model.name: studio.model}
    if beside:
        other = load_model(studio.readable(beside), device=str(studio.model.device))
        if other.input.kind != "image":
            raise UsageError(
                f"{other.name!r} is a model of points: it does not compare with one of pictures."
            )
        models[other.name if other.name not in models else f"{other.name} ({Path(beside).stem})"] = other
    return {
        name: (model, open_dataset(source, model.recipe.input, progress=_reading(tell)))
        for name, model in models.items()
    }


def _reading(tell: Tell) -> Any:
    def show(done: int, total: int) -> None:
        tell("reading the pictures", done / total if total else None)

    return show
