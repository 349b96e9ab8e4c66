"""Networks of vectors: the straight line beside the layers reaches the means and nothing else."""

import copy

import pytest
import torch

from facette.model.decoder import MlpDecoder
from facette.model.encoder import MlpEncoder
from facette.model.vae import build_vae
from facette.recipe import load_recipe


def silenced(network):
    """The network with its bent part switched off."""
    with torch.no_grad():
        network.linear.weight.zero_()
        network.linear.bias.zero_()
    return network


@pytest.mark.parametrize("latent", [2, 3, 5])
def test_the_line_reaches_the_means_as_a_scaled_rotation(latent):
    x = torch.randn(9, 3, generator=torch.Generator().manual_seed(0))
    raw = silenced(MlpEncoder(size=3, widths=(8,), act="silu", out=2 * latent))(x)
    mean, rest = raw.chunk(2, dim=1)
    assert rest.abs().max() == 0  # the posterior's scale knows nothing of the line
    torch.testing.assert_close(mean.square().sum(1) > 0, torch.ones(9, dtype=torch.bool))
    if latent >= 3:  # a rotation into at least as many dimensions keeps every length
        ratio = mean.norm(dim=1) / x.norm(dim=1)
        torch.testing.assert_close(ratio, torch.full((9,), max(3, latent) ** -0.5))


def test_the_decoder_s_line_reaches_the_means_and_not_the_predicted_deviations():
    z = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
    decoder = silenced(MlpDecoder(latent=4, widths=(8,), act="silu", size=3, outputs=2))
    mean, log_sigma = decoder(z).chunk(2, dim=1)
    assert log_sigma.abs().max() == 0
    torch.testing.assert_close(mean, z @ decoder.straight.weight.T)


def test_a_copied_model_asks_its_own_encoder_for_its_vampprior():
    """Averaged weights live in a copy: its prior must follow its own encoder and not the original's."""
    vae = build_vae(load_recipe("mixture3d", ["model.prior.kind=vamp", "model.prior.components=5"]))
    twin = copy.deepcopy(vae)
    z = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    before = vae.prior.log_prob(z)
    torch.testing.assert_close(twin.prior.log_prob(z), before)
    with torch.no_grad():
        twin.encoder.linear.bias.add_(1.0)
    assert torch.equal(vae.prior.log_prob(z), before)
    assert not torch.allclose(twin.prior.log_prob(z), before)
    names = [name for name, _ in vae.named_parameters()]
    assert len(names) == len(set(names))
    assert not any(name.startswith("prior.") and "encoder" in name for name in names)
