"""Which graph computes which network, and where it lies.

Enters: the recipe in a model file's header, as plain JSON. Leaves: the key of each of its networks, and the graph
written under that key, from the package (the shipped recipes) or from the folder of the model. Needs no torch; graphs
are made by `trace`.

A graph holds no weights, so it serves every model of the same layers. Its key is a digest of everything in a recipe
that decides what is computed: a model of other layers has another key, and never meets a graph that is not its own.
"""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args

from facette.onnx_graph import Unserved

Network = Literal["encoder", "decoder", "sharpener"]
NETWORKS: tuple[Network, ...] = get_args(Network)
PREFIX: dict[Network, str] = {"encoder": "vae.encoder.", "decoder": "vae.decoder.", "sharpener": "sharpener."}
"""Of the names that a network's weights have in the model file and in its graph."""

FOLDER = "graphs"
FORMAT = 1  # to be raised whenever the same recipe comes to mean another computation


def graph_key(network: Network, recipe: dict[str, Any]) -> str:
    """The key of a network of this recipe (as `Recipe.model_dump(mode="json", exclude_none=True)` gives it)."""
    given, model = recipe["input"], recipe["model"]
    decides: dict[str, Any] = {
        "format": FORMAT,
        "network": network,
        "input": {name: given.get(name) for name in ("kind", "size", "channels", "range")},
        "latent": model["latent"],
    }
    # Said only where it differs, so that the keys of recipes without it stay.
    if given.get("alpha") == "mask" and network == "encoder":
        decides["mask"] = True
    if model.get("side") and network != "sharpener":
        decides["side"] = model["side"]
    match network:
        case "encoder":
            decides |= {"layers": model["encoder"], "posterior": model["posterior"]}
        case "decoder":
            predicts = model["likelihood"].get("sigma") == "predicted"
            decides |= {
                "layers": model["decoder"],
                "likelihood": model["likelihood"]["kind"],
                "sigma": predicts,
            }
        case "sharpener":
            decides |= {name: recipe["sharpen"][name] for name in ("widths", "condition")}
    return hashlib.blake2b(json.dumps(decides, sort_keys=True).encode(), digest_size=12).hexdigest()


def find_graph(key: str, model_folder: Path) -> bytes:
    """The graph of this key. Raises Unserved where neither the package nor the folder has it."""
    for folder in (shipped_graphs(), model_folder / FOLDER):
        if (folder / f"{key}.onnx").is_file():
            return (folder / f"{key}.onnx").read_bytes()
    raise Unserved(f"there is no graph {key}")


def shipped_graphs() -> Path:
    """The folder of the graphs that come with the package."""
    return Path(str(files("facette"))) / FOLDER
