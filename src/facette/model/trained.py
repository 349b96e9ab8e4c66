"""A model ready for use: a VAE with its recipe and what was learned or measured about it after training.

Enters: uint8 pictures (N, S, S, 3), or float32 vectors (N, D). Leaves: posteriors, latents, uint8 pictures.
Always in evaluation mode, never with gradients, batched so that memory stays bounded. Reading and writing model
files is the business of facette.checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facette.errors import DataError, UsageError
from facette.images.convert import to_model, to_pictures
from facette.model.conditions import Conditioning, Values, conditioned, conditioning_of
from facette.model.draws import PriorDraws, draw_latents
from facette.model.interface import PriorName, check_batch
from facette.model.likelihood import LocationScaleLikelihood
from facette.model.posterior import DiagonalGaussian
from facette.model.prior import FittedPrior
from facette.model.sharpener import Sharpener
from facette.model.vae import VAE
from facette.recipe import ImageInput, Recipe, VectorInput
from facette.runtime import generator

BATCH = 64


@dataclass(slots=True, eq=False)
class TrainedModel:
    """A VAE in evaluation mode and everything its model file carries."""

    vae: VAE
    recipe: Recipe
    fitted_prior: FittedPrior | None = None
    sharpener: Sharpener | None = None
    """The second stage; where there is one, everything decoded passes through it."""
    metrics: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    extras: dict[str, Tensor] = field(default_factory=dict)
    """Named tensors that other rooms keep in the model file, e.g. `directions.Smiling`."""
    folded: VAE | None = None
    """The same VAE as it is computed soonest (`facette.model.kernels.fold`); only for weights that stay as they are."""

    def __post_init__(self) -> None:
        self.vae.eval().requires_grad_(False)
        for part in (self.fitted_prior, self.sharpener):
            if part is not None:
                part.eval().requires_grad_(False)

    def __repr__(self) -> str:
        weights = sum(parameter.numel() for parameter in self.vae.parameters())
        second = ", second stage" if self.sharpener is not None else ""
        return f"TrainedModel({self.name!r}, {self.latent} latents, {weights:,} weights{second}, on {self.device})"

    @property
    def name(self) -> str:
        return self.recipe.name

    @property
    def latent(self) -> int:
        """Number of latent dimensions Z, those of conditions among them."""
        return self.recipe.latents

    @property
    def conditioning(self) -> Conditioning | None:
        """What the model is told beside a picture; None where it is told nothing."""
        mixture = None if self.fitted_prior is None else self.fitted_prior.draws
        return conditioning_of(self.recipe.model.condition, self.recipe.model.latent, self.extras, mixture)

    @property
    def input(self) -> ImageInput | VectorInput:
        return self.recipe.input

    @property
    def device(self) -> torch.device:
        return next(self.vae.parameters()).device

    def to(self, device: torch.device | str) -> TrainedModel:
        """Move the weights; returns the same model."""
        self.vae.to(device)
        if self.folded is not None:
            self.folded.to(device)
        if self.sharpener is not None:
            self.sharpener.to(device)
        return self

    def plain(self) -> TrainedModel:
        """The same model without its second stage: pictures are the means of p(x|z)."""
        return replace(self, sharpener=None)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one datum: (H, W, C) of a picture, (D,) of a vector."""
        inputs = self.input
        return (inputs.size,) if inputs.kind == "vector" else (*inputs.shape, inputs.channels)

    def to_model(self, data: np.ndarray | Tensor) -> Tensor:
        """Pictures (N, H, W, C), with their masks (N, H, W, C + 1) where the model takes them, or float vectors
        (N, D), to what the VAE takes.

        Raises DataError when shape or type are not the model's.
        """
        inputs, shape = self.input, self.shape
        masked = (
            inputs.kind == "image"
            and inputs.masked
            and tuple(data.shape[1:]) == (*inputs.shape, inputs.planes)
        )
        if tuple(data.shape[1:]) != shape and not masked:
            raise DataError(
                f"model {self.name!r} takes {'×'.join(map(str, shape))}, not {'×'.join(map(str, data.shape[1:]))}"
            )
        if inputs.kind == "vector":
            return torch.as_tensor(data, dtype=torch.float32, device=self.device)
        if str(data.dtype).removeprefix("torch.") != inputs.dtype:
            raise DataError(f"model {self.name!r} takes values of {inputs.dtype}, not {data.dtype}")
        return to_model(data, inputs.range, self.device, inputs.channels)

    def to_pictures(self, x: Tensor) -> np.ndarray:
        """What the VAE decodes, back to uint8 pictures (N, S, S, 3) or float32 vectors (N, D)."""
        if self.input.kind == "vector":
            return x.float().cpu().numpy()
        return to_pictures(x, self.input.range, self.input.depth)

    @torch.inference_mode()
    def encode(self, data: np.ndarray | Tensor, batch: int = BATCH) -> DiagonalGaussian:
        """q(z|x) for uint8 pictures (N, S, S, 3 or 4) or vectors (N, D), see `to_model`; tensors on the CPU."""
        check_batch(data, self.name, self.shape)
        parts = [self._quick.encode(self.to_model(data[i : i + batch])) for i in range(0, len(data), batch)]
        if not parts:
            raise DataError("there is nothing to encode")
        return DiagonalGaussian(
            torch.cat([p.mean for p in parts]).cpu(), torch.cat([p.scale for p in parts]).cpu()
        )

    @torch.inference_mode()
    def decode_float(self, z: np.ndarray | Tensor, batch: int = BATCH) -> Tensor:
        """Pictures of latents (N, Z): (N, 3, S, S) in the recipe's range, on the CPU.

        Sharpened where the model has a second stage, else the mean of p(x|z) as it is (see `plain`).
        """
        z = torch.as_tensor(z)
        if z.ndim != 2 or z.shape[1] != self.latent:
            raise DataError(f"model {self.name!r} takes latents N×{self.latent}, not {tuple(z.shape)}")
        return torch.cat([self._drawn(z[i : i + batch]).cpu() for i in range(0, len(z), batch)])

    @property
    def _quick(self) -> VAE:
        return self.vae if self.folded is None else self.folded

    def _drawn(self, z: Tensor) -> Tensor:
        z = z.float().to(self.device)
        mean = self._quick.decode(z)
        return mean if self.sharpener is None else self.sharpener(mean, z)

    def decode(self, z: np.ndarray | Tensor, batch: int = BATCH) -> np.ndarray:
        """Latents (N, Z) to uint8 pictures (N, S, S, 3), or to float32 vectors (N, D)."""
        parts = [
            self.to_pictures(self.decode_float(z[i : i + batch], batch)) for i in range(0, len(z), batch)
        ]
        return np.concatenate(parts)

    @torch.inference_mode()
    def decode_mean(self, z: np.ndarray | Tensor, batch: int = BATCH) -> np.ndarray:
        """Latents (N, Z) to the means of p(x|z), float32 (N, 3, S, S) in the recipe's range: the first stage alone."""
        parts = torch.as_tensor(z).float().split(batch)
        return torch.cat([self._quick.decode(part.to(self.device)).float().cpu() for part in parts]).numpy()

    @torch.inference_mode()
    def finish(self, mean: np.ndarray, z: np.ndarray | Tensor) -> np.ndarray:
        """What `decode` makes of means (N, 3, S, S) that `decode_mean` gave for these latents: uint8 (N, S, S, 3)."""
        x = torch.as_tensor(mean).to(self.device)
        if self.sharpener is not None:
            x = self.sharpener(x, torch.as_tensor(z).float().to(self.device))
        return self.to_pictures(x)

    @torch.inference_mode()
    def draw(self, z: np.ndarray | Tensor, seed: int = 0, batch: int = BATCH) -> np.ndarray:
        """A draw of p(x|z) for each latent (N, Z), as float32 vectors (N, D): points of the model's density.

        `decode` gives the mean of p(x|z) instead, which is what one looks at when x is a picture.
        """
        likelihood = self.vae.likelihood
        assert isinstance(likelihood, LocationScaleLikelihood), (
            "points have densities, pictures of bits have none"
        )
        decoded = torch.cat(
            [
                self.vae.decoder(part.float().to(self.device)).float()
                for part in torch.as_tensor(z).split(batch)
            ]
        )
        return likelihood.sample(decoded, generator(seed, "draw")).cpu().numpy()

    def prior_draws(self, prior: PriorName | None = None, condition: Values | None = None) -> PriorDraws:
        """The mixture fitted after training ("fitted"), or the prior trained with ("normal"); None takes the mixture
        when the model has one. `condition`: what is told of every draw. Raises UsageError when "fitted" is asked of a
        model that has none, and for a condition that it does not know."""
        if prior == "fitted" and self.fitted_prior is None:
            raise UsageError(f"model {self.name!r} has no fitted prior: use `prior='normal'`")
        fitted = self.fitted_prior if prior != "normal" else None
        draws = (self.vae.prior if fitted is None else fitted).draws()
        return conditioned(draws, self.conditioning, condition, fitted is not None)

    def sample_latents(
        self,
        count: int,
        seed: int = 0,
        prior: PriorName | None = None,
        temperature: float = 1.0,
        condition: Values | None = None,
    ) -> Tensor:
        """Draw (count, Z) latents, as `prior_draws` and `draw_latents` say."""
        return torch.from_numpy(draw_latents(self.prior_draws(prior, condition), count, seed, temperature))
