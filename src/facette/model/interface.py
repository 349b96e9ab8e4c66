"""What drawing asks of a model, whoever computes it: torch (`TrainedModel`) or onnxruntime (`OnnxModel`).

Enters: uint8 pictures (N, S, S, 3), or latents (N, Z) as arrays. Leaves: posteriors and pictures, as arrays. Knows
nothing of training, nor of how either model computes; needs no torch.

Legend: N pictures, Z latents, S side of a picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from facette.errors import DataError
from facette.model.conditions import Conditioning, Values
from facette.model.draws import PriorDraws

PriorName = Literal["fitted", "normal"]


def check_batch(data: object, name: str, shape: tuple[int, ...]) -> None:
    """Raises DataError for what is no array of several data of such a shape, whatever their size."""
    asked = f"model {name!r} encodes arrays N×{'×'.join(map(str, shape))}"
    if not isinstance(actual := getattr(data, "shape", None), tuple) or not hasattr(data, "dtype"):
        raise DataError(f"{asked}, not {type(data).__name__}: `facette.reconstruct` takes files and photos")
    if len(actual) != len(shape) + 1:
        raise DataError(f"{asked}, not one of {'×'.join(map(str, actual))}")


class PosteriorMoments(Protocol):
    """N(mean, diag(scale²)), one row per picture: arrays, or tensors on the CPU, which `np.asarray` takes alike."""

    @property
    def mean(self) -> Any: ...  # (N, Z)
    @property
    def scale(self) -> Any: ...  # (N, Z), the standard deviation σ > 0
    def __len__(self) -> int: ...  # N


class DrawingModel(Protocol):
    """A model of pictures that encodes and decodes."""

    @property
    def name(self) -> str: ...
    @property
    def latent(self) -> int:
        """Number of latent dimensions Z."""
        ...

    @property
    def input(self) -> Any:
        """`kind`, `size`, and for pictures `range`, `fit` and `frame`, as `facette.recipe.ImageInput` has them."""
        ...

    @property
    def extras(self) -> Mapping[str, Any]:
        """Named arrays that other rooms keep in the model file, e.g. `directions.Smiling`."""
        ...

    @property
    def metrics(self) -> Mapping[str, Any]:
        """What was measured of it, as plain values, and what other rooms keep beside their extras."""
        ...

    @property
    def sharpener(self) -> Any:
        """Its second stage; None where it has none."""
        ...

    def plain(self) -> DrawingModel:
        """The same model without its second stage."""
        ...

    def encode(self, data: Any, batch: int = ...) -> PosteriorMoments:
        """q(z|x) for uint8 pictures (N, S, S, 3)."""
        ...

    @property
    def fitted_prior(self) -> Any:
        """The mixture fitted to its latents after training, of so many `components`; None where there is none."""
        ...

    @property
    def conditioning(self) -> Conditioning | None:
        """What the model is told beside a picture; None where it is told nothing."""
        ...

    def prior_draws(self, prior: PriorName | None = ..., condition: Values | None = ...) -> PriorDraws:
        """The fitted prior, or the one trained with; None takes the fitted one where there is one. `condition`: what is
        told of every draw."""
        ...

    def sample_latents(
        self,
        count: int,
        seed: int = ...,
        prior: PriorName | None = ...,
        temperature: float = ...,
        condition: Values | None = ...,
    ) -> Any:
        """Draws (N, Z) of a prior, arrays, or tensors on the CPU."""
        ...

    def decode(self, z: Any, batch: int = ...) -> NDArray[Any]:
        """Latents (N, Z) to uint8 pictures (N, S, S, 3), through the second stage where the model has one."""
        ...

    def decode_mean(self, z: NDArray[np.float32], batch: int = ...) -> NDArray[np.float32]:
        """Latents (N, Z) to the means of p(x|z), (N, 3, S, S) in the recipe's range: the first stage alone."""
        ...

    def finish(self, mean: NDArray[np.float32], z: NDArray[np.float32]) -> NDArray[np.uint8]:
        """What `decode` makes of means that `decode_mean` gave for these latents: uint8 (N, S, S, 3)."""
        ...
