"""Laws of a whole evaluation: its figures agree with each other and with the measures, and it says what is wrong."""

import copy
import dataclasses
import json

import numpy as np
import pytest
import torch
from PIL import Image

import facette
from facette.errors import UsageError
from facette.evaluation import evaluate
from facette.measures.intervals import Bootstrap, Interval
from facette.measures.reconstruction import mse, psnr, unexplained_variance
from facette.model.trained import TrainedModel
from facette.model.vae import build_vae
from facette.recipe import load_recipe
from facette.reports.card import to_dict, to_markdown, write_report
from facette.reports.findings import findings
from facette.reports.table import lines


@pytest.fixture(scope="module")
def store(quick_model):
    return facette.open_dataset("synthetic-faces:256", quick_model.recipe.input)


@pytest.fixture(scope="module")
def photos(store):
    return store.read(np.arange(60))


@pytest.fixture(scope="module")
def evaluation(quick_model, photos):
    return evaluate(quick_model, photos, importance_samples=30)


def test_figures_are_those_of_the_measures(quick_model, photos, evaluation):
    made = quick_model.decode(quick_model.encode(photos).mean) / 255.0
    real = photos / 255.0
    figures = evaluation.reconstruction
    assert figures.mse.value == pytest.approx(mse(real, made).mean(), rel=1e-3)
    assert figures.psnr.value == pytest.approx(psnr(real, made).mean(), rel=1e-4)
    assert figures.unexplained_variance.value == pytest.approx(unexplained_variance(real, made), rel=1e-3)


def test_the_bound_is_made_of_its_terms(evaluation):
    figures = evaluation.bound
    assert figures.elbo.value == pytest.approx(-(figures.distortion.value + figures.rate.value))
    assert figures.rate.value == pytest.approx(sum(evaluation.latents.rate_per_unit), rel=1e-4)
    assert figures.importance_weighted.value > figures.elbo.value


def test_bits_agree_with_the_elbo_up_to_the_noise_of_dequantisation(evaluation):
    figures, dimensions = evaluation.bound, evaluation.dimensions
    # One level is 2/255 of the symmetric range; its uniform noise adds variance 1/12 of a level to the error.
    expected = -figures.elbo.value / (dimensions * np.log(2)) + np.log2(255 / 2)
    assert figures.bits_per_dimension.value == pytest.approx(expected, abs=0.02)
    assert 0 < figures.bits_per_dimension.value < 9


def test_intervals_hold_their_figure_and_are_ordered(evaluation):
    bound = evaluation.bound
    figures = dict(evaluation.reconstruction) | {
        f.name: getattr(bound, f.name) for f in dataclasses.fields(bound)
    }
    for name, figure in figures.items():
        if hasattr(figure, "low"):
            assert figure.low < figure.value < figure.high, name


def test_the_batch_size_changes_no_reconstruction_figure(quick_model, photos):
    one, other = (evaluate(quick_model, photos[:20], batch=batch) for batch in (64, 7))
    for name in ("mse", "unexplained_variance", "psnr", "ssim", "sharpness"):
        first, second = (getattr(each.reconstruction, name).value for each in (one, other))
        assert first == pytest.approx(second, rel=1e-3)
    assert other.latents.active == one.latents.active


def test_the_same_seed_gives_the_same_evaluation(quick_model, photos, evaluation):
    again = evaluate(quick_model, photos, importance_samples=30)
    assert to_dict(again) == to_dict(evaluation)


def test_another_seed_gives_another_evaluation(quick_model, photos):
    one, other = (evaluate(quick_model, photos[:20], seed=seed) for seed in (0, 1))
    assert other.bound.elbo.value != one.bound.elbo.value
    assert other.samples != one.samples


def test_the_held_out_part_is_taken_for_the_training_set_and_all_of_any_other(quick_model, store):
    assert evaluate(quick_model, store).split == "valid"
    assert evaluate(quick_model, store).count == len(store.indices("valid"))
    stranger = dataclasses.replace(quick_model, provenance={})
    assert evaluate(stranger, store, count=20).split == "all"


def test_a_count_is_drawn_by_the_seed(quick_model, store):
    first, again, other = (evaluate(quick_model, store, split="all", count=24, seed=s) for s in (0, 0, 5))
    assert first.count == 24
    assert (first.shown.photos == again.shown.photos).all()
    assert (first.shown.photos != other.shown.photos).any()


def test_progress_counts_every_datum_once(quick_model, photos):
    seen = []
    evaluate(
        quick_model, photos[:20], batch=8, importance_samples=3, progress=lambda *said: seen.append(said)
    )
    stages = list(dict.fromkeys(stage for stage, _, _ in seen))
    assert stages == ["looking at photos", "measuring", "importance bound", "looking at samples"]
    assert [said for said in seen if said[0] == "measuring"] == [
        ("measuring", done, 20) for done in (0, 8, 16, 20)
    ]
    for stage in stages:
        *_, (_, done, total) = (said for said in seen if said[0] == stage)
        assert done == total


def test_variations_spread_more_at_the_larger_factor(evaluation):
    near, far = evaluation.spreads
    assert (near.factor, far.factor) == (1.0, 7.0)
    assert far.spread > 2 * near.spread > 0


def test_both_priors_are_sampled_where_there_are_two(quick_model, photos, evaluation):
    assert [one.prior for one in evaluation.samples] == ["fitted", "normal"]
    bare = dataclasses.replace(quick_model, fitted_prior=None)
    assert [one.prior for one in evaluate(bare, photos[:8]).samples] == ["normal"]


# ── what is wrong is said ────────────────────────────────────────────────────────────────────────────────


def deaf(model, units):
    """The model with these latent units' posteriors equal to the prior whatever the picture: planted collapse."""
    vae = copy.deepcopy(model.vae)
    forward = vae.encoder.forward

    def without(x):
        raw = forward(x)
        raw[:, units] = 0
        raw[:, [unit + model.latent for unit in units]] = 0
        return raw

    vae.encoder.forward = without
    return TrainedModel(vae, model.recipe)


def test_a_healthy_model_is_called_alive(evaluation):
    assert findings(evaluation)[0].startswith("The latents are alive: 16 of 16 units active")


def test_a_collapsed_posterior_is_noticed(quick_model, photos):
    evaluation = evaluate(deaf(quick_model, list(range(16))), photos[:30])
    assert evaluation.latents.active == 0
    assert evaluation.bound.rate.value == pytest.approx(0, abs=1e-4)
    assert "collapsed" in findings(evaluation)[0]
    assert "objective.beta" in findings(evaluation)[0]


def test_next_to_no_rate_is_a_collapse_even_where_means_still_move(evaluation):
    faint = dataclasses.replace(evaluation.bound, rate=Interval(0.4, 0.3, 0.5))
    assert (
        "collapsed: the latents carry 0.4 nats" in findings(dataclasses.replace(evaluation, bound=faint))[0]
    )


def test_unused_units_are_named(quick_model, photos):
    evaluation = evaluate(deaf(quick_model, [2, 5, 11]), photos[:30])
    assert evaluation.latents.active == 13
    assert "3 of 16 latent units are unused (2, 5, 11)" in findings(evaluation)[0]


def test_blur_is_noticed(evaluation):
    assert any("blurred" in sentence for sentence in findings(evaluation))


# ── models of vectors ────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def points():
    recipe = load_recipe("mixture3d")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = TrainedModel(build_vae(recipe), recipe)
    return model, np.random.default_rng(0).standard_normal((300, 3)).astype(np.float32)


def test_a_model_of_points_gets_the_measures_that_apply(points, tmp_path):
    model, data = points
    evaluation = evaluate(model, data, importance_samples=5)
    made = model.decode(model.encode(data).mean)
    assert evaluation.reconstruction.mse.value == pytest.approx(mse(data, made).mean(), rel=1e-4)
    assert evaluation.reconstruction.psnr is None
    assert evaluation.bound.bits_per_dimension is None
    assert evaluation.bound.importance_weighted is not None
    assert evaluation.samples == ()
    assert {line.group for line in lines(evaluation)} == {"Reconstructions", "Likelihood", "Latents"}
    assert evaluation.distributions is None
    assert evaluation.memorisation is None
    assert sorted(path.name for path in write_report([evaluation], tmp_path)) == [
        "evaluation.json",
        "evaluation.md",
    ]


# ── the written card ─────────────────────────────────────────────────────────────────────────────────────


def test_the_card_holds_every_figure_twice_and_the_sheets(evaluation, tmp_path):
    paths = {path.name: path for path in write_report([evaluation], tmp_path / "card")}
    figures = json.loads(paths["evaluation.json"].read_text("utf-8"))
    assert figures == json.loads(json.dumps(to_dict(evaluation)))
    assert figures["reconstruction"]["psnr"]["value"] == evaluation.reconstruction.psnr.value
    card = paths["evaluation.md"].read_text("utf-8")
    for line in lines(evaluation):
        assert f"| {line.label} | {line.figure} |" in card
    for name in ("reconstructions.png", "samples-fitted.png", "samples-normal.png"):
        assert f"({name})" in card
        with Image.open(paths[name]) as sheet:
            assert sheet.width > 500


def test_every_row_of_the_card_has_three_cells(evaluation):
    rows = [line for line in to_markdown([evaluation]).splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {4, 10}  # measures, and distributions


def test_a_perfect_model_has_finite_figures(quick_model, photos):
    """One perfectly kept picture must not make a mean infinite, for JSON knows no infinity."""
    black = np.zeros_like(photos[:6])
    black[3:] = 255
    vae = copy.deepcopy(quick_model.vae)
    vae.encoder.forward = lambda x: torch.cat(
        [x.mean((1, 2, 3))[:, None].expand(-1, 16), torch.zeros(len(x), 16)], 1
    )
    vae.decoder.forward = lambda z: z[:, :1, None, None].expand(-1, 3, 32, 32).clamp(-1, 1)
    evaluation = evaluate(TrainedModel(vae, quick_model.recipe), np.concatenate([black, photos[:1]]))
    assert evaluation.reconstruction.psnr.value < 60
    json.dumps(to_dict(evaluation), allow_nan=False)


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"split": "half"}, "unknown split 'half'"),
        ({"split": "test"}, "split 'test' .* is empty"),
        ({"count": 1}, "at least 2, got 1"),
        ({"batch": 0}, "batch must be"),
        ({"importance_samples": -1}, "importance_samples must be"),
    ],
)
def test_senseless_wishes_are_refused(quick_model, store, wish, words):
    shut = copy.copy(store)
    shut.partition = np.zeros(len(store), np.int8)
    with pytest.raises(UsageError, match=words):
        evaluate(quick_model, shut, **wish)


# ── the bootstrap ────────────────────────────────────────────────────────────────────────────────────────


def test_bootstrap_intervals_have_the_width_of_the_standard_error():
    values = np.random.default_rng(0).normal(3, 2, 400)
    interval = Bootstrap({"a": values}, seed=0).mean("a")
    assert interval.value == values.mean()
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * 2 / 20, rel=0.15)


def test_a_ratio_is_resampled_as_a_whole():
    top = np.random.default_rng(0).gamma(1.0, 1.0, 300)
    interval = Bootstrap({"top": top, "bottom": 4 * top}, seed=0).ratio("top", "bottom")
    assert (interval.low, interval.value, interval.high) == pytest.approx((0.25, 0.25, 0.25))
