"""Model files of Facette's own format that say what is not so. Each is a name and a way to change a header.

The headers are changed as JSON, the numbers as bytes; every file is a well-formed safetensors file. Nothing here is
opened with anything but the reader under test.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

Change = Callable[[dict[str, Any]], Any]
_JUNK: list[Any] = [
    *(None, True, -1, 0, 1 << 40, 10**30, 0.5, "", "x" * 300, "../../elsewhere", "\x1b[2Jgone", []),
    *([1], {}, {"kind": "conv"}, [[[[[[[[[[1]]]]]]]]]], "\u009b31m", float("nan")),
]
_PLACES = [
    *(("recipe",), ("metrics",), ("provenance",), ("provenance", "notes"), ("recipe", "name")),
    *(("recipe", "summary"), ("recipe", "input"), ("recipe", "input", "size"), ("recipe", "input", "range")),
    *(("recipe", "input", "frame"), ("recipe", "input", "kind"), ("recipe", "model"), ("format",)),
    *(("recipe", "model", "latent"), ("recipe", "model", "encoder"), ("recipe", "model", "decoder")),
    *(("recipe", "model", "likelihood"), ("recipe", "model", "posterior"), ("recipe", "objective")),
    *(("recipe", "model", "encoder", "kind"), ("recipe", "train"), ("recipe", "sharpen")),
]


def split(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The table of a safetensors file, and its numbers."""
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def joined(table: dict[str, Any], numbers: bytes) -> bytes:
    head = json.dumps(table).encode()
    head += b" " * (-len(head) % 8)
    return len(head).to_bytes(8, "little") + head + numbers


def with_header(data: bytes, change: Change) -> bytes:
    """The file with another description; its digest, which a sender can write as well, is left out."""
    table, numbers = split(data)
    header = json.loads(table["__metadata__"]["facette"])
    change(header)
    table["__metadata__"] = {"facette": json.dumps(header)}
    return joined(table, numbers)


def _put(header: dict[str, Any], place: tuple[str, ...], value: Any) -> None:
    for part in place[:-1]:
        header = header.get(part) if isinstance(header.get(part), dict) else header  # type: ignore[assignment]
    header[place[-1]] = copy.deepcopy(value)


def hostile_headers(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Every place of the header with every kind of junk."""
    for place in _PLACES:
        for number, junk in enumerate(_JUNK):
            yield (
                f"{'.'.join(place)} = junk {number}",
                with_header(data, lambda header, p=place, j=junk: _put(header, p, j)),
            )


def greedy_recipes(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Recipes that ask for networks far larger than the file."""

    def wide(header: dict[str, Any]) -> None:
        for part in ("encoder", "decoder"):
            spec = header["recipe"]["model"][part]
            for layer in spec.get("layers", ()):
                layer["channels"] = 40_000
            if "widths" in spec:
                spec["widths"] = [20_000 for _ in spec["widths"]]

    def deep(header: dict[str, Any]) -> None:
        for part in ("encoder", "decoder"):
            spec = header["recipe"]["model"][part]
            if "blocks" in spec:
                spec["blocks"] = [10**9 for _ in spec["blocks"]]
            else:
                spec["layers"] = spec["layers"] * 100_000

    def large(header: dict[str, Any]) -> None:
        header["recipe"]["input"]["size"] = 4096

    def flowing(header: dict[str, Any]) -> None:
        header["recipe"]["model"]["prior"] = {"kind": "flow", "layers": 10**8, "width": 64, "components": 10}

    def pseudo(header: dict[str, Any]) -> None:
        header["recipe"]["model"]["prior"] = {"kind": "vamp", "components": 10**6, "layers": 6, "width": 64}

    def latent(header: dict[str, Any]) -> None:
        header["recipe"]["model"]["latent"] = 1 << 20

    for change in (wide, deep, large, flowing, pseudo, latent):
        yield f"{change.__name__} recipe", with_header(data, change)


def wrong_numbers(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Weights that are not finite, and tensors under other names and shapes."""
    table, numbers = split(data)
    coders = ("vae.encoder.", "vae.decoder.")
    weights = sorted(name for name in table if name.startswith(coders) and table[name]["dtype"] == "F32")
    for name in (weights[0], weights[-1]):
        for value in (np.nan, np.inf):
            start, end = table[name]["data_offsets"]
            changed = bytearray(numbers)
            changed[start:end] = np.full((end - start) // 4, value, np.float32).tobytes()
            yield f"{name} = {value}", joined(_undigested(table), bytes(changed))
    for name in (weights[0], weights[-1]):
        renamed = {("vae.other" if n == name else n): entry for n, entry in _undigested(table).items()}
        yield f"{name} renamed", joined(renamed, numbers)
        flat = copy.deepcopy(_undigested(table))
        flat[name]["shape"] = [int(np.prod(flat[name]["shape"]))]
        if flat[name]["shape"] != table[name]["shape"]:
            yield f"{name} flat", joined(flat, numbers)
    odd = copy.deepcopy(_undigested(table))
    odd["extras.directions.Smiling"] = {"dtype": "F32", "shape": [3], "data_offsets": [len(numbers)] * 2}
    odd["extras.directions.Smiling"]["data_offsets"][1] += 12
    yield "a direction of three latents", joined(odd, numbers + bytes(12))


def _undigested(table: dict[str, Any]) -> dict[str, Any]:
    return table | {"__metadata__": {"facette": table["__metadata__"]["facette"]}}


def write_all(model_file: Path, folder: Path) -> dict[str, Path]:
    """Every kind, as model folders; returns them by name."""
    data, paths = model_file.read_bytes(), {}
    for kind in (hostile_headers, greedy_recipes, wrong_numbers):
        for number, (name, content) in enumerate(kind(data)):
            place = folder / f"{kind.__name__}-{number:03d}"
            place.mkdir(parents=True)
            (place / "model.safetensors").write_bytes(content)
            paths[name] = place
    return paths
