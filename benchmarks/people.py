"""How much of a person a model keeps: relatives of a photo, what the latents alone know, photos cut too tightly.

    python benchmarks/people.py MODEL FACES [--parts relatives latents cropped edits] [--out FOLDER] [--sheets FOLDER]

Enters: a calibrated model of faces and a folder of faces in its frame that training never saw, with the lists of
people and attributes beside it (`faces_people.csv`, `faces_attributes.csv`). Leaves: people.json and people.md, part
by part, so that one part can be measured again; with --sheets also pictures to look at, which are data of others and
belong into no commit. Two networks look on that no loss has ever seen: dlib's knows people, the attribute network what
a face has on. It takes the extra `identity`, and about a tenth of a second a face.

People of odd rank are drawn, those of even rank are who Fréchet distances compare with. Legend: P photos,
S pixels.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facette.data import open_dataset
from facette.data.attributes import YES
from facette.dial.calibrate import judged_side, people_of
from facette.dial.curves import JudgedPhotos, relatives
from facette.dial.edits import EditedPhotos, measure_edit
from facette.dial.verify import relative_spread
from facette.images.mask import with_mask
from facette.images.warp import at_side
from facette.judges.attributes import ATTRIBUTES, extract
from facette.judges.identity import describe
from facette.latent.directions import known_directions
from facette.latent.drawing import change_frames, drawn_by_model
from facette.latent.inputs import resolve_model
from facette.latent.levels import choose_setting
from facette.latent.vary import variation_seeds
from facette.latent.worth import SIGN, known_worth
from facette.measures.distances import frechet_distance
from facette.measures.identity import distances
from facette.measures.reconstruction import sharpness_ratio
from facette.model.trained import TrainedModel

RESULTS = Path(__file__).parent / "results"
SPREAD_PHOTOS, RELATIVES = 250, 3  # that spread is measured on, and of each
EYES = (16, 22, 48, 34)  # left, top, right, bottom, of 64 pixels
MIDDLE = 0.73  # of the sides, what a tight cut leaves
CROPPED, LOOKED_AT = 100, 20  # asked who they are, and on a sheet
EDITED = 200  # people, a photo of each
WORN = ("Eyeglasses", "Wearing_Hat")
Pictures = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Faces:
    """Photos (P, W, W, 3), and what lists say of them."""

    frames: Pictures
    people: NDArray[np.int64]
    worn: dict[str, NDArray[np.bool_]]  # whether a list says so, and the network sees it in the photo

    def part(self, rows: NDArray[Any]) -> Faces:
        return Faces(
            self.frames[rows], self.people[rows], {name: some[rows] for name, some in self.worn.items()}
        )

    def halves(self) -> tuple[Faces, Faces]:
        """Those of people of odd rank, and those of even rank."""
        rank = np.unique(self.people, return_inverse=True)[1]  # from 0
        return self.part(rank % 2 == 0), self.part(rank % 2 == 1)


def main() -> None:
    parts: dict[str, Callable[[TrainedModel, Faces, Path | None], dict[str, Any]]] = {
        "relatives": measure_relatives,
        "latents": measure_latents,
        "cropped": measure_cropped,
        "edits": measure_offered,
    }
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("faces", help="a folder of faces in the model's frame, with its lists beside it")
    parser.add_argument("--parts", nargs="+", choices=list(parts), default=list(parts))
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--sheets", type=Path)
    asked = parser.parse_args()
    model = resolve_model(asked.model)
    faces = open_faces(model, asked.faces)
    path = asked.out / "people.json"
    found = json.loads(path.read_text("utf-8")) if path.exists() else {}
    if asked.sheets:
        asked.sheets.mkdir(parents=True, exist_ok=True)
    for part in asked.parts:
        found[part] = parts[part](model, faces, asked.sheets)
        asked.out.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
        (asked.out / "people.md").write_text(in_words(model.name, found), "utf-8")
        print(part, json.dumps(found[part], indent=1), flush=True)


def open_faces(model: TrainedModel, folder: str) -> Faces:
    """Every photo, person by person in the order of their numbers."""
    store = open_dataset(folder, model.input.model_copy(update={"size": judged_side(model)}))
    everything = store.indices("all")
    people = people_of(store, everything)
    if people is None or store.attributes is None:
        raise SystemExit(f"{folder} has no list of people and no list of attributes beside it.")
    order = np.argsort(people, kind="stable")
    order = order[people[order] >= 0]
    rows = everything[order]
    frames = store.read(rows)
    seen = extract(frames).logits > 0
    worn = {
        name: (store.attributes.column(name)[rows] == YES) & seen[:, ATTRIBUTES.index(name)] for name in WORN
    }
    return Faces(frames, people[order], worn)


def measure_relatives(model: TrainedModel, faces: Faces, sheets: Path | None) -> dict[str, Any]:
    """One relative of each at auto, as commands draw it; three of the first 250, for spread."""
    drawn, others = faces.halves()
    setting = choose_setting(model)
    photos = JudgedPhotos.of(model, drawn.frames)
    strangers = photos.strangers(drawn.people)
    seeds = variation_seeds(1, len(drawn.frames) * RELATIVES)
    first = relatives(model, photos, setting.noise, "photo", setting.strength, seeds[: len(drawn.frames)])
    apart = distances(describe(first, photos.box), photos.who)
    some = photos.first(SPREAD_PHOTOS)
    features = np.stack(
        [
            extract(relatives(model, some, setting.noise, "photo", setting.strength, row)).features
            for row in (seeds[i * len(some.frames) :][: len(some.frames)] for i in range(RELATIVES))
        ]
    )  # (3, P, D)
    real, theirs = extract(drawn.frames).features, extract(others.frames).features
    if sheets:
        save_sheet(sheets / "relatives.png", [drawn.frames[::7][:LOOKED_AT], first[::7][:LOOKED_AT]])
    return {
        "photos": len(first),
        "noise": setting.noise,
        "strength": setting.strength,
        "strangers_from": round(strangers, 4),
        "same_person": share(apart < strangers),
        "median_distance": round(float(np.median(apart)), 4),
        "spread": round(relative_spread(features, real.var(axis=0)), 4),
        "frechet": round(frechet_distance(theirs, extract(first).features), 3),
        "frechet_of_photos": round(frechet_distance(theirs, real), 3),
        "kept": kept(first, drawn),
    }


def measure_latents(model: TrainedModel, faces: Faces, sheets: Path | None) -> dict[str, Any]:
    """Reconstructions, with the second stage and without."""
    assert model.input.kind == "image"
    photos = JudgedPhotos.of(model, faces.frames)
    strangers = photos.strangers(faces.people)
    own = at_side(faces.frames, model.input.size)
    found: dict[str, Any] = {"photos": len(own), "strangers_from": round(strangers, 4)}
    for name, drawer in (("sharp", model), ("plain", model.plain())):
        pictures = drawer.decode(photos.mean)
        apart = distances(describe(pictures, photos.box), photos.who)
        found[name] = {
            "same_person": share(apart < strangers),
            "median_distance": round(float(np.median(apart)), 4),
            "sharpness": round(sharpness_ratio(own / 255, pictures / 255), 4),
            "kept": kept(pictures, faces),
            "eyes_with_glasses_to_without": round(eye_error(own, pictures, faces.worn["Eyeglasses"]), 3),
        }
        if sheets:
            rows = np.flatnonzero(faces.worn["Eyeglasses"] | faces.worn["Wearing_Hat"])[:LOOKED_AT]
            save_sheet(sheets / f"worn-{name}.png", [own[rows], pictures[rows]])
    return found


def measure_cropped(model: TrainedModel, faces: Faces, sheets: Path | None) -> dict[str, Any]:
    """The middle of each photo alone, and what the model makes of the rest."""
    assert model.input.kind == "image"
    drawn, others = faces.halves()
    photos = at_side(drawn.frames, model.input.size)  # (P, S, S, 3)
    side = photos.shape[1]
    margin = round(side * (1 - MIDDLE) / 2)
    seen = np.zeros((side, side), bool)
    seen[margin : side - margin, margin : side - margin] = True
    cut = np.stack([with_mask(np.where(seen[..., None], photo, 0), seen) for photo in photos])
    judged = JudgedPhotos.of(model, drawn.frames)
    strangers = judged.strangers(drawn.people)
    latents = [judged.mean, np.asarray(model.encode(cut).mean, np.float32)]
    whole, completed = model.decode(latents[0]), drawn_by_model(model, latents[1], ~seen)
    asked = np.linspace(0, len(photos) - 1, CROPPED).round().astype(int)
    apart = {
        name: distances(describe(pictures[asked], judged.box), judged.who[asked])
        for name, pictures in (("whole", whole), ("completed", completed))
    }
    unseen = np.repeat(~seen[None], len(photos), axis=0)
    around = [change_frames(model, photos, model.decode_mean(z), z, unseen) for z in latents]
    theirs = extract(at_side(others.frames, model.input.size)).features
    frechet = [frechet_distance(theirs, extract(pictures).features) for pictures in (whole, *around)]
    if sheets:
        rows = asked[:LOOKED_AT]
        save_sheet(
            sheets / "cropped.png",
            [some[rows] for some in (photos, cut[..., :3], around[1], whole, completed)],
        )
    return {
        "photos": CROPPED,
        "middle": MIDDLE,
        "same_person": {name: share(some < strangers) for name, some in apart.items()},
        "frechet": {
            "photos": len(photos),
            "whole_reconstructions": round(frechet[0], 3),
            # The photo's own middle, and around it what is drawn from the whole photo, or invented.
            "surroundings_drawn": round(frechet[1], 3),
            "surroundings_invented": round(frechet[2], 3),
        },
    }


def measure_offered(model: TrainedModel, faces: Faces, sheets: Path | None) -> dict[str, Any]:
    """Every edit that is offered, as far as it goes by itself, in people who lack what it gives; and the share of
    these who are still the same person."""
    some = faces.part(np.unique(faces.people, return_index=True)[1][:EDITED])
    photos = EditedPhotos.of(model, some.frames, some.people)
    directions, found = known_directions(model), {}
    for name, ways in known_worth(model).items():
        for way, worth in ways.items():
            if not worth.offered:
                continue
            figure = measure_edit(model, directions, photos, name, way, (worth.strength,))
            found[f"{name} {SIGN[way] * worth.strength:+g}"] = (
                "too few"
                if figure is None
                else f"{figure.seen:.0%} of {figure.people}, same person {figure.same:.1%}"
            )
    return {"people": len(some.frames), "ways": len(found), "seen": found}


def kept(pictures: Pictures, faces: Faces) -> dict[str, dict[str, float]]:
    """Of those who wear it, the share in whose picture the network still sees it."""
    seen = extract(pictures).logits > 0
    return {
        name: {"photos": int(worn.sum()), **share(seen[worn, ATTRIBUTES.index(name)])}
        for name, worn in faces.worn.items()
    }


def share(hits: NDArray[np.bool_]) -> dict[str, float]:
    """A share with its interval at 95 % (Wilson 1927)."""
    n, p, z = len(hits), float(np.mean(hits)), 1.96
    middle, half = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = ((middle + sign * half) / (1 + z * z / n) for sign in (-1, 1))
    return {"share": round(p, 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def eye_error(photos: Pictures, pictures: Pictures, glasses: NDArray[np.bool_]) -> float:
    """Mean squared error in the box of the eyes, of people with glasses ÷ of those without."""
    left, top, right, bottom = EYES
    small = [at_side(some, 64).astype(np.float64)[:, top:bottom, left:right] for some in (photos, pictures)]
    error = np.square(small[0] - small[1]).mean(axis=(1, 2, 3))
    return float(error[glasses].mean() / error[~glasses].mean())


def save_sheet(path: Path, rows: list[Pictures]) -> None:
    """Rows of pictures, one above the other."""
    side = max(row.shape[1] for row in rows)
    Image.fromarray(np.concatenate([np.concatenate(list(at_side(row, side)), axis=1) for row in rows])).save(
        path
    )


def in_words(name: str, found: dict[str, Any]) -> str:
    """The figures as Markdown."""
    lines = [
        f"# How much of a person {name} keeps",
        "",
        "Measured by `benchmarks/people.py` on people that training never saw, by networks that no loss has seen; 95 % "
        "intervals in brackets.",
        "",
        "| part | figure | value |",
        "| --- | --- | --- |",
    ]
    for part, figures in found.items():
        lines += [f"| {part} | {words} | {value} |" for words, value in _flat(figures)]
    return "\n".join(lines) + "\n"


def _flat(figures: dict[str, Any], before: str = "") -> list[tuple[str, str]]:
    rows = []
    for key, value in figures.items():
        words = f"{before}{key.replace('_', ' ')}"
        if isinstance(value, dict) and "share" in value:
            of = f" of {value['photos']}" if "photos" in value else ""
            rows.append((words, f"{value['share']:.1%}{of} ({value['low']:.1%} to {value['high']:.1%})"))
        elif isinstance(value, dict):
            rows += _flat(value, f"{words}: ")
        else:
            rows.append((words, f"{value}"))
    return rows


if __name__ == "__main__":
    main()
