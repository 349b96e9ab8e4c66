"""Trains the network of who that losses use: `python scripts/train_identity_network.py DATA PEOPLE --out FILE`.

In: a folder of faces in the frame of the shipped models, and a CSV `image_id,person`. Out: the weights as
safetensors, half precision, batch norms folded in, and beside them a JSON of what was reached on people whom
the network has never seen: those whose number is a multiple of ten, a tenth of all, choose and report, and no more.

A margin softmax over people (CosFace, arXiv 1801.09414, whose logits are cosines as ArcFace's, arXiv 1801.07698).
Four photos a person are few to learn what a face is made of: where the pictures have attributes, the convolutions must
also tell those, through a layer that is thrown away. The labels teach, not the network that judges attributes.
The network will look at what a variational autoencoder draws, so that training pictures are blurred, reduced, moved
and recoloured: features that only a sharp photo has are of no use to its loss.

Run the same command again to go on where it stopped: the run is saved beside the weights every minute or so.
It knows no autoencoder, and no network that judges one.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from facette.checkpoint.tensors import to_half, write_atomically, write_tensors
from facette.data import open_dataset
from facette.data.packed import ImageStore
from facette.data.people import read_people, set_apart
from facette.images.convert import to_model
from facette.model.identity import FEATURES, SIZE, IdentityNetwork
from facette.recipe import load_recipe

SEED = 40_000_003
SCALE = 24.0  # of the cosines, before the softmax
MARGIN = 0.15  # by which a face's own person must lead, reached after half of the steps
ATTRIBUTES_WEIGHT = 10.0  # of their mean cross entropy, beside that of people
SAVE_EVERY, LOG_EVERY = 400, 100  # steps
AVERAGE = 0.998  # of the weights, exponentially


@dataclass(frozen=True)
class Faces:
    """Pictures and whose they are."""

    store: ImageStore
    rows: np.ndarray  # (N,) rows of the store
    people: np.ndarray  # (N,) numbers of people; for training 0 … P − 1
    attributes: np.ndarray | None = None  # (N, A) of 1 and −1, 0 where it is not known


def split_by_person(store: ImageStore, people_file: Path) -> tuple[Faces, Faces]:
    """Training faces, and those of the people set apart: whose number is a multiple of ten."""
    people = read_people(people_file, store.names)
    training, held = np.flatnonzero((people >= 0) & ~set_apart(people)), np.flatnonzero(set_apart(people))
    numbered = np.unique(people[training], return_inverse=True)[1]
    known = None if store.attributes is None else store.attributes.values[training]
    return Faces(store, training, numbered, known), Faces(store, held, people[held])


class MarginSoftmax(nn.Module):
    """Cross entropy over people of SCALE · (cosine − margin for a face's own person)."""

    def __init__(self, people: int):
        super().__init__()
        self.centres = nn.Parameter(torch.randn(people, FEATURES) * 0.05)

    def forward(self, features: Tensor, people: Tensor, margin: float) -> Tensor:
        cosines = F.normalize(features, dim=1) @ F.normalize(self.centres, dim=1).T  # (N, P)
        own = F.one_hot(people, len(self.centres)).to(cosines)
        return F.cross_entropy(SCALE * (cosines - margin * own), people)


def attribute_loss(logits: Tensor, attributes: Tensor) -> Tensor:
    """Mean cross entropy of the attributes (N, A) that are known."""
    return F.binary_cross_entropy_with_logits(logits, (attributes > 0).float(), weight=attributes.abs())


def disturb(x: Tensor, draws: torch.Generator) -> Tensor:
    """(N, 3, 64, 64): mirrored, turned, moved and scaled a little; reduced and enlarged; recoloured; blurred; hidden.

    Every picture gets its own geometry, colour, blur and box; the batch shares one reduction.
    """
    count = len(x)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(count, *shape, generator=draws)

    angle, scale = uniform(-0.09, 0.09), uniform(0.93, 1.07)  # radians
    mirror = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    cos, sin = scale * angle.cos(), scale * angle.sin()
    rows = [torch.stack([mirror * cos, -sin, uniform(-0.08, 0.08)], 1),
            torch.stack([mirror * sin, cos, uniform(-0.08, 0.08)], 1)]  # fmt: skip
    grid = F.affine_grid(torch.stack(rows, 1), list(x.shape), align_corners=False)
    x = F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)
    if torch.rand((), generator=draws) < 0.3:  # a drawing's missing detail, as pixels
        side = int(torch.randint(20, 44, (), generator=draws))
        small = F.interpolate(x, (side, side), mode="bilinear", antialias=True)
        x = F.interpolate(small, (SIZE, SIZE), mode="bicubic")
    grey = x.mean(dim=1, keepdim=True)
    x = grey + uniform(0.4, 1.4, 1, 1, 1) * (x - grey)
    x = uniform(0.7, 1.3, 1, 1, 1) * x + uniform(-0.2, 0.2, 1, 1, 1) + uniform(-0.08, 0.08, 3, 1, 1)
    x = blur(x, torch.where(uniform(0, 1) < 0.5, 0.1, uniform(0.3, 2.0)))
    x = x + 0.03 * torch.randn(x.shape, generator=draws)
    columns = (torch.arange(SIZE) - uniform(0, SIZE, 1)).abs() < uniform(3, 9, 1)  # (N, 64)
    lines = (torch.arange(SIZE) - uniform(0, SIZE, 1)).abs() < uniform(3, 9, 1)
    hidden = lines[:, None, :, None] & columns[:, None, None, :] & (uniform(0, 1, 1, 1, 1) < 0.4)
    return x.masked_fill(hidden, 0.0).clamp(-1, 1)


def blur(x: Tensor, sigma: Tensor) -> Tensor:
    """A Gaussian of its own width, in pixels (N,), for each picture of (N, 3, H, W)."""
    count, channels, height, width = x.shape
    taps = torch.arange(-4, 5, dtype=x.dtype)
    kernel = torch.exp(-0.5 * (taps / sigma[:, None]) ** 2)  # (N, 9)
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(channels, 0)[:, None]  # (3N, 1, 9)
    x = F.pad(x, (4, 4, 4, 4), mode="replicate").reshape(1, count * channels, height + 8, width + 8)
    x = F.conv2d(x, kernel[:, :, None, :], groups=count * channels)
    x = F.conv2d(x, kernel[:, :, :, None], groups=count * channels)
    return x.reshape(count, channels, height, width)


@torch.no_grad()
def verification(network: nn.Module, faces: Faces, sigma: float = 0.0) -> dict[str, float]:
    """All pairs of the held-out faces: told apart at equal errors, and true accepts at 1 % false ones.

    `sigma`: blur every second picture of a pair by so many pixels, as an autoencoder's drawing is.
    """
    network.eval()
    sharp, drawn = [], []
    for start in range(0, len(faces.rows), 256):
        x = to_model(faces.store.read(faces.rows[start : start + 256]), "symmetric")
        sharp.append(F.normalize(network(x), dim=1))
        drawn.append(
            F.normalize(network(blur(x, torch.full((len(x),), sigma))), dim=1) if sigma else sharp[-1]
        )
    cosines = (torch.cat(sharp) @ torch.cat(drawn).T).numpy()  # (N, N)
    return pair_figures(cosines, faces.people)


def pair_figures(likeness: np.ndarray, people: np.ndarray) -> dict[str, float]:
    """Figures of a matrix (N, N) of likenesses between faces of people (N,); a face is no pair with itself."""
    upper = np.triu(np.ones_like(likeness, dtype=bool), 1)
    same = people[:, None] == people[None, :]
    own, others = np.sort(likeness[upper & same]), np.sort(likeness[upper & ~same])
    accepted = 1 - np.searchsorted(own, others, side="left") / len(own)  # at each stranger's likeness
    rejected = np.arange(1, len(others) + 1) / len(others)
    at = math.ceil(0.99 * len(others)) - 1
    return {
        "pair_accuracy": float(np.max(accepted + rejected) / 2),
        "tar_at_1_percent": float((own > others[at]).mean()),
        "threshold_at_1_percent": float(others[at]),
        "same_pairs": len(own),
        "different_pairs": len(others),
    }


def folded(network: IdentityNetwork) -> IdentityNetwork:
    """The same function without norms, for use."""
    network, plain = copy.deepcopy(network).eval(), IdentityNetwork()
    with_norms = dict(network.named_modules())
    for name, module in plain.named_modules():
        if isinstance(module, nn.Sequential) and isinstance(module[-1], nn.Identity):
            layer, norm = with_norms[name][0], with_norms[name][1]
            fuse = fuse_conv_bn_eval if isinstance(layer, nn.Conv2d) else fuse_linear_bn_eval
            module[0].load_state_dict(fuse(layer, norm).state_dict())
    return plain.eval()


def learning_rate(step: int, steps: int, peak: float) -> float:
    """Up over a twentieth of the steps, level to the middle, then down along a cosine to nothing."""
    if step < steps / 20:
        return peak * (step + 1) * 20 / steps
    return peak * 0.5 * (1 + math.cos(math.pi * max(0.0, 2 * step / steps - 1)))


def train(training: Faces, held: Faces, out: Path, *, steps: int, batch: int, lr: float, seed: int) -> None:
    """Train, save the run every SAVE_EVERY steps beside `out`, and write the averaged network there each time."""
    torch.manual_seed(seed)
    network = IdentityNetwork(norm=True, dropout=0.2).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    head = MarginSoftmax(int(training.people.max()) + 1)
    told = 0 if training.attributes is None else training.attributes.shape[1]
    teller = nn.Linear(network.embed[0].in_features, told) if told else nn.Identity()
    averaged = torch.optim.swa_utils.AveragedModel(network, avg_fn=_towards, use_buffers=True)
    optimizer = torch.optim.AdamW(
        [*network.parameters(), *head.parameters()], lr=lr, weight_decay=0.1, fused=True
    )
    modules = {
        "network": network,
        "head": head,
        "teller": teller,
        "averaged": averaged,
        "optimizer": optimizer,
    }
    run, first = out.with_suffix(".run.pt"), 0
    if run.exists():
        saved = torch.load(run, weights_only=True)
        first = saved["step"]
        for name, part in modules.items():
            part.load_state_dict(saved[name])
    began, losses = time.monotonic(), []
    for step in range(first, steps):
        network.train()
        torch.manual_seed(seed * 1_000 + step)  # a step is a function of the seed and its number: dropout …
        draws = torch.Generator().manual_seed(seed * 1_000 + step)  # … and the rest
        chosen = torch.randint(len(training.rows), (batch,), generator=draws).numpy()
        x = to_model(training.store.read(training.rows[chosen]), "symmetric")
        x = disturb(x, draws).contiguous(memory_format=torch.channels_last)
        margin = MARGIN * min(1.0, 2 * step / steps)
        parts = network.parts(x)
        loss = head(network.embed(network.dropout(parts)), torch.from_numpy(training.people[chosen]), margin)
        if training.attributes is not None:
            attributes = torch.from_numpy(training.attributes[chosen]).float()
            loss = loss + ATTRIBUTES_WEIGHT * attribute_loss(teller(parts), attributes)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps, lr)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        averaged.update_parameters(network)
        losses.append(loss.detach())
        done = step + 1
        if done % LOG_EVERY == 0 or done == steps:
            rate = (done - first) / (time.monotonic() - began)
            print(f"step {done}/{steps}  loss {torch.stack(losses).mean():.3f}  {rate * batch:.0f} pictures/s  "
                  f"{(steps - done) / rate / 60:.1f} min left", file=sys.stderr, flush=True)  # fmt: skip
            losses.clear()
        if done % SAVE_EVERY == 0 or done == steps:
            torch.save({"step": done} | {name: part.state_dict() for name, part in modules.items()}, run)
            write_network(folded(averaged.module), held, out, done, len(training.rows), batch, seed)


def write_network(
    network: IdentityNetwork, held: Faces, out: Path, step: int, pictures: int, batch: int, seed: int
) -> None:
    """The weights in half precision, and the figures of just these weights on the held-out people."""
    half = to_half(network.state_dict())
    network.load_state_dict({name: tensor.float() for name, tensor in half.items()})
    report = {"step": step, "batch": batch, "seed": seed, "training_pictures": pictures}
    report |= {
        "held_out": verification(network, held),
        "held_out_blurred_1_5": verification(network, held, 1.5),
    }
    write_tensors(out, half, {"kind": "identity network", "report": report})
    write_atomically(out.with_suffix(".json"), json.dumps(report, indent=1) + "\n")
    figures, blurred = report["held_out"], report["held_out_blurred_1_5"]
    print(f"held out: pairs {figures['pair_accuracy']:.4f}  accepted at 1 % {figures['tar_at_1_percent']:.4f}  "
          f"blurred {blurred['tar_at_1_percent']:.4f}", file=sys.stderr, flush=True)  # fmt: skip


def _towards(averaged: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
    """The exponential average, short at first so that the untrained weights are forgotten."""
    decay = min(AVERAGE, (1 + int(count)) / (10 + int(count)))
    return averaged + (current - averaged) * (1 - decay) if averaged.is_floating_point() else current


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python scripts/train_identity_network.py")
    parser.add_argument("data", help="faces in the frame of the shipped models")
    parser.add_argument("people", type=Path, help="CSV image_id,person")
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--steps", type=int, default=4_000)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args(arguments)
    store = open_dataset(options.data, load_recipe("faces64").input)
    training, held = split_by_person(store, options.people)
    train(
        training,
        held,
        options.out,
        steps=options.steps,
        batch=options.batch,
        lr=options.lr,
        seed=options.seed,
    )


if __name__ == "__main__":
    main()
