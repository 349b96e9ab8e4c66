"""How typical a picture is for a model, as percentiles of the model's own validation pictures.

Enters: a loaded model and pictures. Leaves: two sorted arrays for the model file (`measure_typicality`), and for one
picture the percentiles of its reconstruction error and of its latent's length (`typicality`), with a warning in
words where the model has not seen anything like it; `with_typicality` writes that into a photo's report.
"""

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from facette.errors import UsageError
from facette.images.convert import SEEN
from facette.images.faces.align import Intake

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


def measure_typicality(model, pictures: np.ndarray) -> "dict[str, Tensor]":
    """What `typicality` compares with, to be put into `model.extras`: two sorted arrays (N,), float32.

    `pictures`: uint8 (N, S, S, 3) that the model was not trained on. Raises UsageError for fewer than 20.
    """
    import torch

    if len(pictures) < FEWEST:
        raise UsageError(f"typicality needs at least {FEWEST} pictures to compare with, got {len(pictures)}.")
    errors, norms = _measures(model, pictures)
    return {ERROR: torch.from_numpy(np.sort(errors)).float(), NORM: torch.from_numpy(np.sort(norms)).float()}


def typicality(model, picture: np.ndarray) -> Typicality | None:
    """How typical one picture (uint8, S×S×3) is; None for a model whose file holds nothing to compare with."""
    if ERROR not in model.extras or NORM not in model.extras:
        return None
    errors, norms = _measures(model, picture[None])
    error, norm = float(errors[0]), float(norms[0])
    error_percentile = _percentile(np.asarray(model.extras[ERROR]), error)
    norm_percentile = _percentile(np.asarray(model.extras[NORM]), norm)
    return Typicality(
        round(error, 3),
        error_percentile,
        round(norm, 4),
        norm_percentile,
        _warning(error_percentile, norm_percentile),
    )


def with_typicality(model, taken: Intake) -> Intake:
    """The same intake, its report saying how typical the picture is where the model can tell."""
    known = typicality(model, taken.picture)
    if known is None:
        return taken
    warnings = (*taken.report.warnings, known.warning) if known.warning else taken.report.warnings
    return replace(taken, report=replace(taken.report, typicality=asdict(known), warnings=warnings))


def _measures(model, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Errors and lengths, (N,) each."""
    errors, norms = [], []
    for start in range(0, len(pictures), 256):  # bounded memory for large validation sets
        part = pictures[start : start + 256]
        mean = model.encode(part).mean  # (n, Z)
        squares = (model.plain().decode(mean).astype(np.float64) - part[..., :3]) ** 2
        # pixels that are unknown (a fourth value of 0) say nothing of the model
        seen = part[..., 3:] >= SEEN if part.shape[-1] == 4 else np.ones_like(part[..., :1], bool)
        errors.append(np.sqrt(squares.mean(axis=(1, 2, 3), where=np.broadcast_to(seen, squares.shape))))
        norms.append(np.linalg.norm(np.asarray(mean, np.float64), axis=1))
    return np.concatenate(errors), np.concatenate(norms)


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
