"""Laws of a comparison: what is matched is equal, what is shown is what was measured, and it can be run again."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import facette
from facette.comparison.autoencoders import compare_autoencoders
from facette.comparison.checkpoint import find_checkpoint
from facette.comparison.compare import (
    Pace,
    compare,
    curve_strengths,
    embedding_for,
    measure_pace,
    plan_comparison,
)
from facette.comparison.diffusion import DiffusionSettings
from facette.comparison.loading import load_autoencoder, load_diffusion
from facette.comparison.methods import VaeMethod, Watch, size_of
from facette.comparison.trials import measure, to_side
from facette.errors import ImageError, UsageError
from facette.images.sheets.grid import read_metadata
from facette.judges.similarity import similarity
from facette.model.sharpener import Sharpener
from facette.model.trained import TrainedModel

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model(gauged):
    """A model with a second stage, so that there are three methods."""
    loaded = facette.load(gauged)
    torch.manual_seed(0)
    sharpener = Sharpener(latent=loaded.latent, widths=(16, 16, 16), condition=16, range=loaded.input.range)
    torch.nn.init.normal_(sharpener.head.weight, std=0.001)
    return TrainedModel(vae=loaded.vae, recipe=loaded.recipe, sharpener=sharpener, extras=loaded.extras)


@pytest.fixture(scope="module")
def diffusion(tiny):
    settings = DiffusionSettings(prompt="a face", steps=32, guidance=2.0)
    return load_diffusion(find_checkpoint(str(tiny)), settings, CPU)


@pytest.fixture(scope="module")
def photo(large):
    return to_side(large[None], 32)[0]


@pytest.fixture(scope="module")
def steps_taken():
    """What the matched comparison tells while it runs."""
    return []


@pytest.fixture(scope="module")
def matched(model, diffusion, photo, embedding, steps_taken):
    """A matched comparison at a similarity that all three methods reach."""
    asked = {"strength": 0.25, "count": 3, "match": True, "levels": 3, "seed": 5}
    return compare(model, photo, diffusion, photo, embedding, progress=steps_taken.append, **asked)


def test_matched_methods_are_equally_like_the_photo(matched):
    values = [entry.chosen.figures.similarity.value for entry in matched.entries]
    assert [entry.name for entry in matched.entries] == ["quick plain", "quick sharp", "tiny-diffusion"]
    assert matched.matched
    assert max(values) - min(values) <= 2 * matched.tolerance
    assert all(abs(value - values[-1]) <= matched.tolerance for value in values[:-1])
    assert "equally like the photo" in matched.subtitle


def test_the_similarity_is_that_of_the_pictures_that_are_shown(matched, photo, embedding):
    for entry in matched.entries:
        measured = similarity(embedding.places(photo[None]), embedding.places(entry.chosen.pictures)).mean()
        assert entry.chosen.figures.similarity.value == pytest.approx(measured)


def test_the_curves_reach_from_the_reconstruction_to_the_strongest(matched):
    for entry in matched.entries:
        levels = [trial.level for trial in entry.curve]
        assert levels == sorted(set(levels))
        assert (levels[0], levels[-1]) == (0.0, entry.strongest)
        assert entry.chosen in entry.curve
    *_, theirs = matched.entries
    assert {trial.level * 32 for trial in theirs.curve} <= set(range(33)), "a strength is a number of steps"


def test_a_similarity_that_nobody_reaches_is_said_to_be_unreached(model, diffusion, photo, embedding):
    found = compare(
        model,
        photo,
        diffusion,
        photo,
        embedding,
        count=2,
        match=True,
        levels=2,
        similarity=-1.0,
        strength=1.0,
    )
    assert found.wished == -1.0
    reached = found.entries[-1].chosen.figures.similarity.value
    assert abs(reached - -1.0) > found.tolerance
    for entry in found.entries[:-1]:
        gap = abs(entry.chosen.figures.similarity.value - reached)
        assert entry.matched is (gap <= found.tolerance)
    assert found.entries[-1].matched is all(entry.matched for entry in found.entries[:-1])


def test_ours_are_the_variations_that_vary_makes(model, photo):
    seeds = facette.vary(model, photo, count=4, seed=9).seeds
    made = VaeMethod(model, photo, "ours").make(3.0, seeds, lambda done: None)
    assert np.array_equal(
        made.pictures, facette.vary(model, photo, count=4, seed=9, diversity=3.0, details="model").pictures
    )


def test_as_asked_is_as_asked(model, diffusion, photo, embedding):
    ticks = []
    found = compare(
        model,
        photo,
        diffusion,
        photo,
        embedding,
        strength=0.5,
        diversity=2.5,
        count=3,
        progress=lambda done: ticks.append(done),
    )
    assert [entry.chosen.level for entry in found.entries] == [2.5, 2.5, 0.5]
    assert found.wished is None
    assert all(entry.matched is None for entry in found.entries)
    assert sum(ticks) >= plan_comparison(diffusion, 0.5, 3, False).steps == 48
    again = compare(model, photo, diffusion, photo, embedding, strength=0.5, diversity=2.5, count=3)
    assert np.array_equal(found.pictures, again.pictures)
    assert found.seeds == again.seeds


def test_strength_0_beside_factor_0_compares_the_autoencoders(model, diffusion, photo, embedding):
    found = compare(model, photo, diffusion, photo, embedding, strength=0, diversity=0, count=2)
    for entry, kept in zip(found.entries, found.kept, strict=True):
        assert all(np.array_equal(picture, kept.picture) for picture in entry.chosen.pictures)
        assert entry.chosen.figures.spread == 0
        assert entry.chosen.figures.similarity.value == pytest.approx(kept.similarity, abs=1e-5)


def test_the_sheet_shows_every_picture_and_carries_what_made_it(matched, tmp_path):
    sheet = matched.sheet()
    assert [len(row) for row in sheet.tiles] == [3, 3, 3]
    assert sheet.photo is not None
    told = read_metadata(matched.save(tmp_path / "sheet.png"))
    for key in ("prompt", "strength", "guidance", "scheduler", "steps", "seeds", "device", "model", "with"):
        assert told[key] not in (None, ""), key
    assert told["seeds"][0] == 5


def test_autoencoders_stand_side_by_side(model, tiny, photo, embedding):
    rival = load_autoencoder(find_checkpoint(str(tiny), autoencoder_only=True), CPU)
    found = compare_autoencoders(model, photo, rival, photo, embedding)
    assert [kept.name for kept in found.kept] == ["quick plain", "quick sharp", "tiny-diffusion"]
    theirs = found.kept[-1]
    assert theirs.latents == 4 * 32 * 32
    assert found.kept[0].latents == model.latent
    assert theirs.similarity > 0.5, "the planted autoencoder lets pictures through"
    assert np.array_equal(theirs.picture, rival.reconstruct(photo[None])[0])
    assert theirs.size == size_of({"vae": rival.network})


def test_when_the_safety_checker_leaves_too_little_it_is_said(
    model, diffusion, photo, embedding, monkeypatch
):
    """Not one picture may be measured that nobody may see."""
    from facette.comparison.diffusion import DiffusionDraws

    black = np.zeros((1, 32, 32, 3), np.uint8)
    monkeypatch.setattr(diffusion, "draw", lambda *_: DiffusionDraws(black, (True,)))
    with pytest.raises(
        ImageError, match=r"checker of tiny-diffusion withheld 3 of 3 pictures at strength 0\.5"
    ):
        compare(model, photo, diffusion, photo, embedding, count=3)


@pytest.mark.parametrize(
    ("wished", "sentence"),
    [
        ({"count": 1}, "`count` must be"),
        ({"strength": 1.5}, "strength must be a number from 0 to 1"),
        ({"match": True, "diversity": 3.0}, "leave out `diversity`"),
        ({"similarity": 0.5}, "add `match=.similarity.`"),
        ({"match": True, "similarity": 2.0}, "a similarity is a cosine"),
        ({"match": True, "levels": 1}, "`levels` must be"),
        ({"match": True, "tolerance": 0.0}, "`tolerance` must be above 0"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_made(
    model, diffusion, photo, embedding, wished, sentence
):
    with pytest.raises(UsageError, match=sentence):
        compare(
            model,
            photo,
            diffusion,
            photo,
            embedding,
            progress=lambda done: pytest.fail("a picture was made"),
            **wished,
        )


def test_the_plan_is_the_most_that_a_comparison_takes(matched, diffusion, steps_taken):
    plan = plan_comparison(diffusion, 0.25, 3, True, levels=3)
    made = 3 * len(matched.entries[-1].curve)
    assert made <= plan.pictures
    assert 0 < sum(steps_taken) <= plan.steps + made, "PNDM looks one step farther for each picture"


def test_the_pace_adds_up(diffusion, photo):
    pace = measure_pace(diffusion, photo)
    assert pace.step > 0
    assert pace.picture >= 0
    assert Pace(step=2.0, picture=3.0).seconds(pictures=10, steps=250) == 530.0


def test_strengths_of_a_curve_are_whole_steps_from_end_to_end():
    assert curve_strengths(6, 50) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert curve_strengths(6, 4) == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert curve_strengths(2, 1) == [0.0, 1.0]


def test_the_photo_itself_is_wholly_like_itself(photo, embedding):
    figures = measure(embedding, photo, np.stack([photo, photo]))
    assert figures.similarity.value == pytest.approx(1)
    assert figures.spread == 0
    assert figures.variety == pytest.approx(0, abs=1e-9)
    assert figures.sharpness == pytest.approx(1)


def test_the_embedding_is_the_models_own_where_it_has_one(gauged, embedding):
    assert embedding_for(facette.load(gauged)).threshold == pytest.approx(embedding.threshold)


def test_memory_is_the_weights_and_what_was_taken_on_top():
    network = torch.nn.Linear(1000, 1000)
    with Watch(CPU, {"one": network}) as idle:
        pass
    if idle.memory is None:
        pytest.skip("this system does not tell how much memory a part of a run takes")
    with Watch(CPU, {"one": network}) as busy:
        torch.ones(64 * 2**20 // 4).sum()
    weights = size_of({"one": network}).bytes
    assert weights <= idle.memory < weights + 16 * 2**20
    assert busy.memory > weights + 48 * 2**20
