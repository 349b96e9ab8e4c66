"""The layers of the frame regressor, for training and tracing it; to look through it is the part of `frame_regressor`.

In: grey 64×64 patches as tensors. Out: similarities and logits; what they mean stands in `frame_regressor`.
"""

from __future__ import annotations

from torch import Tensor, nn


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


def _block(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return convolution, nn.BatchNorm2d(outputs), nn.SiLU()
