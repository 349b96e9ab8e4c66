"""Page three: the 64×64 network with 50 latents, trained anew, beside its authors' weights where these are present."""

from __future__ import annotations

import json
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from classics import Wanted, card, origin, photo, read, save, save_plot, short, side_by_side, table
from PIL import Image

import facette
from facette.images.sheets.grid import Cell, SheetRow, contact_sheet
from facette.images.warp import at_side
from facette.measures.reconstruction import unexplained_variance
from facette.model.vae import VAEOutput
from facette.objective import elbo_terms
from facette.runtime import generator

AUTHORS, OURS, LETTER = "authors' weights", "trained anew", "trained anew, to the letter"


def tables(wanted: Wanted) -> dict[str, str]:
    model, bundled = facette.load(wanted.model), facette.load("faces128").plain()
    found = {OURS: facette.evaluate(model, read(model, wanted.data, wanted.count))}
    found["faces128, plain"] = facette.evaluate(bundled, read(bundled, wanted.data, wanted.count))
    measured = {"origin": origin(model, found[OURS].count), "samples": _samples(found[OURS])}
    measured["frames"] = _frames(model, wanted)
    return {**measured, "quality": side_by_side({name: card(one) for name, one in found.items()})}


def _frames(model: Any, wanted: Wanted) -> str:
    """Both networks in both frames, on pictures they have and have not seen, reduced as we do and as they did."""
    theirs = None if wanted.authors is None else facette.import_checkpoint(wanted.authors)
    unseen = read(model, wanted.data, wanted.count)
    own, soft = "its own, the square", as_they_read(wanted.data, model, wanted.count)
    rows = [[OURS, own, "not seen", "Lanczos", *_three(model, unseen)]]
    rows.append([OURS, own, "not seen", "bilinear", *_three(model, soft)])
    if wanted.to_the_letter is not None:
        letter = facette.load(wanted.to_the_letter)
        rows.append([LETTER, own, "not seen", "Lanczos", *_three(letter, unseen)])
        rows.append([LETTER, own, "not seen", "bilinear", *_three(letter, soft)])
    if theirs is not None:
        rows.append([AUTHORS, "the square, stretched", "not seen", "Lanczos", *_three(theirs, unseen)])
    if wanted.whole is not None:
        square = read(model, wanted.whole, wanted.count)
        rows.append([OURS, own, "seen", "Lanczos", *_three(model, square)])
        if theirs is not None:
            whole, frames = read(theirs, wanted.whole, wanted.count), "its own, whole frames"
            rows.append([AUTHORS, frames, "seen", "Lanczos", *_three(theirs, whole)])
            soft = as_they_read(wanted.whole, theirs, wanted.count)
            rows.append([AUTHORS, frames, "seen", "bilinear", *_three(theirs, soft)])
            rows.append([OURS, "whole frames", "seen", "Lanczos", *_three(model, whole)])
            for name, pictures in (("the square", square), ("whole frames", whole)):
                share = short(linear(pictures, model.latent))
                kind = f"{model.latent} principal components"
                rows.append([kind, name, "half seen, half not", "Lanczos", share, "", ""])
    head = ["network", "frame", "pictures", "reduced by", "unexplained variance", "ELBO, nats", "rate, nats"]
    return table(head, rows)


def as_they_read(folder: str, model: Any, count: int) -> np.ndarray:
    """Pictures of a folder, whole and squashed to the model's square by bilinear interpolation, as the report's script
    reads them: (N, S, S, 3)."""
    paths = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in (".jpg", ".png"))
    every = max(1, len(paths) // count)
    side = (model.input.size, model.input.size)
    opened = (Image.open(path).convert("RGB") for path in paths[::every][:count])
    return np.stack([np.asarray(one.resize(side, Image.Resampling.BILINEAR)) for one in opened])


@torch.inference_mode()
def _three(model: Any, pictures: np.ndarray) -> list[str]:
    """Unexplained variance, bound and rate."""
    draws, terms, made = generator(0, "classic three"), [], []
    for start in range(0, len(pictures), 100):
        x = model.to_model(pictures[start : start + 100])  # (N, 3, S, S)
        posterior = model.vae.encode(x)
        z = posterior.sample(generator=draws)  # (N, Z)
        passed = VAEOutput(posterior, z, model.vae.decoder(z))
        one = elbo_terms(model.vae, x, passed)
        terms.append(torch.stack([one.elbo, one.rate]))
        made.append(model.to_pictures(model.vae.decode(posterior.mean)))
    elbo, rate = torch.cat(terms, dim=1).mean(dim=1).tolist()
    left = unexplained_variance(pictures / 255.0, np.concatenate(made) / 255.0)
    return [short(left), short(elbo), short(rate)]


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
    """Two photos as each network draws them in its own frame, and what ours makes of eight unseen faces."""
    networks = {OURS: model, AUTHORS: theirs, "faces128, sharp": facette.load("faces128")}
    above = []
    for who in ("astronaut", "hopper"):
        above.append(Cell(photo(model, who), "photo", True))
        for name, network in networks.items():
            if network is not None:
                drawn = network.decode(network.encode(photo(network, who)[None]).mean)
                above.append(Cell(at_side(drawn, model.input.shape[0])[0], name))
    unseen = model.decode(model.encode(read(model, wanted.data, len(above))).mean)
    sheet = contact_sheet(
        [SheetRow(above), SheetRow([Cell(one) for one in unseen])],
        title="Reconstructions",
        subtitle=f"above, two photos by each network; below, unseen faces by the one that was {OURS}",
        wrap=len(above),
    )
    return save(sheet.image, "three-reconstructions")


def _map(model: Any, wanted: Wanted) -> Path:
    """The latents by t-SNE, as dots coloured by blond hair."""
    from facette.plots.maps import plot_chart

    made = facette.map(model, wanted.data, color="Blond_Hair", count=wanted.count, reconstructions=False)
    words = textwrap.fill(made.chart.remarks, 110)
    return save_plot(plot_chart(replace(made.chart, pictures=None, remarks=words)), "three-map")
