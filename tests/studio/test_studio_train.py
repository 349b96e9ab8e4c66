"""Training from the page: planned, started, watched, stopped and gone on with, through a reload and a new studio."""

import json
import os
import signal

import pytest
from barriers import barriers
from studio_page import PATIENCE, nothing_amiss, until_says

from facette.errors import UsageError
from facette.studio import run_status, runs
from facette.studio.app import Studio
from facette.studio.pages.train import USUAL, Form, overrides_of, plan_of
from facette.training.journal import read_journal

STEPS = 100_000  # a run that does not end by itself while a test looks
LAST = "train.steps=100000\ntrain.validate_every=40\ntrain.preview_every=40\ntrain.log_every=10"


@pytest.fixture
def root(tmp_path):
    """A folder for runs; what a test leaves running is ended with it."""
    folder = tmp_path / "runs"
    yield folder
    for run in runs.list_runs(folder):
        if run.alive:
            os.kill(json.loads((run.folder / runs.RECORD).read_text())["pid"], signal.SIGKILL)


@pytest.fixture
def opened(open_studio, model, root):
    """Open a studio over the runs: each time a new one, as after a restart."""

    def call():
        return open_studio(model, "faces128", pages=("sample", "train"), runs=root)

    return call


def plan(page, data: str, changes: str = "") -> None:
    page.locator("#train-data textarea").fill(data)
    page.locator("#train-recipe input").fill("quick")
    page.keyboard.press("Enter")
    if changes:
        page.get_by_role("button", name="Change the recipe").click()
        page.get_by_label("Anything else").fill(changes)
    page.get_by_role("button", name="Show the plan").click()
    until_says(page, "#train-planned", "facette train quick")


def until_shown(page, button: str) -> None:
    page.get_by_role("button", name=button).wait_for(timeout=PATIENCE)


def drawn(page, place: str) -> bool:
    """Whether a picture offered for download is there, and whole."""
    page.wait_for_function(
        "place => { const one = document.querySelector(place + ' img'); return one && one.naturalWidth > 90; }",
        arg=place,
        timeout=PATIENCE,
    )
    return True


@pytest.mark.slow
def test_a_run_outlives_the_page_and_the_studio_stops_and_goes_on(visit, opened, root, shot):
    with opened() as first:
        page = visit(first, "Train")
        plan(page, "synthetic-faces:64", LAST)
        until_says(page, "#train-planned", f"{STEPS:,} steps of 32")
        assert runs.list_runs(root) == [], "a plan starts nothing"
        page.get_by_role("button", name="Start").click()
        until_shown(page, "Save and stop")
        until_says(page, "#train-state", "of what makes pictures differ")
        for place in ("#train-curves", "#train-preview", "#train-rates"):
            assert drawn(page, place)
        until_says(page, "#train-log", "units used")
        shot(page, "train")
        assert barriers(page) == [], "a run goes on"
        nothing_amiss(page)
        page.reload()
        page.get_by_role("tab", name="Train").click()
        page.complaints.clear()  # of the page that was left in the middle of its talk
        until_says(page, "#train-state", "quick is running")
        nothing_amiss(page)
    (run,) = runs.list_runs(root)
    assert run.state == "running", "the run ended with the studio"
    with opened() as second:
        page = visit(second, "Train", width=390, height=844)
        until_says(page, "#train-state", "quick is running")
        page.get_by_role("button", name="Save and stop").click()
        until_shown(page, "Go on")
        stopped = runs.look(root, "quick")
        assert stopped.state == "stopped"
        saved = json.loads((stopped.folder / runs.RESULT).read_text())["step"]
        assert f"facette studio --model {stopped.folder}" in page.text_content("#train-use")  # folded
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        shot(page, "train-phone")
        page.get_by_role("button", name="Go on").click()
        until_shown(page, "Save and stop")
        until_says(page, "#train-log", f"at step {saved} of {STEPS}")
        page.get_by_role("button", name="Save and stop").click()
        until_shown(page, "Go on")
        nothing_amiss(page)
    steps = [row["step"] for row in read_journal(root / "quick") if row["event"] == "train"]
    assert steps == list(range(10, steps[-1] + 1, 10)), "no step is missing, none is told twice"


def test_mistakes_are_sentences_and_a_changed_form_needs_another_plan(visit, opened, root):
    with opened() as there:
        page = visit(there, "Train")
        until_says(page, "#train-state", "No run yet")
        page.get_by_role("button", name="Show the plan").click()
        until_says(page, "body", "name a folder or a zip of pictures")
        plan(page, "synthetic-faces:64")
        page.locator("#train-data textarea").fill("synthetic-faces:65")
        page.get_by_role("button", name="Start").click()
        until_says(page, "body", "show the plan first")
        page.get_by_label("Name of the run").fill("../elsewhere")
        page.get_by_role("button", name="Show the plan").click()
        until_says(page, "body", "cannot be a run's name")
        nothing_amiss(page)
    assert not root.exists()


# ── without a browser ────────────────────────────────────────────────────────────────────────────────────


def test_the_plan_is_that_of_the_command(model, tmp_path, run):
    studio = Studio(model, "faces128", runs=tmp_path / "runs")
    usual = tuple("24" if key == "train.batch" else "" for key in USUAL.values())
    made = plan_of(
        studio, Form("synthetic-faces:64", "quick", "", usual, "\n train.lr=1e-3 \n"), lambda *told: None
    )
    assert made.order.overrides == ("train.batch=24", "train.lr=1e-3")
    asked = run(*made.order.arguments(tmp_path / "runs" / made.name), "--dry-run", "--json")
    assert (made.name, made.steps) == (asked.json["recipe"], asked.json["steps"])
    assert f"{asked.json['pictures']} pictures" in made.words
    (tmp_path / "runs" / "quick").mkdir(parents=True)
    assert (
        plan_of(studio, Form("synthetic-faces:64", "quick", "", usual, ""), lambda *told: None).name
        == "quick-2"
    )
    (tmp_path / "runs" / "quick" / "note.txt").write_text("mine")
    with pytest.raises(UsageError, match="something in"):
        plan_of(studio, Form("synthetic-faces:64", "quick", "quick", usual, ""), lambda *told: None)


def test_lines_have_the_last_word_over_fields():
    usual = tuple({"train.epochs": "3", "train.lr": " 3e-4"}.get(key, "") for key in USUAL.values())
    assert overrides_of(usual, "train.lr=1e-3\n\n") == ("train.epochs=3", "train.lr=3e-4", "train.lr=1e-3")


def test_a_run_is_told_in_words_and_pictures(quick_run, tmp_path):
    told = runs.TrainingRun("quick", quick_run, "running", None, 120, 200)
    words = run_status.in_words(told)
    rows = read_journal(quick_run)
    measured = [row for row in rows if row["event"] == "validation"][-1]
    assert words.startswith("quick is running · step 120 of 200 · about ")
    assert words.endswith(
        f"redraws {1 - measured['unexplained_variance']:.0%} of what makes pictures differ."
    )
    assert "nats" not in words
    assert run_status.figures(told).startswith(f"evidence lower bound {measured['elbo']:,.1f} nats")
    assert run_status.figures(runs.TrainingRun("empty", tmp_path, "failed", None, 0, None)) == ""
    speed = [row["images_per_second"] for row in rows if "images_per_second" in row][-1]
    assert run_status.seconds_left(told, rows) == pytest.approx(80 * 32 / speed)
    for drawing in (run_status.curves(told), run_status.rates(told)):
        assert drawing is not None
        assert drawing.startswith(b"\x89PNG")
    step, sheet = run_status.preview(told) or (0, b"")
    assert (step, sheet) == (
        max(int(path.stem[5:]) for path in (quick_run / "previews").iterdir()),
        sorted((quick_run / "previews").iterdir())[-1].read_bytes(),
    )
    before = run_status.stamp(told)
    empty = runs.TrainingRun("empty", tmp_path, "failed", None, 0, None, "it met a fault of ours: KeyError")
    assert run_status.curves(empty) is run_status.rates(empty) is run_status.preview(empty) is None
    assert run_status.in_words(empty) == "empty has failed · step 0. it met a fault of ours: KeyError"
    assert run_status.stamp(told) == before != run_status.stamp(empty)
