"""Sliders for attributes: what is shown is what `facette edit` makes, and what it warns of is said."""

import re
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from studio_page import (
    colours_of,
    commands,
    give,
    in_colours,
    nothing_amiss,
    press,
    saved,
    set_to,
    until_drawn,
    until_holds,
    until_says,
)

from facette.latent import edit
from facette.latent.directions import known_directions
from facette.latent.edit import find_shift
from facette.latent.sheets import signed
from facette.latent.worth import Worth
from facette.studio.pages.edit import FIRST, PERSON, by_use, is_offered, kept_of, reach, spoken


@pytest.fixture
def portrait(photos):
    """A picture of nobody in the model's own frame."""
    return photos[0]


def test_sliders_change_the_face_as_the_command_does(visit, there, portrait, drawn_faces, model, run, shot):
    page = visit(there, "Edit")
    give(page, "edit-photo", portrait)
    until_drawn(page, "#edit-picture", [drawn_faces[10]])
    press(page, "#edit-Smiling", "PageUp", "End")
    until_holds(page, "#edit-offers code", "Smiling=+3 ")
    made = edit(model, drawn_faces[10], {"Smiling": 3})
    until_drawn(page, "#edit-picture", [made.pictures[0]])
    assert made.shift.notable, "this edit has side effects, so that there is something to say"
    told = re.findall(r"(\w+) by (\d\.\d)", page.locator("#edit-warning details").text_content())
    assert told == [(name, f"{abs(effect):.1f}") for name, effect in made.shift.notable.items()]
    assert "_" not in page.inner_text("#edit-warning"), "an attribute's own name is shown to a person"
    shot(page, "edit")

    set_to(page, "#edit-Bangs", -1.5)
    page.get_by_label("Stay the same person").check()
    until_holds(page, "#edit-offers code", "--keep Male,Young")
    wishes = {"Smiling": 3.0, "Bangs": -1.5}
    made = edit(model, drawn_faces[10], wishes, PERSON)
    until_drawn(page, "#edit-picture", [made.pictures[0]])

    files = {
        link: saved(page, link, portrait.parent).read_bytes()
        for link in ("Save the picture", "Save the sheet")
    }
    page.locator("#edit-picture .look").click()
    with page.expect_download() as waiting:
        page.get_by_role("dialog").get_by_role("button", name="Save", exact=True).click()
    assert Path(waiting.value.path()).read_bytes() == files["Save the picture"]
    page.keyboard.press("Escape")
    (command,) = commands(page, "#edit-offers")
    done = run(
        *(str(portrait) if word == portrait.name else word for word in shlex.split(command)[1:]), "--json"
    )
    assert done.code == 0, done.err
    assert Path(done.json["each"][0]).read_bytes() == files["Save the picture"]
    assert Path(done.json["sheet"]).read_bytes() == files["Save the sheet"]

    page.get_by_role("button", name="All back to the middle").click()
    until_drawn(page, "#edit-picture", [drawn_faces[10]])
    assert page.locator("#edit-Smiling input[type=number]").input_value() == "0"
    nothing_amiss(page)


def test_sliders_are_filled_from_the_middle_to_where_they_stand(visit, there):
    page = visit(there, "Edit")

    def filled(share: float, accent: np.ndarray) -> bool:
        """Whether the track has the accent's colour there."""
        track = colours_of(page.locator("#edit-Smiling input[type=range]"))
        shown = track[len(track) // 2, round(share * track.shape[1])]
        return int(np.abs(shown.astype(int) - accent).max()) <= 3

    for value, shares in ((0, ()), (1.5, (0.6, 0.7)), (-1.5, (0.3, 0.4))):
        set_to(page, "#edit-Smiling", value)
        page.locator("#edit-Smiling input[type=number]").blur()
        for scheme in ("light", "dark"):
            accent = in_colours(page, scheme)
            seen = [share for share in (0.1, 0.3, 0.4, 0.6, 0.7, 0.9) if filled(share, accent)]
            assert seen == list(shares), (value, scheme)
    nothing_amiss(page)


def test_a_contradiction_is_a_sentence_and_a_phone_sees_picture_and_slider_at_once(
    visit, there, portrait, drawn_faces, shot
):
    page = visit(there, "Edit", width=390, height=844)
    give(page, "edit-photo", portrait)
    until_drawn(page, "#edit-picture", [drawn_faces[10]])
    place = "document.getElementById('edit-Smiling').getBoundingClientRect().top + scrollY"
    before = page.evaluate(place)
    set_to(page, "#edit-Smiling", 1)
    until_holds(page, "#edit-offers code", "Smiling=+1 ")
    assert page.evaluate(place) == before, "what came with the change pushed the slider away from the finger"
    slider = page.locator("#edit-Bangs")
    slider.scroll_into_view_if_needed()
    shown = page.locator("#edit-picture img").first.bounding_box()
    assert 0 <= shown["y"] < 844, "the picture left the window"
    assert shown["y"] + shown["height"] <= slider.bounding_box()["y"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.screenshot(path=shot(page, "edit-phone"))
    page.get_by_role("button", name=re.compile(r"^\d+ more")).click()
    page.locator("#edit-keep input").click()
    page.get_by_role("option", name="Smile", exact=True).click()
    until_says(page, "body", "Smiling cannot be both changed and kept")
    nothing_amiss(page)


def test_a_model_without_directions_says_what_to_do(visit, open_studio, model):
    with open_studio(replace(model, metrics={}, extras={}), "faces128", pages=("edit",)) as there:
        page = visit(there, "Edit")
        until_says(page, "#page-edit", "facette attributes fit MODEL DATA")
        nothing_amiss(page)


def test_what_people_ask_for_comes_first_and_every_attribute_comes(model):
    directions = known_directions(model)
    names = by_use(directions)
    assert sorted(names) == sorted(directions.names)
    assert {"Smiling", "Young", "Eyeglasses", "Blond_Hair"} <= set(names[:FIRST])
    assert not any("_" in spoken(name) for name in names)


def test_keeping_the_person_never_forbids_a_wish_about_the_person(model):
    directions = known_directions(model)
    assert kept_of({"Smiling": 1.0}, PERSON, []) == ["Male", "Young"]
    assert kept_of({"Young": -1.0}, PERSON, ["Blond_Hair"]) == ["Male", "Blond_Hair"]
    assert kept_of({"Young": -1.0}, (), []) == []
    shift = find_shift(directions, {"Smiling": 2.0}, kept_of({"Smiling": 2.0}, PERSON, []))
    assert [signed(round(shift.effects[name], 6)) for name in ("Smiling", *PERSON)] == ["+2", "0", "0"]


def test_what_a_model_cannot_do_has_no_slider_and_what_takes_more_goes_farther():
    good, seldom = Worth(6.0, 0.9, 0.99, 60), Worth(8.0, 0.4, 1.0, 90)
    worth = {
        "Eyeglasses": {"raise": good},
        "Bald": {"raise": seldom},
        "Young": {"raise": seldom, "lower": good},
    }
    offered = {name: is_offered(worth, name) for name in (*worth, "Smiling")}
    assert offered == {"Eyeglasses": True, "Bald": False, "Young": True, "Smiling": True}
    assert [reach(worth, name) for name in (*worth, "Smiling")] == [6.0, 3.0, 6.0, 3.0]
