"""Compare: the page of `facette compare`, made here and shown in the page: one photo, two kinds of models."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from facette.errors import UsageError
from facette.studio.apart import NamedModel, work_apart
from facette.studio.download_links import photo_first, report
from facette.studio.events import long
from facette.studio.parts import copyable, note, photo_box, report_controls

if TYPE_CHECKING:
    from facette.studio.app import Studio
    from facette.studio.events import Tell
    from facette.studio.photo import SentPhoto

PROMPT = "a high-resolution photograph of a face, natural light, sharp focus"  # of the command


@dataclass(frozen=True, slots=True)
class CompareSettings:
    """What the controls say."""

    rival: str
    prompt: str
    strength: float
    count: int
    steps: int
    seed: int
    match: bool


@dataclass(frozen=True, slots=True)
class ComparisonOrder:
    """All that a comparison in a process of its own needs."""

    settings: CompareSettings
    model: NamedModel
    photo: SentPhoto
    command: str


def page(studio: Studio) -> None:
    """The tab."""
    import gradio as gr

    gr.HTML(
        note(
            "Relatives of one photo beside those of a diffusion model that lies on this machine. Nothing is fetched."
        )
    )
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            photo = photo_box("Your photo", "compare-photo")
        with gr.Column(scale=2, min_width=320):
            rival = gr.Textbox(
                "",
                label="Diffusion checkpoint",
                info="A folder, a .safetensors file, or a name that a hub's cache here knows.",
                elem_id="compare-with",
            )
            prompt = gr.Textbox(PROMPT, label="What it is told")
            with gr.Row(elem_classes="stacks"):
                strength = gr.Slider(
                    0, 1, 0.5, step=0.01, label="Its strength", info="0 reconstructs.", min_width=260
                )
                match = gr.Checkbox(
                    False,
                    label="At equal similarity",
                    info="Turns every knob until all are equally like the photo.",
                    min_width=260,
                )
            with gr.Row():
                count = gr.Number(10, label="Pictures of each", precision=0, minimum=2)
                steps = gr.Number(50, label="Steps of diffusion", precision=0, minimum=1)
                seed = gr.Number(0, label="Seed", precision=0, minimum=0)
    start, stop, told, shown = report_controls("compare", "Compare")

    def compare(tab: str, tell: Tell, token: str, *values: Any) -> str:
        if not token:
            raise UsageError("There is no photo yet: drop one into the page.")
        rival, prompt, strength, count, steps, seed, match = values
        if not rival.strip():
            raise UsageError(
                "no diffusion checkpoint is named: type a folder, a .safetensors file or a hub's name."
            )
        numbers = float(f"{strength:.6g}"), int(count), int(steps), int(seed)
        wish = CompareSettings(studio.readable(rival), prompt, *numbers, match)
        return _compared(studio, tab, tell, token, wish)

    inputs = [photo, rival, prompt, strength, count, steps, seed, match]
    long(studio, start.click, compare, inputs, told, [shown], stop)


def _compared(studio: Studio, tab: str, tell: Tell, held: str, settings: CompareSettings) -> str:
    """The page in a frame, a link that saves it, and the command that makes it."""
    from facette.reports.comparison_page import command_line

    photo = studio.photos.take(held)
    command = command_line(_options(studio, settings), photo.name)
    for word in photo.choice.words():
        command += f" {word}"
    order = ComparisonOrder(settings, studio.named, studio.photos.sent(held), command)
    content = work_apart(comparison_of, order, tell)
    first = photo_first(studio, tab, "compare", photo)
    terminal = copyable(command, "", first)
    name = f"{photo.stem}-compared.html"
    return report(studio, tab, "compare", content, name, "Save the page", "The comparison", terminal)


def comparison_of(order: ComparisonOrder, tell: Tell) -> bytes:
    """The page of a comparison, as a file."""
    from facette.comparison.checkpoint import find_checkpoint
    from facette.comparison.compare import compare, embedding_for, plan_comparison
    from facette.comparison.diffusion import DiffusionSettings
    from facette.comparison.loading import load_diffusion
    from facette.images.warp import look_again
    from facette.reports.comparison_page import comparison_page
    from facette.studio.photo import Photos

    settings = order.settings
    checkpoint = find_checkpoint(settings.rival)
    tell("Loading the models")
    model = order.model.open()
    photos = Photos(model)
    held = order.photo.kept_by(photos)
    photo = photos.take(held)
    wishes = DiffusionSettings(prompt=settings.prompt, steps=settings.steps)
    diffusion = load_diffusion(checkpoint, wishes, model.device, True)
    plan = plan_comparison(diffusion, settings.strength, settings.count, settings.match)
    large = look_again(
        photos.open(held), photo.to_photo, photo.picture.shape[:2], (diffusion.size, diffusion.size)
    )
    done = 0

    def step(steps: int) -> None:
        nonlocal done
        done += steps
        tell(f"{diffusion.name}: step {done:,} of at most {plan.steps:,}", done / plan.steps)

    tell(f"{diffusion.name}: the first step", 0.0)
    comparison = compare(
        model,
        photo.picture,
        diffusion,
        large,
        embedding_for(model),
        strength=settings.strength,
        count=settings.count,
        seed=settings.seed,
        match=settings.match,
        progress=step,
    )
    comparison = replace(comparison, remark=photo.report.summary())
    tell("Drawing the page")
    return comparison_page(comparison, order.command).html().encode()


def _options(studio: Studio, wish: CompareSettings) -> dict[str, Any]:
    """The same as options of the command."""
    return {
        "--with": wish.rival,
        "--model": studio.model_name,
        "--plain": studio.plain,
        "--prompt": wish.prompt,
        "--steps": wish.steps,
        "--strength": wish.strength,
        "--count": wish.count,
        "--seed": wish.seed,
        "--match": "similarity" if wish.match else None,
    }
