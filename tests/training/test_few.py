"""Few pictures: what is measured stays finite, and who refuses says what helps."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import facette
from facette.training.validate import validate


def test_unexplained_variance_of_one_picture_or_of_one_again_and_again_is_finite(quick_model):
    recipe = quick_model.recipe
    store = facette.open_dataset("synthetic-faces:256", recipe.input)
    one = validate(quick_model.vae, recipe, store, np.array([3])).unexplained_variance
    again = validate(quick_model.vae, recipe, store, np.array([3, 3, 3])).unexplained_variance
    assert one == pytest.approx(again, rel=1e-3)
    assert 0.01 < one < 10
    several = validate(quick_model.vae, recipe, store, np.arange(20)).unexplained_variance
    assert 0.01 < several < 2


def test_one_picture_is_too_few_to_measure_and_the_option_is_named(run, quick_run, tmp_path):
    (tmp_path / "one").mkdir()
    Image.effect_noise((64, 64), 60).convert("RGB").save(tmp_path / "one" / "a.png")
    ended = run("evaluate", quick_run, "one")
    assert ended.code == 2
    assert "take --split all" in ended.err.splitlines()[-1]
