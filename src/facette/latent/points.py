"""Pictures to latents and back, one at a time.

Enters: a loaded model and uint8 pictures `(N, S, S, 3)` or latents `(N, Z)`. Leaves: latents, or pictures.

A matrix product over a batch of ten may differ in its last bit from ten products over one, which can move a
byte of a picture. Sheets promise that a variation looks the same alone as among nine others, and that factor 0
*is* the reconstruction, so here every picture passes through the network by itself. Large sets go through
`model.encode` and `model.decode`, which batch.
"""

import numpy as np
import torch
from torch import Tensor

from facette.latent.inputs import Picture


def encode_each(model, pictures: Picture) -> tuple[Tensor, Tensor]:
    """Posterior mean and scale σ of every picture: two (N, Z) on the CPU."""
    posteriors = [model.encode(one[None]) for one in pictures]
    mean = torch.cat([posterior.mean for posterior in posteriors]).float().cpu()
    scale = torch.cat([posterior.scale for posterior in posteriors]).float().cpu()
    return mean, scale


def decode_each(model, latents: Tensor) -> Picture:
    """The picture of every latent: (N, Z) → uint8 (N, S, S, 3)."""
    return np.concatenate([model.decode(one[None]) for one in latents])
