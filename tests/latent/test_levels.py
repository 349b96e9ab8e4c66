"""Laws of the levels: what they mean where a curve is known, what they fall back to, and what is refused."""

from types import SimpleNamespace

import numpy as np
import pytest

from facette.errors import UsageError
from facette.latent.levels import (
    AUTO,
    CURVE,
    DISTANCE,
    FACTOR,
    SHARE,
    STRANGERS,
    choose_setting,
    known_curve,
)

ROWS = np.array([[0, 0, 1], [0.5, 0.2, 1], [1, 0.4, 1], [2, 0.6, 0.7]], np.float32)
DRAWN = np.array([[0, 0.5, 0.9], [1, 0.55, 0.8], [2, 0.62, 0.6]], np.float32)
STRANGER = {STRANGERS: np.array([0.64], np.float32)}
PEOPLE = {"people.rest": np.eye(3, dtype=np.float16)}
CURVES = {f"{CURVE}people.photo": ROWS, f"{CURVE}people.model": DRAWN, f"{CURVE}posterior.photo": ROWS * 8}


def _model(**extras) -> SimpleNamespace:
    return SimpleNamespace(name="faces", extras=extras)


@pytest.fixture
def model() -> SimpleNamespace:
    return _model(**STRANGER, **PEOPLE, **CURVES)


def test_auto_is_the_strength_of_its_distance(model):
    setting = choose_setting(model)
    assert (setting.noise, setting.asked) == ("people", "auto")
    assert known_curve(model, "people").distance_at(setting.strength) == pytest.approx(AUTO, abs=1e-3)
    assert "another photo of the same person" in setting.note


def test_levels_go_farther_one_after_the_other(model):
    strengths = [choose_setting(model, level).strength for level in DISTANCE]
    assert strengths == sorted(strengths)
    assert len(set(strengths)) == 4
    assert "the same person in 85%" in choose_setting(model, "bold").note


def test_a_level_is_the_same_step_whoever_draws_the_details(model):
    setting = choose_setting(model, details="model")
    assert setting.strength == choose_setting(model).strength
    assert "another photo" not in setting.note, "the redrawing alone is farther away than that"
    assert "likeness 0.14, 0.22 by redrawing alone" in setting.note


@pytest.mark.parametrize("asked", [1.0, 0.75, 0.4])
def test_a_likeness_is_read_off_the_curve_and_back(model, asked):
    setting = choose_setting(model, likeness=asked)
    assert known_curve(model, "people").likeness_at(setting.strength) == pytest.approx(asked, abs=2e-3)


def test_numbers_are_factors_of_sigma_unless_people_noise_is_asked_for(model):
    assert choose_setting(model, 7).noise == "posterior"
    assert choose_setting(model, 0.7, noise="people").noise == "people"
    assert choose_setting(model, "auto", noise="posterior").noise == "posterior"
    assert choose_setting(model, mode="variance").strength == 0.01


def test_where_no_judge_knows_the_pictures_levels_are_fixed_shares_and_say_so():
    setting = choose_setting(_model(**PEOPLE), "medium")
    assert (setting.noise, setting.strength) == ("people", SHARE["medium"])
    assert "fixed 0.7 of how people differ" in setting.note


def test_a_model_that_does_not_know_people_uses_its_posterior_and_says_so():
    setting = choose_setting(_model())
    assert (setting.noise, setting.strength) == ("posterior", FACTOR["auto"])
    assert "does not know how people differ" in setting.note


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"diversity": "wild"}, "one of subtle, medium, auto, bold, got 'wild'"),
        ({"diversity": -1.0}, "at least 0, got -1.0"),
        ({"diversity": float("nan")}, "at least 0, got nan"),
        ({"diversity": 3, "likeness": 0.5}, "give one of them"),
        ({"likeness": 1.2}, "between 0"),
        ({"likeness": 0.0}, "gives likeness 0.06 to 1.00, not 0"),
        (
            {"likeness": 0.9, "details": "model"},
            "gives likeness 0.03 to 0.22, not 0.9; `details='photo'` keeps more",
        ),
        ({"noise": "aggregate"}, "unknown noise 'aggregate'"),
        ({"mode": "share"}, "unknown mode 'share'"),
        ({"mode": "variance", "diversity": "auto"}, "not with mode 'variance'"),
    ],
)
def test_senseless_wishes_are_refused(model, options, words):
    with pytest.raises(UsageError, match=words):
        choose_setting(model, **options)


def test_people_noise_and_likeness_are_refused_where_nothing_is_known():
    with pytest.raises(UsageError, match="does not know how people differ"):
        choose_setting(_model(), 0.7, noise="people")
    with pytest.raises(UsageError, match="no measure of likeness yet"):
        choose_setting(_model(**PEOPLE), likeness=0.5)
