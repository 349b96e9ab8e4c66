"""Trains the attribute network: `python scripts/train_attribute_network.py DATA --out FILE`.

In: a data set of aligned faces with CelebA's 40 attributes (any source of `facette train`). Out: the weights as
safetensors, half precision, and beside them a JSON of what was reached on the data set's validation part. Its seed
and its order of pictures are its own: nothing here is shared with the training of any VAE or sharpener.

The weights are saved after every epoch, so that an interrupted run leaves its best so far.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from facette.checkpoint.tensors import read_tensors, to_half, write_atomically, write_tensors
from facette.data import open_dataset
from facette.data.packed import ImageStore
from facette.data.people import find_people, read_people, set_apart
from facette.errors import DataError
from facette.judges.attributes import ATTRIBUTES, SIZE, AttributeNetwork, at_network_size
from facette.recipe import load_recipe

SEED = 40_000_007
SHIFT = 3  # pixels by which a training picture is moved at most, either way


def train(
    store: ImageStore,
    out: Path,
    *,
    people: np.ndarray | None = None,
    start: Path | None = None,
    epochs: int = 10,
    batch: int = 64,
    lr: float = 2e-3,
    seed: int = SEED,
) -> dict[str, Any]:
    """Train, keep the best of the averaged weights after each epoch, and write what the part held out says of them.

    `store`: pictures of 64 pixels that carry every name of ATTRIBUTES; DataError otherwise. `people`: (N,) whose they
    are; then a tenth of the people is held out, else the store's validation part. `start`: weights to go on from.
    """
    labels = attribute_matrix(store)  # (N, 40) in {0, 1}
    rows, valid = _parts(store, people)
    torch.manual_seed(seed)
    draws = torch.Generator().manual_seed(seed)
    network = AttributeNetwork()
    if start is not None:
        weights, _ = read_tensors(start)
        network.load_state_dict({n: t.float() if t.is_floating_point() else t for n, t in weights.items()})
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    averaged = torch.optim.swa_utils.AveragedModel(network, avg_fn=_towards, use_buffers=True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=lr, weight_decay=0.05, fused=True)
    steps = epochs * (len(rows) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps, pct_start=0.1)
    began, best = time.monotonic(), {"auc": -1.0}
    for epoch in range(epochs):
        network.train()
        shuffled = rows[torch.randperm(len(rows), generator=draws).numpy()]
        for start in range(0, len(rows) - batch + 1, batch):
            chosen = shuffled[start : start + batch]
            _, logits = network(disturb(at_network_size(store.read(chosen)), draws))
            loss = F.binary_cross_entropy_with_logits(logits, labels[chosen])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            averaged.update_parameters(network)
        report = measure(averaged.module, store, valid, labels)
        seconds = time.monotonic() - began
        rate, left = (epoch + 1) * len(rows) / seconds, seconds * (epochs / (epoch + 1) - 1)
        print(f"epoch {epoch + 1}/{epochs}  accuracy {report['accuracy']:.4f}  AUC {report['auc']:.4f}  "
              f"{rate:.0f} pictures/s  {left / 60:.0f} min left", file=sys.stderr, flush=True)  # fmt: skip
        if report["auc"] <= best["auc"]:
            continue
        best = report | {"epoch": epoch + 1, "pictures": len(rows), "seconds": round(seconds), "seed": seed}
        write_tensors(
            out, to_half(averaged.module.state_dict()), {"kind": "attribute network", "report": best}
        )
        write_atomically(out.with_suffix(".json"), json.dumps(best, indent=1) + "\n")
    return best


def _parts(store: ImageStore, people: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The rows to learn from, and those held out; where it is known who they are, no person is in both."""
    if people is None:
        return store.indices("train"), store.indices("valid")
    apart = set_apart(people)
    return np.flatnonzero(~apart), np.flatnonzero(apart)


def _towards(averaged: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
    """The exponential average, short at first so that the untrained weights are forgotten."""
    decay = min(0.998, (1 + int(count)) / (10 + int(count)))
    return averaged + (current - averaged) * (1 - decay) if averaged.is_floating_point() else current


def attribute_matrix(store: ImageStore) -> Tensor:
    """The store's 40 attributes as (N, 40) float in {0, 1}. Raises DataError where some are missing."""
    table = store.attributes
    missing = list(ATTRIBUTES) if table is None else [n for n in ATTRIBUTES if n not in table.names]
    if table is None or missing:
        raise DataError(f"the pictures have no attribute {missing[0]!r}: CelebA's 40 attributes are needed")
    columns = [np.asarray(table.column(name)) for name in ATTRIBUTES]
    return torch.from_numpy(np.stack(columns, axis=1) > 0).float()


def disturb(x: Tensor, draws: torch.Generator) -> Tensor:
    """Mirror half the pictures (N, 3, S, S), move each by up to SHIFT pixels, change light and contrast a little."""
    count = len(x)
    mirrored = torch.rand(count, 1, 1, 1, generator=draws) < 0.5
    x = torch.where(mirrored, x.flip(-1), x)
    x = F.pad(x, (SHIFT, SHIFT, SHIFT, SHIFT), mode="replicate")
    dx, dy = (int(v) for v in torch.randint(0, 2 * SHIFT + 1, (2,), generator=draws))
    x = x[..., dy : dy + SIZE, dx : dx + SIZE]
    light = 0.2 * torch.randn(count, 1, 1, 1, generator=draws)
    contrast = 1 + 0.15 * torch.randn(count, 1, 1, 1, generator=draws)
    return (x * contrast + light).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def measure(network: torch.nn.Module, store: ImageStore, rows: np.ndarray, labels: Tensor) -> dict[str, Any]:
    """Accuracy and area under the ROC curve on some rows: means over the attributes, and each."""
    from sklearn.metrics import roc_auc_score

    network.eval()
    parts = [network(at_network_size(store.read(rows[i : i + 256])))[1] for i in range(0, len(rows), 256)]
    logits, truth = torch.cat(parts).numpy(), labels[rows].numpy()
    accuracy = ((logits > 0) == (truth > 0)).mean(axis=0)
    both = [i for i in range(truth.shape[1]) if 0 < truth[:, i].sum() < len(truth)]
    auc = {ATTRIBUTES[i]: round(float(roc_auc_score(truth[:, i], logits[:, i])), 4) for i in both}
    return {
        "accuracy": float(accuracy.mean()),
        "auc": float(np.mean(list(auc.values()))) if auc else float("nan"),
        "validation_pictures": len(rows),
        "auc_by_attribute": auc,
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python scripts/train_attribute_network.py")
    parser.add_argument("data", help="aligned faces with CelebA's 40 attributes")
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--people", type=Path, help="CSV image_id,person, instead of that beside the data")
    parser.add_argument("--start", type=Path, help="weights to go on from, instead of none")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args(arguments)
    store = open_dataset(options.data, load_recipe("faces64").input)
    listed = options.people or find_people(Path(options.data))
    people = None if listed is None else read_people(listed, store.names)
    train(
        store,
        options.out,
        people=people,
        start=options.start,
        epochs=options.epochs,
        batch=options.batch,
        lr=options.lr,
        seed=options.seed,
    )


if __name__ == "__main__":
    main()
