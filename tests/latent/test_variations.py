"""Laws of the variations: what the factor, the seed and the count may change, and what they may not."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import facette
from facette.errors import UsageError
from facette.images.sheets.grid import read_metadata
from facette.latent import reconstruct, sweep, vary
from facette.latent.around import Step, parse_step
from facette.latent.noise import normal_draws, people_noise
from facette.latent.vary import latents_beside, spaced_factors, variation_seeds, varied_latents
from facette.measures.diversity import spread


@pytest.fixture(scope="module")
def photo(quick_model):
    store = facette.open_dataset("synthetic-faces:256", quick_model.recipe.input)
    return store.read(np.array([5]))[0]


def test_the_formula_is_mean_plus_factor_times_scale_times_noise(quick_model, photo):
    posterior = quick_model.encode(photo[None])
    made = vary(quick_model, photo, count=3, diversity=2.5, seed=4)
    noise = normal_draws(variation_seeds(4, 3), quick_model.latent)
    mean, scale = np.asarray(posterior.mean), np.asarray(posterior.scale)
    np.testing.assert_allclose(made.latents, mean + 2.5 * scale * noise, rtol=1e-5, atol=1e-6)


def test_people_noise_goes_a_share_of_the_way_that_people_differ(quick_model):
    draws = torch.Generator().manual_seed(2)
    extras = {f"people.{part}": torch.randn(16, 3, generator=draws) for part in ("light", "age")}
    model = replace(quick_model, extras=extras)
    mean, scale = np.full((1, 16), 2, np.float32), np.ones((1, 16), np.float32)
    steps = people_noise(model).steps([3, 4])  # (2, Z)
    latents = latents_beside(model, mean, scale, [3, 4], 0.5, "people")
    assert latents.dtype == np.float32
    np.testing.assert_allclose(latents, mean + 0.5 * steps, rtol=1e-6)
    with pytest.raises(UsageError, match="unknown noise 'aggregate'"):
        latents_beside(model, mean, scale, [3], 0.5, "aggregate")


def test_variance_mode_multiplies_the_variance(quick_model, photo):
    by_variance = vary(quick_model, photo, diversity=0.09, mode="variance")
    by_factor = vary(quick_model, photo, diversity=math.sqrt(0.09))
    assert np.array_equal(by_variance.latents, by_factor.latents)
    assert by_variance.factor == 0.09


def test_each_mode_has_its_own_default(quick_model, photo):
    assert vary(quick_model, photo, count=1).factor == 1.0  # auto: a share of how people differ
    assert vary(quick_model, photo, count=1, mode="variance").factor == 0.01


def test_without_the_photos_details_factor_zero_is_the_reconstruction(quick_model, photo):
    kept = reconstruct(quick_model, photo).pictures[0]
    made = vary(quick_model, photo, count=4, diversity=0, details="model")
    assert (made.pictures == kept).all()
    assert (made.reconstruction == kept).all()


def test_the_first_five_of_ten_are_the_five_of_five(quick_model, photo):
    ten, five = vary(quick_model, photo, count=10), vary(quick_model, photo, count=5)
    assert np.array_equal(ten.latents[:5], five.latents)
    assert (ten.pictures[:5] == five.pictures).all()
    assert ten.seeds[:5] == five.seeds


def test_any_variation_can_be_made_again_by_its_own_seed(quick_model, photo):
    made = vary(quick_model, photo, count=6, seed=11)
    for picture, seed in zip(made.pictures, made.seeds, strict=True):
        alone = vary(quick_model, photo, count=1, seed=seed)
        assert (alone.pictures[0] == picture).all()


def test_neighbouring_seeds_share_no_variation():
    assert not set(variation_seeds(0, 50)) & set(variation_seeds(1, 50))
    assert len(set(variation_seeds(0, 1000))) == 1000


def test_the_noise_is_standard_normal():
    noise = torch.from_numpy(normal_draws(variation_seeds(0, 2000), 16))  # 32,000 numbers
    assert abs(noise.mean().item()) < 4 / math.sqrt(32_000)
    assert abs(noise.std().item() - 1) < 0.02
    # independent between variations: the largest of 16 × 15 / 2 correlations stays small
    assert (torch.corrcoef(noise.T) - torch.eye(16)).abs().max() < 0.12


def test_a_sweep_keeps_its_directions_and_grows_along_them(quick_model, photo):
    swept = sweep(quick_model, photo, [1, 2, 6], count=3)
    mean = np.asarray(quick_model.encode(photo[None]).mean)
    near, twice, far = (row.latents - mean for row in swept.rows)
    np.testing.assert_allclose(twice, 2 * near, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(far, 6 * near, rtol=1e-3, atol=1e-5)


def test_the_spread_grows_with_the_factor(quick_model, photo):
    swept = sweep(quick_model, photo, [0, 1, 3, 7], count=8)
    spreads = [spread(row.pictures / 255) for row in swept.rows]
    assert spreads[0] == 0
    assert spreads == sorted(spreads)
    assert spreads[-1] > 2 * spreads[1] > 0


def test_a_row_of_a_sweep_is_what_vary_makes(quick_model, photo):
    row = sweep(quick_model, photo, [1, 4], count=3, seed=9).rows[1]
    assert (row.pictures == vary(quick_model, photo, count=3, diversity=4, seed=9).pictures).all()


@pytest.mark.parametrize("ending", ["png", "jpg", "webp"])
def test_the_same_seed_writes_the_same_bytes(quick_model, photo, tmp_path, ending):
    first, again, other = (
        vary(quick_model, photo, count=2, seed=seed).save(tmp_path / f"{name}.{ending}")
        for name, seed in (("first", 3), ("again", 3), ("other", 4))
    )
    assert first.read_bytes() == again.read_bytes() != other.read_bytes()


def test_a_saved_sheet_holds_what_makes_it_again(quick_model, photo, tmp_path):
    made = vary(quick_model, photo, count=3, diversity=4, seed=9)
    settings = read_metadata(made.save(tmp_path / "sheet.png"))
    again = vary(
        quick_model, photo, count=settings["count"], diversity=settings["diversity"], seed=settings["seed"]
    )
    assert (again.pictures == made.pictures).all()


def test_the_photo_stands_first_on_the_sheet(quick_model, photo):
    sheet = vary(quick_model, photo, count=4).sheet()
    left, _, right, _ = sheet.photo
    shown = np.asarray(sheet.image.crop(sheet.photo).resize(photo.shape[:2]), float)
    assert np.abs(shown - photo)[4:-4, 4:-4].mean() < 4  # the corners are rounded
    assert all(box[0] > right for row in sheet.tiles for box in row)
    assert (right - left) > (sheet.tiles[0][0][2] - sheet.tiles[0][0][0])


def test_single_pictures_are_written_without_loss(quick_model, photo, tmp_path):
    made = vary(quick_model, photo, count=3)
    paths = made.save_each(tmp_path / "each")
    assert [path.name for path in paths] == ["01.png", "02.png", "03.png"]
    for path, picture in zip(paths, made.pictures, strict=True):
        assert (np.asarray(Image.open(path)) == picture).all()


def test_a_photo_may_be_a_file_an_image_or_an_array(quick_model, photo, tmp_path):
    Image.fromarray(photo).save(tmp_path / "photo.png")
    forms = [photo, Image.fromarray(photo), tmp_path / "photo.png", str(tmp_path / "photo.png")]
    made = [vary(quick_model, form, count=1).pictures for form in forms]
    assert all((one == made[0]).all() for one in made)


def test_read_only_and_reversed_arrays_are_taken_like_any_other(quick_model, photo):
    fixed = photo.copy()
    fixed.setflags(write=False)
    backwards = photo[..., ::-1].copy()[..., ::-1]  # how OpenCV's channel order is usually turned round
    made = [vary(quick_model, form, count=1).pictures for form in (photo, fixed, backwards)]
    assert all((one == made[0]).all() for one in made)


def test_a_model_may_be_named(quick_run, quick_model, photo):
    """Then graphs draw it, as they do for the commands: sums in another order, by a level of 255 at most."""
    named, loaded = (
        vary(model, photo, count=1).pictures.astype(int) for model in (str(quick_run), quick_model)
    )
    assert np.abs(named - loaded).max() <= 1


def test_a_notebook_shows_the_sheet(quick_model, photo):
    assert vary(quick_model, photo, count=1)._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"count": 0}, "count must be a whole number of at least 1, got 0"),
        ({"diversity": -1.0}, "at least 0, got -1.0"),
        ({"diversity": math.nan}, "at least 0, got nan"),
        ({"diversity": math.inf}, "at least 0, got inf"),
        ({"seed": -1}, "got -1"),
        ({"mode": "wild"}, "unknown mode 'wild'"),
    ],
)
def test_senseless_wishes_are_refused_in_a_sentence(quick_model, photo, options, words):
    with pytest.raises(UsageError, match=words):
        vary(quick_model, photo, **options)


@pytest.mark.parametrize("wrong", [np.zeros((32, 32, 3)), np.zeros((32, 32), np.uint8), 7])
def test_what_is_no_picture_is_refused(quick_model, wrong):
    with pytest.raises(UsageError, match=r"uint8|a picture is a file"):
        vary(quick_model, wrong)


def test_an_empty_sweep_is_refused(quick_model, photo):
    with pytest.raises(UsageError, match="at least one factor"):
        sweep(quick_model, photo, [])


def test_spaced_factors_hit_both_ends():
    assert spaced_factors(1, 10, 10) == (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    assert spaced_factors(0.5, 2, 4) == (0.5, 1.0, 1.5, 2.0)
    assert spaced_factors(3, 7, 1) == (3,)


def test_zero_strength_adds_nothing():
    draws = np.random.default_rng(0)
    mean, noise = draws.standard_normal((1, 4), np.float32), draws.standard_normal((3, 4), np.float32)
    scale = draws.random((1, 4), np.float32)
    assert np.array_equal(varied_latents(mean, scale, noise, 0.0), np.broadcast_to(mean, (3, 4)))


def test_a_variation_is_where_its_own_relatives_start(quick_model, photo):
    made = vary(quick_model, photo, count=4, diversity=5, seed=2)
    step = Step(made.seeds[3], 5.0)
    still = vary(quick_model, photo, count=2, diversity=0, seed=8, around=[step])
    assert (still.pictures == made.pictures[3]).all()
    near = vary(quick_model, photo, count=2, diversity=3, seed=8, around=[step])
    noise = normal_draws(variation_seeds(8, 2), quick_model.latent)
    scale = np.asarray(quick_model.encode(photo[None]).scale)
    np.testing.assert_allclose(near.latents, made.latents[3:] + 3 * scale * noise, rtol=1e-5, atol=1e-6)
    onward = vary(quick_model, photo, count=1, diversity=0, around=[step, Step(8, 3.0)])
    assert (onward.pictures[0] == near.pictures[0]).all()
    assert near.settings()["around"] == [str(step)]


@pytest.mark.parametrize("text", ["", "12", "@7", "a@7", "12@", "-1@7", "12@-1", "12@nan", "12@inf", "1.5@2"])
def test_a_step_is_a_seed_and_a_diversity(text):
    with pytest.raises(UsageError, match="SEED@DIVERSITY"):
        parse_step(text)
    assert parse_step("12@7.25") == Step(12, 7.25)
