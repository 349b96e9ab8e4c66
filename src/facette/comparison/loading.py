"""A checkpoint that is all there becomes networks that are all there, in the right place and precision.

Enters: a whole `DiffusionCheckpoint`, settings, a device. Leaves: a `Diffusion` or an `Autoencoder`. Whatever diffusers
and transformers have to say against it becomes one sentence; what they would fill in silently is counted here.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from facette.comparison.checkpoint import DiffusionCheckpoint, count_numbers, weight_files
from facette.comparison.diffusion import Autoencoder, Diffusion, DiffusionSettings, side_of_latent
from facette.comparison.hub import NEED
from facette.errors import CheckpointError, UsageError, import_extra


def load_diffusion(
    checkpoint: DiffusionCheckpoint,
    settings: DiffusionSettings,
    device: torch.device,
    safety_checker: bool = True,
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
    with quiet(), _explained(checkpoint):
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


def load_autoencoder(
    checkpoint: DiffusionCheckpoint, device: torch.device, size: int | None = None
) -> Autoencoder:
    """The checkpoint's autoencoder in float32 on a device; raises as `load_diffusion` does."""
    diffusers = _libraries()
    kind = getattr(diffusers, checkpoint.class_name, None)
    if kind is None or not (hasattr(kind, "encode") and hasattr(kind, "decode")):
        raise CheckpointError(
            f"{checkpoint.named!r} is a {checkpoint.class_name}, which is no autoencoder: leave out `vae_only`."
        )
    options: dict[str, Any] = {"dtype": torch.float32, "local_files_only": True}
    folder = checkpoint.autoencoder_folder
    with quiet(), _explained(checkpoint):
        if checkpoint.file is None:
            variant = weight_files(folder)[1].removeprefix(".") or None
            network = kind.from_pretrained(folder, variant=variant, use_safetensors=True, **options)
        else:
            network = kind.from_single_file(str(checkpoint.file), config=str(folder), **options)
    if checkpoint.file is None:
        _check_network(checkpoint, "vae", folder, network)
    network = network.to(device).eval().requires_grad_(False)
    shrinks = side_of_latent(network)
    chosen = size or int(getattr(network.config, "sample_size", None) or 512)
    if chosen % shrinks:
        raise UsageError(f"`size` must be a multiple of {shrinks} for {checkpoint.named!r}, got {chosen}.")
    return Autoencoder(network, checkpoint, chosen)


def _libraries() -> Any:
    """diffusers, with what its pipelines need."""
    for module in ("transformers", "accelerate"):
        import_extra(module, "compare", NEED)
    return import_extra("diffusers", "compare", NEED)


@contextmanager
def quiet() -> Iterator[None]:
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
def _explained(checkpoint: DiffusionCheckpoint) -> Iterator[None]:
    """Whatever the libraries raise while loading files that are all there means that these do not fit together."""
    try:
        yield
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise CheckpointError(
            f"diffusers cannot load {checkpoint.named!r} ({checkpoint.class_name}): {reason[:300]}."
        ) from error


def _check_numbers(checkpoint: DiffusionCheckpoint, components: dict[str, Any]) -> None:
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


def _check_network(checkpoint: DiffusionCheckpoint, name: str, folder: Path, network: nn.Module) -> None:
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
        raise UsageError(f"`size` must be a multiple of {cell} for this checkpoint, got {size}.")


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
