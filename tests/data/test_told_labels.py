"""Conditions as the labels of a data set say them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from facette.data.attributes import AttributeTable, join_rows, read_csv, spread_table
from facette.data.conditions import condition_codes, condition_names, resolve_conditions
from facette.errors import DataError
from facette.recipe import Recipe, load_recipe


@pytest.fixture
def table(tmp_path: Path) -> AttributeTable:
    """Twelve pictures: animals, ages and glasses, each unknown of some."""
    rows = ["name,animal,age,Eyeglasses"]
    animals = ["cat", "dog", "", "cat", "dog", "cat", "dog", "cat", "dog", "cat", "dog", "cat"]
    for i, animal in enumerate(animals):
        age = "" if i == 3 else f"{20.5 + i}"
        rows.append(f"{i}.png,{animal},{age},{'' if i == 5 else i % 2}")
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(rows))
    labels = read_csv(path)
    joined = join_rows(path, labels, [f"{i}.png" for i in range(12)])
    return spread_table(labels, joined)


def told(*names: str) -> Recipe:
    return load_recipe("digits", [f"model.condition={list(names)!r}".replace("'", '"')])


def test_classes_numbers_and_attributes_are_resolved(table: AttributeTable):
    store = SimpleNamespace(attributes=table)
    recipe = resolve_conditions(told("animal", "age", "Eyeglasses"), store, np.arange(12))
    animal, age, glasses = recipe.model.condition
    assert (animal.classes, animal.shares) == (("cat", "dog"), (round(6 / 11, 6), round(5 / 11, 6)))
    ages = np.delete(20.5 + np.arange(12), 3)
    assert (age.mean, age.spread) == (pytest.approx(ages.mean()), pytest.approx(ages.std()))
    assert (glasses.classes, glasses.shares) == (("no", "yes"), (round(6 / 11, 6), round(5 / 11, 6)))
    assert recipe.latents == recipe.model.latent + 5
    assert resolve_conditions(recipe, store, np.arange(4)) == recipe  # once is enough

    codes = condition_codes(table, recipe.model.condition, np.array([0, 2, 3, 5]))
    np.testing.assert_array_equal(codes[:, :2], [[1, 0], [np.nan] * 2, [1, 0], [1, 0]])
    np.testing.assert_allclose(codes[0, 2] * age.spread + age.mean, 20.5, rtol=1e-5)
    assert np.isnan(codes[2, 2])
    np.testing.assert_array_equal(codes[:, 3:], [[1, 0], [1, 0], [0, 1], [np.nan] * 2])


def test_a_recipe_keeps_what_was_resolved(table: AttributeTable, tmp_path: Path):
    recipe = resolve_conditions(told("animal", "age"), SimpleNamespace(attributes=table), np.arange(12))
    (tmp_path / "told.toml").write_text(recipe.to_toml())
    assert load_recipe(tmp_path / "told.toml") == recipe


def test_pictures_without_labels_are_all_unknown(table: AttributeTable):
    recipe = resolve_conditions(told("animal"), SimpleNamespace(attributes=table), np.arange(12))
    assert np.isnan(condition_codes(None, recipe.model.condition, np.arange(3))).all()


def test_what_no_label_says_is_refused_with_what_there_is(table: AttributeTable):
    with pytest.raises(DataError, match=r"'colour'.*animal, age, Eyeglasses"):
        resolve_conditions(told("colour"), SimpleNamespace(attributes=table), np.arange(12))
    with pytest.raises(DataError, match="they have none"):
        resolve_conditions(told("animal"), SimpleNamespace(attributes=None), np.arange(12))
    with pytest.raises(DataError, match="the same of all"):
        resolve_conditions(told("animal"), SimpleNamespace(attributes=table), np.array([0, 3, 5]))


def test_names_are_those_of_columns(table: AttributeTable):
    assert condition_names(table) == ["animal", "age", "Eyeglasses"]
