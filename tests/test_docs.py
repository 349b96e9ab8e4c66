"""What the docs say about commands, recipes and files is so."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from facette.cli import COMMANDS
from facette.recipe import shipped_recipes

REPOSITORY = Path(__file__).parents[1]
PAGES = sorted(
    [REPOSITORY / "README.md", REPOSITORY / "CHANGELOG.md", *(REPOSITORY / "docs").glob("**/*.md")]
)


def test_the_command_reference_is_fresh():
    path = REPOSITORY / "docs" / "reference.py"
    spec = importlib.util.spec_from_file_location("reference", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text("utf-8") == module.reference(), "run: python docs/reference.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_and_pictures_are_there(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} points to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_commands_and_recipes_that_are_named_exist(page):
    text = page.read_text("utf-8")
    for command in re.findall(r"^ {4}facette (\w[\w-]*)", text, flags=re.M):
        assert command in COMMANDS, f"{page.name} names the command {command}"
    for recipe in re.findall(r"facette train (?!RECIPE)([\w-]+)", text):
        assert recipe in shipped_recipes(), f"{page.name} trains {recipe}"


def test_pictures_in_the_docs_are_small():
    for path in (REPOSITORY / "docs").rglob("*"):
        if path.suffix in {".png", ".jpg", ".gif", ".svg"}:
            assert path.stat().st_size < 300_000, path
