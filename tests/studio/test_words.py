"""The page in other languages: every word lies in one place, and the first level of a page is wholly translated."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest
from studio_page import PATIENCE, give, until_drawn

from facette.data import packing
from facette.studio.app import _catalogues

STUDIO = Path(str(files("facette.studio")))
CATALOGUES = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(STUDIO.glob("words/*.json"))}


def test_all_languages_know_the_same_words_and_the_page_says_them():
    assert set(CATALOGUES) == {"de", "zh"}
    assert len({frozenset(catalogue) for catalogue in CATALOGUES.values()}) == 1
    sources = [*STUDIO.rglob("*.py"), *STUDIO.glob("assets/*.js"), Path(packing.__file__)]
    text = " ".join(path.read_text("utf-8") for path in sources).lower()
    for english in CATALOGUES["de"]:
        # a sentence's last part may have got its full stop from where the parts are joined
        parts = [
            part.strip().lower() for part in english.removesuffix(".").split("{}") if len(part.strip()) > 2
        ]
        assert all(part in text for part in parts) or english.startswith(GRADIO), english


OF_PICTURES = {
    path.stem: json.loads(path.read_text("utf-8")) for path in sorted(STUDIO.glob("words/of_pictures/*.json"))
}
OF_PEOPLE = re.compile(
    r"\b(faces?|person|people|somebody|portrait|her|his)\b|gesicht|mensch|人脸|脸|本人|人物|一个人", re.I
)
OF_FACES_ALONE = (
    "No face was found in this picture.",
    "Faces in this photo",
    "Face {}",
)  # others have no such place


def test_what_is_said_of_people_is_said_of_pictures_where_the_model_knows_no_faces():
    assert set(OF_PICTURES) == {"en", "de", "zh"}
    assert len({frozenset(catalogue) for catalogue in OF_PICTURES.values()}) == 1
    for english in CATALOGUES["de"]:
        bare = english.replace("synthetic-faces", "")  # a source of pictures, whatever the model
        if any(OF_PEOPLE.search(words) for words in (bare, *(c[english] for c in CATALOGUES.values()))):
            assert (
                english in OF_PICTURES["en"] or english in OF_FACES_ALONE or "synthetic-faces" in english
            ), english
    for catalogue in OF_PICTURES.values():
        for english, words in catalogue.items():
            assert english in CATALOGUES["de"]
            assert english.count("{}") == words.count("{}")
            assert not OF_PEOPLE.search(words), words


def test_the_page_of_such_a_model_has_words_of_its_own_in_english_too():
    of_faces, of_others = (
        json.loads(_catalogues(faces).decode().removeprefix("const WORDS = ").rstrip(";\n"))
        for faces in (True, False)
    )
    assert of_faces == CATALOGUES
    assert of_others["en"] == OF_PICTURES["en"]
    for language in ("de", "zh"):
        assert of_others[language] == CATALOGUES[language] | OF_PICTURES[language]


GRADIO = ("range slider", "number input", "Reset to default")  # what the framework says by itself


@pytest.mark.parametrize("language", ["de", "zh"])
def test_templates_have_as_many_places_in_every_language(language):
    for english, words in CATALOGUES[language].items():
        assert english.count("{}") == words.count("{}"), english
        assert words.strip()


# All languages know the same words, so that one of them shows what is not translated.
@pytest.mark.parametrize(
    ("language", "locale"), [("de", "de-AT"), pytest.param("zh", "zh-CN", marks=pytest.mark.slow)]
)
def test_the_page_is_said_in_the_visitors_language(
    visit, there, anna, anna_face, relatives, shot, language, locale
):
    page = visit(there, locale=locale)
    said = CATALOGUES[language]
    page.get_by_text(said["Whose relatives would you like to see?"]).wait_for()
    assert left_english(page, language) == [], "the first page"
    give(page, "vary-photo", anna)
    until_drawn(page, "#vary-gallery", relatives(anna_face).pictures)
    page.get_by_role("button", name=said["Ten others"]).wait_for()
    spoken = page.evaluate("document.documentElement.lang")  # the framework may say it with the country
    assert spoken.partition("-")[0] == language
    shot(page, f"vary-{language}")
    assert left_english(page, language) == [], "relatives"
    for tab, last in LAST_WORDS.items():
        page.get_by_role("tab", name=said[tab], exact=True).click()
        page.get_by_text(said[last], exact=True).locator("visible=true").first.wait_for(timeout=2 * PATIENCE)
        shot(page, f"{tab.lower()}-{language}")
        assert left_english(page, language) == [], tab
    page.get_by_role("tab", name=said["Train"], exact=True).click()
    page.locator("#train-data textarea, #train-data input").first.fill("synthetic-faces:64")
    page.get_by_role("button", name=said["Show the plan"]).click()
    page.locator("#train-planned p").wait_for(timeout=PATIENCE)
    assert left_english(page, language) == [], "the plan"


# The words that come last on each tab, when all of it stands.
LAST_WORDS = {
    "Blend": "Give two photos, three or four.",
    "Edit": "Stay the same person",
    "Sample": "Save the sheet",
    "Compare": "At equal similarity",
    "Evaluate": "Measure",
    "Train": "No run yet: plan one above.",
    "Map": "Save the map",
}
# What belongs to no language: names, and what data and commands call their own.
NAMES = {"Facette", "GIF", "MP4", "t-SNE", "UMAP"}
OTHERS = "script, style, select, code, pre, .photo-name, .map-legend"


UNDER_WAY = re.compile(
    r"(processing|queue: \d+/\d+) \||[\d.]+(/[\d.]+)?s"
)  # the framework, of what takes a while


def left_english(page, language: str) -> list[str]:
    """What the page shows that the catalogue of its language does not know."""
    seen = page.evaluate(
        """(others) => { const words = new Set(), walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        while (walk.nextNode()) { const e = walk.currentNode.parentElement, text = walk.currentNode.data.trim();
          if (text && e.checkVisibility() && !e.closest(others)) words.add(text); }
        return [...words]; }""",
        OTHERS,
    )
    whole = [re.compile(re.escape(words).replace(r"\{\}", ".+?")) for words in CATALOGUES[language].values()]
    lettered = [words for words in seen if any(map(str.isalpha, words)) and words not in NAMES]
    lettered = [words for words in lettered if not UNDER_WAY.fullmatch(words)]
    return [words for words in lettered if not any(pattern.fullmatch(words) for pattern in whole)]
