"""A model ready for use without torch: what `TrainedModel` does with pictures, done by graphs and arrays.

Enters: uint8 pictures (N, S, S, 3), or latents (N, Z). Leaves: posteriors, latents and uint8 pictures, as arrays; the
same numbers as torch gives but for rounding. What takes gradients is the business of `TrainedModel`, reading files
that of facette.checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from facette.condition import Condition, width
from facette.errors import DataError, UsageError
from facette.form import PictureForm
from facette.images.convert import to_model_array, to_pictures_array
from facette.model.conditions import Conditioning, Values, conditioned, conditioning_of
from facette.model.draws import FittedDraws, Latents, NormalDraws, PriorDraws, draw_latents
from facette.model.interface import PriorName, check_batch
from facette.onnx_graph import Graph

BATCH = 64


@dataclass(frozen=True, slots=True)
class OnnxFrame:
    """An aligned source frame; see `facette.recipe.Frame`."""

    size: tuple[int, int]
    box: tuple[int, int, int, int]
    eyes: tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class OnnxInput(PictureForm):
    """The pictures a model takes; see `facette.recipe.ImageInput`, which checks what is only read here."""

    size: int | tuple[int, int]
    range: Literal["unit", "symmetric"]
    fit: Literal["cover", "squash"]
    frame: OnnxFrame | None
    alpha: Literal["white", "mask", "channel"] = "white"
    channels: int = 3
    depth: int = 8
    kind: Literal["image"] = "image"

    @classmethod
    def of(cls, section: Mapping[str, Any]) -> OnnxInput:
        """From the section `input` of a recipe of pictures, as plain JSON."""
        frame = section.get("frame")
        read = frame and OnnxFrame(
            tuple(frame["size"]), tuple(frame["box"]), (tuple(frame["eyes"][0]), tuple(frame["eyes"][1]))
        )
        size = section["size"]
        return cls(
            size if isinstance(size, int) else (size[0], size[1]),
            section["range"],
            section["fit"],
            read,
            section.get("alpha", "white"),
            section.get("channels", 3),
            section.get("depth", 8),
        )


@dataclass(frozen=True, slots=True)
class OnnxPosterior:
    """N(mean, diag(scale²)), one row per picture."""

    mean: np.ndarray  # (N, Z)
    scale: np.ndarray  # (N, Z), the standard deviation σ > 0

    def __len__(self) -> int:
        return len(self.mean)


@dataclass(frozen=True, slots=True, eq=False)
class OnnxModel:
    """A model of pictures that onnxruntime computes."""

    name: str
    input: OnnxInput
    latent: int  # Z, those of conditions among them
    encoder: Graph  # (N, C, H, W), or (N, C + 1, H, W) with a mask → mean and scale, (N, Z) each
    decoder: Graph  # (N, Z) → (N, C, H, W)
    sharpener: Graph | None = None  # (N, C, H, W) and (N, Z) → (N, C, H, W)
    fitted_prior: FittedDraws | None = None  # the mixture fitted to its latents
    prior: Callable[[], PriorDraws] | None = None  # what it was trained with; None: the standard normal
    extras: Mapping[str, np.ndarray] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    conditions: tuple[Condition, ...] = ()

    @property
    def conditioning(self) -> Conditioning | None:
        """What the model is told beside a picture; None where it is told nothing."""
        fitted = self.fitted_prior
        mixture = None if fitted is None else lambda: fitted
        inferred = self.latent - sum(map(width, self.conditions))
        return conditioning_of(self.conditions, inferred, self.extras, mixture)

    def plain(self) -> OnnxModel:
        """The same model without its second stage."""
        return replace(self, sharpener=None)

    def encode(self, data: np.ndarray, batch: int = BATCH) -> OnnxPosterior:
        """q(z|x) for uint8 pictures (N, S, S, 3), with their masks (N, S, S, 4) where the model takes them.

        Raises DataError when the shape is not the model's.
        """
        inputs = self.input
        check_batch(data, self.name, (*inputs.shape, inputs.channels))
        if inputs.masked and data.shape[1:] == (*inputs.shape, inputs.channels):
            data = np.concatenate([data, np.full_like(data[..., :1], 255)], axis=-1)
        if data.shape[1:] != (*inputs.shape, inputs.planes):
            expected, actual = (
                "×".join(map(str, shape)) for shape in ((*inputs.shape, inputs.channels), data.shape[1:])
            )
            raise DataError(f"model {self.name!r} takes {expected}, not {actual}")
        if data.dtype != inputs.dtype:
            raise DataError(f"model {self.name!r} takes values of {inputs.dtype}, not {data.dtype}")
        if not len(data):
            raise DataError("there is nothing to encode")
        starts = range(0, len(data), batch)
        parts = [
            self.encoder(to_model_array(data[i : i + batch], inputs.range, inputs.channels)) for i in starts
        ]
        return OnnxPosterior(*(np.concatenate(several) for several in zip(*parts, strict=True)))

    def decode(self, z: np.ndarray, batch: int = BATCH) -> np.ndarray:
        """Latents (N, Z) to uint8 pictures (N, S, S, 3), sharpened where the model has a second stage."""
        self._check_latents(z)
        parts = [z[i : i + batch] for i in range(0, len(z), batch)]
        return np.concatenate([self.finish(self.decode_mean(part), part) for part in parts])

    def decode_mean(self, z: np.ndarray, batch: int = BATCH) -> np.ndarray:
        """Latents (N, Z) to the means of p(x|z), (N, 3, S, S) in the recipe's range: the first stage alone."""
        self._check_latents(z)
        z = np.ascontiguousarray(z, dtype=np.float32)
        return np.concatenate([self.decoder(z[i : i + batch])[0] for i in range(0, len(z), batch)])

    def finish(self, mean: np.ndarray, z: np.ndarray) -> np.ndarray:
        """What `decode` makes of means (N, 3, S, S) that `decode_mean` gave for these latents: uint8 (N, S, S, 3)."""
        if self.sharpener is not None:
            (mean,) = self.sharpener(mean, np.ascontiguousarray(z, dtype=np.float32))
        return to_pictures_array(mean, self.input.range, self.input.depth)

    def prior_draws(self, prior: PriorName | None = None, condition: Values | None = None) -> PriorDraws:
        """As `TrainedModel.prior_draws`."""
        if prior == "fitted" and self.fitted_prior is None:
            raise UsageError(f"model {self.name!r} has no fitted prior: use `prior='normal'`")
        conditioning = self.conditioning
        fitted = self.fitted_prior if prior != "normal" else None
        if fitted is not None:
            draws = fitted
        elif self.prior is not None:
            draws = self.prior()
        else:
            draws = NormalDraws(self.latent if conditioning is None else conditioning.latent)
        return conditioned(draws, conditioning, condition, fitted is not None)

    def sample_latents(
        self,
        count: int,
        seed: int = 0,
        prior: PriorName | None = None,
        temperature: float = 1.0,
        condition: Values | None = None,
    ) -> Latents:
        """Draw (count, Z) latents, as `prior_draws` and `draw_latents` say."""
        return draw_latents(self.prior_draws(prior, condition), count, seed, temperature)

    def _check_latents(self, z: np.ndarray) -> None:
        if z.ndim != 2 or z.shape[1] != self.latent:
            raise DataError(f"model {self.name!r} takes latents N×{self.latent}, not {z.shape}")
