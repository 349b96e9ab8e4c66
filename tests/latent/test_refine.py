"""A posterior fitted to one photo."""

import numpy as np
import pytest
import torch

from facette.errors import UsageError
from facette.latent import vary
from facette.latent.refine import refine


@pytest.fixture(scope="module")
def faces(quick_model):
    import facette

    return facette.open_dataset("synthetic-faces:256", quick_model.recipe.input).read(np.arange(6))


def errors(model, pictures, mean) -> np.ndarray:
    return ((model.decode(mean).astype(float) - pictures) ** 2).mean(axis=(1, 2, 3))


def test_the_bound_rises_and_the_likeness_is_closer(quick_model, faces):
    refined = refine(quick_model, faces, 40)
    assert (refined.elbo_after > refined.elbo_before).all()
    first = quick_model.encode(faces)
    assert (
        errors(quick_model, faces, refined.posterior.mean) < errors(quick_model, faces, first.mean)
    ).mean() > 0.8
    assert (refined.posterior.scale > 0).all()


def test_more_steps_gain_more(quick_model, faces):
    few, many = (refine(quick_model, faces, steps).elbo_after for steps in (3, 40))
    assert (many > few).all()


def test_the_bound_before_is_the_encoders(quick_model, faces):
    """Agrees with the mean over many draws, to their error."""
    from facette.model.vae import VAEOutput
    from facette.objective import elbo_terms

    refined = refine(quick_model, faces, 1, rate=1e-9)
    x, q = quick_model.to_model(faces), quick_model.encode(faces)
    draws = torch.Generator().manual_seed(5)
    with torch.inference_mode():
        values = []
        for _ in range(64):
            z = q.sample(draws)
            values.append(elbo_terms(quick_model.vae, x, VAEOutput(q, z, quick_model.vae.decode(z))).elbo)
    values = torch.stack(values)
    assert (refined.elbo_before - values.mean(0)).abs().max() < 4 * values.std(0).max() / 8 + 1
    assert refined.elbo_after == pytest.approx(refined.elbo_before, abs=1e-2)


def test_each_picture_is_refined_by_itself_and_the_model_stays(quick_model, faces):
    before = {name: value.clone() for name, value in quick_model.vae.state_dict().items()}
    alone = refine(quick_model, faces[:1], 10, seed=3)
    assert torch.equal(alone.posterior.mean, refine(quick_model, faces[:1], 10, seed=3).posterior.mean)
    assert not torch.equal(alone.posterior.mean, refine(quick_model, faces[:1], 10, seed=4).posterior.mean)
    assert all(torch.equal(before[name], value) for name, value in quick_model.vae.state_dict().items())
    assert not any(parameter.grad is not None for parameter in quick_model.vae.parameters())


def test_variations_are_drawn_around_the_refined_posterior(quick_model, faces):
    varied = vary(quick_model, faces[0], count=2, diversity=0, refine=30)
    assert varied.refined is not None
    assert np.array_equal(varied.latents[0], varied.refined.posterior.mean[0].numpy())
    plain = vary(quick_model, faces[0], count=2, diversity=0)
    assert plain.refined is None
    gaps = [((one.reconstruction.astype(float) - faces[0]) ** 2).mean() for one in (varied, plain)]
    assert gaps[0] < gaps[1]
    assert varied.settings()["refine"] == 30


def test_no_steps_are_a_mistake(quick_model, faces):
    with pytest.raises(UsageError, match="at least 1 step"):
        refine(quick_model, faces, 0)


def test_a_core_with_weights_by_place_gains_where_the_weights_are():
    from facette.model.trained import TrainedModel
    from facette.model.vae import build_vae
    from facette.objective import focus_weights
    from facette.recipe import load_recipe

    small = ["input.size=32", "model.side=16", "model.latent=6", "model.encoder.widths=[16,16]",
             "model.encoder.blocks=[0,0]", "model.decoder.widths=[16,16]", "model.decoder.blocks=[0,0]"]  # fmt: skip
    recipe = load_recipe("faces128", small)
    torch.manual_seed(0)
    model = TrainedModel(build_vae(recipe), recipe)
    model.vae.likelihood.log_sigma.fill_(-1.0)
    model.vae.likelihood.log_sigma_weighted.fill_(-1.0)
    pictures = np.random.default_rng(0).integers(0, 256, (3, 1, 1, 4), np.uint8).repeat(32, 1).repeat(32, 2)
    pictures[:, :, :10, 3], pictures[:, :, 10:, 3] = 0, 255
    refined = refine(model, pictures, 60)
    assert (refined.elbo_after > refined.elbo_before).all()
    focus = focus_weights(recipe.objective.focus, (16, 16))[0, 0].numpy()
    inside, outside = focus > 2, (focus < 0.5) & (np.arange(16) > 5)
    gains = []
    for mean in (model.encode(pictures).mean, refined.posterior.mean):
        drawn = model.vae.decode_core(mean).detach().permute(0, 2, 3, 1).numpy()
        squares = (drawn - (pictures[:, :1, :1, :3] / 127.5 - 1)) ** 2
        gains.append((squares[:, inside].mean(), squares[:, outside].mean()))
    assert gains[1][0] < gains[0][0]
