"""The peer: a plain convolutional VAE of some forty lines, for so many seconds of the processor.

Three strided convolutions, batch norm, SiLU, a Gaussian with one optimal σ, Adam at 1e-3, batches of 64, 64 latents:
what one writes in an afternoon. It knows nothing of Facette.
"""

from __future__ import annotations

import time

import torch
from plain_measuring import LATENTS, asked_for, measured
from torch import Tensor, nn

BATCH, WIDTHS = 64, (32, 64, 128)


def down(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 4, 2, 1), nn.BatchNorm2d(outputs), nn.SiLU())


def rise(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.ConvTranspose2d(inputs, outputs, 4, 2, 1), nn.BatchNorm2d(outputs), nn.SiLU())


def main() -> None:
    asked = asked_for(__doc__)
    train = torch.from_numpy(asked.train).permute(0, 3, 1, 2).float() / 255
    channels, side, (w1, w2, w3) = train.shape[1], train.shape[2] // 8, WIDTHS
    torch.manual_seed(asked.seed)
    encoder = nn.Sequential(
        down(channels, w1), down(w1, w2), down(w2, w3), nn.Flatten(), nn.Linear(w3 * side**2, 2 * LATENTS)
    )
    decoder = nn.Sequential(
        *(nn.Linear(LATENTS, w3 * side**2), nn.Unflatten(1, (w3, side, side)), nn.SiLU()),
        *(rise(w3, w2), rise(w2, w1), nn.ConvTranspose2d(w1, channels, 4, 2, 1)),
    )
    optimiser = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-3)
    passes, began = 0, time.process_time()
    while time.process_time() - began < asked.seconds:
        batch = train[torch.randint(len(train), (BATCH,))]
        mean, log_variance = encoder(batch).chunk(2, 1)
        drawn = decoder(mean + torch.randn_like(mean) * (log_variance / 2).exp())
        error = ((drawn - batch) ** 2).flatten(1)
        distortion = error.shape[1] / 2 * error.mean().log()
        rate = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1).mean()
        optimiser.zero_grad()
        (distortion + rate).backward()
        optimiser.step()
        passes += BATCH
    spent = time.process_time() - began
    encoder.eval()
    decoder.eval()

    def redraw(pictures: Tensor) -> Tensor:
        return decoder(encoder(pictures).chunk(2, 1)[0])

    measured(asked, redraw, lambda count: decoder(torch.randn(count, LATENTS)), passes, spent)


if __name__ == "__main__":
    main()
