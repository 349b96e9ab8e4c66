"""Laws of the dial: what calibrating measures and keeps, and what levels come to on the photos it was measured on.

The model is the bundled one, calibrated on faces that it drew itself: it redraws those well, as it does photos.
"""

import shutil

import numpy as np
import pytest

import facette
from facette.dial import verify
from facette.dial.calibrate import CURVES, calibrate, judged_side, open_pictures
from facette.dial.curves import JudgedPhotos, distances_at, relatives
from facette.dial.sweep import dial_sweep
from facette.dial.verify import study
from facette.errors import UsageError
from facette.images.warp import at_side
from facette.judges.identity import available
from facette.latent import vary
from facette.latent.levels import DISTANCE, choose_setting, known_curve
from facette.latent.noise import PREFIX
from facette.latent.vary import variation_seeds

needs_judge = pytest.mark.skipif(not available(), reason="the extra identity is not installed")


@pytest.fixture(scope="module")
def model(calibrated):
    return facette.load(calibrated).to("cpu")


@pytest.fixture(scope="module")
def photo(drawn_faces):
    return drawn_faces[-1]


@pytest.fixture(scope="module")
def photos(model, drawn_faces):
    return JudgedPhotos.of(model, drawn_faces[-6:])


@needs_judge
@pytest.mark.parametrize(("noise", "details"), CURVES)
def test_distances_begin_at_the_photo_and_never_fall(model, noise, details):
    curve = known_curve(model, noise, details)
    assert curve.strength[0] == 0
    assert (np.diff(curve.strength) > 0).all()
    assert (np.diff(curve.distance) >= 0).all()
    assert curve.distance[0] == 0 if details == "photo" else curve.distance[0] > 0
    assert curve.distance[-1] > curve.distance[0] + 0.1
    assert ((curve.same >= 0) & (curve.same <= 1)).all()


@needs_judge
def test_strength_zero_gives_the_photos_back(model, photos):
    seeds = variation_seeds(0, 6)
    for noise in ("people", "posterior"):
        assert (relatives(model, photos, noise, "photo", 0.0, seeds) == photos.frames).all()
    assert distances_at(model, photos, "people", "photo", 0.0, seeds) == pytest.approx(0, abs=1e-6)


@needs_judge
def test_the_curve_holds_the_median_of_its_photos_at_each_strength(model, drawn_faces):
    curve = known_curve(model, "people")
    photos = JudgedPhotos.of(model, drawn_faces[-12:-10])  # those of the fixture
    apart = distances_at(model, photos, "people", "photo", curve.strength[1], variation_seeds(0, 2))
    assert np.median(apart) == pytest.approx(curve.distance[1], abs=2e-3)


@needs_judge
def test_a_relative_is_the_same_one_that_vary_draws(model, photo, photos):
    seed = 11
    drawn = vary(model, photo, 1, 0.7, seed, noise="people", side=128)
    judged = relatives(model, photos, "people", "photo", 0.7, [seed] * 6)[-1]
    assert np.abs(drawn.pictures[0].astype(int) - judged).max() <= 1


@needs_judge
def test_a_measured_sweep_says_what_each_row_does(model, photo, tmp_path):
    swept = dial_sweep(model, photo, [0, 0.5, 1.5], count=3)
    likeness = [reading.likeness.mean() for reading in swept.readings]
    assert likeness[0] == pytest.approx(1)
    assert likeness == sorted(likeness, reverse=True)
    spreads = [reading.spread for reading in swept.readings]
    assert spreads[0] == pytest.approx(0, abs=1e-9)
    assert spreads == sorted(spreads)
    assert swept.automatic == choose_setting(model).strength
    assert swept.save(tmp_path / "sweep.png").exists()


@needs_judge
def test_a_study_finds_levels_in_their_order(model, drawn_faces, monkeypatch, measured_less):
    monkeypatch.setattr(verify, "DISTANCE", {level: DISTANCE[level] for level in ("subtle", "auto", "bold")})
    monkeypatch.setattr(verify, "COMPARED", 3)
    found = study(model, drawn_faces[:12])
    distances = [level.distance for level in found.levels]
    assert distances == sorted(distances)
    # That the chosen ones lie farther apart is a law of the choice; that faces drawn from them do is a matter of chance
    # on so few photos, and turns with the signs of the vectors that calibrating finds, which are no machine's own.
    assert min(found.spread, found.best, found.random) > 0
    assert found.best != found.random
    assert "median distance" in "\n".join(found.lines())


def test_calibrating_changes_nothing_else_in_the_file(
    model, calibrated, drawn_faces, tmp_path, measured_less, monkeypatch
):
    from facette.checkpoint.native import find_model
    from facette.checkpoint.tensors import read_tensors
    from facette.recipe import parse_recipe

    def kept(tensors):
        return {name for name in tensors if not name.startswith(("extras.dial.", f"extras.{PREFIX}"))}

    before, header = read_tensors(find_model(calibrated))
    original, first = read_tensors(find_model("faces128"))
    assert kept(original) == kept(before)
    assert parse_recipe(header["recipe"]) == parse_recipe(first["recipe"])
    assert header["provenance"] == first["provenance"]
    copy = shutil.copytree(calibrated, tmp_path / "copy")
    monkeypatch.setattr("facette.dial.calibrate.CURVES", CURVES[:1])
    path = calibrate(model, open_pictures(model, drawn_faces[:120], 2), photos=2, count=1, seed=9).save(copy)
    after, _ = read_tensors(path)
    assert all(after[name].equal(before[name]) for name in kept(before))
    assert not after["extras.people.light"].equal(before["extras.people.light"])


def test_pictures_without_a_face_have_people_noise_and_no_curve(quick_model):
    pictures = facette.open_dataset("synthetic-faces:256", quick_model.input).read(np.arange(100))
    frames = quick_model.input.frame
    found = calibrate(quick_model, open_pictures(quick_model, pictures, 2), photos=2)
    assert frames is None
    assert found.curves == {}
    assert any(name.startswith(PREFIX) for name in found.extras)


def test_a_folder_is_opened_and_the_model_named_as_everywhere(quick_run, tmp_path):
    """From Python in one line: a model's folder and a source in, the same value as the parts would give."""
    calibration = facette.calibrate(quick_run, "synthetic-faces:260", photos=2, references=64)
    model = facette.load(quick_run)
    store = facette.open_dataset("synthetic-faces:260", model.input)
    parts = calibrate(model, open_pictures(model, store, 2, 64), photos=2)
    assert calibration.extras.keys() == parts.extras.keys()
    assert all(np.array_equal(calibration.extras[name], parts.extras[name]) for name in parts.extras)
    path = calibration.save(quick_run, tmp_path / "copy")
    assert facette.load(path).extras.keys() >= calibration.extras.keys()


def test_distances_are_measured_at_one_size_whatever_the_model(model, quick_model):
    assert judged_side(model) == 128
    assert judged_side(quick_model) == quick_model.input.size  # nobody judges these
    pictures = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
    assert at_side(pictures, 128).shape == (1, 128, 128, 3)
    assert at_side(np.full((1, 256, 256, 3), 7, np.uint8), 128).mean() == 7


def test_too_few_pictures_are_refused(model, drawn_faces):
    with pytest.raises(UsageError, match="leave none to compare with"):
        open_pictures(model, drawn_faces[:40], 20)


def test_a_model_that_was_not_calibrated_says_what_to_do(quick_model):
    with pytest.raises(UsageError, match="facette calibrate"):
        dial_sweep(quick_model, np.zeros((32, 32, 3), np.uint8), [0, 1], 2)
