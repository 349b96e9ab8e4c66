"""The network of who: what of a face stays the same from photo to photo of a person, as a direction in 128 numbers.

In: pictures (N, 3, 64, 64) in [−1, 1], in the frame of the shipped face models. Out: (N, F) of unit length, with
gradients for the pictures; the network's own numbers never change. It serves losses, so nothing that it says of a
model is a verdict: who a drawing is taken for, another network judges, which no loss may use.

Trained by scripts/train_identity_network.py; the card lies beside the weights. Legend: N pictures, F features.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from importlib.resources import files

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SIZE = 64  # pixels a side
FEATURES = 128
WEIGHTS = "identity.safetensors"
ROWS, COLUMNS = slice(10, 58), slice(8, 56)  # the face in the frame: brow to chin, without most of the hair


class IdentityNetwork(nn.Module):
    """Residual convolutions at 24, 12 and 6 pixels a side over the middle of the frame, then one linear layer.

    `norm`: with batch norms, as it is trained; without, as it is used, each norm is folded into the layer before it.
    """

    def __init__(
        self, norm: bool = False, widths: tuple[int, int, int] = (24, 64, 128), dropout: float = 0.0
    ):
        super().__init__()
        low, middle, high = widths
        self.stages = nn.Sequential(
            normed_convolution(3, low, 2, norm),
            nn.SiLU(),
            IdentityBlock(low, norm),
            normed_convolution(low, middle, 2, norm),
            nn.SiLU(),
            IdentityBlock(middle, norm),
            IdentityBlock(middle, norm),
            normed_convolution(middle, high, 2, norm),
            nn.SiLU(),
            IdentityBlock(high, norm),
            normed_convolution(high, middle, 1, norm),
            nn.SiLU(),
        )
        self.dropout = nn.Dropout(dropout)
        self.embed = nn.Sequential(
            nn.Linear(middle * 6 * 6, FEATURES, bias=not norm),
            nn.BatchNorm1d(FEATURES) if norm else nn.Identity(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, 64, 64) in [−1, 1] to (N, F), of any length."""
        return self.embed(self.dropout(self.parts(x)))

    def parts(self, x: Tensor) -> Tensor:
        """What the convolutions say of the parts of the face, before they are weighed: (N, M)."""
        return self.stages(x[..., ROWS, COLUMNS]).flatten(1)  # of (N, 3, 48, 48)


class IdentityBlock(nn.Module):
    """silu(x + norm(conv(silu(norm(conv(x))))))."""

    def __init__(self, width: int, norm: bool):
        super().__init__()
        self.first = normed_convolution(width, width, 1, norm)
        self.second = normed_convolution(width, width, 1, norm)

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(x + self.second(F.silu(self.first(x))))


def normed_convolution(inputs: int, outputs: int, stride: int, norm: bool) -> nn.Sequential:
    """A 3×3 convolution and its batch norm, or the one convolution with a bias that both become."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=not norm),
        nn.BatchNorm2d(outputs) if norm else nn.Identity(),
    )


class IdentityFeatures(nn.Module):
    """The trained network, frozen: no norm that a batch could move, no gradient for its own numbers."""

    def __init__(self, network: IdentityNetwork):
        super().__init__()
        self.network = network.eval().requires_grad_(False)

    def features(self, x: Tensor) -> Tensor:
        """(N, 3, S, S) in [−1, 1] to (N, F) of unit length; where S is not 64, the picture is resized first.

        The cosine of two of them says how alike two faces are; the card says from which cosine on strangers are rare.
        """
        if x.shape[-2:] != (SIZE, SIZE):
            x = F.interpolate(x, (SIZE, SIZE), mode="bicubic", antialias=True, align_corners=False)
        return F.normalize(self.network(x), dim=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.features(x)


@cache
def identity_features() -> IdentityFeatures | None:
    """The network that comes with the package, on the CPU in float32; None where the package has none."""
    from safetensors.torch import load

    path = files("facette.model").joinpath("weights", WEIGHTS)
    if not path.is_file():
        return None
    network = IdentityNetwork()
    network.load_state_dict({name: tensor.float() for name, tensor in load(path.read_bytes()).items()})
    return IdentityFeatures(network)


def identity_on(
    device: torch.device, price: float, term: str, say: Callable[[str], None]
) -> IdentityFeatures | None:
    """The network on a device where its `term` has a price; None where it has none, or the package has no network,
    which is said."""
    if not price:
        return None
    network = identity_features()
    if network is None:
        say(f"the network of who is not there: the recipe's term {term} is off")
        return None
    return copy.deepcopy(network).to(device)
