"""The small network that judges pictures: what it sees in a face, and the embedding it sees it with.

In: uint8 pictures (N, S, S, 3) in the frame of the shipped face models. Out: embeddings (N, 128) and the logits
of 40 attributes (N, 40). It is for measuring only: no training of a VAE or of a sharpener ever uses it, so that its
verdict is nobody's target. It is not the Inception network, and a distance in its embedding is not "FID".

Trained by `python scripts/train_attribute_network.py`; the card lies beside the weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facette.images.convert import as_rgb, to_model
from facette.recipe import ImageInput, VectorInput

SIZE = 64  # pixels a side that the network looks at
FEATURES = 128
WEIGHTS = "attribute_network.safetensors"
BATCH = 128
ATTRIBUTES = (
    "5_o_Clock_Shadow",
    "Arched_Eyebrows",
    "Attractive",
    "Bags_Under_Eyes",
    "Bald",
    "Bangs",
    "Big_Lips",
    "Big_Nose",
    "Black_Hair",
    "Blond_Hair",
    "Blurry",
    "Brown_Hair",
    "Bushy_Eyebrows",
    "Chubby",
    "Double_Chin",
    "Eyeglasses",
    "Goatee",
    "Gray_Hair",
    "Heavy_Makeup",
    "High_Cheekbones",
    "Male",
    "Mouth_Slightly_Open",
    "Mustache",
    "Narrow_Eyes",
    "No_Beard",
    "Oval_Face",
    "Pale_Skin",
    "Pointy_Nose",
    "Receding_Hairline",
    "Rosy_Cheeks",
    "Sideburns",
    "Smiling",
    "Straight_Hair",
    "Wavy_Hair",
    "Wearing_Earrings",
    "Wearing_Hat",
    "Wearing_Lipstick",
    "Wearing_Necklace",
    "Wearing_Necktie",
    "Young",
)


@dataclass(frozen=True, slots=True)
class Features:
    """What the network sees in N pictures."""

    features: np.ndarray  # (N, 128) float32, the embedding
    logits: np.ndarray  # (N, 40) float32, in the order of ATTRIBUTES; above 0: more likely there than not


class AttributeNetwork(nn.Module):
    """Residual convolutions at 32, 16, 8 and 4 pixels a side, a linear embedding, and a linear head over its SiLU."""

    def __init__(self, widths: tuple[int, ...] = (32, 64, 128, 256), attributes: int = len(ATTRIBUTES)):
        super().__init__()
        stages: list[nn.Module] = [nn.Conv2d(3, widths[0], 4, 2, 1, bias=False)]
        for i, width in enumerate(widths):
            if i:
                stages.append(nn.Conv2d(widths[i - 1], width, 4, 2, 1, bias=False))
            stages.append(_Residual(width))
        self.stages = nn.Sequential(*stages, nn.BatchNorm2d(widths[-1]), nn.SiLU())
        self.embed = nn.Linear(widths[-1], FEATURES)
        self.head = nn.Linear(FEATURES, attributes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, 64, 64) in [−1, 1] to embeddings (N, 128) and logits (N, 40)."""
        features = self.embed(self.stages(x).mean(dim=(2, 3)))
        return features, self.head(F.silu(features))


class _Residual(nn.Module):
    """x + conv(act(norm(conv(act(norm(x))))))."""

    def __init__(self, width: int):
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.silu(self.norm2(self.conv1(F.silu(self.norm1(x))))))


def speaks_for(data: ImageInput | VectorInput) -> bool:
    """Whether the network has a word to say on pictures that a model takes: on faces in a frame that is known.

    On others, emoji or digits, its attributes mean nothing, and it is silent.
    """
    return data.kind == "image" and data.frame is not None


def extract(pictures: np.ndarray, batch: int = BATCH) -> Features:
    """What the shipped network says of pictures (N, H, W, C); other sizes than 64 are resized first."""
    network, features, logits = shipped_network(), [], []
    with torch.inference_mode():
        for start in range(0, len(pictures), batch):
            output = network(at_network_size(pictures[start : start + batch]))
            features.append(output[0].numpy())
            logits.append(output[1].numpy())
    if not features:
        return Features(np.zeros((0, FEATURES), np.float32), np.zeros((0, len(ATTRIBUTES)), np.float32))
    return Features(np.concatenate(features), np.concatenate(logits))


def at_network_size(pictures: np.ndarray) -> Tensor:
    """Pictures (N, H, W, C) to (N, 3, 64, 64) in [−1, 1], resized with antialiasing where they have another size."""
    x = to_model(as_rgb(pictures), "symmetric")
    if tuple(x.shape[-2:]) != (SIZE, SIZE):
        x = F.interpolate(x, (SIZE, SIZE), mode="bicubic", antialias=True, align_corners=False).clamp(-1, 1)
    return x.contiguous(memory_format=torch.channels_last)


@cache
def shipped_network() -> AttributeNetwork:
    """The network that comes with the package, in evaluation mode."""
    from safetensors.torch import load

    weights = load(files("facette.judges").joinpath("weights", WEIGHTS).read_bytes())
    network = AttributeNetwork()
    network.load_state_dict({n: t.float() if t.is_floating_point() else t for n, t in weights.items()})
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.eval().requires_grad_(False)
