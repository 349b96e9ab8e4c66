"""The shortest way between two latents when length is measured in decoded pictures.

Enters: a model of torch's, for its gradients, and two latents. Leaves: a `Geodesic`, a polyline of latents. The decoder
g pulls the metric of picture space back into the latent space; a curve's energy under it, cut into K pieces, is
K·Σ‖g(zᵢ₊₁) − g(zᵢ)‖² (Shao, Kumar, Fletcher 2017, arXiv 1711.08014; Arvanitidis et al., arXiv 1710.11379), whose
minimum is a geodesic walked at constant speed. It is found by gradient descent on the inner knots, from the straight
line.

Legend: K pieces, Z latents, D numbers of a decoded picture.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facette.latent.paths import Geodesic, path, polyline, step_lengths
from facette.model.trained import TrainedModel
from facette.progress import Advance, unheard

PIECES = 16
STEPS = 50
RATE = 0.02  # Adam's, in units of the distance between the ends, per latent
MEASURED = 4  # places for each piece when lengths are compared: between knots a polyline has nowhere to hide


def find_geodesic(
    model: TrainedModel,
    start: NDArray[np.float32],
    end: NDArray[np.float32],
    pieces: int = PIECES,
    steps: int = STEPS,
    progress: Advance = unheard,
) -> Geodesic:
    """From `start` to `end`, (Z,) each, by the decoder without any sharpener.

    Deterministic. Where the descent finds nothing shorter, the knots lie on the straight line. `progress` is called at
    every step of it; what it raises ends the search.
    """
    line = path(start, end, pieces + 1)  # (K + 1, Z)
    bent = _descend(model, torch.from_numpy(line), steps, progress).numpy()
    straight, length = (_length(model, knots) for knots in (line, bent))
    if length < straight:
        return Geodesic(bent, length, straight)
    return Geodesic(line, straight, straight)


def _descend(model: TrainedModel, line: Tensor, steps: int, progress: Advance) -> Tensor:
    """The knots of least energy that `steps` steps of Adam come by; the ends stay."""
    device = model.device
    ends = line[:1].to(device), line[-1:].to(device)
    scale = float((line[-1] - line[0]).square().mean().sqrt())
    if scale == 0:
        return line
    inner = line[1:-1].clone().to(device)
    shift = torch.zeros_like(inner, requires_grad=True)
    optimizer = torch.optim.Adam([shift], lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, eta_min=RATE / 20)
    with torch.no_grad():
        fixed = model.vae.decode(torch.cat(ends))  # (2, …)
    best, least = line, np.inf
    for _ in range(steps):
        progress(1)
        knots = inner + scale * shift
        seen = torch.cat([fixed[:1], model.vae.decode(knots), fixed[1:]]).flatten(1)  # (K + 1, D)
        energy = seen.diff(dim=0).square().sum()
        if (value := float(energy.detach())) < least:
            best, least = torch.cat([ends[0], knots.detach(), ends[1]]).cpu(), value
        optimizer.zero_grad()
        energy.backward()
        optimizer.step()
        schedule.step()
    return best


def _length(model: TrainedModel, knots: NDArray[np.float32]) -> float:
    along = np.linspace(0, 1, MEASURED * (len(knots) - 1) + 1, dtype=np.float32)
    with torch.no_grad():
        places = torch.from_numpy(polyline(knots)(along)).to(model.device)
        seen = torch.cat([model.vae.decode(part) for part in places.split(16)])
    return float(step_lengths(seen.cpu().numpy()).sum())
