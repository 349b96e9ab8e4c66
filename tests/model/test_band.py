"""What a core sees of a picture: reduced honestly, and nothing of what is unknown."""

from __future__ import annotations

from dataclasses import replace

import torch

from facette.model.band import enlarged, reduced, split_mask, with_mask
from facette.model.vae import build_vae
from facette.objective import elbo_terms, focus_weights
from facette.recipe import load_recipe

SMALL = ["model.latent=8", "model.encoder.widths=[8,8,8]", "model.decoder.widths=[8,8,8]"]


def masked_pictures(size: int = 128) -> tuple[torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(0)
    picture = torch.rand(3, 3, size, size, generator=draws) * 2 - 1
    seen = torch.ones(3, 1, size, size)
    seen[1, :, :, size // 2 + 8 :] = 0
    seen[2, :, 8:40, 16:64] = 0
    return picture, seen


def test_a_reduced_pixel_is_the_mean_of_what_was_seen_of_it():
    picture, seen = masked_pictures()
    level = torch.full_like(picture, 0.25)
    wild = torch.where(seen > 0, level, picture)
    seen[0, :, ::2, ::2] = 0  # a quarter of every cell
    wild[0, :, ::2, ::2] = 9.0
    core, known = split_mask(reduced(with_mask(wild, seen), (64, 64), 3), 3)
    assert known is not None
    torch.testing.assert_close(core, 0.25 * known.expand_as(core))
    assert known[0].all()
    assert (known[1] == 0).any()


def test_a_full_mask_is_no_mask():
    picture, _ = masked_pictures()
    plain, masked = (reduced(x, (64, 64), 3) for x in (picture, with_mask(picture)))
    torch.testing.assert_close(masked[:, :3], plain)
    assert masked[:, 3:].eq(1).all()
    vae = build_vae(load_recipe("faces128", SMALL)).eval()
    torch.testing.assert_close(vae.encode(picture).mean, vae.encode(with_mask(picture)).mean)


def test_unknown_pixels_change_neither_the_posterior_nor_the_bound():
    picture, seen = masked_pictures()
    vae = build_vae(load_recipe("faces128", SMALL)).eval()
    other = torch.where(seen > 0, picture, -picture)
    noise = torch.randn(3, 8, generator=torch.Generator().manual_seed(1))
    terms = []
    for x in (picture, other):
        x = torch.cat([x, seen], dim=1)
        passed = vae(x, noise)
        terms.append(elbo_terms(vae, x, passed))
    torch.testing.assert_close(terms[0].distortion, terms[1].distortion)
    torch.testing.assert_close(terms[0].rate, terms[1].rate)
    whole = elbo_terms(vae, picture, vae(picture, noise))
    assert (terms[0].distortion[1:] < whole.distortion[1:]).all()  # fewer pixels cost less
    torch.testing.assert_close(terms[0].distortion[0], whole.distortion[0])


def test_what_is_drawn_where_nothing_was_seen_costs_nothing():
    picture, seen = masked_pictures()
    recipe = load_recipe("faces128", SMALL)
    vae = build_vae(recipe).eval()
    assert recipe.objective.focus is not None
    focus = focus_weights(recipe.objective.focus, (64, 64))
    x = with_mask(picture, seen)
    output = vae(x, torch.randn(3, 8, generator=torch.Generator().manual_seed(1)))
    known = split_mask(reduced(x, (64, 64), 3), 3)[1]
    elsewhere = replace(output, decoded=torch.where(known > 0, output.decoded, output.decoded + 1))
    terms, others = (elbo_terms(vae, x, drawn, focus=focus) for drawn in (output, elsewhere))
    torch.testing.assert_close(terms.distortion, others.distortion)
    assert terms.weighted_distortion is not None
    torch.testing.assert_close(terms.weighted_distortion, others.weighted_distortion)
    assert not torch.equal(elsewhere.decoded, output.decoded)


def test_what_the_core_draws_fills_the_whole_picture():
    vae = build_vae(load_recipe("faces128", SMALL)).eval()
    z = torch.randn(2, 8, generator=torch.Generator().manual_seed(2))
    assert vae.decode_core(z).shape == (2, 3, 64, 64)
    assert vae.decode(z).shape == (2, 3, 128, 128)
    level = torch.full((1, 3, 64, 64), 0.5)
    torch.testing.assert_close(enlarged(level, (128, 128)), torch.full((1, 3, 128, 128), 0.5))
