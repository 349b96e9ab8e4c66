"""Evaluate: the card of `facette evaluate`, measured here and shown in the page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from facette.errors import UsageError
from facette.studio.apart import NamedModel, work_apart
from facette.studio.download_links import report
from facette.studio.events import long, progress_by
from facette.studio.parts import command_line, copyable, note, report_controls

if TYPE_CHECKING:
    from facette.studio.app import Studio
    from facette.studio.events import Tell


@dataclass(frozen=True, slots=True)
class EvaluationOrder:
    """All that an evaluation in a process of its own needs."""

    model: NamedModel
    source: str  # of the pictures
    beside: str  # another model, or nothing
    count: int
    split: str
    seed: int


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
    start, stop, told, shown = report_controls("evaluate", "Measure")

    def measure(tab: str, tell: Tell, data: str, beside: str, count: int, split: str, seed: int) -> str:
        other = studio.readable(beside) if beside.strip() else ""
        order = EvaluationOrder(studio.named, studio.readable(data), other, count, split, seed)
        return _measured(studio, tab, tell, order)

    long(studio, start.click, measure, [data, beside, count, split, seed], told, [shown], stop)


def _measured(studio: Studio, tab: str, tell: Tell, order: EvaluationOrder) -> str:
    """The card in a frame, a link that saves it, and the command that makes it."""
    content = work_apart(card_of, order, tell)
    models = [order.model.name, *([order.beside] if order.beside else [])]
    words = ["--count", order.count, "--split", order.split, "--seed", order.seed, "--out", "evaluation"]
    command = copyable(command_line("evaluate", *models, order.source, *words), "")
    name, title = "evaluation.html", "The evaluation card"
    return report(studio, tab, "evaluate", content, name, "Save the card", title, command)


def card_of(order: EvaluationOrder, tell: Tell) -> bytes:
    """The card of an evaluation, as a file."""
    from facette.data.selection import choose_data, common_split
    from facette.evaluation import evaluate
    from facette.reports.evaluation_page import card_page

    opened = _opened(order, tell)
    part = common_split([(model, store) for model, store in opened.values()], cast(Any, order.split))
    evaluations = []
    for name, (model, store) in opened.items():
        label = order.source if "/" not in order.source else Path(order.source).resolve().name
        selection = choose_data(model, store, part, order.count, order.seed, label=label, source=order.source)
        told = progress_by(tell, f"{name}: ")
        evaluations.append(evaluate(model, selection, seed=order.seed, name=name, progress=told))
    tell("Drawing the card")
    return card_page(evaluations).html().encode()


def _opened(order: EvaluationOrder, tell: Tell) -> dict[str, tuple[Any, Any]]:
    """Each model by name, with the data in its size."""
    from facette.data import open_dataset

    tell("Loading the model")
    model = order.model.open()
    models = {model.name: model}
    if order.beside:
        other = NamedModel(order.beside, device=order.model.device).open()
        if other.input.kind != "image":
            raise UsageError(
                f"{other.name!r} is a model of points: it does not compare with one of pictures."
            )
        models[other.name if other.name not in models else f"{other.name} ({Path(order.beside).stem})"] = (
            other
        )

    told = progress_by(tell)
    return {
        name: (model, open_dataset(order.source, model.recipe.input, progress=told))
        for name, model in models.items()
    }
