"""Where a model's file is, and what its header says.

Enters: a bundled model's name, a model folder, a run, a file. Leaves: the path of a .safetensors file, or the JSON
value in its header. No tensor is read and torch is not needed; the weights are the business of `native` and `light`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from facette.checkpoint.check import check_header
from facette.errors import CheckpointError
from facette.files import is_address, stand_in_of
from facette.text import readable

FORMAT = 1
WEIGHTS = "model.safetensors"
HEADER = "facette"  # the header's entry that holds our JSON


def find_model(source: str | Path) -> Path:
    """The .safetensors file behind a bundled name, a model folder, a run folder (its best model), or a file."""
    path = Path(source)
    for candidate in (path, path / WEIGHTS, path / "best" / WEIGHTS):
        if candidate.is_file():
            return candidate
    bundled = Path(str(files("facette") / "models" / str(source) / WEIGHTS))
    if bundled.is_file():
        return bundled
    if is_address(source):
        raise CheckpointError(
            f"{str(source)!r} is an address, and nothing is fetched: save the model and name its folder"
        )
    raise CheckpointError(
        f"there is no model {str(source)!r}: give a model folder, a run, or one of {', '.join(bundled_models())}"
    )


def bundled_models() -> tuple[str, ...]:
    """Names of the models that come with the package."""
    folder = Path(str(files("facette") / "models"))
    return tuple(sorted(p.parent.name for p in folder.glob(f"*/{WEIGHTS}"))) or ("(none bundled)",)


def describe_model(path: Path) -> dict[str, Any]:
    """The header of a model file, without its weights. Raises CheckpointError for unknown formats."""
    header = read_header(path)
    written = header.get("format") if isinstance(header, dict) else None
    if written != FORMAT:
        raise CheckpointError(
            f"{path} has model format {repr(written)[:20]}, and this Facette reads format {FORMAT}: update Facette"
        )
    try:
        return check_header(header)
    except CheckpointError as error:
        raise CheckpointError(f"{path} cannot be used: {error}") from None


@contextmanager
def open_tensors(path: Path, framework: str) -> Iterator[Any]:
    """The library's reader of a file. It takes names in UTF-8: a file of another name is given to it by its number."""
    with ExitStack() as opened:
        name: str | Path = path
        if readable(str(path)) != str(path):
            name = f"/dev/fd/{opened.enter_context(path.open('rb')).fileno()}"
        yield opened.enter_context(safe_open(name, framework=framework))


def read_header(path: Path) -> dict[str, Any]:
    """The JSON value alone; no tensor is read."""
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}")
    try:
        with open_tensors(path, "np") as file:
            text = (file.metadata() or {}).get(HEADER)
        if text is None:
            raise CheckpointError(
                f"{path} was not written by Facette: import foreign weights with `facette import`"
            )
        return json.loads(text)
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        if instead := stand_in_of(path):
            raise CheckpointError(f"{path} is {instead}") from None
        raise CheckpointError(f"{path} is not a whole safetensors file: {error}") from None
