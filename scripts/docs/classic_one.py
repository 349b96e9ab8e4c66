"""Page one: the 150×150 network, ten variations by a factor of the variance, and what its scripts get wrong."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from classics import Wanted, card, origin, photo, read, save, save_plot, short, side_by_side, table
from torch import Tensor, nn

import facette
from facette.images.sheets.grid import Cell, SheetRow, contact_sheet
from facette.judges.similarity import embedding_of, similarity

KL_WEIGHT = 0.00025  # of the classic script, beside a mean squared error
VALUES, LATENTS = 3 * 150**2, 128
SCALES = (0.01, 0.1, 1.0, 49.0)  # of the variance; the last is seven σ
GROUPS = 8  # neighbourhoods that a face is drawn in


def tables(wanted: Wanted) -> dict[str, str]:
    model, ours = facette.load(wanted.model), facette.load("faces128")
    found = facette.evaluate(model, read(model, wanted.data, wanted.count))
    other = facette.evaluate(ours.plain(), read(ours, wanted.data, wanted.count))
    pictures = read(model, wanted.data, max(wanted.photos, 5 * GROUPS))
    error = math.sqrt(found.reconstruction.mse.value)
    return {
        "model": origin(model, found.count),
        "quality": side_by_side({"celeba150": card(found), "faces128, plain": card(other)}),
        "scales": _scales(model, pictures[: wanted.photos]),
        "batch-norm": _batch_norm_table(model, pictures[: 5 * GROUPS]),
        "sigma": _sigma_table(error),
    }


def implied_sigma(weight: float, values: int, latents: int) -> float:
    """σ of the Gaussian decoder that a mean over `values` plus weight · mean over `latents` of the KL stands for.

    mse + w · KL / Z, times D / (2 σ²): the second term is the KL itself when σ² = w · D / (2 Z).
    """
    return math.sqrt(weight * values / (2 * latents))


def _sigma_table(error: float) -> str:
    sigma = implied_sigma(KL_WEIGHT, VALUES, LATENTS)
    rows = [
        ["the classic loss", "mse + 0.00025 · KL, both means", short(sigma), short((sigma / error) ** 2)],
        ["σ at its optimum for these errors", "−ELBO, β = 1", short(error), short(1.0)],
        ["mse + KL, both means", "a natural slip", short(implied_sigma(1, VALUES, LATENTS)), ""],
        [
            "squared error summed, KL summed",
            "σ² = ½",
            short(math.sqrt(0.5)),
            short(0.5 / error**2),
        ],
    ]
    rows[2][3] = short((implied_sigma(1, VALUES, LATENTS) / error) ** 2)
    return table(["loss", "as written", "σ of the decoder", "weight of the KL over the ELBO's"], rows)


def _scales(model: Any, pictures: np.ndarray) -> str:
    """What each factor of the variance does: difference from the reconstruction, and similarity to the photo."""
    embedding = embedding_of(facette.load("faces128"))
    gone: dict[float, list[float]] = {scale: [] for scale in (0.0, *SCALES)}
    like: dict[float, list[float]] = {scale: [] for scale in (0.0, *SCALES)}
    for picture in pictures:
        place = embedding.places(picture[None])
        swept = facette.sweep(model, picture, (0.0, *SCALES), count=10, mode="variance")
        for row in swept.rows:
            apart = row.pictures.astype(float) - swept.reconstruction
            gone[row.factor].append(float(np.sqrt(np.mean(apart**2, axis=(1, 2, 3))).mean()))
            like[row.factor].append(float(similarity(place, embedding.places(row.pictures)).mean()))
    rows = [
        [f"{s:g}", f"{s**0.5:g}", short(float(np.mean(gone[s]))), short(float(np.mean(like[s])))]
        for s in gone
    ]
    head = [
        "factor of σ²",
        "of σ",
        "difference from the reconstruction, steps of 255",
        "similarity to the photo",
    ]
    rows.append(["", "", "a stranger, at most one in a hundred:", short(embedding.threshold)])
    return table(head, rows)


# ── BatchNorm in training mode ───────────────────────────────────────────────────────────────────────────


@torch.inference_mode()
def decode_in_training_mode(model: Any, latents: Tensor) -> np.ndarray:
    """What a script gives that forgets `.eval()`: statistics of this batch in the place of those of training."""
    decoder = copy.deepcopy(model.vae)  # what was learned stays as it is
    for module in decoder.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train()
    return model.to_pictures(decoder.decode(latents.to(model.device)))


def _neighbourhoods(model: Any, pictures: np.ndarray) -> dict[str, np.ndarray]:
    """The first picture drawn alone, among other faces, and among its own variations; (GROUPS, S, S, 3) each."""
    means = model.encode(pictures).mean  # (N, Z)
    one, others = means[:1], means[1:]
    among = []
    for group in range(GROUPS):
        start = group * (len(others) // GROUPS)
        among.append(torch.cat([one, others[start : start + 4]]))
    nine = [facette.vary(model, pictures[0], count=9, seed=s, details="model").latents for s in range(GROUPS)]
    own = [torch.cat([one, torch.as_tensor(np.asarray(latents))]) for latents in nine]
    return {
        "in evaluation mode": model.decode(one.expand(GROUPS, -1)),
        "in training mode, among four other faces": np.stack(
            [decode_in_training_mode(model, batch)[0] for batch in among]
        ),
        "in training mode, among nine of its own variations": np.stack(
            [decode_in_training_mode(model, batch)[0] for batch in own]
        ),
    }


def _batch_norm_table(model: Any, pictures: np.ndarray) -> str:
    rows = []
    right = None
    for name, drawn in _neighbourhoods(model, pictures).items():
        drawn = drawn.astype(float)
        right = drawn[0] if right is None else right
        wrong = np.sqrt(np.mean((drawn - right) ** 2, axis=(1, 2, 3))).mean()
        scatter = np.sqrt(np.mean((drawn - drawn.mean(0)) ** 2))
        rows.append([name, short(float(wrong)), short(float(scatter))])
    return table(["the same latent, drawn", "off by, grey steps", "differs from batch to batch by"], rows)


# ── pictures ─────────────────────────────────────────────────────────────────────────────────────────────


def figures(wanted: Wanted) -> list[Path]:
    model = facette.load(wanted.model)
    astronaut, hopper = photo(model, "astronaut"), photo(model, "hopper")
    swept = facette.sweep(model, astronaut, SCALES, count=10, mode="variance")
    rows = [SheetRow([Cell(p) for p in row.pictures], f"{row.factor:g} σ²") for row in swept.rows]
    variations = contact_sheet(
        rows,
        title="Ten variations at four factors of the variance",
        subtitle=f"{model.name} · each column keeps its direction",
        photo=Cell(astronaut, "photo", framed=True),
    )
    walked = facette.interpolate(model, hopper, astronaut, steps=10).sheet()
    saved = [save(variations.image, "one-variations"), save(walked.image, "one-interpolation")]
    drawn = facette.sample(model, 5 * GROUPS, seed=2, temperature=0.8).pictures
    pictures = np.concatenate([astronaut[None], drawn])
    sheet = contact_sheet(
        [
            SheetRow([Cell(p) for p in row[:6]], name)
            for name, row in _neighbourhoods(model, pictures).items()
        ],
        title="One latent, six batches",
        subtitle=f"{model.name} · in evaluation mode all are one picture",
    )
    saved.append(save(sheet.image, "one-batch-norm"))
    return [*saved, *_training(wanted.model)]


def _training(run: str) -> list[Path]:
    """The curves of the journal, where the run still has one."""
    import json

    from facette.plots.curves import plot_training

    journal = Path(run) / "journal.jsonl"
    if not journal.is_file():
        return []
    rows = [json.loads(line) for line in journal.read_text("utf-8").splitlines()]
    kept = ("step", "event", "elbo", "rate", "distortion", "unexplained_variance")
    first = rows[-1]["step"] // 20  # the fall from nothing would hide all that follows
    rows = [{key: row[key] for key in kept if key in row} for row in rows if row["step"] > first]
    return [save_plot(plot_training(rows, title="Training of celeba150"), "one-training")]
