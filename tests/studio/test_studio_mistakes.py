"""What goes wrong at a visitor's is a sentence in its place, leaves nobody else's face behind, and delays no one."""

from __future__ import annotations

import contextlib
import json
import re

import pytest
from PIL import Image
from studio_page import PATIENCE, give, in_colours, nothing_amiss, until_drawn, until_given, until_says

from facette.errors import UsageError
from facette.studio.events import EmptyFieldError, checked

Error = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright").Error


@pytest.fixture
def meadow(tmp_path):
    """A picture without a face."""
    path = tmp_path / "meadow.png"
    Image.new("RGB", (300, 300), (90, 140, 90)).save(path)
    return path


def test_a_refused_photo_leaves_nobody_on_the_page_and_its_middle_can_be_taken(
    visit, there, anna, anna_face, relatives, meadow, tmp_path, shot
):
    page = visit(there)
    give(page, "vary-photo", anna)
    until_drawn(page, "#vary-gallery", relatives(anna_face).pictures)
    give(page, "vary-photo", meadow)
    until_says(page, ".photo-box", "No face was found in this picture.")
    page.locator("#vary-gallery .ten").wait_for(state="detached", timeout=PATIENCE)
    assert page.locator("#vary-taken img").count() == 0
    assert "anna" not in page.inner_text("#page-vary")
    assert page.get_by_role("button", name="Begin with").count() >= 5
    shot(page, "refused")
    page.get_by_role("button", name="Take the middle").click()
    page.locator("#vary-gallery .ten img").nth(9).wait_for(timeout=PATIENCE)
    assert " --no-align " in page.locator("#vary-offers code").text_content()
    (tmp_path / "notes.jpg").write_text("no picture")
    give(page, "vary-photo", tmp_path / "notes.jpg")
    until_says(page, ".photo-box", "is not a picture in a format that is read here")
    page.locator("#vary-gallery .ten").wait_for(state="detached", timeout=PATIENCE)
    give(page, "vary-photo", anna)
    until_drawn(page, "#vary-gallery", relatives(anna_face).pictures)
    assert [text for text in page.complaints if "422" not in text] == []


def test_the_search_for_a_face_waits_for_nobody(ask, there, meadow):
    with there.studio.turn:  # somebody else's pictures are being drawn
        answer = ask("POST", "/photo", meadow.read_bytes())
    assert (answer.status, b"No face was found" in answer.body) == (200, True)


def test_an_older_photo_that_arrives_later_does_not_win(visit, there, anna, hopper, photograph):
    page = visit(there)
    give(page, "vary-photo", anna)
    page.locator("#vary-gallery .ten img").nth(9).wait_for(timeout=PATIENCE)
    held = []
    page.route("**/photo", lambda route: held.append(route))
    give(page, "vary-photo", hopper)
    page.wait_for_function("document.querySelector('.photo-said').textContent.includes('Looking')")
    give(page, "vary-photo", photograph)
    for _ in range(100):
        if len(held) == 2:
            break
        page.wait_for_timeout(50)
    older, newer = held
    fading = page.locator("#vary-gallery.fading")
    assert fading.count() == 1  # what is there is of somebody else
    newer.continue_()
    until_given(page, "vary-photo", photograph.name)
    fading.wait_for(state="detached", timeout=PATIENCE)
    with contextlib.suppress(Error):  # the page may have given that request up already
        older.continue_()
    page.wait_for_timeout(800)
    assert page.locator(".photo-name").first.inner_text() == photograph.name


def test_an_empty_field_is_no_mistake_and_an_impossible_number_is_a_sentence(
    visit, there, anna, anna_face, relatives, capfd
):
    page = visit(there)
    give(page, "vary-photo", anna)
    until_drawn(page, "#vary-gallery", relatives(anna_face).pictures)
    page.locator("#vary-more button").first.click()
    field = page.locator("#vary-seed input")
    field.fill("")
    page.wait_for_timeout(600)
    assert page.locator(".toast-wrap *").count() == 0
    field.fill("99999999999")
    until_says(page, "body", "Seed: 99,999,999,999 is not possible")
    field.fill("5")
    until_drawn(page, "#vary-gallery", relatives(anna_face, seed=5).pictures)
    captured = capfd.readouterr()
    assert "Traceback" not in captured.out + captured.err
    nothing_amiss(page)


def test_only_what_a_control_allows_reaches_a_page():
    gr = pytest.importorskip("gradio")
    slider = gr.Slider(0, 10, 3, label="Dial")
    number = gr.Number(1, label="Face", precision=0, minimum=1)
    choice = gr.Radio(["a", "b"], label="Way")
    assert checked([slider, number, choice], [10, 2.0, "b"]) == [10, 2, "b"]
    for control in (slider, number):
        for value in (None, ""):
            with pytest.raises(EmptyFieldError, match=re.escape(control.label)):
                checked([control], [value])
    for control, value in ((slider, 11), (slider, float("nan")), (slider, "7"), (number, 0), (choice, "c")):
        with pytest.raises(UsageError, match=control.label):
            checked([control], [value])


def test_mistakes_go_by_themselves_and_never_pile_up(visit, there):
    page = visit(there, "Compare")
    for _ in range(3):
        page.click("#compare-start")
        page.get_by_text("There is no photo yet").last.wait_for(timeout=PATIENCE)
    assert page.locator(".toast-wrap > *:visible").count() == 1
    told = page.locator(".toast-wrap .timer").last.evaluate("bar => getComputedStyle(bar).backgroundColor")
    assert (
        told == f"rgb({', '.join(map(str, in_colours(page, 'light')))})"
    )  # by its style: the bar itself runs out
    page.locator(".toast-wrap > *:visible").wait_for(state="detached", timeout=PATIENCE)


def test_the_camera_takes_a_photo_and_keeps_the_page_in_shape(visit, there):
    page = visit(there, permissions=["camera"])
    width = page.locator(".photo-box").first.bounding_box()["width"]
    page.get_by_role("button", name="Use the camera").click()
    page.locator("video:visible").wait_for(timeout=PATIENCE)
    assert page.locator(".photo-box").first.bounding_box()["width"] == width
    page.get_by_role("button", name="Take the photo").click(timeout=PATIENCE)
    until_says(page, ".photo-box", "camera-")  # taken in, or said to hold no face
    assert page.locator("video").first.is_hidden()


def test_whoever_wants_rest_gets_it(visit, there):
    page = visit(there, reduced_motion="reduce")
    moving = page.evaluate(
        "() => [...document.querySelectorAll('.gradio-container *')].filter(e => { const s = getComputedStyle(e);"
        " return s.animationName !== 'none' || parseFloat(s.transitionDuration) > 0; }).length"
    )
    assert moving == 0


def test_everybody_in_a_group_can_be_the_one_that_is_meant(ask, group):
    token = json.loads(ask("POST", "/photo", group.read_bytes(), X_Name=group.name).body)["token"]
    everybody = json.loads(ask("POST", "/photo", b"", X_Photo=token, X_Faces="1").body)
    assert len(everybody["faces"]) == 2
    second = json.loads(ask("POST", "/photo", b"", X_Photo=f"{token}/2").body)
    assert (second["photo"], second["name"]) == (f"{token}/2", "group.png")
    third = json.loads(ask("POST", "/photo", b"", X_Photo=f"{token}/3").body)
    assert "face 3 was asked for" in third["error"]
