"""Laws of adding to a model file: what was there stays, to the bit."""

import json
import shutil

import pytest
import torch

from facette.checkpoint.extras import add_extras
from facette.checkpoint.native import load_model, save_model
from facette.checkpoint.tensors import read_tensors
from facette.errors import UsageError

LATENT = 16  # of the quick recipe


@pytest.fixture
def folder(quick_model, tmp_path):
    return save_model(quick_model, tmp_path / "model", half=True)


def test_everything_else_stays_to_the_bit(folder):
    before, header = read_tensors(folder / "model.safetensors")
    path = add_extras(
        folder, {"directions.Smiling": torch.ones(LATENT)}, {"directions": {"method": "logistic"}}
    )
    after, new_header = read_tensors(path)
    assert path == folder / "model.safetensors"
    assert set(after) - set(before) == {"extras.directions.Smiling"}
    assert all(after[n].dtype == t.dtype and torch.equal(after[n], t) for n, t in before.items())
    assert any(t.dtype == torch.float16 for t in before.values())
    assert new_header.pop("metrics") == {**header.pop("metrics"), "directions": {"method": "logistic"}}
    assert new_header == header
    assert json.loads((folder / "config.json").read_text())["metrics"]["directions"]["method"] == "logistic"
    assert torch.equal(load_model(folder).extras["directions.Smiling"], torch.ones(LATENT))


def test_a_copy_leaves_the_model_alone(folder, tmp_path):
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    path = add_extras(folder, {"cloud.mean": torch.zeros(LATENT)}, {}, out=tmp_path / "copy")
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]
    assert "cloud.mean" in load_model(path.parent).extras


def test_what_is_replaced_goes_first(folder):
    add_extras(folder, {"directions.Old": torch.ones(LATENT), "cloud.mean": torch.ones(LATENT)}, {})
    add_extras(folder, {"directions.New": torch.ones(LATENT)}, {}, replace=("directions.",))
    extras = load_model(folder).extras
    assert {"directions.New", "cloud.mean"} <= set(extras)
    assert "directions.Old" not in extras


def test_a_model_that_cannot_be_written_names_the_way_out(folder, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everywhere
    before = (folder / "model.safetensors").read_bytes()
    with pytest.raises(UsageError, match="`out`"):
        add_extras(folder, {"cloud.mean": torch.zeros(LATENT)}, {})
    assert (folder / "model.safetensors").read_bytes() == before


def test_a_single_file_without_a_card_is_enough(folder, tmp_path):
    alone = tmp_path / "alone.safetensors"
    shutil.copyfile(folder / "model.safetensors", alone)
    assert add_extras(alone, {"cloud.mean": torch.zeros(LATENT)}, {}) == alone
    assert torch.equal(load_model(alone).extras["cloud.mean"], torch.zeros(LATENT))
