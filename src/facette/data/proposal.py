"""A recipe for pictures that nobody has described: what a look at some of them says.

Enters: sources of pictures. Leaves: a `Look`, and from it a recipe as plain TOML would give it: size, channels, depth,
latents, network and length by what the pictures are and how many. A few pictures, taken evenly from all, speak for the
whole. Knows nothing of stores or training.

Nothing here mirrors pictures or looks for faces: letters are not their own mirror, and whoever has faces names a recipe
of faces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from facette.data.open import find_pictures
from facette.data.source import PictureSource, sampled_rows
from facette.errors import DataError, ImageError
from facette.images.open import open_image
from facette.recipe import Recipe, load_recipe, override, parse_recipe, recipe_data

BASE = "pictures"
SAMPLE = 48  # pictures that are looked at
LARGEST = 64  # pixels on the longer side, unless the recipe is told otherwise
CELL = 8  # pixels: sides are multiples of it where pictures are made smaller
ALIKE = 1.1  # ratio of the widest to the narrowest shape of pictures that are all of one
COLOURED = 6  # of 255: channels of a grey picture differ no more, as compression leaves them
FEW = 0.1  # share of the pictures that must show it for colour, transparency or depth to count
# pixels: up to 64 two levels will do, up to 40 always; below 24, patches of 2
SMALL, MIDDLING, FINE = 64, 40, 24
FEWEST = 8  # latents, and what they come in
LATENTS, MANY = 64, 20_000  # latents, twice as many for larger pictures, and again for so many of these
PASSES = (60_000, 1_500_000)  # pictures shown in a run, at least and at most
EPOCHS = 60  # between these


@dataclass(frozen=True, slots=True)
class Look:
    """What the pictures are."""

    name: str  # of the folder
    count: int
    shape: tuple[int, int]  # height and width of the usual one
    alike: bool  # all have that shape, at whatever size
    coloured: bool
    transparent: bool
    deep: bool  # grey of 16 bits


def look_at(sources: Sequence[str | Path]) -> Look:
    """What lies in folders and archives of pictures. Raises DataError where none of a sample can be opened."""
    listed = [find_pictures(source) for source in sources]
    count = sum(len(source.names) for source in listed)
    if not count:
        raise DataError(f"there are no pictures in {str(sources[0])!r}")
    each = max(1, SAMPLE // len(listed))
    seen = [glance for source in listed for glance in _glances(source, each)]
    if not seen:
        raise DataError(f"none of the pictures looked at in {listed[0].location!r} can be read")
    shapes = np.array([glance.shape for glance in seen], float)
    ratios = shapes[:, 0] / shapes[:, 1]
    high, wide = np.median(shapes, axis=0).round().astype(int).tolist()
    coloured = _many([glance.coloured for glance in seen])
    return Look(
        name=_named(Path(listed[0].location)),
        count=count,
        shape=(high, wide),
        alike=bool(ratios.max() <= ALIKE * ratios.min()),
        coloured=coloured,
        transparent=_many([glance.transparent for glance in seen]),
        deep=not coloured and _many([glance.deep for glance in seen]),
    )


def propose(look: Look, changes: Sequence[str] = ()) -> Recipe:
    """The recipe `pictures` for these, with `section.key=value` changes on top.

    What a change says of the pictures' form, everything else follows. Raises RecipeError for changes that do not hold.
    """
    data = recipe_data(BASE)
    form = {"size": _size(look)} | _channels(look)
    data["name"], data["input"] = look.name, data["input"] | form
    wished = override({"input": dict(data["input"])}, [c for c in changes if c.startswith("input.")])["input"]
    shape = wished["size"] if isinstance(wished["size"], list) else [wished["size"]] * 2
    data["model"] |= {"latent": _latent(look, shape)} | _networks(shape, look.count)
    data["train"] |= _length(look, data["train"]["batch"])
    return parse_recipe(override(data, changes), look.name)


def recipe_for(name: str | Path, sources: Sequence[str | Path], changes: Sequence[str] = ()) -> Recipe:
    """The recipe of a name or TOML path, with its changes; `pictures` is fitted to what it is to learn from, where that
    is known."""
    if name == BASE and sources:
        return proposed(sources, changes)
    return load_recipe(name, [*changes])


def proposed(sources: Sequence[str | Path], changes: Sequence[str] = ()) -> Recipe:
    """`propose` of a `look_at` the sources."""
    return propose(look_at(sources), changes)


# ── the look ─────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Glance:
    shape: tuple[int, int]
    coloured: bool
    transparent: bool
    deep: bool


def _glances(source: PictureSource, most: int) -> Iterator[_Glance]:
    """Some of a source's pictures, evenly from all; those that cannot be opened say nothing."""
    contents = getattr(source, "contents", None)
    if contents is None:  # drawn as they are asked for, in colour
        yield _Glance((LARGEST, LARGEST), True, False, False)
        return
    rows = sampled_rows(len(source.names), most)
    for row in rows:
        for picture in contents(row, row + 1):
            try:
                if not isinstance(picture, ImageError):
                    yield _glance(picture)
            except ImageError:
                continue  # whoever packs the pictures says which cannot be read, and why


def _glance(picture: Path | bytes) -> _Glance:
    opened = open_image(picture, draft_side=2 * LARGEST, mode="RGBA")
    wide, high = opened.original_size
    pixels = np.asarray(opened.image.convert("RGBA"))
    seen = pixels[pixels[..., 3] > 0][:, :3].astype(int)
    spread = seen.max(axis=1) - seen.min(axis=1) if len(seen) else np.zeros(1, int)
    coloured = bool(np.mean(spread > COLOURED) > 0.001)
    transparent = bool((pixels[..., 3] < 250).mean() > 0.001)
    return _Glance(
        (high, wide), coloured, transparent, not coloured and not transparent and _is_deep(picture)
    )


def _is_deep(picture: Path | bytes) -> bool:
    """Whether grey values lie between those that 8 bits have."""
    values: Image.Image = open_image(picture, mode="F").image
    return bool((np.asarray(values) % 257 != 0).any())


def _many(marks: list[bool]) -> bool:
    return sum(marks) > FEW * len(marks)


def _named(path: Path) -> str:
    """A folder's name as a recipe's: no signs that file names or terminals mind."""
    stem = path.name.removesuffix(".zip")
    return re.sub(r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|]+', "-", stem).strip(". ")[:100] or BASE


# ── what follows ─────────────────────────────────────────────────────────────────────────────────────────


def _size(look: Look) -> Any:
    """Their own size where it is small; else the longer side at most LARGEST, in multiples of CELL. Pictures that are
    not alike become squares."""
    high, wide = look.shape if look.alike else (min(look.shape),) * 2
    if max(high, wide) > LARGEST:
        scale = LARGEST / max(high, wide)
        high, wide = (max(CELL, round(side * scale / CELL) * CELL) for side in (high, wide))
    return high if high == wide else [high, wide]


def _channels(look: Look) -> dict[str, Any]:
    if look.transparent:
        return {"channels": 4, "alpha": "channel", "depth": 8}
    return {"channels": 3 if look.coloured else 1, "alpha": "white", "depth": 16 if look.deep else 8}


def _latent(look: Look, shape: Sequence[int]) -> int:
    """More for larger pictures and for more of them: what is not needed stays unused, and costs a little time. Of few
    pictures a quarter as many, so that there are enough to fit a Gaussian to their latents."""
    large = max(shape) > MIDDLING
    return min(
        LATENTS << (large + (large and look.count >= MANY)), max(FEWEST, look.count // 4 // FEWEST * FEWEST)
    )


def _networks(shape: Sequence[int], count: int) -> dict[str, Any]:
    """Encoder and decoder for pictures of that (height, width): a level more for larger ones and for many, which are
    learned from for long, and finer patches where coarse ones would leave next to nothing to look at."""
    levels = 3 if max(shape) > SMALL or (max(shape) > MIDDLING and count >= MANY) else 2
    spec = {
        "kind": "residual",
        "patch": 4 if min(shape) >= FINE else 2,
        "widths": [32 << level for level in range(levels)],
        "blocks": [1] * levels,
    }
    return {"encoder": spec, "decoder": dict(spec)}


def _length(look: Look, batch: int) -> dict[str, Any]:
    """Some passes over all pictures, fewer where they are many; figures and saves in proportion."""
    shown = min(max(EPOCHS * look.count, PASSES[0]), PASSES[1])
    steps = shown // batch
    often = max(50, steps // 20)
    return {"steps": steps} | dict.fromkeys(("validate_every", "preview_every", "save_every"), often)
