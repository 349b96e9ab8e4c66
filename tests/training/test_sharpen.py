"""The second stage as a run: what it changes, what it must not, and that stopping changes nothing."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import facette
from facette.cli import main
from facette.errors import RecipeError, TrainingError, UsageError
from facette.training import sharpen, train
from facette.training.critic import (
    Critic,
    Judged,
    augment,
    critic_loss,
    deception,
    detail_distance,
    detail_level,
    feature_distance,
    steepness,
)
from facette.training.journal import read_journal
from facette.training.second_stage import distance_from_sharp, with_section
from facette.training.state import STATE

SHORT = (
    "sharpen.steps=8",
    "sharpen.batch=4",
    "sharpen.widths=[8, 16, 16]",
    "sharpen.full_width=4",
    "sharpen.critic_width=8",
    "sharpen.critic_lead=2",
    "sharpen.lr_warmup_steps=2",
    "sharpen.log_every=2",
    "sharpen.validate_every=4",
    "sharpen.validate_count=8",
    "sharpen.save_every=4",
    "sharpen.augment=0.5",
)


@pytest.fixture(scope="module")
def store(quick_model):
    return facette.open_dataset("synthetic-faces:96", quick_model.input)


@pytest.fixture(scope="module")
def whole(quick_model, store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sharp")
    sharpen(with_section(quick_model, SHORT), store, folder, device="cpu")
    return folder


class StopAt:
    """Sends this process the signal of an impatient user at a step."""

    def __init__(self, step: int):
        self.at, self.step = step, 0

    def stepped(self, step: int, images: int) -> None:
        if step == self.at:
            os.kill(os.getpid(), signal.SIGINT)


def test_a_run_leaves_everything_it_promises(whole, quick_model):
    assert {"recipe.toml", STATE, "journal.jsonl", "best", "previews"} <= {p.name for p in whole.iterdir()}
    rows = read_journal(whole)
    assert [r["step"] for r in rows if r["event"] == "train"] == [2, 4, 6, 8]
    assert [r["step"] for r in rows if r["event"] == "validation"] == [4, 8]
    model = facette.load(whole)
    assert model.sharpener is not None
    assert model.metrics["sharpening"]["unexplained_variance"] > 0


def test_who_the_face_is_has_a_price_where_the_recipe_says_so(whole, quick_model, store, tmp_path):
    priced = (*SHORT, "sharpen.identity_weight=50")
    sharpen(with_section(quick_model, priced), store, tmp_path / "priced", device="cpu")
    free, paid = (
        [r["identity"] for r in read_journal(folder) if r["event"] == "train"]
        for folder in (whole, tmp_path / "priced")
    )
    assert free == [0, 0, 0, 0]
    assert all(0 < term < 2 for term in paid)
    before, after = (facette.load(f).sharpener.state_dict() for f in (whole, tmp_path / "priced"))
    assert any(not torch.equal(before[n], after[n]) for n in before)


def test_a_model_that_has_a_sharpener_of_the_same_layers_learns_on_from_it(whole, store, tmp_path):
    """What is drawn after two steps in which the critic learns alone is what the model drew before."""
    said = []
    once = [*SHORT[1:], "sharpen.steps=2", "sharpen.ema=0"]
    model = facette.load(whole)
    same = sharpen(with_section(model, once), store, tmp_path / "same", device="cpu", watcher=Saying(said))
    before, after = (facette.load(f).sharpener.state_dict() for f in (whole, same.run))
    assert all(torch.equal(before[n], after[n]) for n in before)
    assert said == ["begins with the sharpener that quick has"]
    other = [*once, "sharpen.full_width=8"]
    ended = sharpen(with_section(model, other), store, tmp_path / "other", device="cpu", watcher=Saying(said))
    assert facette.load(ended.run).sharpener.head.weight.shape[0] == 8
    assert len(said) == 1


class Saying:
    """Keeps what is said."""

    def __init__(self, said: list[str]):
        self.keep = said

    def said(self, text: str) -> None:
        self.keep.append(text)


def test_the_first_stage_is_frozen(whole, quick_model):
    before, after = quick_model.vae.state_dict(), facette.load(whole).vae.state_dict()
    assert all(torch.equal(before[n], after[n]) for n in before)


def test_stopped_by_a_signal_and_run_again_is_never_having_stopped(quick_model, store, whole, tmp_path):
    model = with_section(quick_model, SHORT)
    first = sharpen(model, store, tmp_path, device="cpu", watcher=StopAt(3))
    assert first.interrupted
    assert first.step == 3
    assert first.model is None
    second = sharpen(model, store, tmp_path, device="cpu")
    assert not second.interrupted
    once, twice = load_file(whole / STATE), load_file(tmp_path / STATE)
    assert all(torch.equal(once[n], twice[n]) for n in once)
    assert [r["step"] for r in read_journal(tmp_path) if r["event"] == "train"] == [2, 4, 6, 8]


def test_another_model_or_another_recipe_is_refused(quick_model, store, whole):
    other = with_section(quick_model, [*SHORT[1:], "sharpen.steps=9"])
    with pytest.raises(TrainingError, match=r"sharpen\.steps \(was 8, is 9\)"):
        sharpen(other, store, whole, device="cpu")
    changed = with_section(facette.load(whole), SHORT)
    with torch.no_grad():
        next(changed.vae.parameters()).add_(1.0)
    with pytest.raises(TrainingError, match="sharpens another model"):
        sharpen(changed, store, whole, device="cpu")


def test_it_learns_what_sharp_is(quick_model, tmp_path):
    store = facette.open_dataset("synthetic-faces:32", quick_model.input)
    longer = ("sharpen.steps=120", "sharpen.batch=8", "sharpen.critic_lead=20", "sharpen.lr=1e-3")
    quiet = (
        "sharpen.validate_every=120",
        "sharpen.lr_warmup_steps=20",
        "sharpen.ema=0.9",
        "sharpen.prior_share=0.25",
        "sharpen.squared_weight=10",
        "sharpen.detail_weight=20",
    )
    model = with_section(quick_model, [*SHORT[2:5], *longer, *quiet])
    found = facette.load(sharpen(model, store, tmp_path, device="cpu").run).metrics["sharpening"]
    plain, sharp = found["plain_sharpness_of_reconstructions"], found["sharpness_of_reconstructions"]
    assert abs(np.log(sharp)) < 0.5 * abs(np.log(plain))  # less than half as far from the photos'
    assert found["unexplained_variance"] < 2 * found["plain_unexplained_variance"]


def test_kept_is_the_step_at_which_both_were_nearest_to_sharp(whole):
    rows = [r for r in read_journal(whole) if r["event"] == "validation"]
    nearest = min(rows, key=distance_from_sharp)
    assert facette.load(whole).provenance["sharpen_steps"] == nearest["step"]
    ratios = {"sharpness_of_reconstructions": 0.8, "sharpness_of_samples": 2.0}
    assert distance_from_sharp(ratios) == pytest.approx(np.log(2))


def test_a_gradient_that_is_not_finite_stops_the_run_where_it_happens(
    quick_model, store, tmp_path, monkeypatch
):
    from facette.training.sharpen_step import sharpen_step

    def spoiled(state, *others):
        terms = sharpen_step(state, *others)
        return replace(terms, ok=torch.tensor(False)) if state.step == 3 else terms

    monkeypatch.setattr(sys.modules["facette.training.second_stage"], "sharpen_step", spoiled)
    model = with_section(quick_model, [*SHORT, "sharpen.log_every=50"])
    with pytest.raises(TrainingError, match="not finite at step 3 "):
        sharpen(model, store, tmp_path, device="cpu")


def test_only_its_own_section_can_be_set(quick_model):
    with pytest.raises(UsageError, match="would change the first stage"):
        with_section(quick_model, ["train.lr=1"])
    with pytest.raises(RecipeError, match=r"sharpen\.wide is not a key"):
        with_section(quick_model, ["sharpen.wide=3"])
    with pytest.raises(UsageError, match=r"no section \[sharpen\]"):
        sharpen(quick_model, None, "nowhere")


def test_train_runs_both_stages_from_one_recipe(tmp_path):
    overrides = [*SHORT, "train.steps=6", "train.mixture_components=[1]", "train.validate_every=6"]
    recipe = facette.load_recipe("quick", overrides)
    store = facette.open_dataset("synthetic-faces:96", recipe.input)
    stopped = train(recipe, store, tmp_path, device="cpu", watcher=StopAt(7))
    assert stopped.interrupted  # in the second stage: the first has six steps
    assert facette.load(tmp_path).sharpener is None
    ended = train(recipe, store, tmp_path, device="cpu")
    assert not ended.interrupted
    model = facette.load(tmp_path)
    assert model.sharpener is not None
    assert model.fitted_prior is not None
    written = (tmp_path / "best" / "model.safetensors").stat().st_mtime_ns
    assert not train(recipe, store, tmp_path, device="cpu").interrupted
    assert (tmp_path / "best" / "model.safetensors").stat().st_mtime_ns == written


def test_the_command_sharpens_any_model_and_plain_shows_the_first_stage(quick_run, tmp_path, capsys):
    overrides = [part for one in SHORT for part in ("--set", one)]
    run = str(tmp_path / "run")
    with pytest.raises(SystemExit) as left:
        main(["sharpen", str(quick_run), "synthetic-faces:96", "--out", run, "--device", "cpu", *overrides])
    assert left.value.code == 0
    assert capsys.readouterr().out.strip() == f"{run}/best"
    sheets = {}
    for name, more in (("sharp", []), ("plain", ["--plain"])):
        sheets[name] = tmp_path / f"{name}.png"
        with pytest.raises(SystemExit):
            main(["sample", "--model", run, "-n", "2", "--out", str(sheets[name]), *more])
    assert sheets["sharp"].read_bytes() != sheets["plain"].read_bytes()


# ── the critic ───────────────────────────────────────────────────────────────────────────────────────────


def judged(patches: list[float], whole: float) -> Judged:
    return Judged([torch.tensor(patches)[None, None]], torch.tensor([patches]), torch.tensor([whole]))


def test_critic_and_sharpener_want_the_opposite_of_each_pair():
    photos, drawn = judged([2.0, 0.5], 1.5), judged([-2.0, 0.5], -0.5)
    log = [np.log1p(np.exp(x)) for x in (-4.0, 0.0, -2.0)]
    assert critic_loss(photos, drawn).item() == pytest.approx((log[0] + log[1]) / 2 + log[2])
    assert deception(photos, drawn).item() == pytest.approx(critic_loss(drawn, photos).item())
    assert feature_distance(drawn, photos).item() == pytest.approx((4 + 0) / 2)


def test_steepness_is_the_squared_length_of_the_gradient():
    slope = torch.tensor([3.0, -4.0])
    draws = torch.Generator().manual_seed(0)
    x = torch.randn(20_000, 2, generator=draws)
    moved = x + 0.05 * torch.randn(x.shape, generator=draws)
    verdicts = [Judged([], (v @ slope)[:, None], torch.zeros(len(v))) for v in (x, moved)]
    assert steepness(*verdicts, noise=0.05).item() == pytest.approx(25, rel=0.03)


def test_detail_is_of_a_strength_wherever_its_edges_lie():
    draws = torch.Generator().manual_seed(0)
    grain, other = (0.2 * torch.randn(2, 3, 64, 64, generator=draws) for _ in range(2))
    as_strong, weaker = (detail_distance(x, grain).item() for x in (other, other / 2))
    assert detail_distance(grain, grain).item() == 0
    assert as_strong < 0.5 * weaker
    assert detail_level(other, grain).item() < 0.02
    assert detail_level(torch.cat([grain, grain]) / 2, grain).item() == pytest.approx(
        2 * np.log(4) ** 2, rel=0.01
    )


def test_a_critic_sees_patches_and_the_whole():
    critic = Critic(8)
    seen = critic(torch.rand(2, 3, 64, 64) * 2 - 1)
    assert seen.patches.shape == (2, 64)
    assert seen.whole.shape == (2,)
    part = seen.part(slice(1))
    assert part.whole.shape == (1,)
    assert part.features[0].shape[0] == 1


def test_augmentation_moves_a_pair_alike_and_lets_gradients_through():
    x = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0)).requires_grad_()
    one, other = (augment(x, torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(one, other)
    assert not torch.equal(one, augment(x, torch.Generator().manual_seed(8)))
    assert not torch.allclose(one, x)
    one.sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
