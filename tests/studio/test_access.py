"""Nothing on the page stands in the way of somebody who reads it with other means: axe finds nothing, in any state."""

from __future__ import annotations

import pytest
from studio_page import PATIENCE, give, until_drawn, until_says

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")


def violations(page) -> list[str]:
    """What axe says of the page as it stands now."""
    found = axe.Axe().run(page).response["violations"]
    return [f"{each['id']}: {node['html'][:200]}" for each in found for node in each["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_vary_has_no_barriers_in_any_of_its_states(
    visit, there, anna, anna_face, relatives, tmp_path, scheme
):
    from PIL import Image

    page = visit(there, reduced_motion="reduce", color_scheme=scheme)
    page.get_by_text("Whose relatives would you like to see?").wait_for(timeout=PATIENCE)
    assert violations(page) == []
    give(page, "vary-photo", anna)
    ten = relatives(anna_face).pictures
    until_drawn(page, "#vary-gallery", ten)
    page.locator("#vary-more button").first.click()
    page.locator("#vary-gallery").get_by_label("Keep", exact=True).nth(1).click()
    until_drawn(page, "#vary-pins", ten[1:2])
    page.locator("#vary-gallery").get_by_label("More like it", exact=True).nth(1).click()
    page.locator("#vary-trail img").nth(1).wait_for(timeout=PATIENCE)
    assert violations(page) == []
    page.locator("#vary-gallery .look").first.click()
    page.get_by_role("dialog").wait_for()
    assert violations(page) == []
    page.keyboard.press("Escape")
    Image.new("RGB", (300, 300), (90, 140, 90)).save(tmp_path / "meadow.png")
    give(page, "vary-photo", tmp_path / "meadow.png")
    until_says(page, ".photo-box", "No face was found in this picture.")
    assert violations(page) == []


def test_the_other_tabs_and_a_mistake_have_none_either(visit, there):
    page = visit(there, reduced_motion="reduce")
    for tab in ("Blend", "Edit", "Sample", "Compare", "Evaluate", "Train"):
        page.get_by_role("tab", name=tab, exact=True).click()
        page.locator(f"#page-{tab.lower()}").wait_for()
        page.wait_for_timeout(500)
        assert violations(page) == [], tab
    page.get_by_role("tab", name="Compare", exact=True).click()
    page.click("#compare-start")
    page.get_by_text("There is no photo yet").wait_for(timeout=PATIENCE)
    page.wait_for_timeout(500)  # it fades in
    assert violations(page) == []
