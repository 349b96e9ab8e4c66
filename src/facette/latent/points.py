"""Pictures to latents and back, one at a time.

Enters: a loaded model and uint8 pictures `(N, S, S, 3)` or latents `(N, Z)`. Leaves: latents, or pictures. Latents are
tensors where torch draws, and arrays where a light model does; nothing here needs to know which.

A matrix product over a batch of ten may differ in its last bit from ten products over one, which can move a
byte of a picture. Sheets promise that a variation looks the same alone as among nine others, and that factor 0
*is* the reconstruction, so here every picture passes through the network by itself. Large sets go through
`model.encode` and `model.decode`, which batch.
"""

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from facette.latent.inputs import Picture

if TYPE_CHECKING:
    from torch import Tensor

    Latents: TypeAlias = Tensor  # the light model's arrays have the same arithmetic
else:
    Latents = Any


def encode_each(model, pictures: Picture) -> tuple[Latents, Latents]:
    """Posterior mean and scale σ of every picture: two (N, Z) on the CPU."""
    posteriors = [model.encode(one[None]) for one in pictures]
    mean = np.concatenate([np.asarray(posterior.mean) for posterior in posteriors])
    scale = np.concatenate([np.asarray(posterior.scale) for posterior in posteriors])
    return model.as_latents(mean), model.as_latents(scale)


def decode_each(model, latents: Latents) -> Picture:
    """The picture of every latent: (N, Z) → uint8 (N, S, S, 3)."""
    return np.concatenate([model.decode(one[None]) for one in latents])
