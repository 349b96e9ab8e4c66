"""A model that is told digits goes the whole road: trained with some labels, saved, drawn with and without torch."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

import facette
from facette.checkpoint.drawing import open_onnx
from facette.checkpoint.native import load_model, save_model
from facette.data.packed import ImageStore
from facette.errors import CheckpointError, DataError, RecipeError, UsageError
from facette.model.conditions import COMPONENTS, SHIFT
from facette.model.vae import build_vae
from facette.training.batches import known_conditions

COUNT = 40
TINY = ("input.size=16", "model.latent=4", "model.encoder.widths=[16, 16]", "model.decoder.widths=[16, 16]",
        "train.steps=8", "train.batch=16", "train.validate_every=8", "train.preview_every=8", "train.save_every=4",
        "train.mixture_components=[2]", 'model.condition=["digit"]')  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    folder: Path
    store: ImageStore
    run: Path
    model: Path


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    folder = tmp_path_factory.mktemp("told") / "digits"
    folder.mkdir()
    digits = load_digits()
    with (folder / "labels.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["name", "digit"])
        for i in range(COUNT):
            Image.fromarray((digits.images[i] * (255 / 16)).astype(np.uint8)).save(folder / f"{i:02d}.png")
            rows.writerow([f"{i:02d}.png", digits.target[i] if i % 4 else ""])
    recipe = facette.load_recipe("digits", TINY)
    store = facette.open_dataset(folder, recipe.input)
    assert isinstance(store, ImageStore)
    ended = facette.train(recipe, store, folder.parent / "run")
    assert ended.model is not None
    return Told(folder, store, ended.run, ended.model)


def test_the_file_knows_what_the_model_is_told(told: Told, tmp_path: Path):
    model = load_model(told.model)
    (condition,) = model.recipe.model.condition
    assert condition.classes == tuple(str(digit) for digit in range(10))
    assert sum(condition.shares) == pytest.approx(1, abs=1e-5)
    assert model.latent == 14
    assert model.extras[SHIFT].shape == (4, 10)
    assert model.fitted_prior is not None
    assert model.fitted_prior.latent == 4
    components = model.fitted_prior.components
    assert model.extras[COMPONENTS].shape == (components, 10)
    assert (model.extras[COMPONENTS].sum(1) == 1).all()
    for name, odd, sentence in (
        (SHIFT, model.extras[SHIFT][:, :9], "shape 4×9"),
        (COMPONENTS, model.extras[COMPONENTS].repeat(2, 1), f"shape {2 * components}×10"),
    ):
        wrong = replace(model, extras=model.extras | {name: odd.contiguous()})
        save_model(wrong, tmp_path / "odd")
        for opened in (load_model, open_onnx):
            with pytest.raises(CheckpointError, match=sentence):
                opened(tmp_path / "odd")


def test_a_recipe_that_names_a_condition_alone_builds_nothing():
    with pytest.raises(RecipeError, match="training takes them from the labels"):
        build_vae(facette.load_recipe("digits", TINY))
    with pytest.raises(RecipeError, match="names a label twice"):
        facette.load_recipe("digits", ['model.condition=["digit", "digit"]'])


def test_unlabelled_pictures_are_unknown_to_training(told: Told):
    model = load_model(told.model)
    known = known_conditions(told.store, model.recipe, np.arange(8))
    assert known is not None
    assert known.isnan().all(1).tolist() == [not i % 4 for i in range(8)]


def test_samples_are_what_was_asked(told: Told):
    samples = facette.sample(told.model, 5, seed=1, condition={"digit": 7})
    model = load_model(told.model)
    assert {model.conditioning.words(latent)["digit"] for latent in samples.latents} == {"7"}
    free = facette.sample(told.model, 40, seed=1)
    assert len({model.conditioning.words(latent)["digit"] for latent in free.latents}) > 3
    with pytest.raises(UsageError, match="not told 'colour'"):
        facette.sample(told.model, 5, condition={"colour": "red"})


def test_a_photo_is_told_and_keeps_its_own(told: Told):
    photo = told.folder / "01.png"
    plain = facette.vary(told.model, photo, count=2, diversity=0.0)
    assert (plain.pictures == plain.photo).all()  # nothing was said: factor 0 is the photo
    other = facette.vary(told.model, photo, count=2, diversity=1.0, condition={"digit": 3}, details="model")
    assert other.settings()["condition"] == {"digit": "3"}
    model = load_model(told.model)
    assert {model.conditioning.words(latent)["digit"] for latent in other.latents} == {"3"}
    same = facette.vary(told.model, photo, count=2, diversity=0.0, details="model")
    inferred = model.conditioning.words(same.latents[0])
    again = facette.vary(told.model, photo, count=2, diversity=0.0, condition=inferred, details="model")
    assert (again.pictures == same.pictures).all()  # told what it is anyway, nothing changes


def test_the_commands_say_it(told: Told, tmp_path: Path, run):
    sheet, photo = tmp_path / "sheet.png", told.folder / "01.png"
    varied = run("vary", photo, "--with", "digit=3", "--model", told.model, "--out", sheet, "--json")
    assert varied.json["condition"] == {"digit": "3"}
    sampled = run("sample", "-n", 4, "--with", "digit=3", "--model", told.model, "--out", sheet, "--json")
    assert sampled.json["condition"] == {"digit": "3"}
    refused = run("sample", "--with", "digit=x", "--model", told.model, "--out", sheet)
    assert refused.code == 2
    assert "digit is one of 0, 1, 2" in refused.err


def test_it_resumes_bit_for_bit(told: Told, tmp_path: Path):
    level = (
        *("train.lr_schedule=constant", "train.lr_warmup_share=0.0"),
        *("objective.schedule=constant", "objective.warmup_share=0.0"),
    )
    half = facette.load_recipe("digits", [*TINY, *level, "train.steps=4"])
    whole = facette.load_recipe("digits", [*TINY, *level])
    facette.train(half, told.store, tmp_path / "a")
    facette.train(whole, told.store, tmp_path / "a")
    facette.train(whole, told.store, tmp_path / "b")
    first, second = (load_model(tmp_path / name / "last").vae.state_dict() for name in "ab")
    assert all((first[name] == second[name]).all() for name in first)


def test_labels_are_needed(told: Told, tmp_path: Path):
    recipe = facette.load_recipe("digits", [*TINY, 'model.condition=["colour"]'])
    with pytest.raises(DataError, match="'colour', and the pictures have no such label; they have digit"):
        facette.train(recipe, told.store, tmp_path / "run")


def test_it_draws_without_torch_the_same(told: Told):
    pytest.importorskip("onnxscript")
    from facette.checkpoint.trace import keep_graphs

    model = load_model(told.model)
    keep_graphs(model)
    light = open_onnx(told.model)
    pictures = told.store.read(np.arange(6))
    ours, theirs = model.encode(pictures), light.encode(pictures)
    np.testing.assert_allclose(theirs.mean, ours.mean.numpy(), atol=1e-4)
    np.testing.assert_allclose(theirs.scale, ours.scale.numpy(), atol=1e-4)
    drawn = [each.sample_latents(4, seed=2, condition={"digit": 7}) for each in (model, light)]
    np.testing.assert_allclose(*map(np.asarray, drawn), atol=1e-5)
    assert np.abs(light.decode(theirs.mean).astype(float) - model.decode(theirs.mean)).max() <= 1
