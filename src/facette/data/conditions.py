"""Conditions of a model, as the labels of a data set say them.

Enters: the attributes of a store, and a recipe whose conditions are named. Leaves: the recipe with what the labels say
of each, and for rows of the store the numbers that a model is told. Knows nothing of models.

Legend: N pictures, B rows, K numbers of the conditions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facette.condition import YES_NO, Condition, slices
from facette.data.attributes import NO, UNKNOWN, AttributeTable, Category
from facette.errors import DataError
from facette.recipe import ConditionSpec, Recipe


def resolve_conditions(recipe: Recipe, store: Any, rows: NDArray[np.integer[Any]]) -> Recipe:
    """The recipe whose conditions know what the labels of these rows of a store say.

    Raises DataError where the store has no such label, or the same of all pictures.
    """
    if all(condition.resolved for condition in recipe.model.condition):
        return recipe
    table: AttributeTable | None = getattr(store, "attributes", None)
    conditions = tuple(
        condition if condition.resolved else _resolved(condition.name, table, rows)
        for condition in recipe.model.condition
    )
    model = recipe.model.model_copy(update={"condition": conditions})
    return recipe.model_copy(update={"model": model})


def condition_codes(
    table: AttributeTable | None, conditions: Sequence[Condition], rows: NDArray[np.integer[Any]]
) -> NDArray[np.float32]:
    """What a model is told of the pictures in these rows, (B, K); NaN where there is no label."""
    places = slices(conditions)
    codes = np.full((len(rows), places[-1].stop), np.nan, np.float32)
    if table is None:
        return codes
    for condition, place in zip(conditions, places, strict=True):
        if not condition.classes:
            numbers = _category(table, condition.name)
            if numbers is not None and numbers.numbers is not None:
                spread = condition.spread or 1.0
                codes[:, place.start] = (numbers.numbers[rows] - condition.mean) / spread
            continue
        labels, of_row = _classes(table, condition.name, rows)
        index = {label: i for i, label in enumerate(condition.classes)}
        ours = np.array([index.get(label, -1) for label in labels] + [-1])[of_row]  # −1 is the last
        known = ours >= 0
        codes[known, place] = np.eye(len(condition.classes), dtype=np.float32)[ours[known]]
    return codes


def _resolved(name: str, table: AttributeTable | None, rows: NDArray[np.integer[Any]]) -> ConditionSpec:
    category = None if table is None else _category(table, name)
    if table is None or (category is None and name not in table.names):
        there = "none" if table is None else ", ".join(condition_names(table))
        raise DataError(
            f"the model is to be told {name!r}, and the pictures have no such label; they have {there}."
        )
    if category is not None and category.numbers is not None:
        known = category.numbers[rows]
        known = known[~np.isnan(known)].astype(np.float64)
        spread = float(known.std()) if len(known) else 0.0
        if not spread:
            raise DataError(f"the model is to be told {name!r}, which is the same of all labelled pictures.")
        return ConditionSpec(name=name, mean=float(known.mean()), spread=spread)
    labels, of_row = _classes(table, name, rows)
    counts = np.bincount(of_row[of_row >= 0], minlength=len(labels))
    there = np.flatnonzero(counts)
    if len(there) < 2:
        raise DataError(f"the model is to be told {name!r}, which is the same of all labelled pictures.")
    shares = counts[there] / counts.sum()
    return ConditionSpec(
        name=name, classes=tuple(labels[i] for i in there), shares=tuple(round(float(s), 6) for s in shares)
    )


def condition_names(table: AttributeTable) -> list[str]:
    """What a model could be told: classes and numbers by their column, and attributes."""
    categories = [category.name for category in table.categories]
    parts = {f"{category.name}:{label}" for category in table.categories for label in category.labels}
    return categories + [name for name in table.names if name not in parts and name not in categories]


def _category(table: AttributeTable, name: str) -> Category | None:
    return next((category for category in table.categories if category.name == name), None)


def _classes(
    table: AttributeTable, name: str, rows: NDArray[np.integer[Any]]
) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """The labels of a column, and which of them each row has, (B,): −1 unknown."""
    category = _category(table, name)
    if category is not None:
        return category.labels, category.codes[rows].astype(np.intp)
    if name not in table.names:
        return (), np.full(len(rows), -1, np.intp)
    values = table.column(name)[rows]
    return YES_NO, np.where(values == UNKNOWN, -1, np.where(values == NO, 0, 1)).astype(np.intp)
