"""The site: built strictly from the pages, complete, found by its search, and silent towards the rest of the world."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from extras import needs
from pages import CARDS, PAGES, REPOSITORY

needs("mkdocs", "the site needs facette[docs]")

ELSEWHERE = re.compile(r"<(?:script|img|link|iframe|source)\b[^>]*\b(?:src|href)=\"?(https?:)?//", re.I)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site. A dead link, a lost anchor or a name without a docstring stops a strict build."""
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", folder],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_every_page_has_its_place(site: Path):
    for page in PAGES:
        if page in CARDS or page.parent == REPOSITORY:
            continue
        name = page.relative_to(REPOSITORY / "docs").with_suffix(".html")
        assert (site / str(name).replace("README", "index")).is_file(), name
    assert len(list((site / "cards").glob("*.html"))) == len(CARDS)


def test_nothing_is_fetched_from_elsewhere(site: Path):
    for page in site.rglob("*.html"):
        asked = ELSEWHERE.search(page.read_text("utf-8"))
        assert asked is None, (page.name, asked)


def test_the_reference_shows_types_sources_and_code(site: Path):
    text = (site / "api.html").read_text("utf-8")
    assert 'id="facette.latent.vary.vary"' in text
    assert "facette.vary" in text
    assert "Source code in" in text


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


@pytest.fixture(params=["served", "from the disk"])
def address(request: pytest.FixtureRequest, site: Path):
    """Where the site's first page is, once behind a server and once as a file."""
    if request.param == "from the disk":
        yield (site / "index.html").as_uri()
        return
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Silent, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/index.html"
    server.shutdown()
    server.server_close()


@pytest.mark.slow
def test_a_reader_searches_opens_a_reference_page_and_no_request_leaves(address: str, browser):
    home, asked, complaints = address.removesuffix("/index.html"), [], []
    page = browser.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    page.locator("input.md-search__input").click()
    page.locator("input.md-search__input").press_sequentially("reconstructions", delay=30)
    page.locator(".md-search-result__item").first.wait_for()
    assert page.locator(".md-search-result__item").count() >= 3
    page.locator(".md-search-result__item a", has_text="facette").first.wait_for()
    page.goto(f"{home}/api.html#facette.latent.vary.vary")
    assert page.locator('[id="facette.latent.vary.vary"]').is_visible()
    page.locator("details.mkdocstrings-source summary").first.click()
    assert page.locator("details.mkdocstrings-source pre").first.is_visible()
    page.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith((home, "data:", "blob:"))] == []
    assert any("search" in url for url in asked)
