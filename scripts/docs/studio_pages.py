"""Takes the pictures of docs/studio.md again, from a real studio in Chromium: part of `make figures`.

Seen are the astronaut, whose photo is in the public domain, and people whom the bundled model draws.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from chromium import launch_chromium
from PIL import Image
from playwright.sync_api import sync_playwright

FIGURES = Path(__file__).parents[2] / "docs" / "figures"
WIDTH = 1000  # pixels, at most
FAVOURITE = 6  # the relative that is kept, and looked at large
WAY = (224, 188)  # faces of the map that are drawn well, and between which a way leads
PATIENCE = 300_000  # milliseconds: a map is drawn meanwhile

# Where a point of the map is on the screen. The script of the page has the same sum; its map is not seen from outside.
SPOT = """async (number) => {
  const map = document.querySelector(".latent-map"), box = map.querySelector("canvas").getBoundingClientRect();
  const chart = await (await fetch(map.dataset.chart)).json(), edge = 34;
  const points = new Float32Array(Uint8Array.from(atob(chart.points), c => c.charCodeAt(0)).buffer);
  const [x, y] = [0, 1].map(axis => points.filter((_, i) => i % 2 === axis));
  const ends = (values) => [Math.min(...values), Math.max(...values)];
  const [[left, right], [low, high]] = [ends(x), ends(y)];
  const scale = Math.min((box.width - 2 * edge) / (right - left), (box.height - 2 * edge) / (high - low));
  return [box.x + box.width / 2 + (x[number] - (left + right) / 2) * scale,
    box.y + box.height / 2 - (y[number] - (low + high) / 2) * scale]; }"""


def main() -> None:
    with _studio() as address, sync_playwright() as browsers:
        browser = launch_chromium(browsers)
        for draw in (_first, _relatives, _map):
            for name, picture in draw(browser, address):
                print(_save(picture, FIGURES / f"{name}.jpg"))
        browser.close()


@contextmanager
def _studio() -> Iterator[str]:
    """The address of a studio with the bundled model."""
    command = [sys.executable, "-m", "facette", "studio", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def _first(browser: Any, address: str) -> Iterator[tuple[str, bytes]]:
    """Six faces to begin with."""
    page = browser.new_page(viewport={"width": 1024, "height": 700})
    page.goto(address)
    page.locator(".example").nth(5).wait_for(timeout=PATIENCE)
    page.wait_for_timeout(500)
    yield "studio-first", page.screenshot()
    page.close()


def _relatives(browser: Any, address: str) -> Iterator[tuple[str, bytes]]:
    """The astronaut and ten relatives, and one of them large."""
    page = browser.new_page(viewport={"width": 1200, "height": 800})
    page.goto(address)
    page.locator(".example").first.click(timeout=PATIENCE)
    page.locator("#vary-offers .offers").wait_for(timeout=PATIENCE)
    page.locator("#vary-gallery").get_by_label("Keep", exact=True).nth(FAVOURITE).click()
    page.locator("#vary-gallery").get_by_label("Let it go", exact=True).wait_for(timeout=PATIENCE)
    page.evaluate("document.activeElement.blur()")
    page.mouse.move(5, 780)
    page.wait_for_timeout(500)
    yield "studio", page.screenshot()
    page.locator("#vary-gallery .look").nth(FAVOURITE).click()
    page.get_by_label("Before and after").fill("50")
    page.wait_for_timeout(500)
    yield "studio-large", page.screenshot()
    page.close()


def _map(browser: Any, address: str) -> Iterator[tuple[str, bytes]]:
    """Faces that the model drew, and the way from one to another."""
    page = browser.new_page(viewport={"width": 1024, "height": 900})
    page.goto(address)
    page.get_by_role("tab", name="Map", exact=True).click()
    page.wait_for_selector(".latent-map[data-ready]", timeout=PATIENCE)
    page.wait_for_timeout(500)
    page.mouse.click(*page.evaluate(SPOT, WAY[0]))
    page.keyboard.down("Shift")
    page.mouse.click(*page.evaluate(SPOT, WAY[1]))
    page.keyboard.up("Shift")
    page.locator("#map-way img").last.wait_for(timeout=PATIENCE)
    page.evaluate("document.activeElement.blur()")
    page.mouse.move(5, 5)
    page.wait_for_timeout(500)
    yield "studio-map", page.screenshot(full_page=True)
    page.close()


def _save(screenshot: bytes, path: Path) -> Path:
    """Light enough to travel with the code."""
    with Image.open(BytesIO(screenshot)) as image:
        shown = image.convert("RGB")
    if shown.width > WIDTH:
        shown = shown.resize((WIDTH, round(WIDTH * shown.height / shown.width)), Image.Resampling.LANCZOS)
    shown.save(path, quality=88)
    return path


if __name__ == "__main__":
    main()
