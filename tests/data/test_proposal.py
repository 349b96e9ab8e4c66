"""What a look at a folder says of the recipe for it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from facette.data.proposal import look_at, propose, proposed
from facette.errors import DataError
from facette.model.vae import build_vae

COUNT = 20


def folder_of(tmp_path, drawn, name="things"):
    folder = tmp_path / name
    folder.mkdir()
    for number in range(COUNT):
        drawn(np.random.default_rng(number)).save(folder / f"{number}.png")
    return folder


def grey(draws):
    return Image.fromarray(draws.integers(0, 256, (28, 28), dtype=np.uint8))


def sprite(draws):
    pixels = draws.integers(0, 256, (72, 72, 4), dtype=np.uint8)
    pixels[:20, :, 3] = 0
    return Image.fromarray(pixels)


def wide(draws):
    return Image.fromarray(draws.integers(0, 256, (200, 300, 3), dtype=np.uint8))


def of_all_shapes(draws):
    return Image.fromarray(draws.integers(0, 256, (*draws.integers(20, 200, 2), 3), dtype=np.uint8))


def deep(draws):
    return Image.fromarray(draws.integers(0, 65536, (40, 40), dtype=np.uint16))


def grey_in_colour(draws):
    return grey(draws).convert("RGB")


@pytest.mark.parametrize(
    ("drawn", "size", "channels", "depth"),
    [(grey, 28, 1, 8), (sprite, 64, 4, 8), (wide, (40, 64), 3, 8), (of_all_shapes, 64, 3, 8), (deep, 40, 1, 16),
     (grey_in_colour, 28, 1, 8)],
)  # fmt: skip
def test_the_form_is_that_of_the_pictures(tmp_path, drawn, size, channels, depth):
    recipe = proposed([folder_of(tmp_path, drawn)])
    assert (recipe.input.size, recipe.input.channels, recipe.input.depth) == (size, channels, depth)
    assert recipe.input.alpha == ("channel" if channels == 4 else "white")
    assert recipe.name == "things"
    assert not recipe.input.flip
    assert recipe.input.frame is None
    build_vae(recipe)


def test_more_pictures_are_learned_from_longer_and_never_for_ever(tmp_path):
    look = look_at([folder_of(tmp_path, grey)])
    steps, latents = [], []
    for count in (100, 10_000, 10_000_000):
        recipe = propose(type(look)(**{**{n: getattr(look, n) for n in look.__slots__}, "count": count}))
        steps.append(recipe.train.steps)
        latents.append(recipe.model.latent)
    assert steps == sorted(set(steps))
    assert latents == [24, 64, 64]  # of a hundred pictures no more than a Gaussian can be fitted to
    assert steps[0] * recipe.train.batch >= 50_000
    assert steps[-1] * recipe.train.batch <= 2_000_000


def test_what_is_asked_for_is_followed_by_the_rest(tmp_path):
    recipe = proposed([folder_of(tmp_path, wide)], ["input.size=16", "model.latent=7", "train.steps=3"])
    assert (recipe.input.size, recipe.model.latent, recipe.train.steps) == (16, 7, 3)
    assert recipe.model.encoder.patch == 2  # of so small a picture


def test_few_colours_and_few_holes_do_not_decide(tmp_path):
    folder = folder_of(tmp_path, grey)
    sprite(np.random.default_rng(0)).save(folder / "0.png")
    assert proposed([folder]).input.channels == 1


def test_names_of_folders_become_names_of_recipes(tmp_path):
    assert proposed([folder_of(tmp_path, grey, "my: pictures")]).name == "my- pictures"
    assert proposed([folder_of(tmp_path, grey, "..hidden")]).name == "hidden"


def test_a_folder_without_pictures_is_said(tmp_path):
    with pytest.raises(DataError, match="no pictures"):
        proposed([tmp_path])
    (tmp_path / "a.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match="none of the pictures looked at"):
        proposed([tmp_path])


def test_the_recipe_of_any_pictures_is_fitted_wherever_it_is_named(tmp_path):
    from facette.data.proposal import recipe_for

    folder = folder_of(tmp_path, deep)
    assert recipe_for("pictures", [folder]) == proposed([folder])
    assert recipe_for("pictures", []).input.size == 64
    assert recipe_for("quick", [folder]).name == "quick"
