"""Nothing on the page stands in the way of somebody who reads it with other means: axe finds nothing, in any state.

Each state is looked at in the light, and in the dark on a phone. Evaluate's and Train's stand where their own tests
bring them about.
"""

from __future__ import annotations

from barriers import barriers
from PIL import Image
from studio_page import (
    PATIENCE,
    give,
    keep,
    set_to,
    until_count,
    until_drawn,
    until_given,
    until_holds,
    until_says,
)


def test_vary_has_no_barriers_in_any_of_its_states(visit, there, anna, anna_face, relatives, group, tmp_path):
    page = visit(there)
    page.get_by_text("Whose relatives would you like to see?").wait_for(timeout=PATIENCE)
    assert barriers(page) == [], "the first view"
    give(page, "vary-photo", anna)
    ten = relatives(anna_face).pictures
    until_drawn(page, "#vary-gallery", ten)
    assert barriers(page) == [], "relatives"
    page.locator("#vary-more button").first.click()
    keep(page, 1)
    until_drawn(page, "#vary-pins", ten[1:2])
    page.locator("#vary-gallery").get_by_label("More like it", exact=True).nth(1).click()
    page.locator("#vary-trail img").nth(1).wait_for(timeout=PATIENCE)
    for folded in page.locator("details:visible > summary").all():
        folded.click()
    assert barriers(page) == [], "favourites, the trail, and all that is folded"
    page.locator("#vary-gallery .look").first.click()
    page.get_by_role("dialog").wait_for()
    assert barriers(page) == [], "the picture large"
    page.keyboard.press("Escape")
    Image.new("RGB", (300, 300), (90, 140, 90)).save(tmp_path / "meadow.png")
    give(page, "vary-photo", tmp_path / "meadow.png")
    until_says(page, ".photo-box", "No face was found in this picture.")
    assert barriers(page) == [], "a refused photo"
    give(page, "vary-photo", group)
    page.get_by_role("button", name="Face 2").wait_for(timeout=PATIENCE)
    assert barriers(page) == [], "a group"


def test_the_camera_has_none(visit, there):
    page = visit(there, permissions=["camera"])
    page.get_by_role("button", name="Use the camera").click()
    page.locator("video:visible").wait_for(timeout=PATIENCE)
    assert barriers(page) == []


def test_blend_edit_and_sample_have_none(visit, there, anna, anna_face, photos, model):
    from facette.latent import sample
    from facette.studio.pages.sample import ORDINARY

    page = visit(there, "Blend")
    assert barriers(page) == [], "Blend, empty"
    give(page, "blend-photo-1", anna)
    until_given(page, "blend-photo-1", anna.name)
    give(page, "blend-photo-2", photos[0])
    until_count(page, "#blend-steps-shown", 10)
    page.locator("#blend-more button").first.click()
    page.get_by_label("Shortest to the eye").check()
    page.get_by_role("button", name="Find the shortest way").wait_for()
    assert barriers(page) == [], "a path, and how it goes"
    page.get_by_role("tab", name="One face").click()
    page.locator("#blend-one-picture img").wait_for(timeout=PATIENCE)
    assert barriers(page) == [], "one face"
    page.get_by_role("tab", name="Field of four").click()
    assert barriers(page) == [], "no field yet"

    page.get_by_role("tab", name="Edit", exact=True).click()
    give(page, "edit-photo", anna)
    until_drawn(page, "#edit-picture", [anna_face])
    set_to(page, "#edit-Smiling", 3)
    until_holds(page, "#edit-offers code", "Smiling=+3 ")
    page.locator("#edit-warning details").wait_for(timeout=PATIENCE)
    page.get_by_role("button", name="more", exact=False).last.click()
    page.locator("#edit-keep input").click()
    assert barriers(page) == [], "an edit with a warning, all sliders, and a list that is open"

    page.get_by_role("tab", name="Sample", exact=True).click()
    until_drawn(page, "#sample-wall", sample(model, 20, 0, temperature=ORDINARY).pictures)
    assert barriers(page) == [], "samples"
    page.locator("#sample-wall").get_by_label("More like it", exact=True).nth(6).click()
    page.get_by_text("All samples").wait_for(timeout=PATIENCE)
    assert barriers(page) == [], "others like one of them"


def test_a_map_has_none(visit, there, anna):
    page = visit(there, "Map")
    page.wait_for_selector(".latent-map[data-ready]", timeout=3 * PATIENCE)
    page.get_by_role("button", name="What to map").click()
    assert barriers(page) == [], "the map"
    page.locator(".latent-map canvas").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    until_count(page, "#map-picture", 1)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+Enter")
    page.locator("#map-way img").first.wait_for(timeout=PATIENCE)
    give(page, "map-photo", anna)
    until_says(page, "#map-picture", anna.name)
    assert barriers(page) == [], "a way, and a photo on it"


def test_compare_evaluate_train_and_mistakes_have_none(visit, there):
    page = visit(there, "Train")
    for tab in ("Train", "Evaluate", "Compare"):
        page.get_by_role("tab", name=tab, exact=True).click()
        page.locator(f"#page-{tab.lower()}").wait_for()
        page.wait_for_timeout(500)
        assert barriers(page) == [], tab
    page.click("#compare-start")
    page.get_by_text("There is no photo yet").wait_for(timeout=PATIENCE)
    page.wait_for_timeout(500)  # it fades in
    assert barriers(page) == [], "a mistake"
