"""Recipes: strict in, the same out, and every mistake named."""

from __future__ import annotations

import tomllib

import pytest
from pydantic import ValidationError

from facette.errors import RecipeError
from facette.recipe import load_recipe, parse_recipe, shipped_recipes


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_shipped_recipe_survives_being_written_and_read(name):
    recipe = load_recipe(name)
    assert parse_recipe(tomllib.loads(recipe.to_toml())) == recipe
    assert recipe.name == name
    assert recipe.summary


def test_the_three_classics_and_ours_are_shipped():
    assert {"celeba150", "celeba64-z50", "faces64", "quick"} <= set(shipped_recipes())


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("train.lrr=1", ["train.lrr", "not a key", "lr_schedule"]),
        ("train.lr=fast", ["train.lr", "'fast'", "number"]),
        ("model.latent=2.5", ["model.latent", "2.5", "integer"]),
        ("model.latent=true", ["model.latent", "True", "integer"]),
        ("input.size=-1", ["input.size", "-1", "[height, width]"]),
        ("model.encoder.wings=2", ["model.encoder.wings", "not a key", "widths"]),
        ("input.frame.hat=1", ["input.frame.hat", "not a key", "eyes"]),
        ("input.range=wide", ["input.range", "'wide'", "'symmetric'"]),
        ("model.likelihood.sigma=-1.0", ["model.likelihood.sigma", "-1.0", "greater than 0"]),
    ],
)
def test_a_mistake_is_named_with_its_value_and_what_is_allowed(override, said):
    with pytest.raises(RecipeError) as error:
        load_recipe("quick", [override])
    assert all(part in str(error.value) for part in said), str(error.value)
    assert "\n" not in str(error.value)


def test_all_mistakes_are_named_at_once():
    with pytest.raises(RecipeError) as error:
        load_recipe("quick", ["train.lr=fast", "model.latent=2.5"])
    assert "train.lr" in str(error.value)
    assert "model.latent" in str(error.value)


def test_overrides_take_toml_values_and_plain_words():
    recipe = load_recipe("quick", ["train.lr=3e-4", "model.encoder.widths=[8, 16]", "input.range=unit"])
    assert recipe.train.lr == 3e-4
    assert recipe.model.encoder.widths == (8, 16)
    assert recipe.input.range == "unit"


def test_naming_one_length_replaces_the_other():
    recipe = load_recipe("quick", ["train.epochs=3"])
    assert (recipe.train.epochs, recipe.train.steps) == (3, None)


@pytest.mark.parametrize("override", ["train.lr", "=3", "name.x=1"])
def test_an_override_that_is_none_is_refused(override):
    with pytest.raises(RecipeError):
        load_recipe("quick", [override])


def test_contradictions_are_refused():
    with pytest.raises(RecipeError, match="exactly one of epochs and steps"):
        parse_recipe(load_recipe("quick").model_dump() | {"train": {"epochs": 1, "steps": 1}})
    with pytest.raises(RecipeError, match="bernoulli"):
        load_recipe("quick", ["model.likelihood.kind=bernoulli"])
    with pytest.raises(RecipeError, match=r"model\.encoder\.kind"):
        load_recipe("quick", ['input={kind="vector", size=3}'])
    with pytest.raises(RecipeError, match="does not lie inside"):
        load_recipe("faces64", ["input.frame.box=[0, 0, 999, 10]"])


def test_an_unknown_recipe_lists_the_shipped_ones(tmp_path):
    with pytest.raises(RecipeError, match="faces64"):
        load_recipe("face64")
    broken = tmp_path / "broken.toml"
    broken.write_text("name = ", encoding="utf-8")
    with pytest.raises(RecipeError, match="not valid TOML"):
        load_recipe(broken)


def test_a_recipe_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        load_recipe("quick").train.lr = 1.0


@pytest.mark.parametrize("section", ["sharpen", "objective.focus", "input.frame", "train.clip"])
def test_what_need_not_be_there_can_be_left_out(section):
    recipe = load_recipe("faces128", [f"{section}=none"])
    value = recipe
    for part in section.split("."):
        value = getattr(value, part)
    assert value is None
    assert load_recipe("faces128", ["sharpen=none", "sharpen=none"]).sharpen is None


def test_none_is_a_value_where_it_is_one():
    assert load_recipe("celeba150", ["model.encoder.norm=none"]).model.encoder.norm == "none"
    with pytest.raises(RecipeError, match=r"model\.latent is 'none'"):
        load_recipe("quick", ["model.latent=none"])


def test_warm_ups_are_counted_or_shares():
    recipe = load_recipe("pictures", ["train.steps=1000"])
    assert recipe.objective.warmup_share == 0.25
    for change in ("objective.warmup_steps=5", "train.lr_warmup_steps=5", "objective.schedule=constant"):
        with pytest.raises(RecipeError, match="warmup"):
            load_recipe("pictures", [change])
