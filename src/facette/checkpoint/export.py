"""A model in the formats of other runtimes: ONNX files and torch.export programs.

Enters: a TrainedModel. Leaves: a folder with an encoder, a decoder, a description of both and the model card. What is
exported is what the model itself does: `encode` and `decode`, the second stage included where the model has one.
Every file is run in its own runtime and compared with the model before it is written.

    pictures   float32 (N, 3, S, S), RGB in [0, 1] whatever the range inside the model; any N
    mean       float32 (N, Z), scale (N, Z): the posterior; a variation is mean + factor · scale · ε, ε ~ N(0, I)
    latents    float32 (N, Z) to pictures again, in [0, 1]

For models of vectors `points`, float32 (N, D), stand in the place of pictures.
"""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np
import torch
from torch import Tensor, nn

from facette.checkpoint.card import write_card
from facette.checkpoint.tensors import write_atomically
from facette.errors import CheckpointError, import_extra
from facette.files import json_of
from facette.images.convert import as_unit, range_bounds, to_unit
from facette.model.trained import TrainedModel
from facette.model.vae import data_shape
from facette.onnx_graph import forbid_telemetry
from facette.runtime import generator

Format = Literal["onnx", "torch-export", "diffusers"]

TOLERANCE = 1e-4  # largest difference to the model, in units of pixels in [0, 1], and of latents
CHECKED_AT = (1, 3)  # batch sizes, neither that of the example it was traced with
DESCRIPTION = "export.json"
_EXAMPLE = 2  # pictures; a batch of 1 would be taken for the only one there is
COMPILER_FILES = "TORCHINDUCTOR_CACHE_DIR"
_ENDING: dict[str, str] = {"onnx": "onnx", "torch-export": "pt2"}

Run = Callable[[np.ndarray], list[np.ndarray]]


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, and how near it is to the model."""

    folder: Path
    files: tuple[Path, ...]
    format: Format
    difference: float  # the largest one that was found, at most TOLERANCE


class Encoder(nn.Module):
    """Pictures in [0, 1], or points, to the mean and scale of the posterior."""

    def __init__(self, model: TrainedModel):
        super().__init__()
        self.encoder = model.vae.encoder
        self.encode = model.vae.encode
        self.low, self.high = _bounds(model)

    def forward(self, data: Tensor) -> tuple[Tensor, Tensor]:
        posterior = self.encode(data * (self.high - self.low) + self.low)
        return posterior.mean, posterior.scale


class Decoder(nn.Module):
    """Latents to pictures in [0, 1], or to points, through everything that the model decodes with."""

    def __init__(self, model: TrainedModel):
        super().__init__()
        self.decoder, self.likelihood = model.vae.decoder, model.vae.likelihood
        self.decode = model.vae.decode
        self.sharpener = model.sharpener
        self.low, self.high = _bounds(model)
        self.clip = model.input.kind == "image"

    def forward(self, latents: Tensor) -> Tensor:
        drawn = self.decode(latents)
        if self.sharpener is not None:
            drawn = self.sharpener(drawn, latents)
        unit = (drawn - self.low) / (self.high - self.low)
        return unit.clamp(0, 1) if self.clip else unit


def export_model(model: TrainedModel, folder: str | Path, to: Format) -> Exported:
    """Write `encoder` and `decoder` with their description and card into a folder; returns what was written.

    Nothing is written where a file differs from the model by more than 1e-4. Raises CheckpointError then, and for
    diffusers; MissingExtraError where ONNX is not installed.
    """
    if to == "diffusers":
        _refuse_diffusers(model)
    model = model.to("cpu")
    data = "pictures" if model.input.kind == "image" else "points"
    make = _to_onnx if to == "onnx" else _to_program
    serialised, worst = {}, 0.0
    for name, network, entering, leaving in (
        ("encoder", Encoder(model), data, ("mean", "scale")),
        ("decoder", Decoder(model), "latents", (data,)),
    ):
        content, run = make(network.eval(), _example(model, entering), entering, leaving)
        difference = max(_difference(model, name, run, count) for count in CHECKED_AT)
        if not difference <= TOLERANCE:
            raise CheckpointError(
                f"the exported {name} of {model.name!r} differs from the model by {difference:.2g}, more than "
                f"{TOLERANCE:g}: nothing was written."
            )
        serialised[f"{name}.{_ENDING[to]}"], worst = content, max(worst, difference)
    folder = Path(folder)
    texts = {DESCRIPTION: _description(model, to, worst), "README.md": write_card(model)}
    for name, content in {**serialised, **texts}.items():
        write_atomically(folder / name, content)
    return Exported(folder, tuple(folder / name for name in (*serialised, *texts)), to, worst)


# ── formats ──────────────────────────────────────────────────────────────────────────────────────────────


def _to_onnx(
    network: nn.Module, example: Tensor, entering: str, leaving: tuple[str, ...]
) -> tuple[bytes, Run]:
    """The network as the bytes of an ONNX file, and the way to run these."""
    for module in ("onnx", "onnxscript"):
        import_extra(module, "export", "Exporting to ONNX")
    forbid_telemetry()
    runtime = import_extra("onnxruntime", "export", "Exporting to ONNX")
    with quiet():
        program: Any = torch.onnx.export(
            _traced(network, example), input_names=[entering], output_names=[*leaving], verbose=False
        )
    content = program.model_proto.SerializeToString()
    session = runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return content, lambda data: session.run(None, {entering: data})


def _to_program(
    network: nn.Module, example: Tensor, entering: str, leaving: tuple[str, ...]
) -> tuple[bytes, Run]:
    """The network as the bytes of a .pt2 archive, and the way to run these."""
    buffer = BytesIO()
    with quiet():
        torch.export.save(_traced(network, example), buffer)
        buffer.seek(0)
        loaded = torch.export.load(buffer).module()

    def run(data: np.ndarray) -> list[np.ndarray]:
        outputs = loaded(torch.from_numpy(data))
        return [output.detach().numpy() for output in (outputs if isinstance(outputs, tuple) else (outputs,))]

    return buffer.getvalue(), run


def _traced(network: nn.Module, example: Tensor) -> torch.export.ExportedProgram:
    batch = torch.export.Dim("batch", min=1)
    return torch.export.export(network, (example,), dynamic_shapes=({0: batch},))


def _refuse_diffusers(model: TrainedModel) -> NoReturn:
    raise CheckpointError(
        f"{model.name!r} is no component of diffusers: it keeps one vector of {model.latent} numbers, and "
        "AutoencoderKL and its kin keep a map of them that follows the picture, made by other layers; use `to='onnx'` "
        "or `to='torch-export'`."
    )


# ── what it is compared with ─────────────────────────────────────────────────────────────────────────────


def _difference(model: TrainedModel, name: str, run: Run, count: int) -> float:
    """The largest difference between the exported network and the model's own `encode` or `decode_float`."""
    draws = generator("export", name, count)
    if name == "encoder":
        data = _some_data(model, count, draws)
        posterior = model.encode(data)
        wanted = [posterior.mean, posterior.scale]
        outputs = run(_as_unit(model, data))
    else:
        latents = torch.randn(count, model.latent, generator=draws)
        decoded = model.decode_float(latents)
        wanted = [to_unit(decoded, model.input.range).clamp(0, 1) if model.input.kind == "image" else decoded]
        outputs = run(latents.numpy())
    return max(
        float(np.abs(mine.numpy() - theirs).max()) for mine, theirs in zip(wanted, outputs, strict=True)
    )


def _some_data(model: TrainedModel, count: int, draws: torch.Generator) -> np.ndarray:
    """Pictures (count, H, W, C) of noise, or points (count, D)."""
    if model.input.kind == "vector":
        return torch.randn(count, model.input.size, generator=draws).numpy()
    inputs = model.input
    noise = torch.randint(inputs.white + 1, (count, *inputs.shape, inputs.channels), generator=draws)
    return noise.numpy().astype(inputs.dtype)


def _as_unit(model: TrainedModel, data: np.ndarray) -> np.ndarray:
    """What the exported encoder takes."""
    if model.input.kind == "vector":
        return data
    return as_unit(np.ascontiguousarray(data.transpose(0, 3, 1, 2)), np.float32)


def _example(model: TrainedModel, entering: str) -> Tensor:
    shape = (model.latent,) if entering == "latents" else data_shape(model.recipe)
    return torch.rand(_EXAMPLE, *shape, generator=generator("export", entering))


def _bounds(model: TrainedModel) -> tuple[float, float]:
    """What 0 and 1 outside are inside."""
    return (0.0, 1.0) if model.input.kind == "vector" else range_bounds(model.input.range)


def _description(model: TrainedModel, to: Format, difference: float) -> str:
    """How to use the files, for programs and their authors."""
    is_image = model.input.kind == "image"
    data = "pictures" if is_image else "points"
    shape = ["N", *data_shape(model.recipe)]
    channels = {1: "grey", 3: "RGB", 4: "RGB and alpha"}
    values = f"{channels[model.input.channels]} in [0, 1]" if model.input.kind == "image" else "as they are"
    ending = _ENDING[to]
    content = {
        "model": model.name,
        "format": to,
        f"encoder.{ending}": {
            "takes": {data: {"shape": shape, "type": "float32", "values": values}},
            "gives": {name: {"shape": ["N", model.latent], "type": "float32"} for name in ("mean", "scale")},
        },
        f"decoder.{ending}": {
            "takes": {"latents": {"shape": ["N", model.latent], "type": "float32"}},
            "gives": {data: {"shape": shape, "type": "float32", "values": values}},
        },
        "sharpened": model.sharpener is not None,
        "reconstruction": "latents = mean",
        "variation": "latents = mean + factor · scale · ε, ε ~ N(0, I)",
        "largest_difference": difference,
        "tolerance": TOLERANCE,
        "terms": model.provenance.get("terms"),
    }
    return json_of(content, indent=2) + "\n"


@contextmanager
def quiet() -> Iterator[None]:
    """Without the exporter's remarks about torchvision and its warnings about torch's own names, and without the folder
    that torch's compiler, a part of which exporting imports, would leave among the temporary files."""
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), _compiler_files_for_now():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(before)


@contextmanager
def _compiler_files_for_now() -> Iterator[None]:
    """Let torch's compiler have a folder that goes away, unless somebody has said where it keeps its files."""
    if COMPILER_FILES in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="facette-") as folder:
        os.environ[COMPILER_FILES] = folder
        try:
            yield
        finally:
            os.environ.pop(COMPILER_FILES, None)
