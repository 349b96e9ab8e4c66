"""Evaluate and Compare in a browser: measured beside the page, shown in it, and stopped when somebody has enough."""

from __future__ import annotations

import multiprocessing
import shlex
from pathlib import Path

import pytest
from barriers import barriers
from studio_page import PATIENCE, accented, commands, give, until_says


@pytest.fixture
def measuring(open_studio, quick_model, quick_run):
    """A studio with a small model, which is measured soon."""
    with open_studio(quick_model, str(quick_run), pages=("vary", "evaluate")) as opened:
        yield opened


def test_a_card_is_measured_shown_and_can_be_stopped(visit, measuring, shot, run, tmp_path):
    page = visit(measuring, "Evaluate")
    data = page.locator("#evaluate-data textarea, #evaluate-data input").first
    data.fill("synthetic-faces:20000")
    page.get_by_label("How many pictures").fill("10000")  # not done before it can be stopped
    page.click("#evaluate-start")
    page.locator("#evaluate-told progress").wait_for(timeout=PATIENCE)
    assert barriers(page) == [], "it is being measured"
    page.wait_for_function("document.querySelector('#evaluate-told progress').value > 0.02", timeout=PATIENCE)
    for scheme in ("dark", "light"):
        assert accented(page, "#evaluate-told progress", scheme), scheme
    page.click("#evaluate-stop")
    page.get_by_text("Stopped.").wait_for(timeout=PATIENCE)
    assert page.locator("#evaluate-report iframe").count() == 0
    data.fill("synthetic-faces:40")
    page.get_by_label("How many pictures").fill("24")
    page.click("#evaluate-start")
    report = page.frame_locator("#evaluate-report iframe")
    report.get_by_role("heading", name="Reconstructions").first.wait_for(timeout=3 * PATIENCE)
    assert "24 pictures of synthetic-faces:40" in report.locator("body").inner_text()
    papers = []
    for colours in ("light", "dark"):
        page.emulate_media(color_scheme=colours)
        papers.append(report.locator("body").evaluate("e => getComputedStyle(e).backgroundColor"))
    assert papers == ["rgb(250, 248, 244)", "rgb(24, 24, 29)"]
    page.emulate_media(color_scheme="light")
    assert barriers(page) == [], "it was measured"
    shot(page, "evaluate")
    with page.expect_download() as waiting:
        page.locator("#evaluate-report a[download]").click()
    card = Path(waiting.value.path()).read_bytes()
    assert card.startswith(b"<!DOCTYPE html>")
    ended = run(*shlex.split(commands(page, "#evaluate-report")[0])[1:])
    assert ended.code == 0, ended.err
    (written,) = (tmp_path / "evaluation").glob("*.html")
    assert written.read_bytes() == card
    data.fill("/no/such/folder")
    page.click("#evaluate-start")
    page.get_by_text("/no/such/folder").last.wait_for(
        timeout=3 * PATIENCE
    )  # of a process of its own, a polite one
    page.locator("#evaluate-told progress").wait_for(state="detached", timeout=PATIENCE)  # nothing goes on
    assert not page.locator("#evaluate-stop").is_visible()
    assert page.complaints == []


def test_a_comparison_says_what_it_lacks_and_stops(visit, there, hopper, tiny_diffusion, tmp_path, shot):
    page = visit(there, "Compare")
    page.click("#compare-start")
    page.get_by_text("There is no photo yet").wait_for(timeout=PATIENCE)
    give(page, "compare-photo", hopper)
    page.get_by_text("grace_hopper.jpg").first.wait_for(timeout=PATIENCE)
    page.locator("#compare-with textarea, #compare-with input").first.fill(str(tmp_path))
    page.click("#compare-start")
    page.get_by_text("model_index.json").first.wait_for(timeout=3 * PATIENCE)
    shot(page, "compare")
    page.locator("#compare-told progress").wait_for(state="detached", timeout=PATIENCE)
    page.locator("#compare-with textarea, #compare-with input").first.fill(str(tiny_diffusion))
    page.click("#compare-start")
    page.locator("#compare-told progress").wait_for(timeout=PATIENCE)
    page.click("#compare-stop")
    until_says(page, "#compare-told", "Stopped.")
    assert multiprocessing.active_children() == [], "it goes on although it was stopped"
