"""What autoencoders keep of a photo: a model's own, and the one inside a diffusion checkpoint, side by side.

Enters: a loaded model or an autoencoder of diffusers, and the photo in one frame at the sizes that they take. Leaves:
`Kept`, a reconstruction with its measures. Every reconstruction is measured at the common size S of the model.

The number of latents stands beside every figure, because it decides most of them: a model's vector of 256 numbers
and a map of 4 × 64 × 64 keep very different amounts, and no figure of the one says much about the other alone.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from facette.comparison.diffusion import Autoencoder, latent_count, reconstruct
from facette.comparison.methods import MethodOutput, Size, Watch, networks_of, size_of
from facette.comparison.trials import to_side
from facette.judges.similarity import WhitenedEmbedding, similarity
from facette.latent.points import decode_each, encode_each
from facette.latent.sheets import Result
from facette.measures.reconstruction import psnr, sharpness_ratio, ssim

if TYPE_CHECKING:
    from facette.images.sheets.grid import Sheet

SHOWN = 192  # px: side of a picture on the sheet, at least


@dataclass(frozen=True, slots=True)
class Kept:
    """A photo through an autoencoder and back."""

    name: str
    output: MethodOutput  # one picture, at the autoencoder's own size
    picture: np.ndarray  # uint8 (S, S, 3)
    latents: int  # numbers that stand for the photo
    size: Size
    psnr: float  # dB
    ssim: float  # [−1, 1]; NaN for pictures below 11 px
    sharpness: float  # over the photo's own
    similarity: float  # to the photo, [−1, 1]

    def to_dict(self) -> dict[str, Any]:
        """Every number, as JSON holds it."""
        plain = ("psnr", "ssim", "sharpness", "similarity")
        return {
            "name": self.name,
            "latents": self.latents,
            **asdict(self.size),
            **{key: float(getattr(self, key)) for key in plain},
            "seconds": self.output.seconds,
            "peak_memory_bytes": self.output.memory,
        }


@dataclass(frozen=True, slots=True)
class Reconstruction(Result):
    """Autoencoders side by side on one photo."""

    photo: np.ndarray  # uint8 (S, S, 3)
    large: np.ndarray  # uint8 (H, H, 3)
    kept: tuple[Kept, ...]
    asked: dict[str, Any]
    remark: str = ""

    @property
    def pictures(self) -> np.ndarray:
        """One picture for each autoencoder at the common size."""
        return np.stack([kept.picture for kept in self.kept])

    @property
    def title(self) -> str:
        return "What autoencoders keep"

    def sheet(self) -> Sheet:
        """The photo, then one picture for each autoencoder."""
        from facette.images.sheets.grid import Cell, SheetRow, contact_sheet

        side = max(SHOWN, len(self.photo))
        cells = [
            Cell(to_side(kept.output.pictures, side)[0], f"{kept.name}\n{kept.latents:,} numbers")
            for kept in self.kept
        ]
        finest = max(self.photo, self.large, key=len)
        photo = Cell(to_side(finest[None], side)[0], "photo", framed=True)
        return contact_sheet([SheetRow(cells)], title=self.title, footer=self.remark, photo=photo)

    def settings(self) -> dict[str, Any]:
        return {"made": "compare", **self.asked}

    def to_dict(self) -> dict[str, Any]:
        """Every number, as JSON holds it."""
        return {**self.settings(), "autoencoders": [kept.to_dict() for kept in self.kept]}


def compare_autoencoders(
    model: Any, photo: np.ndarray, rival: Autoencoder, large: np.ndarray, embedding: WhitenedEmbedding
) -> Reconstruction:
    """The photo through the model, plain and sharp where it can both, and through a diffusion autoencoder."""
    ours = [keep_by_model(network, photo, name, embedding) for name, network in plain_and_sharp(model)]
    theirs = keep_by_autoencoder(rival.network, photo, large, rival.name, embedding)
    asked = {
        "model": model.name,
        "with": rival.checkpoint.named,
        "revision": rival.checkpoint.revision,
        "autoencoder": type(rival.network).__name__,
        "vae_only": True,
        "size": rival.size,
        "device": str(next(rival.network.parameters()).device),
    }
    return Reconstruction(photo, large, (*ours, theirs), asked)


def plain_and_sharp(model: Any) -> list[tuple[str, Any]]:
    """The model under its name; where it has a second stage, without it and with it."""
    if getattr(model, "sharpener", None) is None:
        return [(model.name, model)]
    return [(f"{model.name} plain", model.plain()), (f"{model.name} sharp", model)]


def keep_by_model(model: Any, photo: np.ndarray, name: str, embedding: WhitenedEmbedding) -> Kept:
    """What a Facette model keeps of the photo (S, S, 3): its decoded posterior mean."""
    with Watch(model.device, networks_of(model)) as watch:
        mean, _ = encode_each(model, photo[None])  # (1, Z)
        pictures = decode_each(model, mean)
    output = MethodOutput(pictures, (False,), watch.seconds, watch.memory)
    return _kept(embedding, name, output, photo, mean.shape[1], size_of(networks_of(model)))


def keep_by_autoencoder(
    network: Any, photo: np.ndarray, large: np.ndarray, name: str, embedding: WhitenedEmbedding
) -> Kept:
    """What an autoencoder of diffusers keeps of the photo at its own size (H, H, 3)."""
    with Watch(next(network.parameters()).device, {"vae": network}) as watch:
        pictures = reconstruct(network, large[None])
    output = MethodOutput(pictures, (False,), watch.seconds, watch.memory)
    return _kept(embedding, name, output, photo, latent_count(network, len(large)), size_of({"vae": network}))


def _kept(
    embedding: WhitenedEmbedding, name: str, output: MethodOutput, photo: np.ndarray, latents: int, size: Size
) -> Kept:
    picture = to_side(output.pictures, len(photo))[0]
    real, kept = photo[None] / 255.0, picture[None] / 255.0
    return Kept(
        name=name,
        output=output,
        picture=picture,
        latents=latents,
        size=size,
        psnr=float(psnr(real, kept)[0]),
        ssim=float(ssim(real, kept)[0]),
        sharpness=sharpness_ratio(real, kept),
        similarity=float(similarity(embedding.places(photo[None]), embedding.places(picture[None]))[0]),
    )
