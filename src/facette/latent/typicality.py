"""How typical a picture is for a model, as percentiles of the model's own validation pictures.

Enters: a loaded model and pictures. Leaves: two sorted arrays for the model file (`measure_typicality`), and for one
picture the percentiles of its reconstruction error and of its latent's length (`typicality_of`), with a warning in
words where the model has not seen anything like it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from facette.errors import UsageError
from facette.images.convert import SEEN
from facette.model.interface import DrawingModel

if TYPE_CHECKING:
    from torch import Tensor

ERROR = "typicality.reconstruction"  # names of the arrays in the model's extras
NORM = "typicality.norm"
FEWEST = 20  # pictures to compare with
RARE = 99.0  # percentile from which a picture counts as unlike those the model was made from


@dataclass(frozen=True, slots=True)
class Typicality:
    """Percentiles are shares (0 to 100) of the validation pictures that lie below this one."""

    error: float  # root mean squared difference to the reconstruction, in steps of 255
    error_percentile: float
    norm: float  # length of the posterior mean
    norm_percentile: float
    warning: str | None  # a sentence for people, where there is reason for one


def measure_typicality(model: DrawingModel, pictures: np.ndarray) -> "dict[str, Tensor]":
    """What `typicality_of` compares with, to be put into `model.extras`: two sorted arrays (N,), float32.

    `pictures`: uint8 (N, S, S, 3) that the model was not trained on. Raises UsageError for fewer than 20.
    """
    import torch

    if len(pictures) < FEWEST:
        raise UsageError(f"typicality needs at least {FEWEST} pictures to compare with, got {len(pictures)}.")
    errors, norms = _measures(model, pictures)
    return {ERROR: torch.from_numpy(np.sort(errors)).float(), NORM: torch.from_numpy(np.sort(norms)).float()}


def typicality_of(
    model: DrawingModel, picture: np.ndarray, mean: np.ndarray, redrawn: np.ndarray
) -> Typicality | None:
    """How typical a picture (S, S, 3) with this posterior mean (Z,) and plain reconstruction (S, S, 3) is; None for a
    model whose file holds nothing to compare with."""
    if ERROR not in model.extras or NORM not in model.extras:
        return None
    error = float(_errors(picture[None], redrawn[None])[0])
    norm = float(np.linalg.norm(mean.astype(np.float64)))
    error_percentile = _percentile(np.asarray(model.extras[ERROR]), error)
    norm_percentile = _percentile(np.asarray(model.extras[NORM]), norm)
    return Typicality(
        round(error, 3),
        error_percentile,
        round(norm, 4),
        norm_percentile,
        _warning(error_percentile, norm_percentile),
    )


def _measures(model: DrawingModel, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Errors and lengths, (N,) each."""
    errors, norms = [], []
    for start in range(0, len(pictures), 256):  # bounded memory for large validation sets
        part = pictures[start : start + 256]
        mean = model.encode(part).mean  # (n, Z)
        errors.append(_errors(part, model.plain().decode(mean)))
        norms.append(np.linalg.norm(np.asarray(mean, np.float64), axis=1))
    return np.concatenate(errors), np.concatenate(norms)


def _errors(pictures: np.ndarray, redrawn: np.ndarray) -> np.ndarray:
    """Root mean squared differences, (N,), in steps of 255; pixels that are unknown (a mask of 0) say nothing
    of the model."""
    channels, white = redrawn.shape[-1], np.iinfo(redrawn.dtype).max
    squares = ((redrawn.astype(np.float64) - pictures[..., :channels]) * (255 / white)) ** 2
    masked = pictures.shape[-1] > channels
    seen = pictures[..., channels:] >= SEEN if masked else np.ones_like(pictures[..., :1], bool)
    return np.sqrt(squares.mean(axis=(1, 2, 3), where=np.broadcast_to(seen, squares.shape)))


def _percentile(known: np.ndarray, value: float) -> float:
    return round(100 * float((known < value).mean()), 1)


def _warning(error_percentile: float, norm_percentile: float) -> str | None:
    if error_percentile >= RARE:
        return (
            f"the model has not seen anything like this: it redraws it worse than {error_percentile:g} % of the "
            "pictures it was tested on"
        )
    if norm_percentile >= RARE:
        return (
            "the model has seen little like this: it lies farther out in its latent space than "
            f"{norm_percentile:g} % of the pictures it was tested on"
        )
    return None
