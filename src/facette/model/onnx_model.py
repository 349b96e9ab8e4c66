"""A model ready for use without torch: what `TrainedModel` does with pictures, done by graphs and arrays.

Enters: uint8 pictures (N, S, S, 3), or latents (N, Z). Leaves: posteriors and uint8 pictures, as arrays; the same
numbers as torch gives but for rounding. It draws what a photo or a latent decides; it neither refines nor draws from a
fitted prior, for which there is `TrainedModel`. Reading model files is the business of facette.checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from facette.errors import DataError
from facette.images.convert import to_model_array, to_pictures_array
from facette.onnx_graph import Graph

BATCH = 64


@dataclass(frozen=True, slots=True)
class LightFrame:
    """An aligned source frame; see `facette.recipe.Frame`."""

    size: tuple[int, int]
    box: tuple[int, int, int, int]
    eyes: tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class LightInput:
    """The pictures a model takes; see `facette.recipe.ImageInput`, which checks what is only read here."""

    size: int
    range: Literal["unit", "symmetric"]
    fit: Literal["cover", "squash"]
    frame: LightFrame | None
    alpha: Literal["white", "mask"] = "white"
    kind: Literal["image"] = "image"

    @property
    def masked(self) -> bool:
        return self.alpha == "mask"

    @classmethod
    def of(cls, section: Mapping[str, Any]) -> LightInput:
        """From the section `input` of a recipe of pictures, as plain JSON."""
        frame = section.get("frame")
        read = frame and LightFrame(
            tuple(frame["size"]), tuple(frame["box"]), (tuple(frame["eyes"][0]), tuple(frame["eyes"][1]))
        )
        return cls(section["size"], section["range"], section["fit"], read, section.get("alpha", "white"))


@dataclass(frozen=True, slots=True)
class LightPosterior:
    """N(mean, diag(scale²)), one row per picture."""

    mean: np.ndarray  # (N, Z)
    scale: np.ndarray  # (N, Z), the standard deviation σ > 0


@dataclass(frozen=True, slots=True, eq=False)
class LightModel:
    """A model of pictures that onnxruntime computes."""

    name: str
    input: LightInput
    latent: int  # Z
    encoder: Graph  # (N, 3, S, S), or (N, 4, S, S) with a mask → mean and scale, (N, Z) each
    decoder: Graph  # (N, Z) → (N, 3, S, S)
    sharpener: Graph | None = None  # (N, 3, S, S) and (N, Z) → (N, 3, S, S)
    extras: Mapping[str, np.ndarray] = field(default_factory=dict)

    def plain(self) -> LightModel:
        """The same model without its second stage."""
        return replace(self, sharpener=None)

    def encode(self, data: np.ndarray, batch: int = BATCH) -> LightPosterior:
        """q(z|x) for uint8 pictures (N, S, S, 3), with their masks (N, S, S, 4) where the model takes them.

        Raises DataError when the shape is not the model's.
        """
        side = self.input.size
        if self.input.masked and data.shape[1:] == (side, side, 3):
            data = np.concatenate([data, np.full_like(data[..., :1], 255)], axis=-1)
        if data.shape[1:] != (side, side, 4 if self.input.masked else 3):
            raise DataError(
                f"model {self.name!r} takes {side}×{side}×3, not {'×'.join(map(str, data.shape[1:]))}"
            )
        if not len(data):
            raise DataError("there is nothing to encode")
        starts = range(0, len(data), batch)
        parts = [self.encoder(to_model_array(data[i : i + batch], self.input.range)) for i in starts]
        return LightPosterior(*(np.concatenate(several) for several in zip(*parts, strict=True)))

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
        return to_pictures_array(mean, self.input.range)

    def _check_latents(self, z: np.ndarray) -> None:
        if z.ndim != 2 or z.shape[1] != self.latent:
            raise DataError(f"model {self.name!r} takes latents N×{self.latent}, not {z.shape}")
