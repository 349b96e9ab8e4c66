"""Sliders for attributes: what is shown is what `facette edit` makes, and what it warns of is said."""

import re
import shlex
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from studio_page import (
    give,
    nothing_amiss,
    press,
    saved,
    set_to,
    sources,
    until_count,
    until_drawn,
    until_other,
    until_says,
)

from facette.latent import edit
from facette.latent.directions import known_directions
from facette.latent.edit import find_shift
from facette.latent.sheets import signed
from facette.studio.pages.edit import FIRST, PERSON, by_use, kept_of


@pytest.fixture(scope="module")
def here(open_studio, model):
    with open_studio(model, "faces64", pages=("edit",)) as one:
        yield one


@pytest.fixture(scope="module")
def portrait(tmp_path_factory, drawn_faces):
    """A picture of nobody in the model's own frame."""
    path = tmp_path_factory.mktemp("portrait") / "ada.png"
    Image.fromarray(drawn_faces[10]).save(path)
    return path


def test_sliders_change_the_face_as_the_command_does(visit, here, portrait, drawn_faces, model, run, shot):
    page = visit(here, "Edit")
    give(page, "edit-photo", portrait)
    until_count(page, "#edit-picture", 1)
    until_drawn(page, "#edit-picture", [drawn_faces[10]])
    press(page, "#edit-Smiling", "PageUp", "End")
    until_says(page, "#edit-command", "Smiling=+3 ")
    made = edit(model, drawn_faces[10], {"Smiling": 3})
    wanted = [made.pictures[0], made.photo, made.reconstruction]
    until_drawn(page, "#edit-picture", wanted)
    assert made.shift.notable, "this edit has side effects, so that there is something to say"
    page.locator("#edit-warning summary").click()
    told = re.findall(r"(\w+) by (\d\.\d)", page.inner_text("#edit-warning"))
    assert told == [(name, f"{abs(effect):.1f}") for name, effect in made.shift.notable.items()]
    shot(page, "edit")

    page.get_by_role("button", name=re.compile(r"^\d+ more")).click()
    set_to(page, "#edit-Bangs", -1.5)
    page.get_by_label("Keep the person: Male and Young stay").check()
    until_says(page, "#edit-command", "--keep Male,Young")
    wishes = {"Smiling": 3.0, "Bangs": -1.5}
    made = edit(model, drawn_faces[10], wishes, PERSON)
    until_drawn(page, "#edit-picture", [made.pictures[0]])
    with Image.open(saved(page, "Save the picture", portrait.parent)) as kept:
        assert np.array_equal(np.asarray(kept), made.pictures[0])

    command = shlex.split(page.locator("#edit-command code").inner_text())
    assert command[:2] == ["facette", "edit"]
    words = [str(portrait) if word == portrait.name else word for word in command[1:]]
    done = run(*words, "--each", "each", "--json")
    assert done.code == 0, done.err
    with Image.open(done.json["each"][0]) as same:
        assert np.array_equal(np.asarray(same), made.pictures[0])

    before = sources(page, "#edit-picture")
    page.get_by_role("button", name="All sliders to 0").click()
    until_other(page, "#edit-picture", before)
    until_count(page, "#edit-picture", 1)
    assert page.locator("#edit-Smiling input[type=number]").input_value() == "0"
    nothing_amiss(page)


def test_a_contradiction_is_a_sentence_and_a_phone_sees_picture_and_slider_at_once(
    visit, here, portrait, shot
):
    page = visit(here, "Edit", width=390, height=844)
    give(page, "edit-photo", portrait)
    until_count(page, "#edit-picture", 1)
    set_to(page, "#edit-Smiling", 1)
    until_says(page, "#edit-command", "Smiling=+1 ")
    slider = page.locator("#edit-Heavy_Makeup")
    slider.scroll_into_view_if_needed()
    shown = page.locator("#edit-picture img").first.bounding_box()
    assert 0 <= shown["y"] < 844, "the picture left the window"
    assert shown["y"] + shown["height"] <= slider.bounding_box()["y"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.screenshot(path=shot(page, "edit-phone"))
    page.locator("#edit-keep input").click()
    page.get_by_role("option", name="Smiling", exact=True).click()
    until_says(page, "body", "Smiling cannot be both changed and kept")
    nothing_amiss(page)


def test_a_model_without_directions_says_what_to_do(visit, open_studio, model):
    with open_studio(replace(model, metrics={}, extras={}), "faces64", pages=("edit",)) as there:
        page = visit(there, "Edit")
        until_says(page, "#page-edit", "facette attributes fit faces64 DATA")
        nothing_amiss(page)


def test_the_first_sliders_are_read_well_and_are_of_use_to_many(model):
    directions = known_directions(model)
    names = by_use(directions)
    assert sorted(names) == sorted(directions.names)
    quality = dict(zip(directions.names, directions.quality, strict=True))
    for name in names[:FIRST]:
        assert quality[name].auc > 0.8
        assert 0.2 < quality[name].share < 0.8
    assert "Smiling" in names[:FIRST]


def test_keeping_the_person_never_forbids_a_wish_about_the_person(model):
    directions = known_directions(model)
    assert kept_of({"Smiling": 1.0}, PERSON, []) == ["Male", "Young"]
    assert kept_of({"Young": -1.0}, PERSON, ["Blond_Hair"]) == ["Male", "Blond_Hair"]
    assert kept_of({"Young": -1.0}, (), []) == []
    shift = find_shift(directions, {"Smiling": 2.0}, kept_of({"Smiling": 2.0}, PERSON, []))
    assert [signed(round(shift.effects[name], 6)) for name in ("Smiling", *PERSON)] == ["+2", "0", "0"]
