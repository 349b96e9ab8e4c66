"""`facette train`, `facette info`, `facette recipes`."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest
from PIL import Image

import facette
from facette.recipe import load_recipe, parse_recipe, shipped_recipes

SHORT = ("--set", "train.steps=4", "--set", "train.batch=8", "--set", "train.mixture_components=[]")


def test_a_run_ends_with_a_model_that_loads(run, tmp_path):
    ended = run("train", "quick", "synthetic-faces:40", *SHORT, "--device", "cpu", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["step"] == ended.json["steps"] == 4
    assert (tmp_path / "runs" / "quick" / "journal.jsonl").is_file()
    model = facette.load(ended.json["model"])
    assert model.provenance["data"] == "synthetic-faces:40"
    assert model.provenance["image_passes"] == 32


def test_a_dry_run_checks_everything_and_leaves_nothing(run, tmp_path):
    ended = run("train", "quick", "synthetic-faces:40", *SHORT, "--dry-run", "--json")
    assert ended.json["steps"] == 4
    assert not (tmp_path / "runs").exists()


def test_pictures_left_out_are_said(run, tmp_path, photo_files):
    folder = tmp_path / "mine"
    folder.mkdir()
    for i, path in enumerate(photo_files):
        (folder / f"{i}.png").write_bytes(path.read_bytes())
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    ended = run("train", "quick", folder, *SHORT, "--set", "train.steps=1", "--device", "cpu")
    assert ended.code == 0, ended.err
    assert "broken.jpg" in ended.err


def test_info_tells_what_a_model_is(run, quick_run):
    ended = run("info", quick_run)
    assert ended.code == 0
    for part in ("quick", "32×32", "16 dimensions", "synthetic-faces:256", "unexplained variance"):
        assert part in ended.out
    assert run("info", quick_run, "--json").json["recipe"]["name"] == "quick"


def test_recipes_are_listed_and_printed_whole(run):
    assert all(name in run("recipes").out for name in shipped_recipes())
    printed = run("recipes", "quick", "--set", "train.lr=0.5").out
    assert parse_recipe(tomllib.loads(printed)) == load_recipe("quick", ["train.lr=0.5"])


def test_without_a_recipe_what_the_pictures_are_decides(run, tmp_path):
    """The recipe that --dry-run prints is a recipe, and is what the run then is."""
    folder = tmp_path / "tiles"
    folder.mkdir()
    for number in range(30):
        Image.fromarray(np.full((12, 12), 8 * number, np.uint8)).save(folder / f"{number}.png")
    small = ["--set", "train.steps=2", "--set", "model.latent=3", "--set", "train.mixture_components=[1]"]
    planned = run("train", folder, *small, "--dry-run")
    assert planned.code == 0, planned.err
    recipe = parse_recipe(tomllib.loads(planned.out))
    assert (recipe.name, recipe.input.size, recipe.input.channels) == ("tiles", 12, 1)
    assert "tiles: grey of 12 × 12 pixels, 3 latents" in planned.err
    trained = run("train", folder, *small)
    assert trained.out.strip() == "runs/tiles/best"
    assert run("train", "pictures", folder, *small).out.strip() == "runs/tiles/best"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "recipe 'pictures' needs pictures: name a folder, a zip"),
        (("my-fotos/",), "'my-fotos/' is no folder or zip of pictures, nor a recipe"),
        (("faces46", "my-photos/"), "no recipe 'faces46'"),
    ],
)
def test_whoever_names_no_pictures_is_told_what_is_missing(run, words, said):
    ended = run("train", *words)
    assert ended.code == 2
    assert said in ended.err
