"""Real pictures in the attribute network's eyes, kept once they were looked at.

Enters: a `Subject`. Leaves: what the network sees in its pictures, `Seen`. A file in the cache folder is found again
by the data's fingerprint, the chosen pictures and the network's weights; when one of them changes, so does the name.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch

from facette.checkpoint.tensors import read_tensors, write_tensors
from facette.data.open import cache_folder
from facette.data.selection import Subject
from facette.judges.attributes import SIZE, WEIGHTS, Seen, look

BATCH = 128
FOLDER = "embeddings"
RESIZE = f"antialiased bicubic to {SIZE} px where the model's size is another"


@cache
def network_name() -> str:
    """The network and its weights, in a form that changes when the weights do."""
    weights = files("facette.judges").joinpath("weights", WEIGHTS).read_bytes()
    return f"attribute network {blake2b(weights, digest_size=4).hexdigest()}"


def look_at(
    subject: Subject,
    cache_dir: str | Path | None = None,
    advance: Callable[[int], object] = lambda done: None,
) -> Seen:
    """What the network sees in every chosen picture; from the cache folder where that was found out before."""
    path = _place(subject, cache_dir)
    if path is not None and path.is_file():
        tensors, _ = read_tensors(path)
        return Seen(tensors["features"].numpy(), tensors["logits"].numpy())
    parts = []
    for _, pictures in subject.batches(BATCH):
        parts.append(look(pictures))
        advance(len(pictures))
    seen = joined(parts)
    if path is not None:
        kept = {"features": torch.from_numpy(seen.features), "logits": torch.from_numpy(seen.logits)}
        write_tensors(path, kept, {"kind": "embedding", "network": network_name()})
    return seen


def joined(parts: list[Seen]) -> Seen:
    """What was seen in several batches, as one."""
    return Seen(np.concatenate([p.features for p in parts]), np.concatenate([p.logits for p in parts]))


def _place(subject: Subject, cache_dir: str | Path | None) -> Path | None:
    """The file for these pictures; None for an array, which has no fingerprint."""
    if subject.store is None:
        return None
    digest = blake2b(f"{subject.store.fingerprint}\0{network_name()}\0".encode(), digest_size=12)
    digest.update(np.ascontiguousarray(subject.indices, dtype=np.int64).tobytes())
    return cache_folder(cache_dir) / FOLDER / f"{digest.hexdigest()}.safetensors"
