"""The doctor: it names the fault that was planted, and finds none where none is."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

import facette
from facette.cli import main
from facette.errors import UsageError
from facette.evaluation.doctor import blur, examine, kl_weight, limits, may_be_mirrored, past_the_best, units
from facette.model.posterior import DiagonalGaussian
from facette.training import train
from facette.training.journal import read_journal

HEALTHY = ("train.steps=250", "train.batch=16", "train.validate_every=50", "train.mixture_components=[]")


class Blurred(nn.Module):
    """A decoder with a Gaussian filter behind it."""

    def __init__(self, decoder: nn.Module):
        super().__init__()
        self.decoder = decoder
        line = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
        self.register_buffer("kernel", torch.outer(line, line).expand(3, 1, 5, 5).clone())

    def forward(self, z):
        x = F.pad(self.decoder(z), (2, 2, 2, 2), mode="replicate")
        return F.conv2d(x, self.kernel, groups=3)


def healthy_run(seed: int, folder):
    recipe = facette.load_recipe("quick", [*HEALTHY, f"seed={seed}"])
    store = facette.open_dataset("synthetic-faces:1000", recipe.input)
    train(recipe, store, folder, device="cpu", source="synthetic-faces:1000")
    return folder, store


def look(run, store, model=None, training=True):
    held_out, known = (store.read(store.indices(part)[:96]) for part in ("valid", "train"))
    return examine(model or facette.load(run), held_out, known if training else None, read_journal(run))


def with_unit_collapsed(run, unit: int):
    model = facette.load(run)
    last = [m for m in model.vae.encoder.modules() if isinstance(m, nn.Linear)][-1]
    with torch.no_grad():
        for row in (unit, unit + model.latent):  # μ = 0 and log σ² = 0: the posterior is the prior
            last.weight[row] = 0
            last.bias[row] = 0
    return model


def with_blurred_pictures(run):
    model = facette.load(run)
    model.vae.decoder = Blurred(model.vae.decoder)
    return model


def with_wrong_range(run):
    model = facette.load(run)
    data = model.recipe.model_dump(exclude_none=True)
    data["input"]["range"] = "unit"
    return replace(model, recipe=facette.recipe.parse_recipe(data))


def memorised_run(seed: int, folder):
    short = ["train.steps=300", "train.batch=8"]
    recipe = facette.load_recipe("quick", [*HEALTHY, *short, f"seed={seed}"])
    store = facette.open_dataset("synthetic-faces:1000", recipe.input)
    store.partition = np.where(np.arange(len(store)) < 8, 0, 1).astype(np.int8)  # eight to learn from
    train(recipe, store, folder, device="cpu", source="eight faces")
    return folder, store


def kinds(diagnosis) -> set[str]:
    """What is wrong; advice is not."""
    return {finding.kind for finding in diagnosis.findings if finding.weight != "advice"}


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    return healthy_run(0, tmp_path_factory.mktemp("healthy"))


def test_nothing_is_found_in_a_healthy_run(healthy):
    diagnosis = look(*healthy)
    assert diagnosis.lines()[0] == "quick: nothing wrong was found"
    assert diagnosis.healthy
    assert {finding.kind for finding in diagnosis.findings} <= {"blurred"}, "as a decoder's mean is"
    assert not diagnosis.fails


def test_each_planted_fault_is_the_one_named(healthy, tmp_path):
    run, store = healthy
    assert kinds(look(run, store, with_unit_collapsed(run, 3))) == {"unused units"}
    assert kinds(look(run, store, with_wrong_range(run))) >= {"wrong range"}
    assert kinds(look(run, store, with_blurred_pictures(run))) >= {"blurred"}
    memorised = look(*memorised_run(0, tmp_path / "memorised"))
    assert "memorised" in kinds(memorised)
    assert any("known by heart" in line for line in memorised.lines())


@pytest.mark.slow
def test_twelve_planted_faults_and_three_healthy_runs(tmp_path):
    named = invented = 0
    for seed in range(3):
        run, store = healthy_run(seed + 1, tmp_path / f"healthy{seed}")
        invented += len(kinds(look(run, store)))
        named += "unused units" in kinds(look(run, store, with_unit_collapsed(run, 5 * seed)))
        named += "blurred" in kinds(look(run, store, with_blurred_pictures(run)))
        named += "wrong range" in kinds(look(run, store, with_wrong_range(run)))
        named += "memorised" in kinds(look(*memorised_run(seed, tmp_path / f"memorised{seed}")))
    assert invented == 0
    assert named >= 11


@pytest.fixture
def coarse() -> tuple[np.ndarray, np.ndarray]:
    """Photos of 32 pixels, and all that a core of 8 can say of them."""
    photos = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), np.uint8)
    cells = photos.reshape(40, 8, 4, 8, 4, 3).mean(axis=(2, 4)).astype(np.uint8)
    return photos, cells.repeat(4, axis=1).repeat(4, axis=2)


def test_what_is_finer_than_the_decoder_draws_is_no_fault_of_it(coarse):
    assert [finding.weight for finding in blur(*coarse)] == ["fault"]
    assert [finding.weight for finding in blur(*coarse, cell=4)] == ["advice"]


def test_who_has_a_second_stage_is_not_told_to_get_one(coarse):
    assert "draws a second stage" in blur(*coarse)[0].remedy
    assert "learns on from the second stage" in blur(*coarse, sharpened=True)[0].remedy


def test_what_cannot_be_looked_at_is_said(healthy):
    run, store = healthy
    diagnosis = examine(facette.load(run), store.read(np.arange(40)))
    assert len(diagnosis.not_looked_at) == 2
    with pytest.raises(UsageError, match="at least 32 pictures that the model did not learn from, got 3"):
        examine(facette.load(run), store.read(np.arange(3)))


def test_a_model_that_draws_the_mean_picture_fails(healthy, tmp_path, capsys):
    run, store = healthy
    model = facette.load(run)
    held_out = store.read(store.indices("valid")[:96])
    mean = torch.from_numpy(held_out.mean(axis=0) / 127.5 - 1).permute(2, 0, 1).float()
    model.vae.decoder.forward = lambda z: mean.expand(len(z), -1, -1, -1)
    diagnosis = examine(model, held_out)
    assert diagnosis.fails
    assert not diagnosis.healthy
    assert diagnosis.findings[0].kind == "nothing learnt"
    assert diagnosis.findings[0].measured["unexplained_variance"] == pytest.approx(1, abs=0.01)
    assert diagnosis.to_dict()["fails"]
    noise = tmp_path / "noise"
    noise.mkdir()
    draws = np.random.default_rng(0)
    for number in range(40):  # pictures of nothing: the mean of them is the best that anybody could draw
        Image.fromarray(draws.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(noise / f"{number}.png")
    with pytest.raises(SystemExit) as left:
        main(["doctor", str(run), str(noise), "--count", "40"])
    assert left.value.code == 1
    assert "the model has learned nothing of such pictures" in capsys.readouterr().out


def test_only_pictures_without_a_left_and_a_right_may_be_mirrored():
    from sklearn.datasets import load_digits

    digits = np.repeat(load_digits().images[..., None] * 15, 3, axis=3).astype(np.uint8)
    assert not may_be_mirrored(digits[:200], digits[200:])
    faces = facette.open_dataset("synthetic-faces:256", facette.load_recipe("quick").input).read(
        np.arange(256)
    )
    assert may_be_mirrored(faces[:64], faces[64:])


def test_turned_channels_are_noticed(healthy):
    run, store = healthy
    turned = store.read(store.indices("valid")[:96])[..., ::-1].copy()
    assert kinds(examine(facette.load(run), turned)) == {"channel order"}


def test_units_that_carry_nothing_are_counted():
    mean = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    mean[:, 2] = 0
    scale = torch.full((50, 4), 0.3)
    scale[:, 2] = 1
    (found,) = units(DiagonalGaussian(mean, scale))
    assert found.kind == "unused units"
    assert found.measured["unused"] == 1
    assert "unit 2" in found.sentence
    assert units(DiagonalGaussian(mean[:, :2], scale[:, :2])) == []
    (gone,) = units(DiagonalGaussian(torch.zeros(50, 4), torch.ones(50, 4)))
    assert gone.kind == "posterior collapse"


def test_a_posterior_at_its_limit_is_named(healthy):
    model = facette.load(healthy[0])
    scale = torch.full((50, 16), 0.3)
    assert limits(model, DiagonalGaussian(torch.zeros(50, 16), scale)) == []
    scale[:, 0] = math.exp(-5.0)
    (found,) = limits(model, DiagonalGaussian(torch.zeros(50, 16), scale))
    assert found.kind == "σ at its limit"
    assert found.measured["share"] == pytest.approx(1 / 16)


def test_a_kl_weight_in_disguise_is_named_with_its_sigma(healthy):
    run, store = healthy
    pictures = store.read(np.arange(64))
    model = facette.load(run)
    assert kl_weight(model, pictures) == []
    data = model.recipe.model_dump(exclude_none=True)
    data["objective"]["beta"] = 9.0
    (found,) = kl_weight(replace(model, recipe=facette.recipe.parse_recipe(data)), pictures)
    assert found.measured["implied_sigma"] == pytest.approx(3 * model.vae.likelihood.sigma)
    assert "details are thrown away" in found.sentence


def test_a_bound_past_its_best_is_named_with_the_step_to_stop_at():
    def rows(bounds):
        return [{"event": "validation", "step": 100 * i, "elbo": b} for i, b in enumerate(bounds)]

    assert past_the_best(rows([0, 50, 80, 90, 89.5])) == []
    (found,) = past_the_best(rows([0, 50, 90, 70, 40]))
    assert found.remedy.startswith("train.steps = 200")
    assert past_the_best(()) == []


def test_the_command_speaks_to_people_and_machines(healthy, capsys):
    run, _ = healthy
    with pytest.raises(SystemExit) as left:
        main(["doctor", str(run), "synthetic-faces:1000", "--count", "64"])
    assert left.value.code == 0
    assert capsys.readouterr().out.startswith("quick: nothing wrong was found\n")
    with pytest.raises(SystemExit):
        main(["doctor", str(run), "synthetic-faces:256", "--count", "64", "--json"])
    assert '"not_looked_at": [\n    "over-fitting' in capsys.readouterr().out
