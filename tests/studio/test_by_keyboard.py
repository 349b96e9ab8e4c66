"""The keyboard alone does everything, and the page always shows where it is."""

from __future__ import annotations

import zipfile

from studio_page import PATIENCE, give, keep, nothing_amiss, until_drawn, until_given, until_still

MOST = 250  # presses of Tab until the page's end

# Marks what has the focus, and says what is wrong with it: nothing around it shows that it is there.
STEP = """() => { const e = document.activeElement;
  if (!e || e === document.body || e === document.documentElement) return 'end';
  if (e.dataset.reached) return 'end';
  e.dataset.reached = '1';
  const ringed = (each) => { const s = each && getComputedStyle(each);
    return Boolean(s) && s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 1; };
  const seen = [e, e.closest('label'), e.closest('.photo-box')].some(ringed);
  const box = e.getBoundingClientRect();
  const inside = box.bottom > 0 && box.top < innerHeight;
  return seen && inside ? '' : `${seen ? 'out of sight' : 'no ring'}: ${e.outerHTML.slice(0, 200)}`; }"""
MISSED = """() => {
  const named = new Set([...document.querySelectorAll("[type=radio][data-reached]")].map(e => e.name));
  const can = 'a[href], button, input, select, textarea, summary, canvas[tabindex], [tabindex="0"]';
  return [...document.querySelectorAll(can)].filter(e => e.checkVisibility({ visibilityProperty: true })
    && e.tabIndex >= 0 && !e.disabled && !e.dataset.reached && e.getClientRects().length
    && !(e.type === 'radio' && named.has(e.name))).map(e => e.outerHTML.slice(0, 200)); }"""


REDRAWN = """() => { window.redrawn?.watcher.disconnect();
  const state = window.redrawn = { times: 0, watcher: new MutationObserver(() => { state.times += 1; }) };
  state.watcher.observe(document.body, { subtree: true, childList: true }); }"""
AGAIN = 3  # walks, where what has the focus is drawn anew under it, as on a busy machine


def walk(page) -> list[str]:
    """Press Tab from the page's beginning to its end; what the keyboard cannot reach, or is not shown at."""
    for _ in range(AGAIN):
        until_still(page)
        page.evaluate(REDRAWN)
        wrong = _walked(page)
        if not (wrong and page.evaluate("redrawn.times")):
            break
    return wrong


def _walked(page) -> list[str]:
    page.evaluate(
        "() => { document.querySelectorAll('[data-reached]').forEach(e => delete e.dataset.reached);"
        " document.activeElement.blur(); getSelection().removeAllRanges(); scrollTo(0, 0); }"
    )
    page.locator("h1").click()  # where the next Tab begins
    wrong = []
    for _ in range(MOST):
        page.keyboard.press("Tab")
        said = page.evaluate(STEP)
        if said == "end":
            break
        if said:
            wrong.append(said)
    else:
        wrong.append(f"no end after {MOST} elements")
    return wrong + page.evaluate(MISSED)


def until_at(page, label: str) -> None:
    """Press Tab until what has the focus is called so."""
    for _ in range(MOST):
        page.keyboard.press("Tab")
        called = page.evaluate(
            "(document.activeElement.getAttribute('aria-label') || document.activeElement.textContent).trim()"
        )
        if called.startswith(label):
            return
    raise AssertionError(f"the keyboard does not come to {label!r}")


def test_from_opening_to_ten_saved_relatives_without_a_pointer(visit, there, tmp_path):
    page = visit(there)
    page.get_by_text("Whose relatives would you like to see?").wait_for(timeout=PATIENCE)
    until_at(page, "Begin with nobody")
    page.keyboard.press("Enter")
    page.locator("#vary-gallery .ten img").nth(9).wait_for(timeout=PATIENCE)
    page.locator("#vary-offers .offers").wait_for(timeout=PATIENCE)
    until_at(page, "Save all ten")
    with page.expect_download(timeout=PATIENCE) as waiting:
        page.keyboard.press("Enter")
    waiting.value.save_as(tmp_path / "ten.zip")
    with zipfile.ZipFile(tmp_path / "ten.zip") as archive:
        assert len([name for name in archive.namelist() if name.endswith(".png")]) == 10
    nothing_amiss(page)


def test_every_control_is_reached_and_shows_that_it_is(visit, there, anna, anna_face, relatives):
    page = visit(there, reduced_motion="reduce")
    page.get_by_text("Whose relatives would you like to see?").wait_for(timeout=PATIENCE)
    assert walk(page) == [], "the first view"
    give(page, "vary-photo", anna)
    until_drawn(page, "#vary-gallery", relatives(anna_face).pictures)
    page.locator("#vary-more button").first.click()
    keep(page, 1)
    page.locator("#vary-pins img").wait_for(timeout=PATIENCE)
    assert walk(page) == [], "Vary"
    for tab in ("Blend", "Edit", "Sample", "Compare", "Evaluate", "Train"):
        page.get_by_role("tab", name=tab, exact=True).click()
        page.locator(f"#page-{tab.lower()}").wait_for()
        if tab in ("Edit", "Compare"):
            until_given(page, f"{tab.lower()}-photo", anna.name)  # one photo for all tabs
        if tab == "Edit":
            until_drawn(page, "#edit-picture", [anna_face])
        if tab == "Sample":
            page.locator("#sample-wall img").nth(19).wait_for(timeout=PATIENCE)
        page.wait_for_timeout(500)
        assert walk(page) == [], tab
    nothing_amiss(page)
