"""What the pages show and point to is there, small, and nobody's private picture; what is generated is fresh."""

from __future__ import annotations

import re
import tomllib
from importlib import import_module
from typing import Any

import pytest
from pages import PAGES, REPOSITORY, anchors, blocks, links, script
from PIL import Image

from facette.cli import COMMANDS
from facette.errors import RecipeError
from facette.recipe import Recipe, Spec, _specs, load_recipe, shipped_recipes

IDS = [str(page.relative_to(REPOSITORY)) for page in PAGES]
PICTURES = {".png", ".jpg", ".gif", ".svg", ".webp"}


def test_the_reference_of_commands_is_fresh_and_shows_one_example_of_each():
    module = script("scripts/docs/reference.py")
    assert module.PAGE.read_text("utf-8") == module.reference(), "run: python scripts/docs/reference.py"
    assert set(module.EXAMPLES) == set(COMMANDS)
    for name, line in module.EXAMPLES.items():
        assert line.split()[:2] == ["facette", name]


def test_every_public_name_is_in_the_reference():
    import facette
    import facette.latent

    text = (REPOSITORY / "docs" / "api.md").read_text("utf-8")
    entries = re.findall(r"^::: (\S+)(?:\n    options: { heading: (\S+),)?", text, flags=re.M)
    named = {heading or home for home, heading in entries}
    assert {f"facette.{name}" for name in facette.__all__} - {"facette.__version__"} <= named
    last = {name.rpartition(".")[2] for name in named}
    assert {name for name in facette.latent.__all__ if name[0].islower()} <= last
    for home, heading in entries:
        value = _value(heading or home)
        assert value.__doc__, f"{home} says nothing of itself"
        assert f"{value.__module__}.{value.__qualname__}" == home, f"{heading} stands elsewhere: say where"


def test_every_section_of_a_recipe_is_in_the_reference():
    text = (REPOSITORY / "docs" / "api.md").read_text("utf-8")
    listed = set(re.findall(r"^::: facette\.recipe\.([A-Z]\w+)$", text, flags=re.M))
    assert {spec.__name__ for spec in _sections(Recipe)} == listed


def _sections(spec: type[Spec]) -> set[type[Spec]]:
    """A section of the recipe and those within it."""
    inner = {each for field in spec.model_fields.values() for each in _specs(field.annotation)}
    return {spec}.union(*map(_sections, inner))


def _value(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    return getattr(import_module(module), attribute)


@pytest.mark.parametrize("page", [*PAGES, REPOSITORY / "CHANGELOG.md"], ids=[*IDS, "CHANGELOG.md"])
def test_links_lead_somewhere(page):
    for target in links(page):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        aim = (page.parent / path).resolve() if path else page
        assert aim.exists(), f"{page.name} points to {target}"
        assert aim.is_relative_to(REPOSITORY), f"{page.name} points out of the repository: {target}"
        if anchor:
            assert anchor in anchors(aim), f"{page.name} points to {target}"


def test_no_page_is_alone():
    """Every page under docs can be reached from the table of contents, and the README points there."""
    index = REPOSITORY / "docs" / "README.md"
    assert "docs/README.md" in links(REPOSITORY / "README.md")
    reached = {(index.parent / target.partition("#")[0]).resolve() for target in links(index)}
    pages = {page for page in PAGES if page.is_relative_to(index.parent)} - {index}
    assert {str(page.relative_to(REPOSITORY)) for page in pages - reached} == set()


def test_the_readme_is_one_screen_and_names_what_can_be_edited():
    """The first page of all stays short, and says of attributes and extras what the package says."""
    import facette
    from facette.latent.directions import known_directions

    text = (REPOSITORY / "README.md").read_text("utf-8")
    assert text.count("\n") < 90
    _, _, rest = text.partition("**What you may edit**")
    editable = rest.partition("): ")[2].partition(". They")[0]
    assert set(known_directions(facette.load("faces128")).names) == set(re.findall(r"\w+", editable))
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    install = text.partition("## Install")[2].partition("**What")[0]
    extras = set(project["optional-dependencies"])
    assert extras - {"face"} <= set(re.findall(r"`(\w+)`", install))


def test_pictures_are_small_and_all_are_shown():
    kept = {path.resolve() for path in (REPOSITORY / "docs").rglob("*") if path.suffix.lower() in PICTURES}
    for path in kept:
        assert path.stat().st_size < 300_000, path
        with Image.open(path) as opened:
            opened.verify()
    shown = {(page.parent / target).resolve() for page in PAGES for target in links(page)}
    assert {path.name for path in kept - shown} == set(), "drawn for no page"


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_recipes_that_are_named_exist(page):
    text = page.read_text("utf-8")
    for recipe in re.findall(r"facette (?:train|recipes) (?!RECIPE|\S+\.toml)([a-z][\w-]*+)(?!/)", text):
        assert recipe in shipped_recipes(), (page.name, recipe)
    if page.parent.name == "contributing":
        return  # what these name is there after their diff
    for change in re.findall(r"--set ([\w.]+=\S+?)[`\s]", text):
        _check_key(change, page.name)


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_pieces_of_recipes_hold(page):
    """Every block of TOML is a part of a recipe, or a whole one."""
    for block in blocks(page):
        if block.language == "toml":
            values = tomllib.loads(block.text)
            for section, keys in values.items():
                for key, value in keys.items() if isinstance(keys, dict) else ():
                    if not isinstance(value, dict):
                        _check_key(f"{section}.{key}={_inline(value)}", page.name)


def _inline(value: object) -> str:
    """A value of TOML in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _check_key(change: str, place: str) -> None:
    """Some shipped recipe takes this change."""
    for name in shipped_recipes():
        try:
            load_recipe(name, [change])
        except RecipeError as error:
            last = error
        else:
            return
    pytest.fail(f"{place}: {last}")
