"""A diffusion checkpoint at work: pictures like a photo, by image-to-image, and its autoencoder by itself.

Enters: a whole `DiffusionCheckpoint`, settings, a square uint8 photo, seeds. Leaves: uint8 pictures. Knows nothing of
measures, of matching, or of our own models.

The strength of image-to-image is a share of the steps (arXiv 2108.01073): with 50 steps there are 51 different
strengths and no others. At 0 no step is left, where diffusers gives back nothing; here it is what the pipeline
itself amounts to then, its autoencoder's reconstruction.

Legend: N pictures, H side of a picture in pixels.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from facette.comparison.checkpoint import DiffusionCheckpoint
from facette.errors import UsageError
from facette.images.convert import to_model, to_pictures


@dataclass(frozen=True, slots=True)
class DiffusionSettings:
    """What image-to-image is asked for, apart from the photo, the strength and the seeds."""

    prompt: str
    guidance: float = 7.5
    steps: int = 50
    scheduler: str | None = None  # a class of diffusers; None keeps the checkpoint's own
    size: int | None = None  # side of a picture in pixels; None is what the checkpoint was trained at


@dataclass(frozen=True, slots=True)
class DiffusionDraws:
    """Pictures as the pipeline gives them."""

    pictures: np.ndarray  # uint8 (N, H, H, 3)
    withheld: tuple[bool, ...]  # those the safety checker blackened


class Diffusion:
    """An image-to-image pipeline of diffusers, ready for use."""

    def __init__(
        self, pipeline: Any, checkpoint: DiffusionCheckpoint, settings: DiffusionSettings, offloaded: bool
    ):
        self.pipeline, self.checkpoint, self.settings, self.offloaded = (
            pipeline,
            checkpoint,
            settings,
            offloaded,
        )
        self.size = settings.size or native_size(pipeline)
        self.name = short_name(checkpoint)
        self._accepted = set(inspect.signature(pipeline.__call__).parameters)

    @property
    def scheduler(self) -> str:
        """The class that walks from noise to picture."""
        return type(self.pipeline.scheduler).__name__

    @property
    def checked(self) -> bool:
        """Whether a safety checker looks at every picture."""
        return getattr(self.pipeline, "safety_checker", None) is not None

    @property
    def networks(self) -> dict[str, nn.Module]:
        """The networks of the pipeline by their names."""
        return {name: part for name, part in self.pipeline.components.items() if isinstance(part, nn.Module)}

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.pipeline._execution_device

    def described(self) -> dict[str, Any]:
        """Everything that decides its pictures but the photo, the strength and the seeds, as plain values."""
        return {
            "with": self.checkpoint.named,
            "revision": self.checkpoint.revision,
            "pipeline": type(self.pipeline).__name__,
            "prompt": self.settings.prompt,
            "guidance": self.settings.guidance,
            "steps": self.settings.steps,
            "scheduler": self.scheduler,
            "size": self.size,
            "safety_checker": self.checked,
            "device": str(self.device),
            "precision": str(next(self.pipeline.vae.parameters()).dtype).removeprefix("torch."),
            "offloaded": self.offloaded,
        }

    def steps_at(self, strength: float) -> int:
        """How many of the steps are walked at a strength: the nearest whole number."""
        if not (math.isfinite(strength) and 0 <= strength <= 1):
            raise UsageError(f"strength must be a number from 0 to 1, got {strength!r}.")
        return round(strength * self.settings.steps)

    @torch.inference_mode()
    def draw(
        self, photo: np.ndarray, strength: float, seed: int, step_done: Callable[[], object] = lambda: None
    ) -> DiffusionDraws:
        """One picture like the photo (H, H, 3). At strength 0, or so near that no step is left, it is the
        reconstruction, and the safety checker is not asked: nothing was made that was not in the photo."""
        walked = self.steps_at(strength)
        if walked == 0:
            return DiffusionDraws(self.reconstruct(photo[None]), (False,))
        asked: dict[str, Any] = {
            "prompt": [self.settings.prompt],
            "image": [_as_image(photo)],
            "strength": _share(walked, self.settings.steps),
            "num_inference_steps": self.settings.steps,
            "guidance_scale": self.settings.guidance,
            "generator": [torch.Generator("cpu").manual_seed(seed)],
            "output_type": "pt",
            "callback_on_step_end": lambda pipeline, step, time, tensors: (step_done(), tensors)[1],
        }
        output = self.pipeline(**{name: value for name, value in asked.items() if name in self._accepted})
        flagged = getattr(output, "nsfw_content_detected", None) or [False]
        return DiffusionDraws(to_pictures(output.images, "unit"), tuple(bool(flag) for flag in flagged))

    def reconstruct(self, photos: np.ndarray) -> np.ndarray:
        """What the pipeline's autoencoder keeps of photos (N, H, H, 3)."""
        return reconstruct(self.pipeline.vae, photos)


class Autoencoder:
    """The autoencoder of a diffusion checkpoint by itself, as a rival in reconstruction."""

    def __init__(self, network: Any, checkpoint: DiffusionCheckpoint, size: int):
        self.network, self.checkpoint, self.size = network, checkpoint, size
        self.name = short_name(checkpoint)

    @property
    def networks(self) -> dict[str, nn.Module]:
        return {"vae": self.network}

    def reconstruct(self, photos: np.ndarray) -> np.ndarray:
        """What it keeps of photos (N, H, H, 3)."""
        return reconstruct(self.network, photos)


def short_name(checkpoint: DiffusionCheckpoint) -> str:
    """What a checkpoint is called on a page: the last part of what the user named."""
    return checkpoint.named.rstrip("/").rpartition("/")[2].removesuffix(".safetensors")


@torch.inference_mode()
def reconstruct(network: Any, photos: np.ndarray) -> np.ndarray:
    """Photos (N, H, H, 3) through an autoencoder of diffusers and back; the mean of its posterior where it has one."""
    dtype = next(network.parameters()).dtype
    upcast = dtype == torch.float16 and bool(getattr(network.config, "force_upcast", False))
    if upcast:  # some autoencoders overflow in half precision; their pipelines do the same
        network.to(torch.float32)
    parameter = next(network.parameters())
    rebuilt = []
    for photo in photos:
        x = to_model(photo[None], "symmetric", parameter.device).to(parameter.dtype)  # (1, 3, H, H)
        rebuilt.append(to_pictures(network.decode(_latents(network.encode(x))).sample, "symmetric"))
    if upcast:
        network.to(dtype)
    return np.concatenate(rebuilt)


def latent_count(network: Any, size: int) -> int:
    """How many numbers an autoencoder of diffusers turns a picture of `size` pixels a side into."""
    return int(network.config.latent_channels) * (size // side_of_latent(network)) ** 2


def native_size(pipeline: Any) -> int:
    """Side in pixels of the pictures a pipeline was trained on."""
    core = getattr(pipeline, "unet", None) or getattr(pipeline, "transformer", None)
    sample = getattr(getattr(core, "config", None), "sample_size", None)
    return int(sample) * int(pipeline.vae_scale_factor) if isinstance(sample, int) else 512


def _latents(encoded: Any) -> Tensor:
    """The latents of an encoding: AutoencoderKL gives a distribution, AutoencoderTiny the latents themselves."""
    return encoded.latent_dist.mode() if hasattr(encoded, "latent_dist") else encoded.latents


def side_of_latent(network: Any) -> int:
    """How many pixels of a picture's side one latent of an autoencoder stands for."""
    widths = getattr(network.config, "block_out_channels", None) or network.config.encoder_block_out_channels
    return 2 ** (len(widths) - 1)


def _share(walked: int, steps: int) -> float:
    """The strength at which exactly so many steps are walked: pipelines cut `steps · strength` to a whole number,
    and 0.29 · 100 is below 29."""
    share = walked / steps
    return share if int(steps * share) == walked else math.nextafter(share, 2.0)


def _as_image(photo: np.ndarray) -> Any:
    from PIL import Image

    return Image.fromarray(photo)
