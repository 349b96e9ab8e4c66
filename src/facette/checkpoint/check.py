"""What a model file's header may say before anything is made of it.

Enters: the JSON value of a header, and the names and shapes of a file's tensors; all of it may be a stranger's. Leaves:
nothing, or a CheckpointError of one sentence. Imports no torch: numbers themselves are looked at where they are read.
The recipe as a whole is checked by `facette.recipe`; what is checked here is what is used without it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from facette.errors import CheckpointError

NAME = r'[^\x00-\x1f\x7f-\x9f/\\:*?"<>|.][^\x00-\x1f\x7f-\x9f/\\:*?"<>|]*'  # as facette.recipe has it
NAME_LENGTH, LARGEST_SIDE, LARGEST_LATENT = 100, 4096, 1 << 20
LARGEST_CONDITIONS, LARGEST_CLASSES = 1000, 100
_DEPTH, _ENTRIES, _TEXT = 8, 20_000, 20_000  # of what is said beside the recipe
# Of extras whose rooms take them as they are; Z latents, I of them inferred, K of conditions, M components.
_SHAPES = {
    "condition.shift": ("I", "K"),
    "condition.components": ("M", "K"),
    "directions.": ("Z",),
    "scores.": ("Z",),
    "cloud.mean": ("Z",),
    "cloud.rate": ("Z",),
    "cloud.covariance": ("Z", "Z"),
    "typicality.": ("N",),
}


def check_header(header: Any) -> dict[str, Any]:
    """The header, when it has the parts that every reader relies on."""
    if not isinstance(header, dict):
        raise CheckpointError("its header is no JSON object")
    _check_plain(header)
    recipe = _section(header, "recipe", "its header")
    for part in ("metrics", "provenance"):
        if not isinstance(header.get(part, {}), dict):
            raise CheckpointError(f"its {part} are no JSON object")
    notes = header.get("provenance", {}).get("notes", [])
    if not isinstance(notes, list):
        raise CheckpointError("its notes are no list")
    check_name(recipe.get("name"))
    data, model = _section(recipe, "input", "its recipe"), _section(recipe, "model", "its recipe")
    size = data.get("size")
    if data.get("kind") == "image" and isinstance(size, list) and len(size) == 2:
        for side in size:
            _whole(side, "input.size", LARGEST_SIDE)
    else:
        _whole(size, "input.size", LARGEST_SIDE)
    _whole(model.get("latent"), "model.latent", LARGEST_LATENT)
    _one_of(data.get("kind"), "input.kind", ("image", "vector"))
    _check_conditions(model.get("condition", []))
    for part in ("encoder", "decoder", "likelihood", "posterior"):
        _section(model, part, "its recipe's model")
    for part in ("encoder", "decoder", "likelihood"):
        _text(model[part].get("kind"), f"model.{part}.kind")
    objective = _section(recipe, "objective", "its recipe")
    _text(objective.get("schedule"), "objective.schedule")
    if type(objective.get("beta")) not in (int, float):
        raise CheckpointError("its recipe has no number for objective.beta")
    _text(recipe.get("summary", ""), "summary")
    if not isinstance(recipe.get("sharpen", {}), dict):
        raise CheckpointError("its recipe's section 'sharpen' is none")
    if data.get("kind") == "image":
        _one_of(data.get("range"), "input.range", ("unit", "symmetric"))
        _one_of(data.get("fit"), "input.fit", ("cover", "squash"))
        _one_of(data.get("channels", 3), "input.channels", (1, 3, 4))
        _one_of(data.get("depth", 8), "input.depth", (8, 16))
        _one_of(data.get("alpha", "white"), "input.alpha", ("white", "mask", "channel"))
        if data.get("frame") is not None:
            _check_frame(data["frame"])
    return header


def _check_conditions(conditions: object) -> None:
    """Tables of names, classes with their shares, and numbers, as `facette.recipe.ConditionSpec` has them."""
    if not isinstance(conditions, list) or len(conditions) > LARGEST_CONDITIONS:
        raise CheckpointError("its recipe's model.condition is no list of conditions")
    for condition in conditions:
        told = condition if isinstance(condition, dict) else {}
        classes, shares = told.get("classes", []), told.get("shares", [])
        spread, mean = told.get("spread"), told.get("mean", 0.0)
        measured = isinstance(spread, int | float) and not isinstance(spread, bool) and spread > 0
        right = (
            isinstance(told.get("name"), str)
            and isinstance(classes, list)
            and isinstance(shares, list)
            and len(classes) == len(shares) <= LARGEST_CLASSES
            and all(isinstance(name, str) for name in classes)
            and all(type(share) in (int, float) and 0 <= share <= 1 for share in shares)
            and type(mean) in (int, float)
            and (bool(classes) and sum(shares) > 0) != measured
        )
        if not right:
            raise CheckpointError("its recipe has a model.condition that is none")


def check_name(name: object) -> None:
    """Raises CheckpointError for what is no name of a model."""
    if not isinstance(name, str) or len(name) > NAME_LENGTH or not re.fullmatch(NAME, name):
        raise CheckpointError(
            f"its recipe's name {str(name)[:40]!r} is no name: letters, digits, blanks, - and _"
        )


def check_extras(
    shapes: Mapping[str, Iterable[int]], latent: int, told: int = 0, components: int = 0
) -> None:
    """Raises CheckpointError when an extra has another shape than the rooms that use it take. `latent` latents are
    inferred, `told` stand behind them for conditions; the fitted mixture has so many components."""
    lengths = {"Z": latent + told, "I": latent, "K": told, "M": components}
    for name, shape in shapes.items():
        wanted = next((letters for start, letters in _SHAPES.items() if name.startswith(start)), None)
        if wanted is None:
            continue
        sizes = tuple(shape)
        right = len(sizes) == len(wanted) and all(
            letter == "N" or size == lengths[letter] for letter, size in zip(wanted, sizes, strict=True)
        )
        if not right:
            shown = "×".join(map(str, sizes)) or "a single number"
            raise CheckpointError(
                f"its {name[:80]!r} has shape {shown}, which does not fit {latent + told} latents"
            )


def _section(value: Mapping[str, Any], name: str, whose: str) -> dict[str, Any]:
    section = value.get(name)
    if not isinstance(section, dict):
        raise CheckpointError(f"{whose} has no section {name!r}")
    return section


def _whole(value: object, name: str, most: int) -> None:
    if type(value) is not int or not 0 < value <= most:
        raise CheckpointError(f"its recipe has {name} {str(value)[:20]}, where 1 to {most:,} make sense")


def _text(value: object, name: str) -> None:
    if not isinstance(value, str):
        raise CheckpointError(f"its recipe has no text for {name}")


def _one_of(value: object, name: str, allowed: tuple[str | int, ...]) -> None:
    if not any(type(value) is type(choice) and value == choice for choice in allowed):
        raise CheckpointError(
            f"its recipe has {name} {str(value)[:20]!r}, not {' or '.join(map(str, allowed))}"
        )


def _check_frame(frame: Any) -> None:
    """Whole or broken numbers where they belong: the frame is used as it stands."""
    numbers = []
    try:
        for part, count in (("size", 2), ("box", 4)):
            numbers += [type(value) is int and abs(value) <= 1 << 20 for value in frame[part]]
            numbers.append(len(frame[part]) == count)
        for eye in frame["eyes"]:
            numbers += [type(value) in (int, float) and math.isfinite(value) for value in eye]
            numbers.append(len(eye) == 2)
        numbers.append(len(frame["eyes"]) == 2)
    except (TypeError, KeyError):
        numbers.append(False)
    if not all(numbers):
        raise CheckpointError("its recipe has an input.frame that is no frame")


def _check_plain(header: dict[str, Any]) -> None:
    """Finite numbers, texts of bounded length, bounded depth: it is shown and written again."""
    pending: list[tuple[Any, int]] = [(header, 0)]
    count = 0
    while pending:
        value, depth = pending.pop()
        count += 1
        if depth > _DEPTH or count > _ENTRIES:
            raise CheckpointError("its header says absurdly much")
        if isinstance(value, dict):
            pending += [(part, depth + 1) for pair in value.items() for part in pair]
        elif isinstance(value, list):
            pending += [(part, depth + 1) for part in value]
        elif isinstance(value, str) and len(value) > _TEXT:
            raise CheckpointError(f"its header holds a text of {len(value):,} letters")
        elif isinstance(value, float) and not math.isfinite(value):
            raise CheckpointError("its header holds a number that is not finite")
        elif isinstance(value, int) and value.bit_length() > 64:
            raise CheckpointError("its header holds an absurdly large number")
