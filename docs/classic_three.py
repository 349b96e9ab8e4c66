"""Page three: the 64×64 network with 50 latents, trained anew, beside its authors' weights where these are present."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from classics import Wanted, card, origin, photo, read, save, save_plot, short, side_by_side, table

import facette
from facette.images.grid import Cell, SheetRow, contact_sheet

AUTHORS, OURS = "authors' weights", "trained anew"


def tables(wanted: Wanted) -> dict[str, str]:
    model, bundled = facette.load(wanted.model), facette.load("faces64").plain()
    found = {OURS: facette.evaluate(model, wanted.data, split="all", count=wanted.count)}
    found["faces64, plain"] = facette.evaluate(bundled, wanted.data, split="all", count=wanted.count)
    measured = {"origin": origin(model), "samples": _samples(found[OURS])}
    measured["frames"] = _frames(model, wanted, found[OURS])
    return {**measured, "quality": side_by_side({name: card(one) for name, one in found.items()})}


def _frames(model: Any, wanted: Wanted, known: Any) -> str:
    """Both networks in both frames, on pictures they have and have not seen."""
    rows = [[OURS, "its own: the 144-pixel square", "not seen", known.count, *_three(known)]]
    theirs = None if wanted.authors is None else facette.import_checkpoint(wanted.authors)
    if theirs is not None:
        stretched = read(theirs, wanted.data, wanted.count)
        rows.append(
            [AUTHORS, "ours, stretched over theirs", "not seen", len(stretched), *_on(theirs, stretched)]
        )
    if wanted.whole is not None:
        square = read(model, wanted.whole, wanted.count)
        rows.append([OURS, "its own: the 144-pixel square", "seen", len(square), *_on(model, square)])
        if theirs is not None:
            whole = read(theirs, wanted.whole, wanted.count)
            rows.append([AUTHORS, "its own: whole frames, squashed", "seen", len(whole), *_on(theirs, whole)])
            rows.append([OURS, "theirs: whole frames, squashed", "seen", len(whole), *_on(model, whole)])
            for name, pictures in (("the 144-pixel square", square), ("whole frames, squashed", whole)):
                share = short(linear(pictures, model.latent))
                rows.append(
                    [
                        f"{model.latent} principal components",
                        name,
                        "half seen, half not",
                        len(pictures),
                        share,
                        "",
                        "",
                    ]
                )
    return table(
        ["network", "frame", "pictures", "how many", "unexplained variance", "ELBO, nats", "rate, nats"], rows
    )


def linear(pictures: np.ndarray, latents: int) -> float:
    """What a linear model of so many latents leaves unexplained of one half of the pictures when fitted to the other:
    how hard a frame is."""
    from sklearn.decomposition import PCA

    flat = pictures.reshape(len(pictures), -1) / 255.0
    order = np.random.default_rng(0).permutation(len(flat))
    fitted, held = np.array_split(flat[order], 2)
    known = PCA(latents, random_state=0).fit(fitted)
    again = known.inverse_transform(known.transform(held))
    return float(((held - again) ** 2).sum() / ((held - held.mean(axis=0)) ** 2).sum())


def _on(model: Any, pictures: np.ndarray) -> list[str]:
    return _three(facette.evaluate(model, pictures))


def _three(found: Any) -> list[str]:
    kept = card(found)
    return [kept["unexplained variance"], kept["ELBO, nats"], kept["rate, nats"]]


def _samples(found: Any) -> str:
    """What samples of each prior are worth, beside other photos."""
    rows = [
        [
            one.of,
            *(short(getattr(one, name).value) for name in ("frechet", "precision", "density", "coverage")),
        ]
        for one in (found.distributions.floor, *found.distributions.made)
    ]
    return table(["pictures", "Fréchet", "precision", "density", "coverage"], rows)


# ── pictures ─────────────────────────────────────────────────────────────────────────────────────────────


def figures(wanted: Wanted) -> list[Path]:
    model = facette.load(wanted.model)
    theirs = None if wanted.authors is None else facette.import_checkpoint(wanted.authors)
    saved = [_elbo(wanted.model), _walls(model), _reconstructions(model, theirs, wanted)]
    astronaut, hopper = photo(model, "astronaut"), photo(model, "hopper")
    walked = facette.interpolate(model, hopper, astronaut, steps=10).sheet()
    return [path for path in (*saved, save(walked.image, "three-interpolation"), _map(model, wanted)) if path]


def _elbo(run: str) -> Path | None:
    from facette.plots.curves import plot_training

    journal = Path(run) / "journal.jsonl"
    if not journal.is_file():
        return None
    rows = [json.loads(line) for line in journal.read_text("utf-8").splitlines()]
    kept = ("step", "event", "elbo", "rate", "distortion", "unexplained_variance")
    first = rows[-1]["step"] // 20  # the fall from nothing would hide all that follows
    rows = [{key: row[key] for key in kept if key in row} for row in rows if row["step"] > first]
    return save_plot(plot_training(rows, title="Training of celeba64-z50"), "three-training")


def _walls(model: Any) -> Path:
    """Twenty samples of each prior, and the means of twenty faces decoded for comparison."""
    rows = []
    for prior in ("normal",) if model.fitted_prior is None else ("normal", "fitted"):
        drawn = facette.sample(model, 20, seed=1, prior=prior).pictures
        rows += [
            SheetRow([Cell(one) for one in drawn[:10]], f"{prior} prior"),
            SheetRow([Cell(one) for one in drawn[10:]]),
        ]
    sheet = contact_sheet(rows, title="Twenty samples of each prior", subtitle=model.name, wrap=10)
    return save(sheet.image, "three-samples")


def _reconstructions(model: Any, theirs: Any, wanted: Wanted) -> Path:
    """Two photos as each network draws them, and what it makes of eight unseen faces, without these."""
    bundled = facette.load("faces64")
    networks = {OURS: model, AUTHORS: theirs, "faces64, sharp": bundled}
    rows, photos = [], [Cell(photo(bundled, name), "photo", True) for name in ("astronaut", "hopper")]
    for name, network in networks.items():
        if network is None:
            continue
        shown = np.stack([photo(network, who) for who in ("astronaut", "hopper")])
        unseen = read(network, wanted.data, 8)
        drawn = network.decode(network.encode(np.concatenate([shown, unseen])).mean)
        rows.append(SheetRow([Cell(one) for one in drawn], name))
    rows.insert(0, SheetRow([*photos, *(Cell(np.full_like(drawn[0], 244)) for _ in range(8))], "photo"))
    sheet = contact_sheet(
        rows,
        title="Reconstructions",
        subtitle="two photos, and eight faces that none of the networks has seen",
        wrap=10,
    )
    return save(sheet.image, "three-reconstructions")


def _map(model: Any, wanted: Wanted) -> Path:
    """The latents by t-SNE, as dots coloured by blond hair."""
    from facette.plots.maps import plot_chart

    made = facette.map_latents(
        model, wanted.data, color="Blond_Hair", count=wanted.count, reconstructions=False
    )
    return save_plot(plot_chart(replace(made.chart, pictures=None)), "three-map")
