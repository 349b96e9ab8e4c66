"""How many faces the search finds, by the size of the face and of the photo, and how long it takes.

Enters: a folder of portraits in which the faces lie alike (FFHQ's frame: from ear to ear 144 of 256 pixels), which are
pasted into larger scenes. Leaves: one table on stdout and benchmarks/results/faces.json. Nothing of the portraits is
kept.

    python benchmarks/faces.py PORTRAITS [--photos 24x… ] [--count 61]
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
from PIL import Image

EAR_TO_EAR = 144 / 256  # of a portrait's side
PHOTOS = {"1.3": (1333, 1000), "12": (4000, 3000), "24": (6000, 4000)}  # megapixels
FACES = (40, 60, 80, 100, 140, 228, 400, 800)  # pixels from ear to ear
SCENES = ("coffee.png", "rocket.jpg", "hubble_deep_field.jpg", "brick.png")  # no person in them
RESULTS = Path(__file__).parent / "results" / "faces.json"


def compose(portraits: list[Image.Image], size: tuple[int, int], face: int, seed: int):
    """Photos of `size` with every portrait once, at places that do not overlap, and the middles of the faces."""
    draws = np.random.default_rng(seed)
    side = round(face / EAR_TO_EAR)
    columns, rows = max(1, size[0] // (side + 8)), max(1, size[1] // (side + 8))
    each = min(12, columns * rows)  # at most a dozen in a photo
    for start in range(0, len(portraits), each):
        photo = scene(size, seed + start)
        middles = []
        for portrait, cell in zip(
            portraits[start : start + each], draws.permutation(columns * rows), strict=False
        ):
            room = [size[0] // columns - side, size[1] // rows - side]
            left = int(cell % columns * (size[0] // columns) + draws.integers(0, max(1, room[0])))
            top = int(cell // columns * (size[1] // rows) + draws.integers(0, max(1, room[1])))
            photo.paste(portrait.resize((side, side), Image.Resampling.LANCZOS), (left, top))
            middles.append((left + side / 2, top + side * 0.48))
        yield photo, middles, side


def scene(size: tuple[int, int], seed: int) -> Image.Image:
    import skimage

    name = SCENES[seed % len(SCENES)]
    picture = Image.open(Path(skimage.__path__[0]) / "data" / name).convert("RGB")
    return picture.resize(size, Image.Resampling.BICUBIC)


def measure(portraits: list[Image.Image], size: tuple[int, int], face: int) -> dict[str, float]:
    from facette.images.faces.find import find_faces

    seen = extra = count = 0
    seconds = []
    for photo, middles, side in compose(portraits, size, face, seed=face):
        begin = time.process_time()
        places = [np.mean(found.eyes, axis=0) for found in find_faces(photo)]
        seconds.append(time.process_time() - begin)
        hits = [any(np.abs(np.subtract(p, m)).max() < 0.25 * side for p in places) for m in middles]
        seen, count, extra = seen + sum(hits), count + len(hits), extra + len(places) - sum(hits)
    return {"recall": seen / count, "faces": count, "extra": extra, "cpu_seconds": float(np.median(seconds))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("portraits", type=Path)
    parser.add_argument("--photos", nargs="*", default=list(PHOTOS), choices=list(PHOTOS))
    parser.add_argument("--count", type=int, default=61)
    options = parser.parse_args()
    files = sorted(options.portraits.glob("*.jpg"))[: options.count]
    portraits = [Image.open(path).convert("RGB") for path in files]
    table = {}
    for photo in options.photos:
        for face in FACES:
            if face / EAR_TO_EAR < min(PHOTOS[photo]):
                table[f"{photo} megapixels, {face} pixels"] = line = measure(portraits, PHOTOS[photo], face)
                print(
                    f"{photo:>4} MP  {face:4d} px  {line['recall']:6.1%} of {line['faces']}, {line['extra']} extra, "
                    f"{line['cpu_seconds']:.2f} s",
                    flush=True,
                )
    RESULTS.write_text(json.dumps({"cores": os.cpu_count(), "table": table}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
