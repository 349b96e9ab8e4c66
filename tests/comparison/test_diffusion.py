"""Laws of a diffusion model at work: strength 0 is its autoencoder, a strength so many steps, a seed a picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from facette.comparison.checkpoint import find_checkpoint
from facette.comparison.diffusion import DiffusionSettings
from facette.comparison.loading import load_autoencoder, load_diffusion, quiet
from facette.comparison.methods import DiffusionMethod
from facette.comparison.trials import to_side
from facette.errors import UsageError
from facette.latent.vary import variation_seeds

CPU = torch.device("cpu")


def load(folder, **options):
    safety_checker = options.pop("safety_checker", True)
    settings = DiffusionSettings(**{"prompt": "a face", "steps": 4, **options})
    found = find_checkpoint(str(folder), safety_checker=safety_checker)
    return load_diffusion(found, settings, CPU, safety_checker)


@pytest.fixture(scope="module")
def diffusion(tiny):
    return load(tiny)


@pytest.fixture(scope="module")
def photo(large):
    return to_side(large[None], 32)[0]


def test_strength_0_is_the_autoencoders_own_reconstruction(diffusion, photo):
    """Written out in diffusers' own terms, beside the code under test."""
    from diffusers.image_processor import VaeImageProcessor

    processor, vae = VaeImageProcessor(vae_scale_factor=1), diffusion.pipeline.vae
    with torch.inference_mode():
        kept = vae(processor.preprocess(Image.fromarray(photo)), sample_posterior=False).sample
    expected = np.asarray(processor.postprocess(kept, output_type="pil")[0])
    drawn = diffusion.draw(photo, 0.0, seed=1)
    assert np.array_equal(drawn.pictures[0], expected)
    assert np.abs(expected.astype(float) - photo).mean() < 60, "the planted autoencoder lets pictures through"


def test_a_strength_too_small_for_one_step_is_strength_0(diffusion, photo):
    at_0, below = (diffusion.draw(photo, strength, seed=1).pictures for strength in (0.0, 0.12))
    assert np.array_equal(at_0, below)
    assert not np.array_equal(at_0, diffusion.draw(photo, 0.13, seed=1).pictures)


@pytest.mark.parametrize(("steps", "shares"), [(3, range(4)), (7, range(0, 8, 2)), (49, [1])])
def test_a_strength_walks_exactly_its_share_of_the_steps(tiny, photo, steps, shares):
    """Schedulers that look at nothing but the last step, so that steps can be counted; cut strengths lose one."""
    diffusion = load(tiny, steps=steps, scheduler="ddim")
    assert diffusion.scheduler == "DDIMScheduler"
    for walked in shares:
        seen = []
        diffusion.draw(photo, walked / steps, seed=0, step_done=lambda seen=seen: seen.append(1))
        assert len(seen) == walked == diffusion.steps_at(walked / steps)


def test_ten_seeds_give_ten_pictures_and_each_is_the_same_alone(diffusion, photo):
    method, seeds = DiffusionMethod(diffusion, photo), variation_seeds(3, 10)
    made = method.make(0.5, seeds, lambda done: None)
    assert made.pictures.shape == (10, 32, 32, 3)
    assert len({picture.tobytes() for picture in made.pictures}) == 10
    again = method.make(0.5, seeds[6:7], lambda done: None)
    assert np.array_equal(again.pictures[0], made.pictures[6])
    assert made.withheld == (False,) * 10
    assert made.seconds > 0


def test_no_strength_stays_as_near_the_photo_as_strength_0(diffusion, photo):
    method = DiffusionMethod(diffusion, photo)
    assert method.levels == (0.0, 0.25, 0.5, 0.75, 1.0)
    away = [
        np.abs(method.make(level, (0, 1, 2), lambda done: None).pictures.astype(float) - photo).mean()
        for level in method.levels
    ]
    assert all(away[0] < one for one in away[1:])


def test_the_prompt_and_the_guidance_have_their_say(tiny, diffusion, photo):
    other = load(tiny, prompt="a hat, 1984")
    freer = load(tiny, guidance=1.0)
    pictures = [one.draw(photo, 1.0, seed=0).pictures.tobytes() for one in (diffusion, other, freer)]
    assert len(set(pictures)) == 3


def test_another_scheduler_is_taken_by_its_name_and_an_unknown_one_is_refused(tiny, diffusion, photo):
    other = load(tiny, scheduler="DDPMScheduler")
    assert other.scheduler == "DDPMScheduler"
    assert not np.array_equal(
        other.draw(photo, 1.0, seed=0).pictures, diffusion.draw(photo, 1.0, seed=0).pictures
    )
    with pytest.raises(UsageError, match=r"no scheduler 'Eulr'.*DDIMScheduler.*PNDMScheduler"):
        load(tiny, scheduler="Eulr")


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_what_is_no_strength_is_refused(diffusion, photo, strength):
    with pytest.raises(UsageError, match="strength must be a number from 0 to 1"):
        diffusion.draw(photo, strength, seed=0)


def test_another_size_is_drawn_where_it_fits_and_refused_where_not(tiny, large):
    wider = load(tiny, size=48)
    assert wider.draw(to_side(large[None], 48)[0], 0.5, seed=0).pictures.shape == (1, 48, 48, 3)
    with pytest.raises(UsageError, match="`size` must be a multiple of 8 for this checkpoint, got 44"):
        load(tiny, size=44)


def test_a_safety_checker_stays_on_unless_it_is_sent_away(tmp_path_factory, photo):
    with quiet():
        from tiny_pipeline import save_tiny_pipeline

        checked = save_tiny_pipeline(tmp_path_factory.mktemp("checked") / "checked", safety_checker=True)
    guarded, free = load(checked), load(checked, safety_checker=False)
    assert (guarded.checked, free.checked) == (True, False)
    drawn = guarded.draw(photo, 0.5, seed=0)
    assert drawn.withheld == (True,)
    assert not drawn.pictures.any(), "a withheld picture is black"
    assert free.draw(photo, 0.5, seed=0).pictures.any()


def test_an_autoencoder_alone_does_what_it_does_in_its_pipeline(tiny, diffusion, photo):
    alone = load_autoencoder(find_checkpoint(str(tiny), autoencoder_only=True), CPU)
    assert alone.size == 32
    assert np.array_equal(alone.reconstruct(photo[None]), diffusion.reconstruct(photo[None]))


def test_a_tiny_autoencoder_without_a_distribution_is_one_too(tmp_path, photo):
    from diffusers import AutoencoderTiny

    torch.manual_seed(0)
    network = AutoencoderTiny(
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        num_encoder_blocks=(1, 1),
        num_decoder_blocks=(1, 1),
    )
    network.save_pretrained(tmp_path / "taesd")
    alone = load_autoencoder(find_checkpoint(str(tmp_path / "taesd"), autoencoder_only=True), CPU, size=32)
    with torch.inference_mode():
        x = torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
        kept = network.decode(network.encode(x).latents).sample
    expected = ((kept + 1) / 2).clamp(0, 1).mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    assert np.array_equal(alone.reconstruct(photo[None]), expected)
