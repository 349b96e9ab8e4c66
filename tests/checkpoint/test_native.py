"""The model file: there and back, whole or not at all."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest
import torch

import facette
from facette.checkpoint.drawing import open_to_draw
from facette.checkpoint.native import WEIGHTS, describe_model, load_model, save_model
from facette.checkpoint.tensors import read_header, read_tensors, to_half, write_atomically, write_tensors
from facette.errors import CheckpointError
from facette.model.trained import TrainedModel


def test_a_model_comes_back_as_it_was_saved(quick_model, tmp_path):
    quick_model.extras["directions.Smiling"] = torch.arange(16.0)
    folder = save_model(quick_model, tmp_path / "m")
    again = load_model(folder)
    assert again.recipe == quick_model.recipe
    assert again.metrics == quick_model.metrics
    assert again.provenance == quick_model.provenance
    assert torch.equal(again.extras["directions.Smiling"], torch.arange(16.0))
    before, after = quick_model.vae.state_dict(), again.vae.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[n], after[n]) for n in before)
    assert torch.equal(again.sample_latents(4, seed=3), quick_model.sample_latents(4, seed=3))
    del quick_model.extras["directions.Smiling"]


def test_the_single_file_is_complete_in_itself(quick_model, tmp_path):
    folder = save_model(quick_model, tmp_path / "m")
    alone = tmp_path / "alone.safetensors"
    shutil.copy(folder / WEIGHTS, alone)
    z = quick_model.sample_latents(3, seed=0)
    assert np.array_equal(load_model(alone).decode(z), quick_model.decode(z))


def test_the_folder_reads_well_for_people_and_hubs(quick_model, tmp_path):
    folder = save_model(quick_model, tmp_path / "m")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    assert config == describe_model(folder / WEIGHTS)
    card = (folder / "README.md").read_text("utf-8")
    assert card.startswith("---\n")
    assert "synthetic-faces:256" in card
    assert "16 dimensions" in card


def test_half_precision_halves_the_file_and_hardly_moves_a_pixel(quick_model, tmp_path):
    whole, half = save_model(quick_model, tmp_path / "w"), save_model(quick_model, tmp_path / "h", half=True)
    assert (half / WEIGHTS).stat().st_size < 0.6 * (whole / WEIGHTS).stat().st_size
    z = quick_model.sample_latents(8, seed=0, prior="normal")
    difference = load_model(half).decode(z).astype(int) - quick_model.decode(z)
    assert np.abs(difference).max() <= 3


def test_loading_draws_no_random_number(quick_model, tmp_path):
    folder = save_model(quick_model, tmp_path / "m")
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    load_model(folder)
    assert torch.equal(torch.rand(3), expected)


def test_a_run_folder_is_a_model_too(quick_run):
    assert facette.load(quick_run).name == "quick"
    assert facette.load(str(quick_run / "last")).name == "quick"


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "other"])
def test_a_damaged_file_is_one_sentence(quick_model, tmp_path, damage):
    path = save_model(quick_model, tmp_path / "m") / WEIGHTS
    data = path.read_bytes()
    match damage:
        case "cut":
            path.write_bytes(data[: len(data) // 2])
        case "empty":
            path.write_bytes(b"")
        case "text":
            path.write_text("no model", encoding="utf-8")
        case "other":
            from safetensors.torch import save_file

            save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError) as error:
        load_model(path)
    assert "\n" not in str(error.value)


def test_missing_models_and_newer_formats_are_sentences(quick_model, tmp_path):
    with pytest.raises(CheckpointError, match="there is no model 'nobody'"):
        load_model("nobody")
    tensors, header = read_tensors(save_model(quick_model, tmp_path / "m") / WEIGHTS)
    write_tensors(tmp_path / "newer.safetensors", tensors, header | {"format": 99})
    with pytest.raises(CheckpointError, match="format 99"):
        load_model(tmp_path / "newer.safetensors")


def test_weights_of_another_recipe_are_refused(quick_model, tmp_path):
    tensors, header = read_tensors(save_model(quick_model, tmp_path / "m") / WEIGHTS)
    header["recipe"]["model"]["latent"] = 8
    write_tensors(tmp_path / "wrong.safetensors", tensors, header)
    with pytest.raises(CheckpointError, match="does not hold the model its recipe describes"):
        load_model(tmp_path / "wrong.safetensors")


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, "old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, "new")
    assert path.read_text("utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_headers_are_read_without_tensors(tmp_path):
    write_tensors(tmp_path / "a.safetensors", {"t": torch.zeros(3)}, {"word": "σ"})
    assert read_header(tmp_path / "a.safetensors") == {"word": "σ"}
    assert to_half({"a": torch.zeros(1), "n": torch.zeros(1, dtype=torch.int64)})["n"].dtype == torch.int64


def test_a_trained_model_never_trains(quick_model):
    assert not quick_model.vae.training
    assert not any(p.requires_grad for p in quick_model.vae.parameters())
    assert isinstance(quick_model, TrainedModel)


def test_a_model_is_read_whatever_its_folder_is_called(quick_model, tmp_path):
    """The library takes names in UTF-8 only, and disks hold others."""
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this disk takes names in UTF-8 only")
    save_model(quick_model, folder)
    again, drawing = load_model(folder), open_to_draw(str(folder), "cpu", plain=False)
    z = again.sample_latents(2, seed=0)
    assert (again.decode(z) == quick_model.decode(z)).all()
    assert np.abs(drawing.decode(z).astype(int) - quick_model.decode(z)).max() <= 1
    (folder / WEIGHTS).write_bytes(b"nothing")
    with pytest.raises(CheckpointError):
        load_model(folder)
