"""Laws of the drawn faces: what names a picture, what each factor touches, what is independent of what."""

import itertools

import numpy as np
import pytest

from facette.data.synthetic import (
    ATTRIBUTE_NAMES,
    FACTOR_NAMES,
    FACTORS,
    FaceFactors,
    attributes_of,
    draw_face,
    draw_faces,
    draw_factors,
)
from facette.errors import UsageError

SIZE = 64
# A face on which every factor shows: hair with a length, ears and eyes uncovered.
OPEN_FACE = {"hair_style": "pigtails", "hair_colour": "brown", "mouth_open": 0.3}


def changed(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Where two pictures differ: bool (size, size)."""
    return (first != second).any(axis=2)


def two_values(factor):
    if factor.kind == "categorical":
        return factor.categories[0], factor.categories[1]
    return factor.low, factor.low + 0.55 * (factor.high - factor.low)


def test_a_picture_depends_on_seed_and_place_alone():
    whole = draw_faces(9, 32, seed=5)
    parts = [draw_faces(4, 32, seed=5, start=5), draw_faces(5, 32, seed=5)]
    assert np.array_equal(whole.pictures, np.concatenate([parts[1].pictures, parts[0].pictures]))
    assert np.array_equal(whole.factors, np.concatenate([parts[1].factors, parts[0].factors]))
    assert np.array_equal(whole.attributes, np.concatenate([parts[1].attributes, parts[0].attributes]))


def test_another_seed_and_another_place_are_other_people():
    rows = [face.row() for seed in (0, 1) for face in draw_factors(20, seed)]
    assert len({tuple(row) for row in rows}) == 40


def test_shapes_types_and_names_agree():
    faces = draw_faces(3, 24, seed=0)
    assert faces.pictures.shape == (3, 24, 24, 3)
    assert faces.pictures.dtype == np.uint8
    assert faces.factors.shape == (3, len(FACTOR_NAMES))
    assert faces.factors.dtype == np.float32
    assert faces.attributes.shape == (3, len(ATTRIBUTE_NAMES))
    assert faces.attributes.dtype == np.int8
    assert draw_faces(0, 24, seed=0).pictures.shape == (0, 24, 24, 3)


def test_the_true_factors_draw_the_picture_again():
    faces = draw_faces(6, 32, seed=11)
    for picture, row in zip(faces.pictures, faces.factors.tolist(), strict=True):
        again = draw_face(FaceFactors.from_row(row), 32)
        # float32 rows round the factors; a rounded point can only move an edge by a hair
        assert np.abs(again.astype(int) - picture).mean() < 0.1


@pytest.mark.parametrize("factor", FACTORS, ids=lambda factor: factor.name)
def test_every_factor_shows(factor):
    low, high = (draw_face({**OPEN_FACE, factor.name: value}, SIZE) for value in two_values(factor))
    assert changed(low, high).sum() >= 5


@pytest.mark.parametrize("factor", [f for f in FACTORS if f.kind == "categorical"], ids=lambda f: f.name)
def test_every_category_is_its_own_picture(factor):
    pictures = [draw_face({**OPEN_FACE, factor.name: category}, SIZE) for category in factor.categories]
    for first, second in itertools.combinations(pictures, 2):
        assert changed(first, second).sum() >= 5


@pytest.mark.parametrize("factor", [f for f in FACTORS if f.kind == "circular"], ids=lambda f: f.name)
def test_a_circular_factor_ends_where_it_begins(factor):
    assert np.array_equal(draw_face({factor.name: 0.0}, SIZE), draw_face({factor.name: 1.0}, SIZE))


# Boxes in shares of the picture (top, bottom, left, right): a factor changes pixels inside its box alone.
PLACES = {
    "smile": (0.58, 0.78, 0.3, 0.7),
    "mouth_open": (0.58, 0.82, 0.3, 0.7),
    "brow_tilt": (0.36, 0.5, 0.28, 0.72),
    "eye_size": (0.38, 0.62, 0.25, 0.75),
    "eye_colour": (0.44, 0.57, 0.33, 0.67),
    "glasses": (0.38, 0.6, 0.2, 0.8),
    "freckles": (0.5, 0.64, 0.3, 0.7),
    "facial_hair": (0.5, 0.82, 0.2, 0.8),
    "earrings": (0.5, 0.72, 0.1, 0.9),
    "clothes_hue": (0.82, 1.0, 0.0, 1.0),
    "hat": (0.0, 0.42, 0.1, 0.9),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_local_factor_changes_its_own_place_alone(name):
    factor = FACTORS[FACTOR_NAMES.index(name)]
    values = factor.categories or (factor.low, 0.0, factor.high)
    # Hue 0 and 1 are one colour; 0.45 is the opposite. Pigtail ribbons wear the jumper's colour: short hair here.
    values = (0.0, 0.45) if factor.kind == "circular" else values
    pictures = [draw_face({"hair_style": "short", name: value}, SIZE) for value in values]
    touched = np.logical_or.reduce([changed(pictures[0], other) for other in pictures[1:]])
    top, bottom, left, right = (round(share * SIZE) for share in PLACES[name])
    assert touched[top:bottom, left:right].any()
    touched[top:bottom, left:right] = False
    assert not touched.any()


def test_the_wall_changes_behind_the_head_alone():
    blue, green = (draw_face({"background_hue": hue}, SIZE) for hue in (0.65, 0.4))
    touched = changed(blue, green)
    assert touched[:8, :8].all()
    assert touched[:8, -8:].all()
    assert not touched[26:46, 24:40].any()


def test_a_smile_lifts_the_corners_of_the_mouth():
    def droop(smile: float) -> float:
        """How many pixels the dark line between the lips is lower at its corners than in its middle."""
        picture = draw_face({"smile": smile, "mouth_open": 0.0, "light": 0.0}, 128).astype(int)
        heights = picture[76:98].sum(axis=2).argmin(axis=0)
        return float(heights[55:58].mean() - heights[62:66].mean())

    assert droop(1.0) < -1 < droop(0.0) < 1 < droop(-1.0)


def test_yaw_and_light_are_mirror_symmetric_on_a_symmetric_face():
    plain = {"hair_style": "bald", "eye_size": 0.0}
    left = draw_face({**plain, "yaw": -0.8, "tilt": -0.5, "light": -0.6}, SIZE).astype(int)
    right = draw_face({**plain, "yaw": 0.8, "tilt": 0.5, "light": 0.6}, SIZE)[:, ::-1]
    # The lights in the eyes stay on the same side, as they do under one lamp.
    assert np.abs(left - right).mean() < 2.0
    assert np.abs(left - draw_face({**plain, "light": -0.6}, SIZE)).mean() > 4.0


def test_factors_are_independent_and_fill_their_ranges():
    rows = np.array([face.row() for face in draw_factors(2000, seed=3)])
    correlation = np.corrcoef(rows.T) - np.eye(len(FACTORS))
    # 190 pairs of 2000 points each: chance alone stays under 4.5/√2000
    assert np.abs(correlation).max() < 4.5 / 2000**0.5
    for factor, column in zip(FACTORS, rows.T, strict=True):
        assert factor.low <= column.min()
        assert column.max() <= factor.high
        if factor.kind == "categorical":
            wished = np.array(factor.weights) / sum(factor.weights)
            found = np.bincount(column.astype(int), minlength=len(wished)) / len(column)
            assert np.abs(found - wished).max() < 0.05
        else:
            assert np.abs(np.quantile(column, 0.5) - (factor.low + factor.high) / 2) < 0.05


def test_rows_and_faces_are_two_ways_to_say_the_same():
    for face in draw_factors(50, seed=8):
        assert FaceFactors.from_row(face.row()) == face


def test_attributes_say_what_is_drawn():
    def holds(name: str, **factors) -> bool:
        return attributes_of(FaceFactors.named(factors))[ATTRIBUTE_NAMES.index(name)] == 1

    assert holds("Smiling", smile=0.9)
    assert not holds("Smiling", smile=-0.9)
    assert holds("Eyeglasses", glasses="round")
    assert not holds("Eyeglasses", glasses="none")
    assert holds("Bald", hair_style="bald")
    assert not holds("Blond_Hair", hair_style="bald", hair_colour="blond")
    assert holds("Blond_Hair", hair_style="long", hair_colour="blond")
    assert not holds("No_Beard", facial_hair="beard")
    assert holds("Wearing_Hat", hat="beanie")


def test_both_signs_of_every_attribute_occur():
    signs = np.array([attributes_of(face) for face in draw_factors(400, seed=0)])
    assert (signs.min(axis=0) == -1).all()
    assert (signs.max(axis=0) == 1).all()


def test_a_face_keeps_its_look_at_every_size():
    small, large = draw_face({}, 40), draw_face({}, 160)
    averaged = large.reshape(40, 4, 40, 4, 3).mean(axis=(1, 3))
    assert np.abs(averaged - small).mean() < 4
    assert draw_face({}, 200).shape == (200, 200, 3)


@pytest.mark.parametrize(
    ("factors", "said"),
    [
        ({"smlie": 1.0}, "smlie"),
        ({"smile": 1.5}, "1.5"),
        ({"smile": "wide"}, "wide"),
        ({"smile": float("nan")}, "nan"),
        ({"hat": "crown"}, "crown"),
        ({"hat": 2}, "2"),
    ],
)
def test_a_wrong_factor_is_refused_by_name(factors, said):
    with pytest.raises(UsageError, match=said):
        draw_face(factors, 32)


@pytest.mark.parametrize("wrong", [{"count": -1}, {"seed": -3}, {"start": -1}, {"size": 4}, {"size": 5000}])
def test_a_wrong_argument_is_refused_with_its_value(wrong):
    arguments = {"count": 1, "size": 32, "seed": 0, "start": 0} | wrong
    with pytest.raises(UsageError, match=str(next(iter(wrong.values())))):
        draw_faces(**arguments)
