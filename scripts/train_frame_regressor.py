"""Trains the frame regressor: `python scripts/train_frame_regressor.py CROPS --out FILE`.

In: a folder of aligned square face crops (the 144-pixel square centred at (89, 121) of CelebA's 178×218 frame,
at any resolution). Out: the weights as safetensors and the error on crops that were held out. Every sample is
a crop seen through a random similarity, so the right answer is known exactly.

What must not be learnt is the crop's own border, which would give the answer away: each crop is first cut
back by a random margin on every side and what lies beyond is filled in one of four ways.
"""

import argparse
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from facette.errors import DataError
from facette.images.faces.find import PATCH
from facette.images.faces.frame_network import FrameRegressor
from facette.images.faces.frame_regressor import CENTRE, HALF
from facette.images.open import open_image

CROP_CENTRE = (89.0, 121.0)  # of the crops, in pixels of the aligned frame
CROP_HALF = 72.0
STORED = 128  # pixels a side the crops are kept at
POINTS = (
    (-1, -1),
    (1, -1),
    (-1, 1),
    (1, 1),
    (-0.43, -0.25),
    (0.38, -0.23),
    (0, 0.3),
    (0, 0),
)  # (x, y), canonical


@dataclass(frozen=True, slots=True)
class Patches:
    """N training samples."""

    pixels: Tensor  # (N, 1, 64, 64) float, about 0 to 1
    similarity: Tensor  # (N, 4) canonical square to patch, see frame_regressor
    is_face: Tensor  # (N,) 1 where the patch is near enough to a face to be put right, else 0


def train(
    crops: Tensor, held_out: Tensor, out: Path, *, steps: int, batch: int, lr: float, seed: int
) -> None:
    """`crops`, `held_out`: uint8 (M, 128, 128), grey. Every 250 steps writes the weights and says the error."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = FrameRegressor()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), lr=lr, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps, pct_start=0.1)
    started = time.monotonic()
    for step in range(1, steps + 1):
        samples = draw_patches(crops, batch, generator)
        distance, score = losses(network, samples)
        optimizer.zero_grad(set_to_none=True)
        (distance + 0.1 * score).backward()
        optimizer.step()
        schedule.step()
        if step % 250 == 0 or step == steps:
            median, right = measure(network, held_out, seed=1)
            rate = step * batch / (time.monotonic() - started)
            print(f"step {step}/{steps}  {rate:.0f} patches/s  frame error {median:.2f} px  "
                  f"face or not {right:.1%}", file=sys.stderr, flush=True)  # fmt: skip
            state = network.state_dict()
            save_file({name: tensor.contiguous() for name, tensor in state.items()}, out)


def losses(network: FrameRegressor, samples: Patches) -> tuple[Tensor, Tensor]:
    """Mean distance of the frame's points over the faces, and the cross entropy of face or not."""
    similarity, logits = network(samples.pixels)
    distance = point_distances(similarity, samples.similarity).mean(dim=1)  # (N,)
    distance = (distance * samples.is_face).sum() / samples.is_face.sum()
    return distance, F.binary_cross_entropy_with_logits(logits, samples.is_face)


def point_distances(estimated: Tensor, true: Tensor) -> Tensor:
    """Distances (N, P) between the images of `POINTS` under two sets of similarities (N, 4)."""
    difference = estimated - true
    x, y = difference.new_tensor(POINTS).T  # (P,), (P,)
    a, b, tx, ty = (column.unsqueeze(1) for column in difference.unbind(1))  # (N, 1) each
    return torch.sqrt((a * x - b * y + tx) ** 2 + (b * x + a * y + ty) ** 2 + 1e-8)


@torch.no_grad()
def measure(network: FrameRegressor, crops: Tensor, *, seed: int, count: int = 1024) -> tuple[float, float]:
    """Median frame error after one look, in pixels of the 178×218 frame, and the share of right face logits."""
    generator = torch.Generator().manual_seed(seed)
    network.eval()
    samples = draw_patches(crops, count, generator)
    similarity, logits = network(samples.pixels)
    faces = samples.is_face > 0
    scale = samples.similarity[:, :2].norm(dim=1, keepdim=True)
    distances = point_distances(similarity, samples.similarity) / scale * HALF
    right = ((logits > 0) == faces).float().mean()
    network.train()
    return float(distances[faces].mean(dim=1).median()), float(right)


# ── samples ──────────────────────────────────────────────────────────────────────────────────────────────


def draw_patches(crops: Tensor, count: int, generator: torch.Generator) -> Patches:
    """`count` patches of random crops (M, 128, 128), one in five of them not (or hardly) a face."""
    chosen = torch.randint(len(crops), (count,), generator=generator)
    pictures = crops[chosen].float().unsqueeze(1) / 255  # (N, 1, 128, 128)
    mirrored = torch.rand(count, generator=generator) < 0.5
    pictures = torch.where(mirrored.view(-1, 1, 1, 1), pictures.flip(-1), pictures)
    views, is_face = _draw_views(count, generator)
    pixels = _disturb(_look(pictures, views, generator), generator)
    return Patches(pixels, _inverse(views), is_face)


def _draw_views(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Similarities (N, 4) from the patch to the canonical square, and which of them show a face (N,)."""

    def normal(spread: float) -> Tensor:
        return torch.randn(count, generator=generator).clamp(-2.2, 2.2) * spread

    wide = torch.rand(count, generator=generator) < 0.6
    angle = torch.where(wide, normal(18.0), normal(5.0)).deg2rad()
    scale = torch.where(wide, normal(0.17), normal(0.06)).exp()
    shift = torch.where(wide, 1.0, 0.35) * torch.stack([normal(0.17), normal(0.17)])  # (2, N)
    kind = torch.rand(count, generator=generator)  # below 0.2: no face, for one of three reasons
    sign = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    amount = torch.rand(count, generator=generator)
    angle = torch.where(kind < 0.07, sign * (75 + 105 * amount).deg2rad(), angle)
    resized = (kind >= 0.07) & (kind < 0.13)
    scale = torch.where(resized, torch.where(sign < 0, 0.3 + 0.25 * amount, 1.8 + amount), scale)
    aside = (kind >= 0.13) & (kind < 0.2)
    direction = torch.rand(count, generator=generator) * 2 * math.pi
    away = (0.8 + 0.7 * amount) * torch.stack([direction.cos(), direction.sin()])
    shift = torch.where(aside, away, shift)
    views = torch.stack([scale * angle.cos(), scale * angle.sin(), shift[0], shift[1]], dim=1)
    return views, (kind >= 0.2).float()


def _inverse(similarity: Tensor) -> Tensor:
    a, b, tx, ty = similarity.unbind(1)
    square = a * a + b * b
    a, b = a / square, -b / square
    return torch.stack([a, b, -(a * tx - b * ty), -(b * tx + a * ty)], dim=1)


def _look(pictures: Tensor, views: Tensor, generator: torch.Generator) -> Tensor:
    """Patches (N, 1, 64, 64) of `pictures` (N, 1, 128, 128) through `views` (N, 4)."""
    count = len(pictures)
    steps = (torch.arange(PATCH) + 0.5) / PATCH * 2 - 1
    v, u = torch.meshgrid(steps, steps, indexing="ij")  # (64, 64) each
    a, b, tx, ty = (column.view(-1, 1, 1) for column in views.unbind(1))
    # canonical units to units of the crop, −1 to 1 over its 128 pixels
    x = ((a * u - b * v + tx) * HALF + CENTRE[0] - CROP_CENTRE[0]) / CROP_HALF  # (N, 64, 64)
    y = ((b * u + a * v + ty) * HALF + CENTRE[1] - CROP_CENTRE[1]) / CROP_HALF
    margins = torch.rand(4, count, 1, 1, generator=generator).square() * 0.45
    left, top, right, bottom = margins[0] - 1, margins[1] - 1, 1 - margins[2], 1 - margins[3]
    fill = torch.randint(
        4, (count, 1, 1), generator=generator
    )  # repeated edge, mirror, flat, another picture
    inside = (x >= left) & (x <= right) & (y >= top) & (y <= bottom)
    mirrored = fill == 1
    x_in = torch.where(mirrored, _fold(x, left, right), torch.minimum(torch.maximum(x, left), right))
    y_in = torch.where(mirrored, _fold(y, top, bottom), torch.minimum(torch.maximum(y, top), bottom))
    seen = F.grid_sample(
        pictures, torch.stack([x_in, y_in], dim=-1), align_corners=False, padding_mode="border"
    )
    flat = torch.rand(count, 1, 1, 1, generator=generator).expand_as(seen)
    other = seen.roll(1, dims=0).flip(2)
    beyond = torch.where(fill.unsqueeze(1) == 2, flat, other)
    return torch.where((inside | (fill < 2)).unsqueeze(1), seen, beyond)


def _fold(values: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Reflects values at both ends of [low, high]."""
    span = high - low
    phase = torch.remainder(values - low, 2 * span)
    return low + torch.minimum(phase, 2 * span - phase)


def _disturb(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """What happens to photos: light from a side, contrast, blur, low resolution, noise, something in front."""
    count = len(pixels)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, 1, 1, 1, generator=generator)

    ramp = torch.linspace(-1, 1, PATCH)
    pixels = pixels.clamp(1e-3, 1) ** uniform(-0.6, 0.6).exp()
    pixels = pixels * (
        1 + uniform(-0.4, 0.4) * ramp.view(1, 1, 1, -1) + uniform(-0.3, 0.3) * ramp.view(1, 1, -1, 1)
    )
    blurred = F.avg_pool2d(F.pad(pixels, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    coarse = F.interpolate(F.avg_pool2d(pixels, 2), scale_factor=2, mode="bilinear")
    kind = uniform(0, 1)
    pixels = torch.where(kind < 0.15, blurred, torch.where(kind < 0.3, coarse, pixels))
    noise = torch.randn(pixels.shape, generator=generator)
    pixels = pixels + noise * uniform(0, 0.06) * (uniform(0, 1) < 0.5)
    x, y, wide, high = uniform(-1, 1), uniform(-1, 1), uniform(0.1, 0.4), uniform(0.1, 0.4)
    covered = ((ramp.view(1, 1, 1, -1) - x).abs() < wide) & ((ramp.view(1, 1, -1, 1) - y).abs() < high)
    return torch.where(covered & (uniform(0, 1) < 0.15), uniform(0, 1), pixels)


# ── command ──────────────────────────────────────────────────────────────────────────────────────────────


def load_crops(paths: list[Path]) -> Tensor:
    """uint8 (M, 128, 128), grey."""
    crops = np.empty((len(paths), STORED, STORED), np.uint8)
    for index, path in enumerate(paths):
        crops[index] = np.asarray(open_image(path).image.convert("L").resize((STORED, STORED)))
    return torch.from_numpy(crops)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python scripts/train_frame_regressor.py")
    parser.add_argument("crops", type=Path, help="folder of aligned square face crops")
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--leave-out", type=Path, help="folder whose file names are not trained on")
    parser.add_argument("--steps", type=int, default=2600)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    left_out = {path.stem for path in options.leave_out.iterdir()} if options.leave_out else set()
    paths = [path for path in sorted(options.crops.glob("*.jpg")) if path.stem not in left_out]
    if len(paths) < 64:
        raise DataError(f"{options.crops} holds {len(paths)} JPEG crops; at least 64 are needed.")
    held = max(32, len(paths) // 50)
    crops = load_crops(paths)
    print(f"{len(crops) - held} crops to train on, {held} held out", file=sys.stderr, flush=True)
    train(crops[held:], crops[:held], options.out, steps=options.steps, batch=options.batch, lr=options.lr,
          seed=options.seed)  # fmt: skip


if __name__ == "__main__":
    main()
