"""Pictures to latents and back, one at a time.

Enters: a loaded model and uint8 pictures `(N, S, S, 3)` or latents `(N, Z)`. Leaves: latents, or pictures, as arrays.
Knows nothing of where either comes from.

A matrix product over a batch of ten may differ in its last bit from ten products over one, which can move a
byte of a picture. Sheets promise that a variation looks the same alone as among nine others, and that factor 0
*is* the photo, or the reconstruction, so here every picture passes through the network by itself. Large sets go
through `model.encode` and `model.decode`, which batch.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from facette.latent.inputs import Picture
from facette.model.interface import DrawingModel

Latents: TypeAlias = NDArray[np.float32]  # (N, Z)


def encode_each(model: DrawingModel, pictures: Picture) -> tuple[Latents, Latents]:
    """Posterior mean and scale σ of every picture: two (N, Z)."""
    posteriors = [model.encode(picture[None]) for picture in pictures]
    mean = np.concatenate([np.asarray(posterior.mean) for posterior in posteriors])
    scale = np.concatenate([np.asarray(posterior.scale) for posterior in posteriors])
    return mean, scale


def decode_each(model: DrawingModel, latents: Latents) -> Picture:
    """The picture of every latent: (N, Z) → uint8 (N, S, S, 3)."""
    return np.concatenate([model.decode(latent[None]) for latent in latents])


def means_each(model: DrawingModel, latents: Latents) -> NDArray[np.float32]:
    """The first stage's mean of every latent, not clipped: (N, Z) → (N, 3, S, S) in the recipe's range."""
    return np.concatenate([model.decode_mean(latent[None]) for latent in latents])
