"""Page two: the same network out of a foreign pickle, its dial by eye and by measurement, and its blur in figures."""

from __future__ import annotations

import itertools
import sys
import tempfile
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from classics import Wanted, photo, read, save, save_plot, short, table
from torch import Tensor, nn
from torch.nn import functional as F

import facette
from facette.dial.calibrate import Calibration, calibrate, open_pictures
from facette.images.sheets.grid import Cell, SheetRow, contact_sheet
from facette.latent.levels import DISTANCE
from facette.measures.reconstruction import sharpness_ratio, unexplained_variance

BY_EYE = 7.0
WIDTHS = (32, 64, 128, 256, 512)
BANDS = (2, 4, 8, 16, 32)  # waves a picture, where the octaves of the spectrum begin


class VAE(nn.Module):
    """The classic network as a script of that time writes it: one class, everything inside, saved whole."""

    def __init__(self, latent: int = 128):
        super().__init__()
        self.encoder = nn.Sequential(*(_down(a, b) for a, b in itertools.pairwise((3, *WIDTHS))))
        self.fc_mu, self.fc_var = nn.Linear(512 * 25, latent), nn.Linear(512 * 25, latent)
        self.decoder_input = nn.Linear(latent, 512 * 25)
        self.decoder = nn.Sequential(*(_up(a, b) for a, b in itertools.pairwise(WIDTHS[::-1])))
        self.final_layer = nn.Sequential(*_up(32, 32), nn.Conv2d(32, 3, 3, padding=1), nn.Sigmoid())

    def reconstruct(self, x: Tensor) -> Tensor:
        """Pictures (N, 3, 150, 150) in [0, 1], redrawn from the posterior's mean."""
        z = self.fc_mu(self.encoder(x).flatten(1))
        drawn = self.final_layer(self.decoder(self.decoder_input(z).view(-1, 512, 5, 5)))
        return F.interpolate(drawn, 150, mode="bilinear", antialias=True)


def _down(a: int, b: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(a, b, 3, 2, 1), nn.BatchNorm2d(b), nn.LeakyReLU())


def _up(a: int, b: int) -> nn.Sequential:
    return nn.Sequential(nn.ConvTranspose2d(a, b, 3, 2, 1, 1), nn.BatchNorm2d(b), nn.LeakyReLU())


def as_foreign(model: Any) -> VAE:
    """Our trained weights in that class."""
    theirs: dict[str, Tensor] = {}
    for name, tensor in model.vae.state_dict().items():
        for ours, their in (
            ("encoder.linear.", "fc"),
            ("decoder.linear.", "decoder_input."),
            ("decoder.head.", "final_layer.3."),
            ("decoder.layers.4.", "final_layer."),
            ("decoder.layers.", "decoder."),
            ("encoder.layers.", "encoder."),
        ):
            if name.startswith(ours) and their == "fc":
                rest = name.removeprefix(ours)
                theirs[f"fc_mu.{rest}"], theirs[f"fc_var.{rest}"] = tensor.chunk(2)
            elif name.startswith(ours):
                theirs[name.replace(ours, their, 1)] = tensor
            else:
                continue
            break
    network = VAE(model.latent)
    network.load_state_dict(theirs)
    return network.eval()


def save_whole(network: VAE, path: Path) -> Path:
    """`torch.save(model)`, as if class VAE lived in somebody's file vae.py that no reader has."""
    stage = types.ModuleType("vae")
    stage.__dict__["VAE"] = VAE
    before, VAE.__module__, sys.modules["vae"] = VAE.__module__, "vae", stage
    try:
        torch.save(network, path)
    finally:
        VAE.__module__ = before
        del sys.modules["vae"]
    return path


def imported(run: str, folder: Path) -> tuple[Any, VAE]:
    """The model that came back out of the pickle, and the network that went in."""
    known = facette.load(run)
    network = as_foreign(known)
    model = facette.import_checkpoint(save_whole(network, folder / "vae_model_20.pth"))
    # No pickle says which cut of a photo its network was trained on: here we know.
    return replace(model, recipe=model.recipe.model_copy(update={"input": known.input})), network


# ── tables ───────────────────────────────────────────────────────────────────────────────────────────────


def tables(wanted: Wanted) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        model, network = imported(wanted.model, Path(folder))
        pictures = read(model, wanted.data, wanted.count)
        found = _calibrated(model, pictures, wanted, Path(folder))
        return {
            "import": _import_table(model, network, pictures[:32]),
            "dial": _dial_table(found),
            "blur": _blur_table(model, pictures),
        }


def _calibrated(model: Any, pictures: np.ndarray, wanted: Wanted, folder: Path) -> Calibration:
    """Kept in the model's file, as `facette calibrate` does; the last pictures give the curves."""
    facette.save(model, folder / "classic")
    found = calibrate(model, open_pictures(model, pictures, wanted.photos), photos=wanted.photos)
    found.save(folder / "classic")
    return found


@torch.inference_mode()
def _import_table(model: Any, network: VAE, pictures: np.ndarray) -> str:
    x = model.to_model(pictures)
    theirs, ours = network.reconstruct(x), model.vae.decode(model.vae.encode(x).mean)
    rows = [
        [
            "largest difference of two reconstructions, values from 0 to 1",
            f"{float((theirs - ours).abs().max()):.1e}",
        ],
        [
            "the same after rounding to bytes",
            int(np.abs(model.to_pictures(theirs).astype(int) - model.to_pictures(ours)).max()),
        ],
        [
            "unexplained variance of either",
            short(unexplained_variance(pictures / 255.0, model.to_pictures(ours) / 255.0)),
        ],
    ]
    return table(["their forward pass against the imported model", f"{len(pictures)} faces"], rows)


def _dial_table(found: Calibration) -> str:
    """What seven σ, and each level, come to for this model: with the photo's own details, and drawn by itself."""
    rows = []
    for details in ("photo", "model"):
        curve = found.curves["posterior", details]
        levels = {level: curve.strength_at(distance) for level, distance in DISTANCE.items()}
        for way, factor in {"reconstructed": 0.0, "by eye": BY_EYE, **levels}.items():
            if factor is None:
                rows.append(["none", f"{way}, details of the {details}: not within reach", "", "", ""])
                continue
            shown = [curve.distance_at(factor), curve.likeness_at(factor), curve.same_at(factor)]
            rows.append([f"{factor:.3g}", f"{way}, details of the {details}", *map(short, shown)])
    return table(["factor of σ", "of", "median distance", "likeness", "the same person"], rows)


def spectrum(pictures: np.ndarray) -> np.ndarray:
    """Mean power by frequency, from 1 to S / 2 waves a picture, of uint8 pictures (N, S, S, 3): (S // 2,)."""
    grey = pictures.astype(np.float64).mean(axis=3) / 255
    side = grey.shape[1]
    window = np.hanning(side)[:, None] * np.hanning(side)
    power = (np.abs(np.fft.fft2((grey - grey.mean(axis=(1, 2), keepdims=True)) * window)) ** 2).mean(axis=0)
    waves = np.fft.fftfreq(side, 1 / side)
    ring = np.rint(np.hypot(waves[:, None], waves)).astype(int)
    return np.bincount(ring.ravel(), power.ravel())[1 : side // 2 + 1]


def octaves(pictures: np.ndarray, photos: np.ndarray) -> list[float]:
    """Share of the photos' power that is left from 2 to 4 waves a picture, from 4 to 8 … up to 32, and beyond where the
    pictures hold that much."""
    made, real = spectrum(pictures), spectrum(photos)
    edges = [edge for edge in BANDS if edge < len(real)] + [len(real)]
    return [float(made[a:b].sum() / real[a:b].sum()) for a, b in itertools.pairwise(edges)]


def _drawn(model: Any, pictures: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """name → photos and what is made of them, each network at its own size."""
    ours = facette.load("faces128")
    small = np.stack([_resized(one, ours.input.shape[0]) for one in pictures])
    latents = ours.encode(small).mean
    return {
        "classic, 150 px": (pictures, model.decode(model.encode(pictures).mean)),
        "faces128, plain": (small, ours.plain().decode(latents)),
        "faces128, sharp": (small, ours.decode(latents)),
    }


def _resized(picture: np.ndarray, side: int) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS))


def _blur_table(model: Any, pictures: np.ndarray) -> str:
    rows = []
    for name, (photos, made) in _drawn(model, pictures).items():
        kept = [f"{share:.0%}" for share in octaves(made, photos)]
        left = short(unexplained_variance(photos / 255.0, made / 255.0))
        sharp = short(sharpness_ratio(photos / 255.0, made / 255.0))
        rows.append([name, left, sharp, *kept, *[""] * (len(BANDS) - len(kept))])
    bands = [f"{a} to {b} waves" for a, b in itertools.pairwise(BANDS)] + [f"{BANDS[-1]} and more"]
    return table(["reconstructions by", "unexplained variance", "sharpness of real", *bands], rows)


# ── pictures ─────────────────────────────────────────────────────────────────────────────────────────────


def figures(wanted: Wanted) -> list[Path]:
    with tempfile.TemporaryDirectory() as folder:
        model, _ = imported(wanted.model, Path(folder))
        photos = np.stack([photo(model, name) for name in ("astronaut", "hopper")])
        unseen = read(model, wanted.data, 6)
        pictures = read(model, wanted.data, min(wanted.count, 500))
    again = model.decode(model.encode(photos).mean)
    nobody = model.decode(model.encode(unseen).mean)
    rows = [
        SheetRow(
            [Cell(photos[0], "photo", True), Cell(again[0]), Cell(photos[1], "photo", True), Cell(again[1])]
        ),
        SheetRow([Cell(one) for one in nobody]),
    ]
    sheet = contact_sheet(
        rows,
        title="Reconstructions by the imported network",
        subtitle="below: of six faces it has not seen, without the photos",
        columns=[],
        wrap=6,
    )
    swept = facette.sweep(model, photos[0], [1, 4, 7, 10], count=6).sheet()
    return [
        save(sheet.image, "two-reconstructions"),
        save(swept.image, "two-sweep"),
        save_plot(_spectra(model, pictures), "two-spectrum"),
    ]


def _spectra(model: Any, pictures: np.ndarray) -> Any:
    from facette.plots.style import accent, label, legend, new_figure

    figure = new_figure("Power by frequency", size=(8, 4.2))
    axes = figure.axes[0]
    drawn = _drawn(model, pictures)
    for place, (name, (photos, made)) in enumerate(drawn.items()):
        share = spectrum(made) / spectrum(photos)
        axes.plot(np.arange(1, len(share) + 1), share, color=accent(place), label=name)
    axes.axhline(1, color="0.6", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yscale("log")
    label(
        axes,
        f"reconstructions of {len(pictures)} unseen faces",
        "waves a picture",
        "share of the photos' power",
    )
    legend(axes)
    return figure
