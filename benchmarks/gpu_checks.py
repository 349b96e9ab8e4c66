"""What a CPU cannot check of training on a card, each as a small experiment with an answer.

Enters: a device, and how much to do. Leaves: for each check a dictionary with `holds`, None where the device has
nothing to check, the figures behind it, and a sentence where it could not be done. On a CPU the same functions run, so
that the tests know them.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
import torch.distributed
from torch import nn

from facette.data.open import open_dataset
from facette.data.synthetic import draw_faces
from facette.recipe import Recipe, load_recipe
from facette.runtime import Rank, autocast_dtype
from facette.training.first_stage import FirstStage, forward_of
from facette.training.sharded import shard_network
from facette.training.state import TrainState, fresh_state
from facette.training.step import Forward, train_step
from facette.training.watch import Attended

Figures = dict[str, Any]
SUPPORT = Path(__file__).parents[1] / "tests" / "support"  # the tiny pipeline lies there
STEADY = (
    "train.clip=none",
    "train.lr_schedule=constant",
    "train.lr_warmup_steps=0",
    "train.ema=0.0",
    "train.hide=0.0",
)
CLASSIC = (
    'model.encoder={kind="conv", norm="batch", layers=[{channels=32, kernel=4, stride=2, padding=1}, '
    "{channels=64, kernel=4, stride=2, padding=1}]}"
)


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is done."""

    device: torch.device
    pictures: int = 512
    batch: int = 64
    steps: int = 120  # of each training that is compared
    backend: str | None = None  # of the compiler; None is torch's own, as a run has it

    def recipe(self, *more: str, name: str = "quick") -> Recipe:
        return load_recipe(name, [*STEADY, f"train.batch={self.batch}", f"train.steps={self.steps}", *more])


def checked(extent: Extent, left: Callable[[], float]) -> dict[str, Figures]:
    """Every check, as long as `left()` says that there are seconds left."""
    results: dict[str, Figures] = {}
    for name, check in CHECKS.items():
        if left() <= 0:
            results[name] = {"holds": None, "why": "there was no time left"}
            continue
        print(f"checking: {name}", file=sys.stderr, flush=True)
        try:
            results[name] = check(extent)
        except Exception as error:  # the others go on; what happened stands on the page
            results[name] = {
                "holds": False,
                "why": f"{type(error).__name__}: {' '.join(str(error).split())[:400]}",
            }
    return results


# ── one loss for all ways to compute it ──────────────────────────────────────────────────────────────────


def same_losses(extent: Extent) -> Figures:
    """bf16, and compiled bf16 with CUDA graphs, end where float32 ends, within what another draw of the noise does.

    The mean loss of the last third of the steps. `noise` is how far apart two float32 trainings of different seeds are,
    of the starting weights and the noise; on a loss that hardly differs at least one per cent is allowed.
    """
    plain = _loss(extent, "train.precision=float32")
    other = _loss(extent, "train.precision=float32", "seed=1")
    half = _loss(extent, "train.precision=bf16")
    compiled = _loss(extent, "train.precision=bf16", "train.compile=true")
    allowed = max(abs(plain - other), 0.01 * abs(plain))
    return {
        "holds": max(abs(half - plain), abs(compiled - plain)) <= 1.5 * allowed,
        "float32": round(plain, 2),
        "other_seed": round(other, 2),
        "bf16": round(half, 2),
        "bf16_compiled": round(compiled, 2),
        "allowed": round(1.5 * allowed, 2),
    }


def graphs(extent: Extent) -> Figures:
    """A compiled network on one card is recorded as a CUDA graph and replayed, and computes what plain layers do."""
    recipe = extent.recipe("train.precision=float32", "train.compile=true")
    state = fresh_state(recipe, extent.device)
    forward = compiled_forward(state, recipe, extent)
    plain = fresh_state(recipe, extent.device)
    apart = 0.0
    for number in range(6):  # warmed up, recorded, replayed
        data = _pictures(extent, recipe, number)
        terms = [_step(side, way, data, recipe) for side, way in ((state, forward), (plain, plain.vae))]
        apart = max(apart, abs(terms[0].loss.item() / terms[1].loss.item() - 1))
    counted = _events(lambda: _step(state, forward, _pictures(extent, recipe, 9), recipe), extent.device)
    replayed = counted.get("cudaGraphLaunch", 0)
    on_card = extent.device.type == "cuda"
    return {
        "holds": (replayed > 0 and apart < 1e-2) if on_card else None,
        "graph_launches_in_a_step": replayed,
        "loss_apart_from_plain": apart,
    }


def compiled_forward(state: TrainState, recipe: Recipe, extent: Extent) -> Forward:
    """The network as a run compiles it, or by the backend that is asked for."""
    if extent.backend is None:
        return forward_of(state.vae.train(), recipe, Rank(), extent.device)
    return torch.compile(state.vae.train(), backend=extent.backend)


def _loss(extent: Extent, *overrides: str) -> float:
    recipe = extent.recipe(*overrides)
    state = fresh_state(recipe, extent.device)
    forward = compiled_forward(state, recipe, extent) if recipe.train.compile else state.vae
    losses = [_step(state, forward, _pictures(extent, recipe, n), recipe).loss for n in range(extent.steps)]
    return mean(loss.item() for loss in losses[-max(1, extent.steps // 3) :])


def _step(state: TrainState, forward: Any, data: np.ndarray, recipe: Recipe) -> Any:
    state.vae.train()
    autocast = autocast_dtype(recipe.train.precision, next(state.vae.parameters()).device)
    return train_step(state, forward, data, recipe, recipe.train.steps or 1, Rank(), autocast)


_DRAWN: dict[tuple[int, int], np.ndarray] = {}


def _pictures(extent: Extent, recipe: Recipe, step: int) -> np.ndarray:
    """A batch of drawn faces, the same for a step whoever asks."""
    side = recipe.input.shape[0]
    if (extent.pictures, side) not in _DRAWN:
        _DRAWN[extent.pictures, side] = draw_faces(extent.pictures, side, 0, 0).pictures
    rows = np.random.default_rng(step).integers(0, extent.pictures, extent.batch)
    return _DRAWN[extent.pictures, side][rows]


# ── several processes, of which one is here ──────────────────────────────────────────────────────────────


def synchronised_norms(extent: Extent) -> Figures:
    """A network with batch norms, converted to SyncBatchNorm and wrapped as for several processes, learns as plain."""
    recipe = extent.recipe("train.precision=float32", CLASSIC)
    with process_group(extent.device):
        plain, wrapped = fresh_state(recipe, extent.device), fresh_state(recipe, extent.device)
        module = nn.SyncBatchNorm.convert_sync_batchnorm(wrapped.vae)
        count = sum(isinstance(part, nn.SyncBatchNorm) for part in module.modules())
        if extent.device.type != "cuda":  # torch has such norms for cards alone
            return {"holds": None, "norms": count}
        forward = nn.parallel.DistributedDataParallel(module, device_ids=[extent.device.index or 0])
        apart = _apart(plain, wrapped, forward, extent, recipe)
    return {"holds": apart < 1e-3 and count > 0, "norms": count, "loss_apart": apart}


def sharded(extent: Extent) -> Figures:
    """Weights, gradients and moments in FSDP2's hands, on one process: the losses of the plain network."""
    from torch.distributed.device_mesh import init_device_mesh

    from facette.training.state import adam

    recipe = extent.recipe("train.precision=float32")
    with process_group(extent.device):
        plain, shared = fresh_state(recipe, extent.device), fresh_state(recipe, extent.device)
        mesh = init_device_mesh(extent.device.type, (1,))
        shared.vae = shared.averaged = shard_network(shared.vae, mesh, extent.device)
        shared.optimizer = adam(shared.vae, recipe.train)
        apart = _apart(plain, shared, shared.vae, extent, recipe)
    return {"holds": apart < 1e-3, "loss_apart": apart}


def _apart(plain: TrainState, other: TrainState, forward: Any, extent: Extent, recipe: Recipe) -> float:
    """The largest relative difference of two trainings' losses over some steps."""
    apart = 0.0
    for number in range(5):
        data = _pictures(extent, recipe, number)
        mine, theirs = _step(other, forward, data, recipe), _step(plain, plain.vae, data, recipe)
        apart = max(apart, abs(mine.loss.item() / theirs.loss.item() - 1))
    return apart


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """A group of this process alone."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    backend, address = ("nccl" if device.type == "cuda" else "gloo"), f"tcp://127.0.0.1:{port}"
    torch.distributed.init_process_group(backend, init_method=address, rank=0, world_size=1)
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


# ── memory, waiting, diffusion ───────────────────────────────────────────────────────────────────────────


def sparing(extent: Extent) -> Figures:
    """`train.recompute` and `train.fused_update` take less of a card's memory, for the same loss."""
    figures: Figures = {}
    losses = []
    for name, options in (("plain", ()), ("spared", ("train.recompute=true", "train.fused_update=true"))):
        recipe = extent.recipe("train.precision=float32", *options, name="faces64")
        state = fresh_state(recipe, extent.device)
        if extent.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(extent.device)
        steps = [_step(state, state.vae, _pictures(extent, recipe, number), recipe) for number in range(3)]
        losses.append(steps[-1].loss.item())
        if extent.device.type == "cuda":
            figures[f"{name}_mb"] = round(torch.cuda.max_memory_allocated(extent.device) / 1e6, 1)
        del state, steps
    apart = abs(losses[1] / losses[0] - 1)
    less = figures["spared_mb"] < figures["plain_mb"] if figures else True
    return {"holds": apart < 1e-3 and less, "loss_apart": apart, **figures}


def nothing_waits(extent: Extent) -> Figures:
    """Between two log lines the host never waits for the card: no synchronisation in torch's debug mode, and none of
    CUDA's in a profile of real steps over a packed store."""
    recipe = extent.recipe("train.mixture_components=[]", "train.steps=40")
    store = open_dataset(f"synthetic-faces:{extent.pictures}", recipe.input)
    with tempfile.TemporaryDirectory() as folder:
        stage = FirstStage(recipe, store, Path(folder), Rank(), extent.device, Attended(None), "", "", None)
        batches = stage.batches()
        for _ in range(5):  # kernels are chosen, memory is there
            stage.step(next(batches))

        def steps() -> None:
            for _ in range(10):
                stage.step(next(batches))

        if extent.device.type != "cuda":
            return {"holds": None, "events": _waits(_events(steps, extent.device))}
        torch.cuda.set_sync_debug_mode("error")
        try:
            steps()
        finally:
            torch.cuda.set_sync_debug_mode("default")
        waits = _waits(_events(steps, extent.device))
        for _ in batches:  # the reader ends with its batches
            pass
    waits["cudaDeviceSynchronize"] = max(
        0, waits.get("cudaDeviceSynchronize", 0) - 1
    )  # the profiler's own, at its end
    return {"holds": not any(waits.values()), "events": waits}


WAITS = (
    "cudaStreamSynchronize",
    "cudaDeviceSynchronize",
    "cudaEventSynchronize",
    "aten::_local_scalar_dense",
)


def _waits(events: dict[str, int]) -> dict[str, int]:
    return {name: events[name] for name in WAITS if name in events}


def _events(work: Callable[[], Any], device: torch.device) -> dict[str, int]:
    """How often what happens while some work is done."""
    from torch.profiler import ProfilerActivity, profile

    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device.type == "cuda" else [])
    with profile(activities=activities) as profiled:
        work()
    return {event.key: event.count for event in profiled.key_averages()}


def half_pipeline(extent: Extent) -> Figures:
    """A tiny diffusion pipeline, in half precision on a card, draws pictures with numbers in them, the same twice."""
    from importlib.util import find_spec

    if find_spec("diffusers") is None or find_spec("transformers") is None:
        return {"holds": None, "why": "diffusers is not installed (facette[compare])"}
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    sys.path.insert(0, str(SUPPORT))
    from tiny_pipeline import SIDE, save_tiny_pipeline

    from facette.comparison.checkpoint import find_checkpoint
    from facette.comparison.diffusion import DiffusionSettings
    from facette.comparison.loading import load_diffusion

    with tempfile.TemporaryDirectory() as folder:
        place = save_tiny_pipeline(Path(folder) / "tiny")
        found_at = find_checkpoint(str(place), safety_checker=False)
        settings = DiffusionSettings(prompt="a face", steps=4)
        diffusion = load_diffusion(found_at, settings, extent.device, safety_checker=False)
        photo = draw_faces(1, SIDE, 0, 0).pictures[0]
        again, once, twice = (diffusion.draw(photo, share, seed=1).pictures[0] for share in (0.0, 0.5, 0.5))
        precision = diffusion.described()["precision"]
    expected = "float16" if extent.device.type == "cuda" else "float32"
    alive = bool(once.std() > 1 and again.std() > 1)
    return {"holds": alive and precision == expected and bool((once == twice).all()), "precision": precision}


CHECKS: dict[str, Callable[[Extent], Figures]] = {
    "nothing waits between log lines": nothing_waits,
    "bf16 and compiled training end where float32 does": same_losses,
    "CUDA graphs": graphs,
    "SyncBatchNorm on one process": synchronised_norms,
    "FSDP2 on one process": sharded,
    "less memory by train.recompute and train.fused_update": sparing,
    "diffusers in half precision": half_pipeline,
}
