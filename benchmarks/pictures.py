"""Folders of JPEGs to train on: those of a user, or drawn faces, so that a bare machine needs no download.

Enters: counts, and perhaps a folder. Leaves: a folder with `train/` and `valid/`, made once.
"""

from __future__ import annotations

import shutil
from hashlib import blake2b
from itertools import cycle, islice
from pathlib import Path

from PIL import Image

SIDE = 192  # pixels of a drawn face: about as many as CelebA's aligned 178×218
QUALITY = 92
ENDINGS = {".jpg", ".jpeg"}


def prepare(folder: Path, train: int, valid: int, given: Path | None = None) -> Path:
    """A folder of `train` + `valid` JPEGs inside `folder`: the first of `given` in the order of their names, each
    once, or else drawn faces. Raises ValueError when `given` has too few."""
    kind = (
        "drawn"
        if given is None
        else f"given-{blake2b(str(given.resolve()).encode(), digest_size=4).hexdigest()}"
    )
    made = folder / f"{kind}-{train}-{valid}"
    if made.is_dir():
        return made
    partial = made.with_name(made.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    for part in ("train", "valid"):
        (partial / part).mkdir(parents=True)
    places = [partial / "train" / f"{i:06d}.jpg" for i in range(train)]
    places += [partial / "valid" / f"{i:06d}.jpg" for i in range(valid)]
    if given is None:
        _draw(places)
    else:
        _copy(given, places)
    partial.rename(made)
    return made


def repeated(source: Path, folder: Path, count: int) -> Path:
    """A folder of `count` pictures, those of `source` over and over: for measures that only look at sizes."""
    made = folder / f"repeated-{count}"
    if not made.is_dir():
        partial = made.with_name(made.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        (partial / "train").mkdir(parents=True)
        for i, file in enumerate(islice(cycle(sorted((source / "train").iterdir())), count)):
            shutil.copyfile(file, partial / "train" / f"{i:06d}.jpg")
        partial.rename(made)
    return made


def _draw(places: list[Path]) -> None:
    from facette.data.synthetic import draw_faces

    for start in range(0, len(places), 64):
        block = places[start : start + 64]
        for place, face in zip(block, draw_faces(len(block), SIDE, 0, start).pictures, strict=True):
            Image.fromarray(face).save(place, quality=QUALITY)


def _copy(given: Path, places: list[Path]) -> None:
    found = sorted(p for p in given.rglob("*") if p.suffix.lower() in ENDINGS)
    if len(found) < len(places):
        raise ValueError(f"{given} holds {len(found)} JPEGs, and {len(places)} are needed")
    for file, place in zip(found, places, strict=False):
        shutil.copyfile(file, place)
