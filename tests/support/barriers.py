"""What axe finds in a page as it stands: barriers for somebody who reads it with other means."""

import pytest

VIEWS = (("light", None), ("dark", (390, 844)))  # the colours, and the page's own window or a phone's

# what is half faded in has half its contrast; spinners never end, and are left alone
AT_REST = """() => document.getAnimations().every(each =>
    each.playState !== 'running' || each.effect.getComputedTiming().endTime === Infinity)"""


def barriers(page) -> list[str]:
    """Every violation, in the light and, as on a phone, in the dark; then the page is as it was."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    own, listed = page.viewport_size, []
    for colours, window in VIEWS:
        _look(page, colours, window or (own["width"], own["height"]))
        violations = axe.Axe().run(page).response["violations"]
        listed += [
            f"{colours} {window or ''} {each['id']}: {node['html'][:200]}"
            for each in violations
            for node in each["nodes"]
        ]
    _look(page, "light", (own["width"], own["height"]))
    return listed


def _look(page, colours: str, window: tuple[int, int]) -> None:
    page.emulate_media(color_scheme=colours, reduced_motion="reduce")  # nothing is between two colours
    page.set_viewport_size({"width": window[0], "height": window[1]})
    page.wait_for_function(
        "dark => document.body.classList.contains('dark') === dark", arg=colours == "dark", timeout=20_000
    )
    page.wait_for_function(AT_REST, timeout=20_000)
