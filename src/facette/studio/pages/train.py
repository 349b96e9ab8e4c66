"""Train: pictures and a recipe in, a run out: planned, started, watched, stopped, gone on with.

Enters: what `facette train` takes. Leaves: a run in a process of its own (`runs.py`), its curves, its latest preview
and the end of its log. All that is shown is read from the run's folder, so neither a reload of the page nor a restart
of the studio changes anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import count
from typing import TYPE_CHECKING, Any

from facette.errors import FacetteError, UsageError
from facette.models import DEFAULT_MODEL
from facette.recipe import shipped_recipes
from facette.studio import run_status, runs
from facette.studio.download_links import row
from facette.studio.events import aside, long, progress_by
from facette.studio.parts import button, command_line, copyable, folded, hidden_input, note, parse_message
from facette.studio.runs import RunCommand, TrainingRun

if TYPE_CHECKING:
    from facette.studio.app import Studio

EVERY = 2.0  # seconds between two looks at a run that goes on
USUAL = {  # what is changed most: the label, and the recipe's key
    "Epochs": "train.epochs",
    "Steps": "train.steps",
    "Pictures at most": "train.pictures",
    "Pictures in a step": "train.batch",
    "Learning rate": "train.lr",
    "Latents": "model.latent",
    "β, the weight of the rate": "objective.beta",
}
KEPT = 8  # drawings of a run that a page can still ask for
_DRAWN = count()
NO_RUN = "No run yet: plan one above."
USE = "train-using"


@dataclass(frozen=True, slots=True)
class Form:
    """What stands in the fields."""

    data: str
    recipe: str
    name: str
    usual: tuple[str, ...]  # in the order of USUAL, empty for what the recipe says
    other: str

    @classmethod
    def of(cls, values: Sequence[Any]) -> Form:
        """The fields' values, in their order on the page."""
        data, recipe, name, *usual, other = values
        return cls(data, recipe or "", name, tuple(usual), other)


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What will be done when Start is pressed, and the form that was filled in for it."""

    form: Form
    order: RunCommand
    name: str
    steps: int
    words: str


def page(studio: Studio) -> None:
    """The tab."""
    import gradio as gr

    with gr.Row():
        data = gr.Textbox(
            "", label="Pictures", elem_id="train-data", placeholder="my-photos/ or synthetic-faces:2000",
            info="A folder or zip on this machine, a CelebA folder, or synthetic-faces:COUNT",
        )  # fmt: skip
        recipe = gr.Dropdown(
            list(shipped_recipes()), value=DEFAULT_MODEL, label="Recipe", elem_id="train-recipe",
            allow_custom_value=True, info="A shipped one, or the path of a TOML file",
        )  # fmt: skip
        name = gr.Textbox(
            "", label="Name of the run", elem_id="train-name", placeholder="the recipe's name",
            info=f"A folder in {studio.runs}",
        )  # fmt: skip
    with gr.Accordion("Change the recipe", open=False):
        with gr.Row():
            usual = [
                gr.Textbox(
                    "",
                    label=label,
                    elem_id=f"train-{key.replace('.', '-')}",
                    min_width=120,
                    placeholder="as it is",
                )
                for label, key in USUAL.items()
            ]
        other = gr.Textbox(
            "", label="Anything else, one section.key=value on each line", lines=2, elem_id="train-other"
        )
    with gr.Row():
        plan = gr.Button("Show the plan", elem_id="train-plan")
        start = gr.Button("Start", variant="primary", elem_id="train-start")
    told, planned_words, planned = gr.HTML(), gr.HTML(elem_id="train-planned"), gr.State(None)
    wishes = [data, recipe, name, *usual, other]

    def think(tab: str, tell: Any, *values: Any) -> list[Any]:
        plan = plan_of(studio, Form.of(values), tell)
        command = command_line(*plan.order.arguments(studio.runs / plan.name))
        return [plan, note(plan.words, "plain") + copyable(command)]

    long(studio, plan.click, think, wishes, told, [planned, planned_words])
    _watched(studio, start, planned, wishes)


def plan_of(studio: Studio, form: Form, tell: Any) -> RunPlan:
    """What a run would do; its data set is opened, and decoded where that has not been done before.

    Raises whatever `facette train --dry-run` raises, and UsageError for a name that is taken.
    """
    from facette.data import open_dataset
    from facette.data.proposal import recipe_for
    from facette.training.schedule import steps_of, training_rows

    tell("reading the recipe")
    overrides = overrides_of(form.usual, form.other)
    resolved = recipe_for(form.recipe.strip(), [form.data.strip()] if form.data.strip() else [], overrides)
    order = RunCommand(form.recipe.strip(), form.data.strip(), overrides)
    if not order.data and resolved.input.kind == "image":
        raise UsageError("name a folder or a zip of pictures, or synthetic-faces:COUNT.")
    name = form.name.strip() or runs.free_name(studio.runs, resolved.name)
    runs.check_free(studio.runs, name)
    source = order.data or "synthetic-mixture"
    store = open_dataset(source, resolved.input, progress=progress_by(tell))
    images = len(training_rows(store, resolved.train.pictures))
    steps = steps_of(resolved.train, images)
    batch, folder = resolved.train.batch, studio.runs / name
    words = f"{resolved.name}: {steps:,} steps of {batch} over {images:,} pictures into {folder}."
    if left_out := len(getattr(store, "unreadable", [])):
        words += f" {left_out:,} files cannot be read and are left out."
    return RunPlan(form, order, name, steps, words)


def overrides_of(usual: tuple[str, ...], other: str) -> tuple[str, ...]:
    """What is changed in the recipe, as `--set` takes it; the lines come last, so they have the last word."""
    changes = [
        f"{key}={text.strip()}" for key, text in zip(USUAL.values(), usual, strict=True) if text.strip()
    ]
    return (*changes, *(line.strip() for line in other.splitlines() if line.strip()))


# ── runs that are there ──────────────────────────────────────────────────────────────────────────────────


def _watched(studio: Studio, start: Any, planned: Any, wishes: list[Any]) -> None:
    """The runs, and how the chosen one goes."""
    import gradio as gr
    from gradio.context import Context

    chosen = gr.Dropdown(
        _choices(studio),
        value=None,
        label=f"Runs so far, in {studio.runs}",
        elem_id="train-run",
        filterable=False,
    )
    state = gr.HTML(note(NO_RUN), elem_id="train-state")
    with gr.Row():
        stop = gr.Button("Save and stop", visible=False, elem_id="train-stop")
        resume = gr.Button("Go on", variant="primary", visible=False, elem_id="train-resume")
    use, using = gr.HTML(elem_id="train-use"), hidden_input(USE)
    with gr.Row():
        with gr.Column(min_width=300):
            preview = gr.HTML(elem_id="train-preview")
        with gr.Column(min_width=300):
            log = gr.HTML(elem_id="train-log")
    curves, rates = gr.HTML(elem_id="train-curves"), gr.HTML(elem_id="train-rates")
    clock, seen = gr.Timer(EVERY, active=False), gr.State(None)
    outputs = [state, stop, resume, use, log, preview, curves, rates, clock, seen]

    def look(tab: str, called: str | None, before: Any) -> list[Any]:
        return _looked(studio, tab, called, before)

    def arrive(tab: str, called: str | None) -> list[Any]:
        there = _choices(studio)
        called = called if called in there else next(iter(there), None)
        return [gr.update(choices=there, value=called), *_looked(studio, tab, called, None)]

    def begin(tab: str, plan: RunPlan | None, *values: Any) -> list[Any]:
        if plan is None or plan.form != Form.of(values):
            raise UsageError("show the plan first: what it says is what will be started.")
        runs.start(studio.runs, plan.name, plan.order, plan.steps)
        return [*arrive(tab, plan.name), None]

    def act(action: Any) -> Any:
        def done(tab: str, called: str) -> list[Any]:
            action(studio.runs, called)
            return arrive(tab, called)

        return done

    def take(tab: str, text: str) -> str:
        run = runs.look(studio.runs, str(parse_message(text).get("run", "")))
        if run.model is None or studio.reopen is None:
            raise UsageError(f"{run.name} has no model yet: its first validation writes one.")
        studio.reopen(str(run.model))
        return (
            f'<p class="plain" role="status" data-reopen>The studio opens again with {escape(run.name)} …</p>'
        )

    opened = Context.block
    assert isinstance(opened, gr.Tab), "a page is built inside its tab"
    arrived = [chosen, *outputs]
    aside(studio, using.change, take, [using], [use])
    aside(studio, opened.select, arrive, [chosen], arrived)
    aside(studio, chosen.input, lambda tab, called: _looked(studio, tab, called, None), [chosen], outputs)
    aside(studio, clock.tick, look, [chosen, seen], outputs)
    aside(studio, stop.click, act(runs.stop), [chosen], arrived)
    aside(studio, resume.click, act(runs.resume), [chosen], arrived)
    aside(studio, start.click, begin, [planned, *wishes], [*arrived, planned])


def _choices(studio: Studio) -> list[str]:
    """Every run, the one that changed last first, those that go on before all others."""
    there = sorted(runs.list_runs(studio.runs), key=lambda run: not run.alive)
    return [run.name for run in there]


def _looked(studio: Studio, tab: str, called: str | None, before: Any) -> list[Any]:
    """How the run goes now; what is as it was before is not sent again."""
    import gradio as gr

    def nothing(words: str) -> list[Any]:
        return [words, *[gr.update(visible=False)] * 2, *[""] * 5, gr.Timer(active=False), None]

    if not called:
        return nothing(note(NO_RUN))
    try:
        run = runs.look(studio.runs, called)
        words, figures = run_status.in_words(run), run_status.figures(run)
    except FacetteError as error:  # its folder is gone: the page says so once, and looks no more
        return nothing(note(str(error), "warn"))
    now = (run.name, run.state, run_status.stamp(run))
    drawn = [gr.skip()] * 3 if now == before else _drawn(studio, tab, run)
    return [
        note(words, "warn" if run.problem else "plain") + folded("Figures", note(figures)),
        gr.update(visible=run.alive, interactive=run.state == "running"),
        gr.update(visible=run.state in ("stopped", "failed")),
        _use(studio, run),
        _log(run),
        *drawn,
        gr.Timer(active=run.alive),
        now,
    ]


def _drawn(studio: Studio, tab: str, run: TrainingRun) -> list[str]:
    """The preview, the curves and the latents' rates as HTML."""
    shown = run_status.preview(run)
    step, picture = shown if shown else (0, None)
    words = f"Step {step:,}: photos, the same redrawn, new ones"
    place = f"{tab}/{next(_DRAWN) % KEPT}"  # a slow page may still ask for what was drawn before
    return [
        _picture(studio, place, "preview", picture, words, f"{run.name}: {words}"),
        _picture(studio, place, "curves", run_status.curves(run), "", f"Training curves of {run.name}"),
        _picture(studio, place, "rates", run_status.rates(run), "", f"Rate of every latent of {run.name}"),
    ]


def _picture(studio: Studio, place: str, kind: str, content: bytes | None, words: str, alt: str) -> str:
    if content is None:
        return ""
    address = studio.downloads.put(place, f"train-{kind}", content, f"{kind}.png", "image/png")
    under = f"<figcaption>{escape(words)}</figcaption>" if words else ""
    return f'<figure class="{kind}" tabindex="0"><img src="{escape(address)}" alt="{escape(alt)}">{under}</figure>'


def _log(run: TrainingRun) -> str:
    tail = runs.tail(run)
    return (
        f'<pre class="log" tabindex="0" aria-label="The end of the log">{escape(tail)}</pre>' if tail else ""
    )


def _use(studio: Studio, run: TrainingRun) -> str:
    """How to work with the run's best model."""
    if run.model is None:
        return ""
    step = run_status.best_step(run)
    best = "Its best model so far" if run.alive else "Its best model"
    words = best + (f" is that of step {step:,}." if step else " is at hand.")
    here = button(USE, {"run": run.name}, "Use this model now") if studio.reopen else ""
    command = copyable(command_line("studio", "--model", str(run.model)), "Open a studio with this model")
    return note(words, "plain") + row(here) + folded("In a terminal", command)
