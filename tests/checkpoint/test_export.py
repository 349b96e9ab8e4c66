"""Laws of exporting: the files do what the model does, for any number of pictures, or they are not written."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from extras import needs

import facette
from facette.checkpoint import export
from facette.checkpoint.export import export_model
from facette.data.synthetic import draw_faces
from facette.errors import CheckpointError, MissingExtraError
from facette.latent.noise import normal_draws
from facette.latent.points import decode_each
from facette.model.sharpener import Sharpener
from facette.model.trained import TrainedModel
from facette.model.vae import build_vae
from facette.recipe import load_recipe

onnxruntime = pytest.importorskip("onnxruntime")
needs("onnxscript")


@pytest.fixture(scope="module")
def sharp_model(quick_model) -> TrainedModel:
    """The quick model with a second stage whose last layer is random, so that it changes every picture."""
    torch.manual_seed(0)
    sharpener = Sharpener(
        latent=quick_model.latent, widths=(16, 16, 16), condition=16, range=quick_model.input.range
    )
    torch.nn.init.normal_(sharpener.head.weight, std=0.02)
    return TrainedModel(vae=quick_model.vae, recipe=quick_model.recipe, sharpener=sharpener)


@pytest.fixture(scope="module")
def written(sharp_model, tmp_path_factory):
    return export_model(sharp_model, tmp_path_factory.mktemp("onnx"), "onnx")


def sessions(folder):
    options = {"providers": ["CPUExecutionProvider"]}
    return (
        onnxruntime.InferenceSession(folder / f"{name}.onnx", **options) for name in ("encoder", "decoder")
    )


def onnx_variations(folder, photo: np.ndarray, factor: float, seeds) -> np.ndarray:
    """Variations by nothing but the two files, numpy, and the formula in their description; (N, 3, S, S)."""
    encoder, decoder = sessions(folder)
    unit = np.ascontiguousarray(photo.transpose(2, 0, 1)[None], dtype=np.float32) / np.float32(255)
    mean, scale = encoder.run(None, {"pictures": unit})
    noise = normal_draws(seeds, mean.shape[1])
    return decoder.run(None, {"latents": mean + np.float32(factor) * scale * noise})[0]


def torch_variations(model, variations) -> np.ndarray:
    """The same pictures before they are rounded to bytes; (N, 3, S, S)."""
    decoded = model.decode_float(variations.latents)
    unit = decoded if model.input.range == "unit" else (decoded + 1) / 2
    return unit.clamp(0, 1).numpy()


def test_the_same_ten_variations_from_the_same_seed(written, sharp_model):
    photo = draw_faces(1, sharp_model.input.size, seed=5).pictures[0]
    variations = facette.vary(sharp_model, photo, count=10, diversity=7.0, seed=3, details="model")
    made = onnx_variations(written.folder, photo, 7.0, variations.seeds)
    assert made.shape == (10, 3, sharp_model.input.size, sharp_model.input.size)
    assert np.abs(made - torch_variations(sharp_model, variations)).max() <= 1e-4
    bytes_apart = np.abs(np.rint(made.transpose(0, 2, 3, 1) * 255) - variations.pictures.astype(float))
    assert bytes_apart.max() <= 1, "a value on the edge between two bytes may fall to either side, no farther"
    assert len({one.tobytes() for one in variations.pictures}) == 10


@pytest.mark.slow
def test_the_bundled_model_makes_the_same_ten_variations(tmp_path):
    from facette.cli.demo import find_photo
    from facette.latent.photo import resolve_picture

    model = facette.load("faces128")
    photo = resolve_picture(model, find_photo("hopper"))
    exported = export_model(model, tmp_path, "onnx")
    variations = facette.vary(model, photo, count=10, diversity=7.0, seed=1, details="model")
    made = onnx_variations(tmp_path, photo, 7.0, variations.seeds)
    assert np.abs(made - torch_variations(model, variations)).max() <= 1e-4
    assert exported.difference <= 1e-4


def test_what_is_exported_is_what_the_model_decodes_with(written, sharp_model):
    latents = torch.randn(4, sharp_model.latent, generator=torch.Generator().manual_seed(1))
    _, decoder = sessions(written.folder)
    made = decoder.run(None, {"latents": latents.numpy()})[0]
    sharp, plain = (decode_each(one, latents) for one in (sharp_model, sharp_model.plain()))
    shown = np.rint(made.transpose(0, 2, 3, 1) * 255)
    assert np.abs(shown - sharp.astype(float)).max() <= 1
    assert np.abs(shown - plain.astype(float)).max() > 1, "the second stage is part of the file"


def test_any_number_of_pictures_goes_through_at_once(written, sharp_model):
    encoder, _ = sessions(written.folder)
    pictures = draw_faces(7, sharp_model.input.size, seed=2).pictures
    unit = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2), dtype=np.float32) / np.float32(255)
    together = encoder.run(None, {"pictures": unit})[0]
    alone = np.concatenate([encoder.run(None, {"pictures": one[None]})[0] for one in unit])
    assert together.shape == (7, sharp_model.latent)
    assert np.allclose(together, alone, atol=1e-5)
    assert np.allclose(together, sharp_model.encode(pictures).mean, atol=1e-4)


def test_the_description_names_what_the_files_take_and_give(written, sharp_model):
    told = json.loads((written.folder / "export.json").read_text("utf-8"))
    for session, name in zip(sessions(written.folder), ("encoder.onnx", "decoder.onnx"), strict=True):
        for end, tensors in (("takes", session.get_inputs()), ("gives", session.get_outputs())):
            assert list(told[name][end]) == [tensor.name for tensor in tensors]
            for tensor in tensors:
                assert told[name][end][tensor.name]["shape"][1:] == tensor.shape[1:]
                assert isinstance(tensor.shape[0], str), "the number of pictures is left open"
    assert told["sharpened"] is True
    assert told["largest_difference"] == written.difference <= 1e-4
    assert "# quick" in (written.folder / "README.md").read_text("utf-8")


def test_a_program_of_torch_export_does_the_same(sharp_model, tmp_path):
    exported = export_model(sharp_model, tmp_path, "torch-export")
    assert [path.name for path in exported.files[:2]] == ["encoder.pt2", "decoder.pt2"]
    decoder = torch.export.load(tmp_path / "decoder.pt2").module()
    latents = torch.randn(5, sharp_model.latent, generator=torch.Generator().manual_seed(2))
    shown = decoder(latents).permute(0, 2, 3, 1).mul(255).round().to(torch.uint8).numpy()
    assert np.abs(shown.astype(int) - sharp_model.decode(latents).astype(int)).max() <= 1
    encoder_size, decoder_size = (path.stat().st_size for path in exported.files[:2])
    whole = sum(p.numel() * 4 for part in (sharp_model.vae, sharp_model.sharpener) for p in part.parameters())
    assert encoder_size + decoder_size < 1.2 * whole + 500_000, "no file carries the other's weights"


def test_a_model_of_points_is_exported_as_one(tmp_path):
    recipe = load_recipe("mixture3d")
    torch.manual_seed(0)
    model = TrainedModel(vae=build_vae(recipe), recipe=recipe)
    export_model(model, tmp_path, "torch-export")
    told = json.loads((tmp_path / "export.json").read_text("utf-8"))
    assert told["encoder.pt2"]["takes"]["points"]["shape"] == ["N", 3]
    points = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    mean, _ = torch.export.load(tmp_path / "encoder.pt2").module()(points)
    assert torch.allclose(mean, model.encode(points).mean, atol=1e-5)


def test_a_file_that_differs_from_the_model_is_not_written(sharp_model, tmp_path, monkeypatch):
    """The exported decoder is made to forget the second stage, as a careless one would."""
    forget = export.Decoder.__init__

    def without_sharpener(self, model):
        forget(self, model.plain())

    monkeypatch.setattr(export.Decoder, "__init__", without_sharpener)
    with pytest.raises(CheckpointError, match="the exported decoder of 'quick' differs from the model by"):
        export_model(sharp_model, tmp_path, "torch-export")
    assert not list(tmp_path.iterdir())


def test_nothing_is_passed_off_as_a_component_of_diffusers(quick_model, tmp_path):
    with pytest.raises(CheckpointError, match="is no component of diffusers: it keeps one vector of"):
        export_model(quick_model, tmp_path, "diffusers")
    assert not list(tmp_path.iterdir())


def test_without_the_extra_the_sentence_says_what_to_install(quick_model, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    with pytest.raises(MissingExtraError, match=r'not installed: pip install "facette\[export\]"'):
        export_model(quick_model, tmp_path, "onnx")
    assert not list(tmp_path.iterdir())


def test_the_compilers_folder_goes_away_again(tmp_path, monkeypatch):
    from torch._inductor.runtime.cache_dir_utils import cache_dir

    monkeypatch.delenv(export.COMPILER_FILES, raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with export.quiet():
        assert list(tmp_path.iterdir()) == [Path(cache_dir())]
    assert list(tmp_path.iterdir()) == []
    assert export.COMPILER_FILES not in os.environ
    monkeypatch.setenv(export.COMPILER_FILES, str(tmp_path / "mine"))  # somebody's own place stays theirs
    with export.quiet():
        assert cache_dir() == str(tmp_path / "mine")
    assert os.environ[export.COMPILER_FILES] == str(tmp_path / "mine")
