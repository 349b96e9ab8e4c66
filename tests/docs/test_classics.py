"""The scripts behind docs/classics: what they claim of losses, modes, pickles and spectra is so, and their pages are
whole."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("one", "two", "three")


@pytest.fixture(scope="module")
def classic():
    """The 150×150 network of the recipe with drawn weights and drawn statistics."""
    from facette.model.trained import TrainedModel
    from facette.model.vae import build_vae
    from facette.recipe import load_recipe

    recipe = load_recipe("celeba150")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vae = build_vae(recipe)
        for module in vae.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                assert module.running_mean is not None
                assert module.running_var is not None
                torch.nn.init.normal_(module.running_mean, std=0.3)
                torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    return TrainedModel(vae, recipe)


def test_tables_go_between_their_marks_and_nowhere_else(tmp_path):
    from classics import write_tables

    page = tmp_path / "page.md"
    page.write_text("before\n<!-- measured: a -->\nold\n<!-- end -->\nafter\n", "utf-8")
    for _ in range(2):
        write_tables(page, {"a": "| new |\n"})
        assert page.read_text("utf-8") == "before\n<!-- measured: a -->\n| new |\n<!-- end -->\nafter\n"
    with pytest.raises(ValueError, match=r"\['a'\].*\['b'\]"):
        write_tables(page, {"b": ""})


@pytest.mark.parametrize("name", PAGES)
def test_every_mark_of_a_page_is_filled(name):
    text = (DOCS / "classics" / f"{name}.md").read_text("utf-8")
    parts = text.split("<!-- measured: ")[1:]
    assert parts
    for part in parts:
        inside = part.split(" -->\n", 1)[1].split("<!-- end -->")[0]
        assert inside.strip(), f"{name}.md: measure it with scripts/docs/classics.py {name}"


def test_the_classic_loss_is_a_bound_with_the_sigma_that_the_page_says():
    """Its gradient is that of −ELBO of a Gaussian with σ, times a constant."""
    from classic_one import KL_WEIGHT, LATENTS, VALUES, implied_sigma

    from facette.recipe import load_recipe

    sigma = implied_sigma(KL_WEIGHT, VALUES, LATENTS)
    spec = load_recipe("celeba150").model.likelihood
    assert spec.sigma == pytest.approx(sigma, abs=1e-5)
    draws = torch.Generator().manual_seed(0)
    x, made = torch.rand(VALUES, generator=draws), torch.rand(VALUES, generator=draws).requires_grad_()
    mean = torch.randn(LATENTS, generator=draws).requires_grad_()
    # 0.5 · mean² is the KL of N(mean, 1), for each latent.
    theirs = (x - made).square().mean() + KL_WEIGHT * (0.5 * mean.square()).mean()
    honest = (x - made).square().sum() / (2 * sigma**2) + (0.5 * mean.square()).sum()
    their_gradients = torch.autograd.grad(theirs, (made, mean))
    for gradient, wanted in zip(their_gradients, torch.autograd.grad(honest, (made, mean)), strict=True):
        torch.testing.assert_close(gradient * VALUES / (2 * sigma**2), wanted, rtol=1e-4, atol=1e-7)


def test_in_training_mode_a_picture_depends_on_its_neighbours(classic):
    from classic_one import decode_in_training_mode

    latents = torch.randn(3, classic.latent, generator=torch.Generator().manual_seed(1))
    before = {name: tensor.clone() for name, tensor in classic.vae.state_dict().items()}
    alike = [classic.decode(latents[rows])[0] for rows in ([0, 1], [0, 2])]
    apart = [decode_in_training_mode(classic, latents[rows])[0] for rows in ([0, 1], [0, 2])]
    assert np.array_equal(*alike)
    assert np.abs(apart[0].astype(int) - apart[1]).mean() > 0.1
    assert all(torch.equal(tensor, before[name]) for name, tensor in classic.vae.state_dict().items())


def test_the_foreign_network_is_ours_and_comes_back_as_it_was(classic, tmp_path):
    from classic_two import VAE, as_foreign, save_whole

    from facette.checkpoint.foreign import import_checkpoint

    x = torch.rand(2, 3, 150, 150, generator=torch.Generator().manual_seed(2))
    network = as_foreign(classic)
    again = import_checkpoint(save_whole(network, tmp_path / "whole.pth"))
    assert VAE.__module__ == "classic_two"
    assert "vae" not in sys.modules
    with torch.inference_mode():
        theirs = network.reconstruct(x)
        for model in (classic, again):
            torch.testing.assert_close(model.vae.decode(model.vae.encode(x).mean), theirs, rtol=0, atol=2e-6)


def test_a_wave_stands_in_its_ring_and_a_blur_takes_the_fine_octaves():
    from classic_two import octaves, spectrum

    across = np.arange(64)
    wave = (127 + 100 * np.sin(2 * np.pi * 12 * across / 64)).astype(np.uint8)
    picture = np.broadcast_to(wave[None, None, :, None], (1, 64, 64, 3))
    assert spectrum(picture).argmax() == 12 - 1
    photos = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3)).astype(np.uint8)
    assert octaves(photos, photos) == [1, 1, 1, 1]
    soft = np.stack([np.asarray(Image.fromarray(p).reduce(2).resize((64, 64))) for p in photos])
    kept = octaves(soft, photos)
    assert kept[0] > 0.7
    assert kept == sorted(kept, reverse=True)
    assert kept[-1] < 0.1


def test_as_many_components_as_there_are_causes_leave_nothing():
    from classic_three import linear

    draws = np.random.default_rng(0)
    causes, ways = draws.normal(0, 1, (60, 3)), draws.normal(0, 8, (3, 16 * 16 * 3))
    pictures = (128 + causes @ ways).clip(0, 255).reshape(60, 16, 16, 3)
    assert linear(pictures, 3) < 0.01
    assert linear(pictures, 1) > 0.2


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_measured_and_drawn_by_one_command(name, run, drawn_faces, tmp_path, monkeypatch):
    import classics

    monkeypatch.setattr(classics, "PAGES", tmp_path / "pages")
    monkeypatch.setattr(classics, "FIGURES", tmp_path / "figures")
    shutil.copytree(DOCS / "classics", tmp_path / "pages")
    (faces := tmp_path / "faces").mkdir()
    rows = ["name,Blond_Hair"]
    for place, picture in enumerate(drawn_faces):
        Image.fromarray(picture).save(faces / f"{place:03d}.png")
        rows.append(f"{place:03d}.png,{1 if place % 3 else -1}")
    (faces / "attributes.csv").write_text("\n".join(rows), "utf-8")
    recipe = "celeba64-z50" if name == "three" else "celeba150"
    short = ["train.steps=2", "train.batch=4", "train.validate_count=4", "train.mixture_components=[1]"]
    sets = [word for change in short for word in ("--set", change)]
    assert run("train", recipe, faces, "--out", "model", "--device", "cpu", *sets).code == 0
    before = (tmp_path / "pages" / f"{name}.md").read_text("utf-8")
    count = ["--count", "240" if name == "two" else "60", "--photos", "2"]
    classics.main([name, "--model", "model", "--data", str(faces), *count])
    after = (tmp_path / "pages" / f"{name}.md").read_text("utf-8")
    assert after != before
    assert {line for line in after.splitlines() if line.startswith("#")} == {
        line for line in before.splitlines() if line.startswith("#")
    }
    linked = {Path(target).name for target in _pictures(before) if "classics" in target}
    assert {path.name for path in (tmp_path / "figures").iterdir()} == linked


def _pictures(text: str) -> list[str]:
    import re

    return re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
