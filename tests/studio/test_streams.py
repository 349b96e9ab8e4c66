"""No answer is lost between two streams: the server ends one when nothing is under way, and the page opens the next.

Whether a question or the news of an end comes first is a matter of microseconds on a busy machine. Here the news comes
late every time, so that whatever could be lost is lost.
"""

from __future__ import annotations

import json
import re

import pytest
from studio_page import (
    LATE_END,
    PATIENCE,
    give,
    keep,
    nothing_lost,
    set_to,
    until_drawn,
    until_holds,
)

from facette.latent import edit, sample
from facette.studio.pages.sample import ORDINARY
from facette.studio.visitors import Visitors


@pytest.fixture
def late(visit, there):
    """A page that hears late of the end of every stream."""
    page = visit(there, script=LATE_END)
    page.get_by_text("Whose relatives would you like to see?").wait_for(timeout=PATIENCE)
    return page


def open_tab(page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def test_a_photo_its_levels_its_favourites_and_going_on_are_answered(late, anna, anna_face, relatives):
    give(late, "vary-photo", anna)
    until_drawn(late, "#vary-gallery", relatives(anna_face).pictures)
    for words, level in (("Bold", "bold"), ("Subtle", "subtle")):
        late.get_by_label(words, exact=True).check(force=True)
        until_drawn(late, "#vary-gallery", relatives(anna_face, level).pictures)
    keep(late, 2)
    until_drawn(late, "#vary-pins", relatives(anna_face, "subtle").pictures[2:3])
    late.locator("#vary-gallery").get_by_label("More like it", exact=True).nth(1).click()
    late.locator("#vary-trail img").nth(1).wait_for(timeout=PATIENCE)
    until_holds(late, "#vary-offers code", re.compile(r"--around \d"))
    late.get_by_label("Back to: The photo").click()
    late.locator("#vary-trail img").first.wait_for(state="detached", timeout=PATIENCE)
    nothing_lost(late)
    late.reload()  # which complains of a stream that is open
    until_drawn(late, "#vary-pins", relatives(anna_face, "subtle").pictures[2:3])


def test_samples_and_edits_are_answered(late, model, anna, anna_face):
    open_tab(late, "Sample")
    until_drawn(late, "#sample-wall", sample(model, 20, 0, temperature=ORDINARY).pictures)
    late.get_by_label("40", exact=True).check(force=True)
    until_drawn(late, "#sample-wall", sample(model, 40, 0, temperature=ORDINARY).pictures)
    late.locator("#sample-wall").get_by_label("More like it", exact=True).first.click()
    late.get_by_text("All samples").click(timeout=PATIENCE)
    until_drawn(late, "#sample-wall", sample(model, 40, 0, temperature=ORDINARY).pictures)
    open_tab(late, "Edit")
    give(late, "edit-photo", anna)
    until_drawn(late, "#edit-picture", [anna_face])
    set_to(late, "#edit-Smiling", 3)
    until_drawn(late, "#edit-picture", edit(model, anna_face, {"Smiling": 3}).pictures)
    late.get_by_role("button", name="All back to the middle").click()
    until_drawn(late, "#edit-picture", [anna_face])
    nothing_lost(late)


def test_an_act_is_one_event_with_one_answer(ask):
    config = json.loads(ask("GET", "/config").body)
    called = {each["id"]: each["props"].get("elem_id") for each in config["components"]}
    chained = [event["outputs"] for event in config["dependencies"] if event["trigger_after"] is not None]
    for outputs in chained:  # a photo that came before its map is placed when the map is there
        assert "map-placing" in [called[number] for number in outputs]
    assert len(chained) == 2


def test_the_receipt_of_a_question_counts_the_streams_of_its_page_alone(ask):
    events = json.loads(ask("GET", "/config").body)["dependencies"]
    number = next(event["id"] for event in events if not event["inputs"])

    def receipt(page: str) -> str:
        question = {"data": [], "fn_index": number, "session_hash": page}
        body = json.dumps(question).encode()
        answer = ask("POST", "/gradio_api/queue/join", body, content_type="application/json")
        return answer.headers["x-streams-ended"]

    assert receipt("quiet") == "0"
    assert b'"msg":"close_stream"' in ask("GET", "/gradio_api/queue/data?session_hash=quiet").body
    assert (receipt("quiet"), receipt("other")) == ("1", "0")


def test_pages_of_long_ago_are_forgotten(monkeypatch):
    monkeypatch.setattr("facette.studio.visitors.REMEMBERED", 2)
    known = Visitors()
    for page in ("first", "first", "second", "third"):
        known.stream_ended(page)
    assert [known.streams_ended(page) for page in ("first", "second", "third")] == [0, 1, 1]
