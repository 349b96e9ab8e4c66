"""Laws of a page: nothing in it is somebody else's code, nothing is fetched, and what entered is what it shows."""

import base64
import re
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from facette.errors import UsageError
from facette.images.sheets.grid import wall_sheet
from facette.plots.page import Page
from facette.plots.style import new_figure

HOSTILE = '"><script>alert(1)</script><img src=http://elsewhere.example/a onerror=x>&'


class Reader(HTMLParser):
    """Every tag with its attributes, and all text by the tag it stands in."""

    def __init__(self, page: Page):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(page.html())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, "tags close in the order in which they were opened"

    def handle_data(self, data):
        if data.strip():
            self.text.setdefault(self.open[-1], []).append(data)

    def sources(self) -> list[str]:
        return [attributes["src"] or "" for tag, attributes in self.tags if tag == "img"]


def decoded(source: str) -> Image.Image:
    return Image.open(BytesIO(base64.b64decode(source.split(",", 1)[1])))


def picture(side: int = 8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def full_page(words: str = "words") -> Page:
    figure = new_figure("a figure")
    figure.axes[0].plot([0, 1], [0, 1])
    page = Page(words, words).heading(words).prose(words).bullets([words])
    page.table((words, "b"), [(words, words)], words).figure(figure, words).picture(picture(), words)
    return page.gallery([picture()], [words]).data({words: words}, words)


def test_text_from_anywhere_stays_text():
    reader = Reader(full_page(HOSTILE))
    assert "script" not in {tag for tag, _ in reader.tags}
    assert all(name != "onerror" for _, attributes in reader.tags for name in attributes)
    for tag in ("title", "h1", "h2", "p", "li", "th", "td", "caption", "figcaption", "summary"):
        assert HOSTILE in reader.text[tag], tag


def test_nothing_is_fetched():
    reader = Reader(full_page())
    assert reader.sources()
    assert all(source.startswith("data:image/") for source in reader.sources())
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in reader.tags}
    assert not re.search(r"url\(|@import", full_page().html())
    policy = next(a["content"] or "" for t, a in reader.tags if t == "meta" and "http-equiv" in a)
    assert policy.startswith("default-src 'none'")


def test_small_pictures_are_kept_exactly():
    small = picture(64)
    shown = decoded(Reader(Page("t").picture(small)).sources()[0])
    assert (np.asarray(shown) == small).all()


def test_large_pictures_are_compressed_and_keep_their_size():
    sheet = wall_sheet([picture(64, seed) for seed in range(12)])
    shown = decoded(Reader(Page("t").picture(sheet)).sources()[0])
    assert shown.format == "JPEG"
    assert shown.size == sheet.image.size
    assert np.abs(np.asarray(shown, int) - np.asarray(sheet.image, int)).mean() < 6


def test_cells_are_written_by_their_kind():
    reader = Reader(Page("t").table(list("abcdef"), [("x", 1234567, 0.123456, None, "s", picture())]))
    assert reader.text["td"] == ["1,234,567", "0.1235", "–", "s"]
    numbers = [attributes for tag, attributes in reader.tags if tag == "td"]
    assert [a.get("class") for a in numbers] == ["number", "number", None, None, None]
    assert len(reader.sources()) == 1


def test_a_drawing_that_would_be_too_large_becomes_pixels():
    figure = new_figure("many points")
    figure.axes[0].scatter(*np.random.default_rng(0).random((2, 20_000)), s=1)
    assert Reader(Page("t").figure(figure)).sources()[0].startswith("data:image/png")
    few = new_figure("few")
    assert Reader(Page("t").figure(few)).sources()[0].startswith("data:image/svg+xml")


def test_the_same_content_gives_the_same_bytes(tmp_path):
    first, second = (full_page().save(tmp_path / name) for name in ("a/one.html", "two.html"))
    assert first.read_bytes() == second.read_bytes()
    assert first.read_text("utf-8") == full_page().html()


def test_paragraphs_are_split_and_nothing_makes_an_empty_list():
    reader = Reader(Page("t").prose("one\n\n\n\ntwo\n").bullets([]))
    assert reader.text["p"] == ["one", "two"]
    assert "ul" not in {tag for tag, _ in reader.tags}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda page: page.table(("a", "b"), [("only",)]), "row of 1"),
        (lambda page: page.gallery([picture()], ["a", "b"]), "2 captions for 1 pictures"),
        (lambda page: page.picture(np.zeros((4, 4, 3))), "uint8, got float64"),
        (lambda page: page.data({"a": float("nan")}), "cannot be shown"),
        (lambda page: page.save("card.txt"), r"ends in \.html"),
    ],
)
def test_what_cannot_be_shown_is_refused(wrong, words):
    with pytest.raises(UsageError, match=words):
        wrong(Page("t"))
