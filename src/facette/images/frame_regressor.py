"""A small network that says where exactly the aligned frame lies in a roughly cropped face.

In: grey 64×64 patches around a face. Out: for each, the similarity that puts the frame right, and how sure it
is that a face is there at all. Knows nothing of photos or detectors. Trained by `train_frame_regressor`.

Coordinates: the *canonical square* is the part of CelebA's aligned 178×218 frame from brow to chin, centred at
`CENTRE` and `HALF` pixels wide to each side, in units of −1 to 1. A patch was sampled where the square was
thought to be; the network returns (a, b, tx, ty), and the true place of a canonical point (x, y) in the patch,
in the same units, is (a·x − b·y + tx, b·x + a·y + ty). Estimating, re-sampling and estimating again converges.
"""

from functools import cache
from importlib.resources import files

import numpy as np
import torch
from torch import Tensor, nn

from facette.images.similarity import similarity

CENTRE = (89.0, 123.0)  # pixels of the aligned 178×218 frame
HALF = 47.0
# Where the trained network puts that square on faces that are known to be aligned exactly. Two in three of the
# crops it learnt from lie a pixel or two higher than they should, and it learnt the mean.
FOUND_CENTRE = (89.0, 123.93)
FOUND_HALF = 46.9
BATCH = 512
WEIGHTS = "frame_regressor.safetensors"


class FrameRegressor(nn.Module):
    """Strided convolutions, then two linear layers; 200 thousand parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_block(1, 16, kernel=5, stride=2),  # 32×32
            *_block(16, 24, stride=2),  # 16×16
            *_block(24, 32),
            *_block(32, 48, stride=2),  # 8×8
            *_block(48, 48),
            *_block(48, 64, stride=2),  # 4×4
        )
        self.hidden = nn.Linear(64 * 16, 96)
        self.similarity = nn.Linear(96, 4)
        self.face = nn.Linear(96, 1)

    def forward(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        """`patches` (N, 1, 64, 64), any range. Returns similarities (N, 4) and face logits (N,)."""
        mean = patches.mean(dim=(1, 2, 3), keepdim=True)
        spread = patches.std(dim=(1, 2, 3), keepdim=True)
        patches = (patches - mean) / (spread + 1e-3 * (1 + mean.abs()))
        hidden = nn.functional.silu(self.hidden(self.features(patches).flatten(1)))  # (N, 96)
        # The head learns what to change: zero means that the patch already is the canonical square.
        identity = hidden.new_tensor((1.0, 0.0, 0.0, 0.0))
        return identity + self.similarity(hidden), self.face(hidden).squeeze(1)


def estimate(patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`patches` uint8 (N, 64, 64), grey. Returns matrices (N, 3, 3), canonical to patch, and logits (N,)."""
    network = _shipped()
    with torch.inference_mode():
        inputs = torch.from_numpy(np.ascontiguousarray(patches)).unsqueeze(1)  # (N, 1, 64, 64)
        parts = [network(part.float() / 255) for part in inputs.split(BATCH)]
    matrices = [similarity(*row) for part, _ in parts for row in part.double().tolist()]
    return np.stack(matrices), torch.cat([logits for _, logits in parts]).double().numpy()


def canonical_to_frame() -> np.ndarray:
    """(3, 3), from canonical units as the shipped network means them to pixels of CelebA's aligned frame."""
    return similarity(FOUND_HALF, 0.0, *FOUND_CENTRE)


def _block(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return convolution, nn.BatchNorm2d(outputs), nn.SiLU()


@cache
def _shipped() -> FrameRegressor:
    from safetensors.torch import load

    network = FrameRegressor()
    network.load_state_dict(load(files("facette.images").joinpath("weights", WEIGHTS).read_bytes()))
    return network.eval()
