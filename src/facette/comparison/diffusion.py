"""A diffusion checkpoint at work: pictures like a photo, by image-to-image, and its autoencoder by itself.

Enters: a whole `Checkpoint`, settings, a square uint8 photo, seeds. Leaves: uint8 pictures. Knows nothing of
measures, of matching, or of our own models.

The strength of image-to-image is a share of the steps (arXiv 2108.01073): with 50 steps there are 51 different
strengths and no others. At 0 no step is left, where diffusers gives back nothing; here it is what the pipeline
itself amounts to then, its autoencoder's reconstruction.

Legend: N pictures, H side of a picture in pixels.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from facette.comparison.checkpoint import NEED, Checkpoint, count_numbers, weight_files
from facette.errors import CheckpointError, UsageError, import_extra
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
class Drawn:
    """Pictures as the pipeline gives them."""

    pictures: np.ndarray  # uint8 (N, H, H, 3)
    withheld: tuple[bool, ...]  # those the safety checker blackened


class Diffusion:
    """An image-to-image pipeline of diffusers, ready for use."""

    def __init__(self, pipeline: Any, checkpoint: Checkpoint, settings: DiffusionSettings, offloaded: bool):
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
        self, photo: np.ndarray, strength: float, seed: int, step_done: Callable[[], None] = lambda: None
    ) -> Drawn:
        """One picture like the photo (H, H, 3). At strength 0, or so near that no step is left, it is the
        reconstruction, and the safety checker is not asked: nothing was made that was not in the photo."""
        walked = self.steps_at(strength)
        if walked == 0:
            return Drawn(self.reconstruct(photo[None]), (False,))
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
        made = self.pipeline(**{name: value for name, value in asked.items() if name in self._accepted})
        flagged = getattr(made, "nsfw_content_detected", None) or [False]
        return Drawn(to_pictures(made.images, "unit"), tuple(bool(flag) for flag in flagged))

    def reconstruct(self, photos: np.ndarray) -> np.ndarray:
        """What the pipeline's autoencoder keeps of photos (N, H, H, 3)."""
        return reconstruct(self.pipeline.vae, photos)


class Autoencoder:
    """The autoencoder of a diffusion checkpoint by itself, as a rival in reconstruction."""

    def __init__(self, network: Any, checkpoint: Checkpoint, size: int):
        self.network, self.checkpoint, self.size = network, checkpoint, size
        self.name = short_name(checkpoint)

    @property
    def networks(self) -> dict[str, nn.Module]:
        return {"vae": self.network}

    def reconstruct(self, photos: np.ndarray) -> np.ndarray:
        """What it keeps of photos (N, H, H, 3)."""
        return reconstruct(self.network, photos)


def load_diffusion(
    checkpoint: Checkpoint, settings: DiffusionSettings, device: torch.device, safety_checker: bool = True
) -> Diffusion:
    """The pipeline on a device: float32 on a CPU; on CUDA half precision, and its networks one after another
    on the card where they do not fit it together.

    Raises CheckpointError when diffusers cannot load it or numbers are missing, UsageError for a scheduler or a size
    that does not fit it.
    """
    diffusers = _libraries()
    dtype = torch.float16 if device.type == "cuda" else torch.float32
    options: dict[str, Any] = {"dtype": dtype, "local_files_only": True}
    if not safety_checker:
        options |= {"safety_checker": None, "requires_safety_checker": False}
    with _quiet(), _explained(checkpoint):
        if checkpoint.file is None:
            pipeline = diffusers.AutoPipelineForImage2Image.from_pretrained(
                checkpoint.folder, variant=checkpoint.variant, use_safetensors=True, **options
            )
        else:
            single = getattr(diffusers, checkpoint.class_name).from_single_file(
                str(checkpoint.file), config=str(checkpoint.folder), **options
            )
            pipeline = diffusers.AutoPipelineForImage2Image.from_pipe(single)
    if "strength" not in inspect.signature(pipeline.__call__).parameters:
        raise CheckpointError(
            f"{checkpoint.named!r} is a {checkpoint.class_name}, which takes no strength: it cannot be compared."
        )
    _check_numbers(checkpoint, pipeline.components)
    _choose_scheduler(pipeline, settings.scheduler)
    _check_size(pipeline, settings.size)
    pipeline.set_progress_bar_config(disable=True)
    return Diffusion(pipeline, checkpoint, settings, _place(pipeline, device))


def load_autoencoder(checkpoint: Checkpoint, device: torch.device, size: int | None = None) -> Autoencoder:
    """The checkpoint's autoencoder in float32 on a device; raises as `load_diffusion` does."""
    diffusers = _libraries()
    kind = getattr(diffusers, checkpoint.class_name, None)
    if kind is None or not (hasattr(kind, "encode") and hasattr(kind, "decode")):
        raise CheckpointError(
            f"{checkpoint.named!r} is a {checkpoint.class_name}, which is no autoencoder: leave out --vae-only."
        )
    options: dict[str, Any] = {"dtype": torch.float32, "local_files_only": True}
    folder = checkpoint.autoencoder_folder
    with _quiet(), _explained(checkpoint):
        if checkpoint.file is None:
            variant = weight_files(folder)[1].removeprefix(".") or None
            network = kind.from_pretrained(folder, variant=variant, use_safetensors=True, **options)
        else:
            network = kind.from_single_file(str(checkpoint.file), config=str(folder), **options)
    if checkpoint.file is None:
        _check_network(checkpoint, "vae", folder, network)
    network = network.to(device).eval().requires_grad_(False)
    shrinks = _shrinks(network)
    chosen = size or int(getattr(network.config, "sample_size", None) or 512)
    if chosen % shrinks:
        raise UsageError(f"--size must be a multiple of {shrinks} for {checkpoint.named!r}, got {chosen}.")
    return Autoencoder(network, checkpoint, chosen)


def short_name(checkpoint: Checkpoint) -> str:
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
    made = []
    for photo in photos:
        x = to_model(photo[None], "symmetric", parameter.device).to(parameter.dtype)  # (1, 3, H, H)
        made.append(to_pictures(network.decode(_latents(network.encode(x))).sample, "symmetric"))
    if upcast:
        network.to(dtype)
    return np.concatenate(made)


def latent_count(network: Any, size: int) -> int:
    """How many numbers an autoencoder of diffusers turns a picture of `size` pixels a side into."""
    return int(network.config.latent_channels) * (size // _shrinks(network)) ** 2


def native_size(pipeline: Any) -> int:
    """Side in pixels of the pictures a pipeline was trained on."""
    core = getattr(pipeline, "unet", None) or getattr(pipeline, "transformer", None)
    sample = getattr(getattr(core, "config", None), "sample_size", None)
    return int(sample) * int(pipeline.vae_scale_factor) if isinstance(sample, int) else 512


def _latents(encoded: Any) -> Tensor:
    """The latents of an encoding: AutoencoderKL gives a distribution, AutoencoderTiny the latents themselves."""
    return encoded.latent_dist.mode() if hasattr(encoded, "latent_dist") else encoded.latents


def _shrinks(network: Any) -> int:
    """Pixels of a picture's side for each of its latents'."""
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


# ── loading ──────────────────────────────────────────────────────────────────────────────────────────────


def _libraries() -> Any:
    """diffusers, with what its pipelines need."""
    for module in ("transformers", "accelerate"):
        import_extra(module, "compare", NEED)
    return import_extra("diffusers", "compare", NEED)


@contextmanager
def _quiet() -> Iterator[None]:
    """No bars and remarks of the libraries while they load; ours say what matters."""
    import transformers.utils.logging as transformers_log
    from diffusers.utils import logging as diffusers_log

    before = [(log, log.get_verbosity()) for log in (transformers_log, diffusers_log)]
    for log, _ in before:
        log.set_verbosity_error()
        log.disable_progress_bar()
    try:
        yield
    finally:
        for log, level in before:
            log.set_verbosity(level)
            log.enable_progress_bar()


@contextmanager
def _explained(checkpoint: Checkpoint) -> Iterator[None]:
    """Whatever the libraries raise while loading files that are all there means that these do not fit together."""
    try:
        yield
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise CheckpointError(
            f"diffusers cannot load {checkpoint.named!r} ({checkpoint.class_name}): {reason[:300]}."
        ) from error


def _check_numbers(checkpoint: Checkpoint, components: dict[str, Any]) -> None:
    if checkpoint.file is None:
        for name, part in components.items():
            if isinstance(part, nn.Module):
                _check_network(checkpoint, name, checkpoint.folder / name, part)
        return
    for name, part in components.items():
        if isinstance(part, nn.Module) and any(p.is_meta for p in part.parameters()):
            raise CheckpointError(
                f"{checkpoint.named!r} lacks numbers of its {name}: it is no whole checkpoint."
            )


def _check_network(checkpoint: Checkpoint, name: str, folder: Any, network: nn.Module) -> None:
    """A tensor that is not in the file would silently be a random one."""
    needed = sum(p.numel() for p in network.parameters())
    held = count_numbers(weight_files(folder)[0])
    if held < needed:
        raise CheckpointError(
            f"{checkpoint.named!r} is not whole: {folder} holds {held:,} numbers of the {needed:,} that its {name} "
            "has; get it again."
        )


def _choose_scheduler(pipeline: Any, wanted: str | None) -> None:
    if wanted is None:
        return
    known = {kind.__name__: kind for kind in pipeline.scheduler.compatibles}
    for name, kind in known.items():
        if wanted.lower() in (name.lower(), name.lower().removesuffix("scheduler")):
            pipeline.scheduler = kind.from_config(pipeline.scheduler.config)
            return
    raise UsageError(
        f"there is no scheduler {wanted!r} for this checkpoint: use one of {', '.join(sorted(known))}."
    )


def _check_size(pipeline: Any, size: int | None) -> None:
    cell = int(pipeline.vae_scale_factor) * 8
    if size is not None and (size < cell or size % cell):
        raise UsageError(f"--size must be a multiple of {cell} for this checkpoint, got {size}.")


def _place(pipeline: Any, device: torch.device) -> bool:
    """Put the networks where they compute; true when they take turns on the card."""
    if device.type == "cuda":
        networks = [part for part in pipeline.components.values() if isinstance(part, nn.Module)]
        needed = sum(p.numel() * p.element_size() for network in networks for p in network.parameters())
        free, _ = torch.cuda.mem_get_info(device)
        if 1.5 * needed > free:  # half as much again for what the networks compute
            pipeline.enable_model_cpu_offload(device=device)
            return True
    pipeline.to(device)
    return False
