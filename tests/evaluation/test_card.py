"""Laws of what a card adds to the measures: intervals of any measure, kept embeddings, two stages, several models."""

import dataclasses
import json

import numpy as np
import pytest
import torch

import facette
from facette.data.selection import choose_data
from facette.errors import UsageError
from facette.evaluation import evaluate
from facette.evaluation.samples import compare_clouds
from facette.judges.attributes import extract
from facette.judges.features import kept_features
from facette.measures.clouds import halves
from facette.measures.declarations import DISTRIBUTION
from facette.measures.intervals import Interval, resampled
from facette.model.sharpener import Sharpener
from facette.reports.card import protocol_sentence, to_dict, to_markdown, write_report
from facette.reports.findings import findings
from facette.reports.table import distribution_rows, frames_sentence, lines, side_by_side


@pytest.fixture(scope="module")
def store(quick_model):
    return facette.open_dataset("synthetic-faces:256", quick_model.recipe.input)


@pytest.fixture(scope="module")
def evaluation(quick_model, store, tmp_path_factory):
    """Pictures with factors, and a training part beside them: everything a card can hold but a second stage."""
    parted = facette.open_dataset("synthetic-faces:256", quick_model.recipe.input)
    parted.partition = np.repeat([0, 1], [56, 200]).astype(np.int8)
    cache = tmp_path_factory.mktemp("kept")
    return evaluate(
        quick_model, parted, split="valid", importance_samples=20, importance_count=5, cache=cache
    )


# ── intervals ────────────────────────────────────────────────────────────────────────────────────────────


def test_the_interval_of_a_mean_is_that_of_its_standard_error():
    values = np.random.default_rng(0).normal(3, 2, 400)
    interval = resampled(lambda rows: float(values[rows].mean()), [400], seed=0, resamples=500)
    assert interval.value == pytest.approx(values.mean())
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * 2 / 20, rel=0.15)


def test_the_bias_of_resampling_does_not_move_the_interval():
    """The number of distinct values falls by a third in every resample; the interval stays around all of them."""
    interval = resampled(lambda rows: float(len(np.unique(rows))), [300], seed=0)
    assert interval.low <= interval.value == 300 <= interval.high


def test_large_figures_are_written_out():
    assert str(Interval(-10140.4, -10540.0, -9690.0)) == "-10,140 (-10,540 to -9,690)"
    assert str(Interval(0.123456, 0.1, 0.2)) == "0.1235 (0.1 to 0.2)"


# ── clouds ───────────────────────────────────────────────────────────────────────────────────────────────


def cloud(count, seed, shift=0.0):
    return np.random.default_rng(seed).standard_normal((count, 6)) + shift


def test_equal_clouds_are_at_the_floor_and_others_above_it():
    real = cloud(150, 0)
    floor, far = (
        compare_clouds("floor", real, cloud(150, 1), 0),
        compare_clouds("far", real, cloud(150, 2, 1.0), 0),
    )
    assert floor.frechet.value < 1 < 4 < far.frechet.value
    assert abs(floor.kernel.value) < 0.2 * far.kernel.low
    assert abs(floor.two_sample.value - 0.5) < 0.12
    assert far.two_sample.value > 0.75
    assert far.coverage.value < 0.8 < 0.9 < floor.coverage.value
    assert set(far) == {measure.field for measure in DISTRIBUTION}
    for field, interval in far.items():
        assert interval.low <= interval.value <= interval.high, field


def test_halves_are_equal_apart_and_drawn_by_the_seed():
    first, second = halves(11, seed=0)
    assert len(first) == len(second) == 5
    assert not set(first) & set(second)
    assert (first != halves(11, seed=1)[0]).any()


# ── kept embeddings ──────────────────────────────────────────────────────────────────────────────────────


def test_what_was_seen_is_kept_until_pictures_or_choice_change(quick_model, store, tmp_path):
    subject = choose_data(quick_model, store, "all", 20)
    done = []
    first = kept_features(subject, tmp_path, done.append)
    assert sum(done) == 20
    again = kept_features(subject, tmp_path, done.append)
    assert sum(done) == 20, "the second time nothing was looked at"
    assert (again.features == first.features).all()
    assert (again.logits == extract(subject.read(subject.indices)).logits).all()
    kept_features(choose_data(quick_model, store, "all", 20, seed=1), tmp_path, done.append)
    assert sum(done) == 40
    assert len(list(tmp_path.rglob("*.safetensors"))) == 2


def test_an_array_leaves_nothing_behind(quick_model, store, tmp_path):
    kept_features(choose_data(quick_model, store.read(np.arange(3))), tmp_path)
    assert not list(tmp_path.iterdir())


# ── the card ─────────────────────────────────────────────────────────────────────────────────────────────


def test_every_kind_of_figure_is_on_the_card(evaluation):
    assert {line.group for line in lines(evaluation)} == {
        "Reconstructions",
        "Likelihood",
        "Latents",
        "Samples",
        "Factors",
    }
    made = [row.of for row in evaluation.distributions.made]
    assert made == ["reconstructions", "samples of the fitted prior", "samples of the normal prior"]
    assert evaluation.distributions.protocol.count == 100
    assert evaluation.bound.importance_count == 5
    assert evaluation.training_pictures == 56
    assert evaluation.reconstruction.cosine is None, (
        "the judge of faces is silent on pictures without a frame"
    )
    assert evaluation.reconstruction.attributes_kept is None
    assert evaluation.distributions.protocol.network.endswith("for want of one that knows such pictures")
    json.dumps(to_dict(evaluation), allow_nan=False)


def test_real_pictures_are_nearer_to_real_pictures_than_anything_made(evaluation):
    """A model trained for a minute draws nothing that could pass for the drawn faces."""
    floor = evaluation.distributions.floor
    for row in evaluation.distributions.made:
        assert row.frechet.value > 2 * floor.frechet.value
        assert row.two_sample.value > 0.8 > 0.6 > floor.two_sample.value


def test_copies_of_the_training_set_are_named(evaluation):
    copied = dataclasses.replace(evaluation.memorisation, share=0.4)
    assert not any("repeats what it was shown" in sentence for sentence in findings(evaluation))
    said = findings(dataclasses.replace(evaluation, memorisation=copied))
    assert any(
        sentence.startswith("40% of the samples lie nearer to a training picture") for sentence in said
    )


def test_the_parts_of_the_rate_add_up(evaluation):
    parts = evaluation.latents.parts
    assert parts.mutual_information + parts.marginal_kl == pytest.approx(parts.rate)
    assert parts.rate == pytest.approx(evaluation.bound.rate.value, rel=0.05)


# ── a second stage ───────────────────────────────────────────────────────────────────────────────────────


def with_second_stage(model, lift: float):
    """The model with a real sharpener, untrained: it adds `lift` to every value, and 0 as it is first built."""
    stage = Sharpener(latent=model.latent, widths=(8, 8, 8), condition=8, range=model.input.range)
    torch.nn.init.constant_(stage.head.bias, lift)
    return dataclasses.replace(model, sharpener=stage)


@pytest.fixture(scope="module")
def still(quick_model, store):
    return evaluate(with_second_stage(quick_model, 0.0), store.read(np.arange(44)))


def test_a_stage_that_adds_nothing_changes_no_figure(still):
    evaluation = still
    assert evaluation.sharpened == evaluation.reconstruction
    names = [row.of for row in evaluation.distributions.made]
    assert names[:4] == [
        "reconstructions",
        "reconstructions, plain",
        "samples of the fitted prior",
        "samples of the fitted prior, plain",
    ]
    for sharp, plain in (evaluation.distributions.made[:2], evaluation.distributions.made[2:4]):
        assert dataclasses.replace(sharp, of=plain.of) == plain
    assert (evaluation.shown.sharpened == evaluation.shown.reconstructions).all()


def test_what_is_decoded_is_measured_beside_the_bare_decoder(quick_model, store, still, tmp_path):
    bare, lifted = still, evaluate(with_second_stage(quick_model, 0.2), store.read(np.arange(44)))
    assert lifted.reconstruction == bare.reconstruction, "the bare decoder is what it was"
    assert lifted.bound == bare.bound, "the likelihood is the first stage's"
    assert lifted.sharpened.psnr.value < bare.reconstruction.psnr.value - 1
    assert lifted.distributions.made[1] == bare.distributions.made[1]
    assert lifted.distributions.made[0].frechet != bare.distributions.made[0].frechet
    assert "Sharpened reconstructions" in {line.group for line in lines(lifted)}
    write_report([lifted], tmp_path)
    assert "## Sharpened reconstructions" in (tmp_path / "evaluation.md").read_text("utf-8")


# ── several models ───────────────────────────────────────────────────────────────────────────────────────


def test_models_stand_side_by_side_and_a_missing_figure_is_a_dash(evaluation):
    other = dataclasses.replace(evaluation, model="another", disentanglement=None)
    rows = {row.label: row for row in side_by_side([other, evaluation])}
    assert rows["PSNR"].figures[0] == rows["PSNR"].figures[1] != ""
    assert rows["MIG"].figures[0] == ""
    assert "| MIG | – |" in to_markdown([other, evaluation])
    assert len(distribution_rows([other, evaluation])) == 2 * 4


def test_figures_of_different_protocols_are_not_put_side_by_side(evaluation):
    found = evaluation.distributions
    fewer = dataclasses.replace(found, protocol=dataclasses.replace(found.protocol, count=50))
    other = dataclasses.replace(evaluation, model="another", distributions=fewer)
    with pytest.raises(UsageError, match="count 100, another with 50"):
        to_markdown([evaluation, other])


def test_models_that_see_other_cuts_are_said_to(evaluation):
    other = dataclasses.replace(evaluation, model="another", frame="64×64 px")
    assert evaluation.frame.startswith("32×32 px")
    assert frames_sentence([evaluation, dataclasses.replace(evaluation, model="another")]) == ""
    assert "another 64×64 px). Every measure" in to_markdown([evaluation, other])


def test_two_models_of_one_name_are_refused(evaluation, tmp_path):
    with pytest.raises(UsageError, match="called alike"):
        write_report([evaluation, evaluation], tmp_path)


def test_the_card_says_that_it_is_no_fid(evaluation):
    assert "none of it is an FID" in protocol_sentence([evaluation])
    assert evaluation.distributions.protocol.network in to_markdown([evaluation])
