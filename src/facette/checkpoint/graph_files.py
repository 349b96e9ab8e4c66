"""Which graph computes which network, and where it lies.

Enters: the recipe in a model file's header, as plain JSON. Leaves: the key of each of its networks, and the graph
written under that key, from the package (the shipped recipes) or from this user's cache, where `trace` puts those it
has traced on this machine. Needs no torch.

A graph is a program: it can read files, run for ever and draw what has nothing to do with the weights. So none is
ever taken from where a model lies, and the name of a cached one holds the digest of its content.

A graph holds no weights, so it serves every model of the same layers. Its key is a digest of everything in a recipe
that decides what is computed: a model of other layers has another key, and never meets a graph that is not its own.
"""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args

from facette.files import digest_of, is_private, user_cache, write_atomically
from facette.onnx_graph import Unserved

Network = Literal["encoder", "decoder", "sharpener"]
NETWORKS: tuple[Network, ...] = get_args(Network)
PREFIX: dict[Network, str] = {"encoder": "vae.encoder.", "decoder": "vae.decoder.", "sharpener": "sharpener."}
"""Of the names that a network's weights have in the model file and in its graph."""

FOLDER = "graphs"
FORMAT = 1  # to be raised whenever the same recipe comes to mean another computation


def graph_key(network: Network, recipe: dict[str, Any]) -> str:
    """The key of a network of this recipe (as `Recipe.model_dump(mode="json", exclude_none=True)` gives it).

    Raises Unserved for a network of people's own code, which no recipe describes."""
    data, model = recipe["input"], recipe["model"]
    if network != "sharpener" and model[network].get("kind") == "own":
        raise Unserved(f"the {network} is somebody's own code")
    decides: dict[str, Any] = {
        "format": FORMAT,
        "network": network,
        "input": {name: data.get(name) for name in ("kind", "size", "channels", "range")},
        "latent": model["latent"],
    }
    # Said only where it differs, so that the keys of recipes without it stay.
    if data.get("alpha") == "mask" and network == "encoder":
        decides["mask"] = True
    if model.get("side") and network != "sharpener":
        decides["side"] = model["side"]
    if model.get("condition"):
        decides["condition"] = [len(condition.get("classes", ())) or 1 for condition in model["condition"]]
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
            if recipe["sharpen"].get("full_width"):
                decides["full_width"] = recipe["sharpen"]["full_width"]
    return hashlib.blake2b(json.dumps(decides, sort_keys=True).encode(), digest_size=12).hexdigest()


def find_graph(key: str) -> bytes:
    """The graph of this key. Raises Unserved where neither the package nor the cache has it."""
    content = find_shipped(key) or find_cached(key)
    if content is None:
        raise Unserved(f"there is no graph {key}")
    return content


def find_shipped(key: str) -> bytes | None:
    """The graph that comes with the package; None where it has none of this key."""
    path = shipped_graphs() / f"{key}.onnx"
    return path.read_bytes() if path.is_file() else None


def find_cached(key: str) -> bytes | None:
    """The graph that was traced by this user on this machine, if it is still what was written; else None."""
    folder = cached_graphs()
    if not folder.is_dir() or not is_private(folder):
        return None
    for path in folder.glob(f"{key}-*.onnx"):
        content = path.read_bytes() if is_private(path) else b""
        if path.name == f"{key}-{digest_of(content)}.onnx":
            return content
    return None


def keep_in_cache(key: str, content: bytes) -> Path:
    """Put a graph where `find_graph` looks; only code that has just traced it may call this."""
    folder = cached_graphs()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{key}-{digest_of(content)}.onnx"
    write_atomically(path, content)
    path.chmod(0o600)
    return path


def shipped_graphs() -> Path:
    """The folder of the graphs that come with the package."""
    return Path(str(files("facette"))) / FOLDER


def cached_graphs() -> Path:
    """The folder of the graphs that this user has traced."""
    return user_cache() / FOLDER
