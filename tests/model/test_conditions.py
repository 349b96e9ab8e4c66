"""What a model is told beside a picture: codes, draws and words on arrays, and what q(c|x) costs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from facette.condition import PlainCondition
from facette.errors import UsageError
from facette.model.conditions import Conditioning, _optimal_map, conditioned, conditioning_of, parse_values
from facette.model.draws import MixtureDraws, NormalDraws
from facette.model.inference import (
    ConditionalEncoder,
    inferred_code,
    label_costs,
    outputs_of,
)
from facette.recipe import ConditionSpec

DIGIT = PlainCondition("digit", ("0", "1", "2"), (0.5, 0.3, 0.2))
GLASSES = PlainCondition("Eyeglasses", ("no", "yes"), (0.9, 0.1))
AGE = PlainCondition("age", mean=40.0, spread=10.0)
ALL = (DIGIT, GLASSES, AGE)  # K = 3 + 2 + 1
Z = 4


@pytest.fixture
def conditioning() -> Conditioning:
    shift = np.random.default_rng(1).standard_normal((Z, 6))
    return Conditioning(ALL, Z, shift)


def test_a_latent_says_what_it_was_told(conditioning: Conditioning):
    latents = np.zeros((2, Z + 6), np.float32)
    told = conditioning.told(latents, {"digit": 2, "Eyeglasses": True, "age": 55})
    assert conditioning.words(told[1]) == {"digit": "2", "Eyeglasses": "yes", "age": 55.0}
    np.testing.assert_allclose(told[0, Z:], [0, 0, 1, 0, 1, 1.5])


def test_what_is_a_pictures_own_stays(conditioning: Conditioning):
    latents = conditioning.draws(NormalDraws(Z)).sample(5, np.random.default_rng(0))
    told = conditioning.told(latents, {"digit": "1"})
    np.testing.assert_allclose(conditioning.own(told), conditioning.own(latents), atol=1e-5)
    np.testing.assert_array_equal(told[:, Z + 3 :], latents[:, Z + 3 :])  # nothing was said of these
    again = conditioning.told(told, conditioning.words(latents[0]) | {})
    np.testing.assert_allclose(again[0], latents[0], atol=1e-5)


def test_draws_are_as_frequent_as_the_data_or_as_asked(conditioning: Conditioning):
    drawn = conditioning.draws(NormalDraws(Z)).sample(20_000, np.random.default_rng(0))
    np.testing.assert_allclose(drawn[:, Z : Z + 5].mean(0), [0.5, 0.3, 0.2, 0.9, 0.1], atol=0.015)
    assert abs(drawn[:, -1].mean()) < 0.03
    assert abs(drawn[:, -1].std() - 1) < 0.03
    np.testing.assert_allclose(conditioning.own(drawn).std(0), 1, atol=0.03)
    asked = conditioning.draws(NormalDraws(Z), {"digit": 1, "age": 30}).sample(100, np.random.default_rng(0))
    assert (asked[:, Z + 1] == 1).all()
    np.testing.assert_allclose(asked[:, -1], -1)


def test_a_draw_depends_on_its_place_alone(conditioning: Conditioning):
    draws = conditioning.draws(NormalDraws(Z))
    five, ten = (draws.sample(count, np.random.default_rng(3)) for count in (5, 10))
    np.testing.assert_array_equal(five, ten[:5])


def test_a_centre_keeps_its_conditions(conditioning: Conditioning):
    draws = conditioning.draws(NormalDraws(Z))
    drawn = draws.sample(6, np.random.default_rng(3))
    centres = draws.centres(drawn)
    np.testing.assert_array_equal(centres[:, Z:], drawn[:, Z:])
    np.testing.assert_allclose(conditioning.own(centres), 0, atol=1e-5)


# ── a mixture whose components have classes ──────────────────────────────────────────────────────────────


@pytest.fixture
def classed() -> Conditioning:
    """Digits 0 and 1 have two components each, with covariances of their own; 2 has none. Nobody with glasses."""
    random = np.random.default_rng(4)
    factors = 0.2 * random.standard_normal((4, Z, Z)) + np.eye(Z)
    means = np.array([[-8.0, 0, 0, 0], [8, 0, 0, 0], [-8, 3, 0, 0], [8, 3, 0, 0]])
    whitening = np.linalg.inv(np.linalg.cholesky(factors @ factors.transpose(0, 2, 1)))
    scales = -np.log(np.diagonal(whitening, axis1=1, axis2=2))
    mixture = MixtureDraws(np.log([0.3, 0.2, 0.4, 0.1]), means, scales, np.tril(whitening, -1))
    components = np.zeros((4, 6))
    components[:2, 0] = components[2:, 1] = components[:, 3] = 1
    shift = 0.1 * random.standard_normal((Z, 6))
    return Conditioning(ALL, Z, shift, lambda: mixture, components)


def draws_of(conditioning: Conditioning, count: int, **values: object) -> np.ndarray:
    assert conditioning.mixture is not None
    prior = conditioned(conditioning.mixture(), conditioning, values, fitted=True)  # type: ignore[arg-type]
    return prior.sample(count, np.random.default_rng(0))


def test_a_draw_is_one_of_its_class(classed: Conditioning):
    own = classed.own(draws_of(classed, 4000, digit=1))
    weights = [0.8, 0.2]
    np.testing.assert_allclose([(own[:, 0] < 0).mean(), (own[:, 0] > 0).mean()], weights, atol=0.03)
    left = own[own[:, 0] < 0]
    assert classed.mixture is not None
    np.testing.assert_allclose(np.cov(left.T), classed.mixture().covariance(2), atol=0.25)
    np.testing.assert_allclose(left.mean(0), [-8, 3, 0, 0], atol=0.1)
    five, ten = (draws_of(classed, count, digit=1) for count in (5, 10))
    np.testing.assert_array_equal(five, ten[:5])


def test_what_is_told_another_class_is_one_of_that(classed: Conditioning):
    """The two Gaussians on the left belong together, and those on the right; covariances become those of the class."""
    before = draws_of(classed, 6000, digit=0)
    after = classed.told(before, {"digit": 1})
    own = [classed.own(latents) for latents in (before, after)]
    left = own[0][:, 0] < 0
    assert ((own[1][:, 0] < 0) == left).all()
    assert classed.mixture is not None
    for side, component in ((left, 2), (~left, 3)):
        np.testing.assert_allclose(own[1][side].mean(0), classed.mixture().means[component], atol=0.15)
        np.testing.assert_allclose(np.cov(own[1][side].T), classed.mixture().covariance(component), atol=0.25)
    correlation = np.corrcoef(own[0][left, 2], own[1][left, 2])[0, 1]
    assert correlation > 0.8  # it moves no farther than it must


def test_what_is_told_what_it_is_stays(classed: Conditioning):
    latents = draws_of(classed, 20)
    for row in latents[:, None]:
        np.testing.assert_allclose(classed.told(row, classed.words(row[0])), row, atol=1e-6)
    np.testing.assert_array_equal(classed.told(latents, {}), latents)


def test_a_class_that_nobody_had_is_the_nearest_and_the_shift(classed: Conditioning):
    """With glasses a zero is a zero, and B·(c' − c) away."""
    before = draws_of(classed, 10, digit=0, Eyeglasses="no")
    after = classed.told(before, {"Eyeglasses": "yes"})
    assert classed.shift is not None
    step = classed.shift[:, 4] - classed.shift[:, 3]
    np.testing.assert_allclose(after[:, :Z] - before[:, :Z], np.tile(step, (10, 1)), atol=1e-5)
    older = classed.told(before, {"age": 60})
    np.testing.assert_allclose(
        older[:, :Z] - before[:, :Z], (older - before)[:, -1:] * classed.shift[:, 5], atol=1e-5
    )


def test_a_centre_is_one_of_its_class(classed: Conditioning):
    assert classed.mixture is not None
    prior = conditioned(classed.mixture(), classed, {"digit": "1"}, fitted=True)
    latents = prior.sample(50, np.random.default_rng(0))
    own = classed.own(prior.centres(latents))
    means = classed.mixture().means
    assert all(any(np.allclose(row, means[k], atol=1e-4) for k in (2, 3)) for row in own)


@given(seed=st.integers(0, 10_000), size=st.integers(1, 12))
def test_the_optimal_map_carries_one_covariance_to_the_other(seed: int, size: int):
    random = np.random.default_rng(seed)
    before, after = (x @ x.transpose() + 0.1 * np.eye(size) for x in random.standard_normal((2, size, size)))
    linear = _optimal_map(before, after)
    np.testing.assert_allclose(linear @ before @ linear.T, after, atol=1e-6 * np.trace(after))
    np.testing.assert_allclose(linear, linear.T, atol=1e-6 * np.abs(linear).max())
    assert (
        np.linalg.eigvalsh((linear + linear.T) / 2).min() > 0
    )  # of a convex potential: nothing moves less (Brenier)
    np.testing.assert_allclose(_optimal_map(before, before), np.eye(size), atol=1e-5)


def test_what_is_common_is_measured():
    """z = B·c + e: B comes back, and the rest has nothing in common with c."""
    random = np.random.default_rng(0)
    codes = np.concatenate([np.eye(3)[random.integers(3, size=4000)], random.standard_normal((4000, 1))], 1)
    shift = random.standard_normal((Z, 4))
    z = codes @ shift.T + 0.1 * random.standard_normal((4000, Z))
    latents = np.concatenate([z, codes], 1)
    conditioning = Conditioning((DIGIT, AGE), Z).fitted(latents)
    own = conditioning.own(latents)
    assert np.abs(np.corrcoef(own.T, codes.T)[:Z, Z:]).max() < 1e-3
    assert own.std(axis=0).max() < 0.12


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"digit": 7}, "digit is one of 0, 1, 2, not 7"),
        ({"Eyeglasses": "perhaps"}, "Eyeglasses is one of no, yes"),
        ({"age": "old"}, "age is a number, got 'old'"),
        ({"age": "nan"}, "age is a number"),
        ({"hair": "grey"}, "not told 'hair'; it is told digit, Eyeglasses, age"),
    ],
)
def test_what_cannot_be_told_is_refused(conditioning: Conditioning, values: dict[str, str], sentence: str):
    with pytest.raises(UsageError, match=sentence):
        conditioning.told(np.zeros((1, Z + 6), np.float32), values)
    with pytest.raises(UsageError, match=sentence):
        conditioning.draws(NormalDraws(Z), values)


def test_values_are_parsed():
    assert parse_values(["digit=7", " Eyeglasses = yes"]) == {"digit": "7", "Eyeglasses": "yes"}
    for text in ("digit", "=7", "digit="):
        with pytest.raises(UsageError, match="not of the form NAME=VALUE"):
            parse_values([text])


def test_a_model_without_conditions_has_none():
    assert conditioning_of((), Z, {}) is None


# ── q(c|x) ───────────────────────────────────────────────────────────────────────────────────────────────

SPECS = (
    ConditionSpec(name="digit", classes=("0", "1", "2"), shares=(0.5, 0.3, 0.2)),
    ConditionSpec(name="age", mean=40.0, spread=10.0),
)


def test_costs_are_those_of_closed_forms():
    raw = torch.tensor([[1.0, -0.5, 0.2, 0.3, -0.4], [0.0, 2.0, 1.0, -1.0, 0.5]])
    known = torch.tensor([[0.0, 1.0, 0.0, math.nan], [math.nan, math.nan, math.nan, 0.7]])
    missed, rate = (cost.numpy() for cost in label_costs(SPECS, raw, known))
    chance = torch.softmax(raw[:, :3], 1).numpy()
    assert missed[0] == pytest.approx(-math.log(chance[0, 1]), rel=1e-5)
    assert missed[1] == pytest.approx(-norm.logpdf(0.7, -1.0, math.exp(0.5)), rel=1e-5)
    spread = math.exp(-0.4)
    assert rate[0] == pytest.approx(0.5 * (0.3**2 + spread**2 - 1) + 0.4, rel=1e-5)
    shares = np.array([0.5, 0.3, 0.2])
    assert rate[1] == pytest.approx(float((chance[1] * np.log(chance[1] / shares)).sum()), rel=1e-5)


def test_classes_are_drawn_as_often_as_they_are_probable():
    raw = torch.tensor([[1.0, 0.0, -1.0, 0.5, -1.0]]).expand(20_000, -1)
    noise = torch.randn(20_000, 4, generator=torch.Generator().manual_seed(0))
    codes = inferred_code(SPECS, raw, noise)
    expected = torch.softmax(raw[0, :3], 0)
    torch.testing.assert_close(codes[:, :3].mean(0), expected, atol=0.015, rtol=0)
    assert abs(codes[:, 3].mean().item() - 0.5) < 0.01
    assert abs(codes[:, 3].std().item() - math.exp(-1)) < 0.01
    assert set(codes[:, :3].round(decimals=5).unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(inferred_code(SPECS, raw[:1]), torch.tensor([[1.0, 0.0, 0.0, 0.5]]))


def test_a_drawn_class_hands_its_gradient_on():
    raw = torch.zeros(8, 5, requires_grad=True)
    noise = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
    (inferred_code(SPECS, raw, noise)[:, 0] * torch.arange(8.0)).sum().backward()
    assert raw.grad is not None
    assert raw.grad[:, :3].abs().sum() > 0


def test_known_labels_are_taken_and_others_inferred():
    torch.manual_seed(0)
    encoder = ConditionalEncoder(torch.nn.Linear(6, 2 * Z + outputs_of(SPECS)), SPECS, Z)
    x = torch.randn(2, 6)
    known = torch.tensor([[0.0, 0.0, 1.0, -2.0], [math.nan] * 4])
    raw, inference = encoder(x, None, known)
    assert raw.shape == (2, 2 * Z)
    torch.testing.assert_close(inference.code[0], known[0])
    torch.testing.assert_close(inference.code[1], inferred_code(SPECS, inference.raw)[1])
