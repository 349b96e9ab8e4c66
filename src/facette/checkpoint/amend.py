"""Adding what was measured to a model file that exists, and leaving everything else in it as it is.

Enters: a model file, named tensors, measures. Leaves: the same file with them, and its card written anew. Weights are
copied as they are stored, so a model kept in half precision stays so, to the last bit.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from facette.checkpoint.card import write_card
from facette.checkpoint.native import WEIGHTS, describe_model, find_model, load_model
from facette.checkpoint.tensors import read_tensors, write_atomically, write_tensors
from facette.errors import CheckpointError


def amend_model(
    source: str | Path, prefix: str, extras: Mapping[str, Tensor], metrics: Mapping[str, Any]
) -> Path:
    """Put `extras`, in the place of all whose names begin with `prefix`, and `metrics` into a model file.

    The file appears whole or not at all. Returns its path. Raises CheckpointError where there is no model or where it
    cannot be written, and refuses extras of another prefix: they would not be replaced the next time.
    """
    path = find_model(source)
    strangers = [name for name in extras if not name.startswith(prefix)]
    assert not strangers, f"extras of another prefix than {prefix!r}: {strangers}"
    header = describe_model(path)
    tensors, _ = read_tensors(path)
    kept = {name: t for name, t in tensors.items() if not name.startswith(f"extras.{prefix}")}
    header["metrics"] = {**header.get("metrics", {}), **metrics}
    try:
        write_tensors(path, {**kept, **{f"extras.{name}": t for name, t in extras.items()}}, header)
        if path.name == WEIGHTS and (path.parent / "config.json").is_file():
            text = json.dumps(header, indent=2, ensure_ascii=False) + "\n"
            write_atomically(path.parent / "config.json", text)
            write_atomically(path.parent / "README.md", write_card(load_model(path)))
    except OSError as error:
        raise CheckpointError(
            f"cannot write {path}: {error.strerror or error}; choose another place"
        ) from None
    return path
