"""A recipe with a mask, weights by place, rare attributes and a smaller core, from folders to a model."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from facette.checkpoint.native import load_model
from facette.data.open import open_dataset, open_datasets
from facette.model.trained import TrainedModel
from facette.model.vae import build_vae
from facette.objective import elbo_terms, focus_weights, identity_distance
from facette.recipe import FocusSpec, load_recipe
from facette.runtime import Rank
from facette.training import train
from facette.training.journal import read_journal
from facette.training.state import fresh_state, lend_weights
from facette.training.step import Objective, train_step

CPU = torch.device("cpu")
SMALL = [
    "input.size=32", "model.side=16", "model.latent=6", "model.encoder.widths=[16,16]", "model.encoder.blocks=[1,1]",
    "model.decoder.widths=[16,16]", "model.decoder.blocks=[1,1]", "train.batch=8",
    "train.steps=12", "train.validate_every=6", "train.preview_every=12", "train.save_every=6", "train.log_every=4",
    "train.mixture_components=[]", "sharpen.steps=4", "sharpen.batch=4", "sharpen.widths=[8,8,16]",
    "sharpen.critic_width=8", "sharpen.critic_lead=0", "sharpen.validate_every=4", "sharpen.save_every=4",
]  # fmt: skip


class Hearing:
    """A watcher that keeps what it is told."""

    def __init__(self, sentences: list[str]):
        self.sentences = sentences

    def said(self, sentence: str) -> None:
        self.sentences.append(sentence)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("faces")
    draws = np.random.default_rng(4)
    for name, unknown in (("whole", 0), ("tight", 9)):
        (root / name).mkdir()
        for number in range(32):
            coarse = Image.fromarray(draws.integers(0, 256, (5, 5, 3), np.uint8))
            pixels = np.dstack([np.asarray(coarse.resize((32, 32))), np.full((32, 32), 255, np.uint8)])
            pixels[:, :unknown, 3] = 0
            Image.fromarray(pixels).save(root / name / f"{number:03d}.png")
    return root


def test_a_masked_run_of_two_folders_ends_with_a_sharp_model(folders, tmp_path):
    recipe = load_recipe("faces128", SMALL)
    store = open_datasets([folders / "whole", folders / "tight"], recipe.input, tmp_path / "cache")
    said: list[str] = []
    assert train(recipe, store, tmp_path / "run", watcher=Hearing(said)).step == 4  # of the second stage
    assert [sentence for sentence in said if "Eyeglasses or Wearing_Hat" in sentence], (
        "nothing says who wears them"
    )
    model = load_model(tmp_path / "run" / "best")
    assert model.sharpener is not None
    rows = [row for row in read_journal(tmp_path / "run") if row["event"] == "validation"]
    assert rows[-1]["weighted_elbo"] != rows[-1]["elbo"]
    assert rows[-1]["score"] == pytest.approx(rows[-1]["weighted_elbo"])
    pictures = store.read_masked(np.array([40]))
    wild = pictures.copy()
    wild[pictures[..., 3] == 0] = (9, 99, 200, 0)
    torch.testing.assert_close(model.encode(pictures).mean, model.encode(wild).mean)
    assert model.decode(model.encode(pictures).mean).shape == (1, 32, 32, 3)


def test_a_run_made_longer_sharpens_what_the_first_stage_has_become(folders, tmp_path):
    short = load_recipe("faces128", [*SMALL, "train.hide=0.0"])
    store = open_dataset(folders / "whole", short.input, tmp_path / "cache")
    train(short, store, tmp_path / "run")
    before = load_model(tmp_path / "run" / "best")
    longer = load_recipe("faces128", [*SMALL, "train.hide=0.0", "train.steps=30"])
    assert train(longer, store, tmp_path / "run").step == 4  # of a second stage that began anew
    after = load_model(tmp_path / "run" / "best")
    assert after.provenance["steps"] > before.provenance["steps"]
    assert after.sharpener is not None


def test_the_learning_rate_may_be_turned_at_a_resume_and_the_weights_may_not(folders, tmp_path):
    from facette.errors import TrainingError

    plain = [*SMALL, "train.hide=0.0"]
    short = load_recipe("faces128", [*plain, "train.steps=6"]).model_copy(update={"sharpen": None})
    store = open_dataset(folders / "whole", short.input, tmp_path / "cache")
    train(short, store, tmp_path / "run")
    slower = load_recipe("faces128", [*plain, "train.steps=8", "train.lr=1e-4"])
    assert train(slower.model_copy(update={"sharpen": None}), store, tmp_path / "run").step == 8
    heavier = load_recipe("faces128", [*plain, "train.steps=8", "objective.focus.weight=5"])
    with pytest.raises(TrainingError, match=r"focus\.weight"):
        train(heavier, store, tmp_path / "run")


def test_weights_by_place_have_mean_one_and_the_stated_ratio():
    spec = FocusSpec(weight=20, centre=(0.5, 0.5), half_axes=(0.2, 0.3), softness=0.1)
    weights = focus_weights(spec, (64, 64))[0, 0]
    assert weights.mean().item() == pytest.approx(1, abs=1e-5)
    assert (weights[32, 32] / weights[0, 0]).item() == pytest.approx(20, rel=0.01)
    assert (weights[32, 32] / weights[32, 50]).item() > 10  # beside the ellipse
    assert (weights[32, 32] / weights[16, 32]).item() < 5  # above, inside its longer axis


def test_even_weights_are_no_weights():
    vae = build_vae(load_recipe("faces128", SMALL))
    x = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    passed = vae(x, torch.zeros(4, 6))
    terms = elbo_terms(vae, x, passed, fit_sigma=True, focus=torch.ones(1, 1, 16, 16))
    assert terms.weighted_distortion is not None
    torch.testing.assert_close(terms.weighted_distortion, terms.distortion)
    torch.testing.assert_close(terms.weighted_elbo, terms.elbo)


class Direction(nn.Module):
    """Features of unit length by which pictures can be told apart."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.normalize(x.flatten(1)[:, ::7], dim=1)


def test_identity_costs_nothing_where_nothing_changed_or_nothing_was_seen():
    x = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1)) - 0.5
    assert identity_distance(Direction(), x, x.clone(), None).abs().max() < 1e-6
    drawn = x.flip(0).requires_grad_()
    unseen = torch.zeros(2, 1, 16, 16)
    assert identity_distance(Direction(), x, drawn, unseen).abs().max() < 1e-6
    distance = identity_distance(Direction(), x, drawn, None)
    assert (distance > 0.1).all()
    distance.sum().backward()
    assert drawn.grad is not None
    assert drawn.grad.abs().sum() > 0


def test_the_price_of_identity_is_part_of_the_loss():
    recipe = load_recipe("faces128", [*SMALL, "objective.identity=50.0"])
    data = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 4), np.uint8)
    losses = []
    for network in (None, Direction()):
        state = fresh_state(recipe, CPU)
        terms = train_step(state, state.vae, data, recipe, 10, Rank(), None, Objective(identity=network))
        losses.append(terms.loss.item())
    assert losses[1] - losses[0] == pytest.approx(50 * terms.identity.item(), rel=1e-3)
    assert terms.identity > 0


def test_a_run_starts_from_every_layer_that_fits():
    recipe = load_recipe("faces128", SMALL)
    wider = load_recipe("faces128", [*SMALL, "model.latent=9"])
    source = TrainedModel(build_vae(recipe), recipe)
    state = fresh_state(wider, CPU)
    fresh = lend_weights(state, source.vae)
    assert fresh == ["decoder.linear", "encoder.linear"]
    for name, tensor in state.vae.state_dict().items():
        if name.rpartition(".")[0] not in fresh:
            torch.testing.assert_close(tensor, source.vae.state_dict()[name])
    torch.testing.assert_close(state.averaged.state_dict(), state.vae.state_dict())
    assert lend_weights(fresh_state(recipe, CPU), source.vae) == []
