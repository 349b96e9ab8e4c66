"""What judges say of real pictures, kept once it was worked out: one cache for every network that measures.

In: a `Selection`, a network's name and function. Out: its arrays for the chosen pictures. A file in the cache folder
is found again by the data's fingerprint, the chosen pictures and the network's name, which changes with its weights.
It knows no model.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from facette.checkpoint.tensors import read_tensors, write_tensors
from facette.data.open import cache_folder
from facette.data.selection import Selection
from facette.judges.attributes import SIZE, WEIGHTS, Features, extract
from facette.progress import Advance, unheard

BATCH = 128
FOLDER = "embeddings"
RESIZE = f"antialiased bicubic to {SIZE} px where the model's size is another"
Arrays = dict[str, NDArray]


@cache
def network_name() -> str:
    """The attribute network and its weights, in a form that changes when the weights do."""
    weights = files("facette.judges").joinpath("weights", WEIGHTS).read_bytes()
    return f"attribute network {blake2b(weights, digest_size=4).hexdigest()}"


def kept_features(
    selection: Selection,
    cache_dir: str | Path | None = None,
    advance: Advance = unheard,
) -> Features:
    """What the attribute network says of every chosen picture."""

    def attributes(pictures: NDArray) -> Arrays:
        features = extract(pictures)
        return {"features": features.features, "logits": features.logits}

    arrays = kept_arrays(selection, network_name(), attributes, cache_dir, advance)
    return Features(arrays["features"], arrays["logits"])


def kept_arrays(
    selection: Selection,
    network: str,
    extract_arrays: Callable[[NDArray], Arrays],
    cache_dir: str | Path | None = None,
    advance: Advance = unheard,
) -> Arrays:
    """Arrays (N, …) of every chosen picture, by `extract_arrays` of a batch (B, S, S, 3); from the cache folder where
    they were worked out before. `network`: its name, weights, and how pictures reach it."""
    path = _place(selection, network, cache_dir)
    if path is not None and path.is_file():
        tensors, _ = read_tensors(path)
        return {name: tensor.numpy() for name, tensor in tensors.items()}
    parts = []
    for _, pictures in selection.batches(BATCH):
        parts.append(extract_arrays(pictures))
        advance(len(pictures))
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    if path is not None:
        kept = {name: torch.from_numpy(array) for name, array in arrays.items()}
        write_tensors(path, kept, {"kind": "embedding", "network": network})
    return arrays


def joined(parts: list[Features]) -> Features:
    """Features of several batches, as one."""
    return Features(np.concatenate([p.features for p in parts]), np.concatenate([p.logits for p in parts]))


def _place(selection: Selection, network: str, cache_dir: str | Path | None) -> Path | None:
    """The file for these pictures; None for an array, which has no fingerprint."""
    if selection.store is None:
        return None
    digest = blake2b(f"{selection.store.fingerprint}\0{network}\0".encode(), digest_size=12)
    digest.update(np.ascontiguousarray(selection.indices, dtype=np.int64).tobytes())
    return cache_folder(cache_dir) / FOLDER / f"{digest.hexdigest()}.safetensors"
