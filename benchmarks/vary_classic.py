"""The classic way to ten relatives of a photo: a script that imports torch and matplotlib, loads a pickled network,
prepares the photo as torchvision's transforms do, decodes ten draws one by one, and saves a grid of figures.

    python vary_classic.py NETWORK.pth PHOTO OUT.png

NETWORK.pth holds the whole pickled modules and what the photo must become, as `inference.py` writes it. It does what
`facette vary --plain` does, with the same network: what differs is how.
"""

from __future__ import annotations

import sys

import matplotlib
import numpy as np
import torch
from PIL import Image

matplotlib.use("Agg")
import matplotlib.pyplot as plt

COUNT, FACTOR = 10, 7.0


def main(network: str, photo: str, out: str) -> None:
    saved = torch.load(network, weights_only=False)
    encoder, decoder = saved["encoder"].eval(), saved["decoder"].eval()
    x = prepared(photo, saved["box"], saved["size"], saved["symmetric"])
    torch.manual_seed(0)
    with torch.no_grad():
        mean, log_variance = encoder(x).chunk(2, dim=1)
        deviation = torch.exp(0.5 * log_variance)
        drawn = [decoder(mean + FACTOR * deviation * torch.randn_like(deviation)) for _ in range(COUNT)]
    figure, axes = plt.subplots(2, 6, figsize=(15, 6))
    for place, picture in zip(axes.flat, [x, decoder(mean).detach(), *drawn], strict=True):
        place.imshow(shown(picture, saved["symmetric"]))
        place.axis("off")
    figure.tight_layout()
    figure.savefig(out)


def prepared(photo: str, box: tuple[int, int, int, int], size: int, symmetric: bool) -> torch.Tensor:
    """Crop, resize, to a tensor of (1, 3, S, S), normalise."""
    image = Image.open(photo).convert("RGB").crop(box).resize((size, size), Image.Resampling.BILINEAR)
    values = torch.from_numpy(np.array(image)).permute(2, 0, 1).float().div(255).unsqueeze(0)
    return values * 2 - 1 if symmetric else values


def shown(picture: torch.Tensor, symmetric: bool) -> np.ndarray:
    values = picture[0].permute(1, 2, 0)
    return (values / 2 + 0.5 if symmetric else values).clamp(0, 1).numpy()


if __name__ == "__main__":
    main(*sys.argv[1:])
