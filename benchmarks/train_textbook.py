"""The textbook's side: a Dataset that decodes JPEGs with Pillow, a DataLoader, contiguous float32, torch.optim.Adam,
`loss.item()` in every step, losses averaged over pixels.

It begins with Facette's weights and takes the pictures in Facette's order, so that the two curves can be laid on
each other; the noise is its own.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring import Clock, Memory, arguments, write
from PIL import Image
from torch.utils.data import DataLoader, Dataset


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("recipe")
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--noise", type=int, default=0, help="seed of the noise")
    parser.add_argument("--filter", default="bilinear", help="how pictures are resized: bilinear, lanczos")
    asked = parser.parse_args()
    clock = Clock(asked.began)
    with Memory() as memory:
        losses = train(asked, clock)
    write(asked.out, {"ends": clock.ends, **losses, **memory.figures()})


def train(asked: Any, clock: Clock) -> dict[str, Any]:
    """All epochs of a recipe's network; the two parts of the loss, step by step."""
    from torch.nn import functional as F

    from facette.recipe import load_recipe

    recipe, imported = load_recipe(asked.recipe), clock.now()
    sigma = recipe.model.likelihood.sigma
    assert recipe.input.kind == "image"
    assert isinstance(sigma, float)
    pictures = Pictures(
        sorted((asked.pictures / "train").glob("*.jpg")),
        recipe.input.size,
        recipe.input.range,
        Image.Resampling[asked.filter.upper()],
    )
    network = network_of(recipe)
    values = 3 * recipe.input.size**2
    weight = 2 * sigma**2 / values  # of the rate, beside a mean over values
    # a loss divided by a constant takes the same steps where Adam's ε is divided by it too
    optimizer = torch.optim.Adam(network.parameters(), lr=recipe.train.lr, eps=1e-8 * weight)
    squared, rates = [], []
    torch.manual_seed(asked.noise)
    network.train()
    for epoch in range(asked.epochs):
        loader = DataLoader(
            pictures,
            recipe.train.batch,
            sampler=order(recipe, len(pictures), epoch),
            num_workers=asked.workers,
        )
        for x in loader:
            drawn, mean, log_variance = network(x)
            mse = F.mse_loss(drawn, x)
            kl = torch.mean(-0.5 * torch.sum(1 + log_variance - mean**2 - log_variance.exp(), dim=1))
            loss = mse + weight * kl
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()
            squared.append(mse.item())
            rates.append(kl.item())
            clock.step()
    return {"imports_s": imported, "squared": squared, "rate": rates}


def order(recipe: Any, pictures: int, epoch: int) -> list[int]:
    """The rows of an epoch as Facette shuffles them, without the incomplete last batch."""
    from facette.runtime import Rank
    from facette.training.batches import Order

    taken = Order(np.arange(pictures), recipe.train.batch, recipe.seed)
    steps = range(epoch * taken.per_epoch, (epoch + 1) * taken.per_epoch)
    return np.concatenate([taken.at(step, Rank()) for step in steps]).tolist()


class Pictures(Dataset):
    """JPEGs, decoded whenever they are asked for: shorter side to `size`, centre, floats (3, S, S)."""

    def __init__(self, files: list[Path], size: int, range_: str, filter_: Image.Resampling):
        self.files, self.size, self.range, self.filter = files, size, range_, filter_

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> torch.Tensor:
        picture = Image.open(self.files[index]).convert("RGB")
        scale = self.size / min(picture.size)
        picture = picture.resize([round(side * scale) for side in picture.size], self.filter)
        left, top = ((side - self.size) // 2 for side in picture.size)
        picture = picture.crop((left, top, left + self.size, top + self.size))
        x = torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous().float() / 255
        return x if self.range == "unit" else x * 2 - 1


def network_of(recipe: Any) -> Any:
    """A convolutional VAE as its textbook would write it, with the weights that Facette's begins with."""
    from torch import nn
    from torch.nn import functional as F

    from facette.training.state import fresh_state

    size, latent = recipe.input.size, recipe.model.latent
    down = [3, *(layer.channels for layer in recipe.model.encoder.layers)]
    start, side = recipe.model.decoder.start_channels, recipe.model.decoder.start_size
    up = [start, *(layer.channels for layer in recipe.model.decoder.layers)]
    output = nn.Sigmoid() if recipe.model.decoder.output == "sigmoid" else nn.Tanh()

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.Sequential(
                *(
                    nn.Sequential(nn.Conv2d(a, b, 3, 2, 1), nn.BatchNorm2d(b), nn.LeakyReLU())
                    for a, b in pairwise(down)
                )
            )
            self.mean = nn.Linear(down[-1] * side**2, latent)
            self.log_variance = nn.Linear(down[-1] * side**2, latent)
            self.enter = nn.Linear(latent, start * side**2)
            self.decoder = nn.Sequential(
                *(
                    nn.Sequential(nn.ConvTranspose2d(a, b, 3, 2, 1, 1), nn.BatchNorm2d(b), nn.LeakyReLU())
                    for a, b in pairwise(up)
                )
            )
            self.head = nn.Sequential(nn.Conv2d(up[-1], 3, 3, padding=1), output)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            h = self.encoder(x).flatten(1)
            mean, log_variance = self.mean(h), self.log_variance(h)
            z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
            x = self.head(self.decoder(self.enter(z).view(-1, start, side, side)))
            if x.shape[-1] != size:
                x = F.interpolate(x, (size, size), mode="bilinear", align_corners=False, antialias=True)
            return x, mean, log_variance

    network = Network()
    given = fresh_state(recipe, torch.device("cpu")).vae
    encoder, decoder = given.encoder, given.decoder
    with torch.no_grad():
        copy_parameters(encoder.layers, network.encoder)
        copy_parameters(decoder.layers, network.decoder)
        copy_parameters(decoder.linear, network.enter)
        copy_parameters(decoder.head, network.head)
        for name in ("weight", "bias"):
            both = getattr(encoder.linear, name).chunk(2)
            getattr(network.mean, name).copy_(both[0])
            getattr(network.log_variance, name).copy_(both[1])
    return network


def copy_parameters(given: Any, taken: Any) -> None:
    for theirs, mine in zip(given.parameters(), taken.parameters(), strict=True):
        mine.copy_(theirs)


if __name__ == "__main__":
    main()
