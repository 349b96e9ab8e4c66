"""Laws of the dial: what the factors of a photo do, which is taken, and what stays when it is taken again.

The model is the bundled one, calibrated on faces that it drew itself: it redraws those well, as it does photos.
"""

import shutil
from dataclasses import replace

import numpy as np
import pytest

import facette
from facette.dial import search as dials
from facette.dial.calibrate import Curve, calibrate
from facette.dial.sweep import dial_sweep
from facette.dial.vary import dial_vary
from facette.dial.verify import study
from facette.errors import UsageError
from facette.judges.likeness import place_spread
from facette.latent import vary
from facette.latent.vary import variation_seeds


@pytest.fixture(scope="module")
def model(calibrated):
    return facette.load(calibrated).to("cpu")


@pytest.fixture(scope="module")
def photo(drawn_faces):
    return drawn_faces[-1]


@pytest.fixture(scope="module")
def dial(model, photo):
    return dials.dial_of(model, photo)


@pytest.fixture(scope="module")
def automatic(dial):
    return dials.automatic_factor(dial)


SEEDS = variation_seeds(0, 8)


def test_spread_grows_and_likeness_falls_with_the_factor(model):
    factors = model.extras["dial.factors"].numpy()
    assert factors[0] == 0
    assert 1.0 in factors
    for noise in ("posterior", "aggregate"):
        likeness, realism, spread = model.extras[f"dial.curve_{noise}"].numpy().T
        order = np.arange(len(factors))
        assert np.corrcoef(order, np.argsort(np.argsort(spread)))[0, 1] >= 0.95
        assert np.corrcoef(order, np.argsort(np.argsort(-likeness)))[0, 1] >= 0.95
        assert spread[0] == pytest.approx(0, abs=1e-9)
        assert ((realism >= 0) & (realism <= 1)).all()


def test_the_range_ends_where_variations_are_strangers(model, photo):
    factors = dials.known_factors(model)
    threshold = dials.dial_of(model, photo).gauge.threshold
    likeness = model.extras["dial.curve_posterior"].numpy()[:, 0]
    assert likeness[-1] < threshold + 0.1
    assert likeness[len(factors) // 3] > threshold + 0.1


def test_likeness_one_is_the_reconstruction_and_zero_the_threshold(dial):
    assert dial.scaled(dial.redrawn) == pytest.approx(1)
    assert dial.scaled(dial.gauge.threshold) == pytest.approx(0)
    assert dial.cosine(dial.scaled(0.4)) == pytest.approx(0.4)


@pytest.mark.parametrize("asked", [0.8, 0.3])
def test_an_asked_likeness_is_met_in_the_mean(model, photo, asked):
    made = dial_vary(model, photo, 6, likeness=asked)
    assert np.mean(made.scaled) == pytest.approx(asked, abs=0.03)
    assert made.likeness == pytest.approx(
        [made.threshold + one * (_redrawn(model, photo) - made.threshold) for one in made.scaled]
    )


def test_the_same_likeness_needs_another_factor_with_other_noise_and_another_photo(model, drawn_faces):
    factors = {
        dial_vary(model, drawn_faces[i], 5, likeness=0.5, noise=noise).variations.factor
        for i in (-1, -2)
        for noise in ("posterior", "aggregate")
    }
    assert len(factors) == 4


def test_full_likeness_is_the_reconstruction_itself(model, photo):
    made = dial_vary(model, photo, 2, likeness=1.0)
    assert made.variations.factor == 0
    assert (made.pictures == made.variations.reconstruction).all()


def test_the_automatic_factor_is_the_largest_that_passes(dial, automatic):
    factor = automatic
    seeds = variation_seeds(0, dials.DRAWS)
    reference = dial.at(1.0, seeds)
    assert factor > 0
    assert dials.acceptable(dial.at(factor, seeds), reference, dial.gauge.threshold)
    above = [one for one in dials.known_factors(dial.origin.model) if one > factor]
    assert not above or not dials.acceptable(dial.at(above[0], seeds), reference, dial.gauge.threshold)


@pytest.mark.parametrize(
    ("likeness", "realism", "good"),
    [
        ([0.5, 0.3], [0.4, 0.4], True),
        ([0.9, 0.29], [0.5, 0.5], False),  # one of them is like a stranger
        ([0.9, 0.9], [0.6, 0.21], True),  # 0.405 in the mean: 19 % below 0.5
        ([0.9, 0.9], [0.6, 0.19], False),  # 0.395
    ],
)
def test_every_variation_must_be_like_and_their_mean_as_real(likeness, realism, good):
    places = np.eye(2, 128)
    reading = dials.Reading(3.0, places, np.array(likeness), np.array(realism))
    reference = dials.Reading(1.0, places, np.ones(2), np.array([0.7, 0.3]))
    assert dials.acceptable(reading, reference, threshold=0.3) is good


def test_a_stricter_threshold_gives_a_smaller_automatic_factor(dial, automatic):
    strict = replace(dial, gauge=replace(dial.gauge, threshold=dial.redrawn - 0.03))
    assert dials.automatic_factor(strict) < automatic


def test_what_is_redrawn_as_a_stranger_has_no_automatic_factor(dial):
    lost = replace(dial, gauge=replace(dial.gauge, threshold=dial.redrawn + 0.01))
    with pytest.raises(UsageError, match="give --diversity a number"):
        dials.automatic_factor(lost)
    with pytest.raises(UsageError, match="give --diversity a number"):
        dials.factor_for_likeness(lost, SEEDS, 0.5)


def test_the_best_ten_differ_more_at_no_less_likeness(model, photo):
    random = dial_vary(model, photo, 8, diversity=9.0, pool=50)
    best = dial_vary(model, photo, 8, diversity=9.0, spread="best", pool=50)
    pool = dials.dial_of(model, photo).at(9.0, variation_seeds(0, 50))
    tens = [place_spread(pool.places[i : i + 8]) for i in range(0, 48, 8)]
    assert best.spread > 1.15 * np.mean(tens)
    assert np.mean(best.likeness) >= pool.likeness.mean() - 0.01
    assert random.variations.seeds == variation_seeds(0, 8)
    assert set(best.variations.seeds) <= set(variation_seeds(0, 50))


def test_each_variation_is_made_again_by_its_seed_alone(model, photo):
    options = {"likeness": 0.5, "spread": "best", "pool": 20}
    made = dial_vary(model, photo, 4, **options)
    again = dial_vary(model, photo, 4, pick=made.variations.seeds[2], **options)
    assert (again.pictures[0] == made.pictures[2]).all()
    assert again.likeness[0] == pytest.approx(made.likeness[2], abs=1e-6)
    plain = vary(model, photo, count=1, diversity=made.variations.factor, seed=made.variations.seeds[2])
    assert (plain.pictures[0] == made.pictures[2]).all()


def test_a_sheet_holds_seeds_and_scores(model, photo, tmp_path):
    from facette.images.sheets.grid import read_metadata

    made = dial_vary(model, photo, 3, diversity=5.0, spread="best", pool=6, seed=4)
    settings = read_metadata(made.save(tmp_path / "sheet.png"))
    assert settings["automatic"] is False
    assert settings["seed"] == 4
    assert [score["seed"] for score in settings["scores"]] == list(made.variations.seeds)


def test_a_measured_sweep_says_what_each_row_does(model, photo, automatic, tmp_path):
    swept = dial_sweep(model, photo, [0, 4, 12], count=4)
    assert [reading.factor for reading in swept.readings] == [0, 4, 12]
    assert swept.readings[0].likeness == pytest.approx(swept.redrawn, abs=1e-6)
    assert [reading.spread for reading in swept.readings] == sorted(
        reading.spread for reading in swept.readings
    )
    assert swept.cycles[2] > swept.cycles[0] > 0
    assert swept.recommended == automatic
    assert swept.save(tmp_path / "sweep.png").exists()


def test_the_recommended_factor_of_a_curve_stops_at_the_first_that_fails():
    factors = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    curve = Curve(
        factors, factors, np.array([0.5, 0.5, 0.45, 0.41, 0.2]), factors, np.array([1, 1, 1, 0.96, 1.0])
    )
    assert curve.recommended() == 3
    assert replace(curve, above=np.array([1, 1, 0.9, 1, 1.0])).recommended() == 1
    assert replace(curve, realism=np.array([0.5, 0.5, 0.39, 0.5, 0.5])).recommended() == 1
    assert replace(curve, above=np.zeros(5)).recommended() == 0


def test_calibrating_changes_nothing_else_in_the_file(model, calibrated, drawn_faces, tmp_path):
    from facette.checkpoint.native import find_model
    from facette.checkpoint.tensors import read_tensors
    from facette.recipe import parse_recipe

    before, header = read_tensors(find_model(calibrated))
    original, first = read_tensors(find_model("faces64"))
    kept = {name for name in original if not name.startswith("extras.dial.")}
    assert kept == {name for name in before if not name.startswith("extras.dial.")}
    assert parse_recipe(header["recipe"]) == parse_recipe(first["recipe"])
    assert header["provenance"] == first["provenance"]
    copy = shutil.copytree(calibrated, tmp_path / "copy")
    path = calibrate(model, drawn_faces, photos=2, count=2, seed=9).save(copy)
    after, _ = read_tensors(path)
    assert all(after[name].equal(before[name]) and after[name].dtype == before[name].dtype for name in kept)
    assert not after["extras.dial.threshold"].equal(before["extras.dial.threshold"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"likeness": 1.2}, "between 0"),
        ({"likeness": 0.5, "diversity": 3.0}, "give one of them"),
        ({"diversity": "wild"}, "'auto', got 'wild'"),
        ({"diversity": -1.0}, "at least 0, got -1.0"),
        ({"spread": "best", "pool": 5}, "pool of 5 holds no 10"),
        ({"spread": "wide"}, "unknown spread 'wide'"),
    ],
)
def test_senseless_wishes_are_refused(model, photo, options, words):
    with pytest.raises(UsageError, match=words):
        dial_vary(model, photo, **options)


def test_a_model_that_was_not_calibrated_says_what_to_do(quick_model):
    with pytest.raises(UsageError, match="facette calibrate"):
        dial_vary(quick_model, np.zeros((32, 32, 3), np.uint8), diversity="auto")


@pytest.mark.slow
def test_the_dial_keeps_its_word_on_real_faces(shared, tmp_path):
    model = facette.load("faces64").to("cpu")
    train = facette.open_dataset(shared / "celeba/faces128/train", model.recipe.input)
    valid = facette.open_dataset(shared / "celeba/faces128/valid", model.recipe.input)
    folder = facette.save(model, tmp_path / "faces64")
    calibrate(model, train, photos=20, count=10).save(folder)
    found = study(facette.load(folder).to("cpu"), valid, photos=50)
    assert found.spread_rank >= 0.95
    assert found.likeness_rank <= -0.95
    assert found.automatic_above >= 0.95
    assert found.gain >= 0.25
    assert found.best_likeness >= found.random_likeness - 0.005
    assert found.unlike <= 5


def _redrawn(model, photo) -> float:
    return dials.dial_of(model, photo).redrawn
