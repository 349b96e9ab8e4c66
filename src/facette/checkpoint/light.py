"""A model file opened without torch, where that can be done.

Enters: what `load_model` takes. Leaves: a `LightModel`, or `Unserved` where only torch can serve: onnxruntime is not
installed, there is no graph for the model's layers, or it is not one of pictures. What is wrong with a file is said
by the same errors as torch's way raises.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from facette.checkpoint.check import check_extras
from facette.checkpoint.digest import verify_content
from facette.checkpoint.graph_files import NETWORKS, PREFIX, Network, find_graph, graph_key
from facette.checkpoint.locate import describe_model, find_model
from facette.errors import CheckpointError
from facette.model.onnx_model import LightInput, LightModel
from facette.onnx_graph import Unserved, can_run, open_graph

EXTRAS = "extras."


def open_light(source: str | Path, plain: bool = False) -> LightModel:
    """The model behind a bundled name, a folder, a run or a file; `plain` leaves its second stage out.

    Raises Unserved where torch must be used instead, and CheckpointError as `load_model` does.
    """
    path = find_model(source)
    header = describe_model(path)
    verify_content(path)
    if not can_run():
        raise Unserved("onnxruntime is not installed")
    recipe = header.get("recipe", {})
    if recipe.get("input", {}).get("kind") != "image":
        raise Unserved("the model is not one of pictures")
    try:
        with safe_open(path, framework="np") as file:
            names = list(file.keys())
            extras = {n.removeprefix(EXTRAS): file.get_tensor(n) for n in names if n.startswith(EXTRAS)}
            check_extras({name: extra.shape for name, extra in extras.items()}, recipe["model"]["latent"])
            for name, extra in extras.items():
                _check_finite(name, extra)
            sharp = not plain and any(name.startswith(PREFIX["sharpener"]) for name in names)
            # onnxruntime takes as long to prepare a network as to draw ten pictures with it, and holds no lock.
            with ThreadPoolExecutor() as side_by_side:
                graphs = [
                    side_by_side.submit(open_graph, *_parts(network, recipe, file, names))
                    for network in NETWORKS
                    if network != "sharpener" or sharp
                ]
            return LightModel(
                recipe["name"],
                LightInput.of(recipe["input"]),
                recipe["model"]["latent"],
                *(graph.result() for graph in graphs),
                extras=extras,
                metrics=header.get("metrics", {}),
            )
    except KeyError as error:
        raise Unserved(f"the recipe in {path} does not say {error}") from error
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from None
    except CheckpointError as error:
        raise CheckpointError(f"{path} cannot be used: {error}") from None


def _parts(
    network: Network, recipe: dict[str, Any], file: Any, names: list[str]
) -> tuple[bytes, dict[str, np.ndarray], str]:
    """What `open_graph` takes for a network of the model."""
    key = graph_key(network, recipe)
    content = find_graph(key)
    weights = {name: file.get_tensor(name) for name in names if name.startswith(PREFIX[network])}
    # Counters, such as how many batches a norm has seen, are no part of what is computed.
    for name, values in weights.items():
        _check_finite(name, values)
    floats = {n: w.astype(np.float32) for n, w in weights.items() if np.issubdtype(w.dtype, np.floating)}
    return content, floats, key


def _check_finite(name: str, values: np.ndarray) -> None:
    if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
        raise CheckpointError(f"its tensor {name[:80]!r} holds numbers that are not finite")
