"""The variational autoencoder: encoder, posterior, decoder, likelihood and prior put together.

Enters: x in the recipe's range, N×C×H×W, or N×(C + 1)×H×W with a mask of what was seen (or vectors N×D). Leaves: a
posterior, latents, decoded values. The core sees and draws pictures of h×w pixels, which may be fewer than H×W
(facette.model.band). Nothing here decides silently whether a result is random: sampling is written out by the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from facette.code import resolve
from facette.condition import Condition
from facette.errors import RecipeError, UsageError
from facette.form import height_width
from facette.model import decoder as decoders
from facette.model import encoder as encoders
from facette.model.band import enlarged, reduced, with_mask
from facette.model.inference import ConditionalEncoder, Inference, outputs_of
from facette.model.likelihood import BernoulliLikelihood, Likelihood, LocationScaleLikelihood
from facette.model.posterior import DiagonalGaussian
from facette.model.prior import GaussianMixturePrior, Prior, StandardNormal, VampPrior
from facette.model.sharpener import Sharpener
from facette.recipe import ConvLayer, OwnSpec, Recipe


@dataclass(frozen=True, slots=True)
class VAEOutput:
    """One way through the model: the posterior, draws from it, and what was decoded of them."""

    posterior: DiagonalGaussian  # (N, Z), of the latents that are inferred; conditions stand in `inference`
    z: Tensor  # (N, Z), or (N·K, Z): K draws of each datum in turn
    decoded: Tensor  # of each z what the likelihood takes, (…, C, h, w) or (…, D); 2 × the channels when σ is predicted
    inference: Inference | None = None  # of the conditions, where the model has any

    def whole(self, z: Tensor) -> Tensor:
        """Latents (N, Z) of these data with the conditions behind them, as a decoder takes them."""
        return z if self.inference is None else torch.cat([z, self.inference.code], dim=1)


class VAE(nn.Module):
    """p(x|z) p(z) with the amortised posterior q(z|x). Build one with `build_vae`."""

    def __init__(
        self,
        *,
        encoder: nn.Module,
        decoder: nn.Module,
        likelihood: Likelihood,
        prior: Prior,
        posterior_scale: Literal["log-variance", "softplus"],
        latent: int,
        shape: tuple[int, int] | None = None,
        core: tuple[int, int] | None = None,
        channels: int = 0,
        masked: bool = False,
        conditions: Sequence[Condition] = (),
    ):
        """`shape` and `core` are the (height, width) of pictures outside and inside; vectors have neither."""
        super().__init__()
        self.shape = shape or (0, 0)
        self.core, self.channels, self.masked = core or self.shape, channels, masked
        self.encoder, self.decoder = encoder, decoder
        self.likelihood: Likelihood = likelihood
        self.prior: Prior = prior
        if isinstance(prior, VampPrior):
            prior.bind(self.encode)
        self.posterior_scale: Literal["log-variance", "softplus"] = posterior_scale
        self.latent = latent  # Z; those of conditions stand behind them
        self.conditions = tuple(conditions)

    @property
    def trunk(self) -> nn.Module:
        """The encoder without what conditions add to it."""
        return self.encoder.trunk if isinstance(self.encoder, ConditionalEncoder) else self.encoder

    def encode(self, x: Tensor) -> DiagonalGaussian:
        """q(z|x) of pictures (N, C, H, W), of pictures with their masks (N, C + 1, H, W), or of vectors (N, D).

        Behind the latents stand the conditions as they are inferred, with σ 0.
        """
        posterior, inference = self._encoded(x)
        if inference is None:
            return posterior
        code = inference.code
        return DiagonalGaussian(
            torch.cat([posterior.mean, code], dim=1),
            torch.cat([posterior.scale, torch.zeros_like(code)], dim=1),
        )

    def _encoded(
        self, x: Tensor, noise: Tensor | None = None, known: Tensor | None = None
    ) -> tuple[DiagonalGaussian, Inference | None]:
        if x.ndim == 4:
            x = reduced(x, self.core, self.channels)
            if self.masked and x.shape[1] == self.channels:
                x = with_mask(x)
        raw, inference = self.encoder(x, noise, known) if self.conditions else (self.encoder(x), None)
        return DiagonalGaussian.from_raw(raw, self.posterior_scale), inference

    def decode(self, z: Tensor) -> Tensor:
        """The mean of p(x|z) for latents (N, Z), at the input's size and in the recipe's range."""
        drawn = self.decode_core(z)
        return enlarged(drawn, self.shape) if drawn.ndim == 4 else drawn

    def decode_core(self, z: Tensor) -> Tensor:
        """The mean of p(x|z) for latents (N, Z) as the core draws it: (N, C, h, w), or vectors (N, D)."""
        return self.likelihood.mean(self.decoder(z))

    def forward(self, x: Tensor, noise: Tensor, known: Tensor | None = None) -> VAEOutput:
        """Encode, draw z with the given standard normal noise (N, Z), or (N, K, Z) for K draws of each; decode.

        A model with conditions draws those that are not `known` (NaN) with the noise behind the Z. For objectives.
        """
        noise, chance = noise[..., : self.latent], noise[..., self.latent :]
        posterior, inference = self._encoded(x, (chance[:, 0] if chance.ndim == 3 else chance), known)
        draws = noise.shape[1] if noise.ndim == 3 else 1
        if noise.ndim == 3:
            z = posterior.repeated(draws).sample(noise=noise.flatten(0, 1))
        else:
            z = posterior.sample(noise=noise)
        entering = z
        if inference is not None:
            entering = torch.cat([z, inference.code.repeat_interleave(draws, 0)], dim=1)
        return VAEOutput(posterior, z, self.decoder(entering).float(), inference)

    def passed(self, posterior: DiagonalGaussian, z: Tensor) -> VAEOutput:
        """The output for a draw z of what `encode` gave, for the bound."""
        return VAEOutput(posterior.first(self.latent), z[:, : self.latent], self.decoder(z).float())


def build_vae(recipe: Recipe) -> VAE:
    """A freshly initialised VAE; draw its weights under `torch.manual_seed` to repeat them.

    Only the builders of this file see a recipe. Raises RecipeError when its layers
    do not fit the size of its input.
    """
    spec = recipe.model
    try:
        encoder = _encoder(recipe)
    except ValueError as error:
        raise RecipeError(
            f"recipe {recipe.name!r} does not fit input.size {recipe.input.size}: {error}"
        ) from None
    likelihood = _likelihood(recipe)
    vae = VAE(
        encoder=encoder,
        decoder=_decoder(recipe, likelihood.outputs_per_value),
        likelihood=likelihood,
        prior=_prior(recipe),
        posterior_scale=spec.posterior.scale,
        latent=spec.latent,
        conditions=_conditions(recipe),
        **_form(recipe),
    )
    return vae.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _conditions(recipe: Recipe) -> tuple[Condition, ...]:
    """Raises RecipeError for a condition of which nobody knows yet what the labels say."""
    unknown = [condition.name for condition in recipe.model.condition if not condition.resolved]
    if unknown:
        raise RecipeError(
            f"recipe {recipe.name!r} names the condition {unknown[0]!r} without its classes or its spread: training "
            "takes them from the labels of its pictures"
        )
    return recipe.model.condition


def _form(recipe: Recipe) -> dict[str, Any]:
    """The form of a model's pictures, as VAE takes it; nothing for vectors."""
    inputs = recipe.input
    if inputs.kind == "vector":
        return {}
    return {"shape": inputs.shape, "core": recipe.core, "channels": inputs.channels, "masked": inputs.masked}


def build_sharpener(recipe: Recipe) -> Sharpener:
    """The second stage that the recipe's section `sharpen` describes; at first it changes nothing.

    Raises RecipeError where the recipe has no such section.
    """
    spec, inputs = recipe.sharpen, recipe.input
    if spec is None or inputs.kind == "vector":
        raise RecipeError(f"recipe {recipe.name!r} has no section [sharpen]")
    network = Sharpener(
        latent=recipe.latents,
        widths=spec.widths,
        condition=spec.condition,
        range=inputs.range,
        channels=inputs.channels,
        full_width=spec.full_width,
    )
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def data_shape(recipe: Recipe) -> tuple[int, ...]:
    """The shape of one x without its mask: (C, H, W) or (D,)."""
    inputs = recipe.input
    return (inputs.size,) if inputs.kind == "vector" else (inputs.channels, *inputs.shape)


def _likelihood(recipe: Recipe) -> Likelihood:
    spec = recipe.model.likelihood
    if spec.kind == "bernoulli":
        return BernoulliLikelihood()
    unit = recipe.input.kind == "image" and recipe.input.range == "unit"
    return LocationScaleLikelihood(
        spec.sigma,
        family=spec.kind,
        weighted=recipe.objective.focus is not None,
        bounds=(0.0, 1.0) if unit else (-1.0, 1.0),
        levels=1 + (recipe.input.white if recipe.input.kind == "image" else 255),
    )


def _prior(recipe: Recipe) -> Prior:
    spec, latent = recipe.model.prior, recipe.model.latent
    match spec.kind:
        case "normal":
            return StandardNormal(latent)
        case "mixture":
            return GaussianMixturePrior(latent, spec.components)
        case "vamp":
            unit = recipe.input.kind == "image" and recipe.input.range == "unit"
            centre, spread = (0.5, 0.25) if unit else (0.0, 1.0 if recipe.input.kind == "vector" else 0.5)
            return VampPrior(latent, spec.components, data_shape(recipe), centre=centre, spread=spread)
        case "flow":
            from facette.model.flow import FlowPrior

            return FlowPrior(latent, layers=spec.layers, width=spec.width)


def _own(recipe: Recipe, spec: OwnSpec) -> nn.Module:
    """A network of the caller's. Raises UsageError where its name means nothing, or what it names gives no network."""
    factory = resolve(spec.name, recipe.code)
    try:
        network = factory(**spec.arguments)
    except TypeError as error:
        raise UsageError(f"{spec.name} does not take the arguments {spec.arguments}: {error}") from None
    if not isinstance(network, nn.Module):
        raise UsageError(f"{spec.name} gives {type(network).__name__}, not a torch.nn.Module")
    return network


@torch.no_grad()
def check_networks(vae: VAE, recipe: Recipe) -> None:
    """Pass two blank data through networks of the caller's own. Raises UsageError where they do not fit the recipe."""
    inputs, latent = recipe.input, recipe.latents
    encoded = 2 * recipe.model.latent + outputs_of(recipe.model.condition)
    if inputs.kind == "vector":
        shape, drawn = (inputs.size,), (inputs.size * vae.likelihood.outputs_per_value,)
    else:
        shape = (inputs.planes, *recipe.core)
        drawn = (inputs.channels * vae.likelihood.outputs_per_value, *recipe.core)
    was_training = vae.training
    vae.eval()
    for part, takes, gives in (("encoder", shape, (encoded,)), ("decoder", (latent,), drawn)):
        spec = getattr(recipe.model, part)
        if spec.kind != "own":
            continue
        network = vae.trunk if part == "encoder" else vae.decoder
        like = next(network.parameters(), torch.zeros(()))
        try:
            result = network(torch.zeros(2, *takes).to(like))
        except (RuntimeError, ValueError, TypeError) as error:
            raise UsageError(f"{spec.name} does not take {_times(takes)}: {error}") from None
        if tuple(result.shape) != (2, *gives):
            raise UsageError(
                f"{spec.name} makes {_times(result.shape[1:])} of {_times(takes)}, and the recipe asks for "
                f"{_times(gives)}"
            )
    vae.train(was_training)


def _times(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))


def _encoder(recipe: Recipe) -> nn.Module:
    conditions, latent = recipe.model.condition, recipe.model.latent
    trunk = _trunk(recipe, 2 * latent + outputs_of(conditions))
    return ConditionalEncoder(trunk, conditions, latent) if conditions else trunk


def _trunk(recipe: Recipe, out: int) -> nn.Module:
    spec, inputs = recipe.model.encoder, recipe.input
    if spec.kind == "own":
        return _own(recipe, spec)
    if spec.kind == "mlp":
        assert inputs.kind == "vector"
        return encoders.MlpEncoder(size=inputs.size, widths=spec.widths, act=spec.activation, out=out)
    assert inputs.kind == "image"
    if spec.kind == "conv":
        return encoders.ConvEncoder(
            shape=recipe.core,
            channels=inputs.planes,
            layers=[(c.channels, c.kernel, c.stride, c.padding) for c in spec.layers],
            norm_name=spec.norm,
            act=spec.activation,
            out=out,
        )
    return encoders.ResidualEncoder(
        shape=recipe.core,
        channels=inputs.planes,
        patch=spec.patch,
        widths=spec.widths,
        blocks=spec.blocks,
        act=spec.activation,
        out=out,
    )


def _decoder(recipe: Recipe, outputs_per_value: int) -> nn.Module:
    spec, inputs, latent = recipe.model.decoder, recipe.input, recipe.latents
    if spec.kind == "own":
        return _own(recipe, spec)
    if spec.kind == "mlp":
        assert inputs.kind == "vector"
        return decoders.MlpDecoder(
            latent=latent,
            widths=spec.widths,
            act=spec.activation,
            size=inputs.size,
            outputs=outputs_per_value,
        )
    assert inputs.kind == "image"
    channels = inputs.channels * outputs_per_value
    if spec.kind == "conv":
        return decoders.ConvDecoder(
            shape=recipe.core,
            channels=channels,
            latent=latent,
            start_channels=spec.start_channels,
            start=height_width(spec.start_size),
            start_activation=spec.start_activation,
            layers=[_transposed(layer) for layer in spec.layers],
            head=None if spec.head is None else (spec.head.channels, spec.head.kernel, spec.head.padding),
            norm_name=spec.norm,
            act=spec.activation,
            output=spec.output,
        )
    return decoders.ResidualDecoder(
        shape=recipe.core,
        channels=channels,
        latent=latent,
        patch=spec.patch,
        widths=spec.widths,
        blocks=spec.blocks,
        act=spec.activation,
        output=spec.output,
    )


def _transposed(layer: ConvLayer) -> tuple[int, int, int, int, int]:
    return (layer.channels, layer.kernel, layer.stride, layer.padding, layer.output_padding)


def count_parameters(module: nn.Module) -> int:
    """Trainable numbers in a module."""
    return sum(p.numel() for p in module.parameters())
