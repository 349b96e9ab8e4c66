"""Everything a run needs to go on as if it had never stopped, in one safetensors file.

The state is not the model file: it holds optimizer moments and both sets of weights, and is only read by the run
that wrote it. Orders, noise and schedules are pure functions of the step and need no saving.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from facette.checkpoint.tensors import read_newest, under, write_tensors
from facette.errors import RecipeError, TrainingError
from facette.model.kernels.choices import USUAL, KernelChoices, choose_kernels
from facette.model.kernels.recompute import recompute
from facette.model.vae import VAE, build_vae, check_networks
from facette.objective.discriminator import Discriminator
from facette.recipe import Recipe, TrainSpec, parse_recipe
from facette.runtime import derive_seed
from facette.training.update import Adam, FusedUpdate

STATE = "state.safetensors"
SHARPENING = "sharpening"  # of a model's metrics: what its second stage came to


@dataclass(slots=True, eq=False)
class TrainState:
    """A run in progress. `averaged` are the exponentially averaged weights, or `vae` itself when ema is 0."""

    vae: VAE
    averaged: VAE
    optimizer: Adam
    step: int = 0
    seconds: float = 0.0
    best: dict[str, Any] = field(default_factory=dict)  # step and score of the best validation so far
    opponent: Opponent | None = None  # where the objective has a term with a network of its own
    fused: FusedUpdate | None = None  # where weights move within the backward pass
    kernels: KernelChoices = USUAL  # by which its layers compute, for the whole run


@dataclass(frozen=True, slots=True, eq=False)
class Opponent:
    """FactorVAE's discriminator and the optimizer that it learns by."""

    network: Discriminator
    optimizer: Adam


def fresh_state(recipe: Recipe, device: torch.device, kernels: KernelChoices = USUAL) -> TrainState:
    """Step 0: weights drawn from the recipe's seed, the same on every process and device."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(recipe.seed, "weights"))
        vae = build_vae(recipe).to(device)
    if kernels != USUAL:
        choose_kernels(vae, kernels)
    check_networks(vae, recipe)
    if recipe.train.recompute:
        recompute(vae.trunk)
        recompute(vae.decoder)
    averaged = vae
    if recipe.train.ema > 0:
        averaged = build_vae(recipe).to(device)
        averaged.load_state_dict(vae.state_dict())
        averaged.requires_grad_(False)
        averaged.eval()
    optimizer = adam(vae, recipe.train)
    fused = FusedUpdate(optimizer) if recipe.train.fused_update else None
    return TrainState(
        vae, averaged, optimizer, opponent=_opponent(recipe, device), fused=fused, kernels=kernels
    )


def _opponent(recipe: Recipe, device: torch.device) -> Opponent | None:
    term = recipe.objective.total_correlation
    if term is None or not recipe.objective.discriminated:
        return None
    spec = term.discriminator
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(recipe.seed, "discriminator"))
        network = Discriminator(recipe.model.latent, spec.width, spec.layers).to(device)
    return Opponent(network, Adam(network.parameters(), spec.lr, spec.adam_betas))


@torch.no_grad()
def lend_weights(state: TrainState, source: VAE) -> list[str]:
    """Start a fresh run from another model's weights, wherever a tensor of its name and shape is there.

    Returns the names of the layers that stay as drawn: new ones, and those of another shape.
    """
    theirs, fresh = source.state_dict(), []
    for name, tensor in state.vae.state_dict().items():
        if name in theirs and theirs[name].shape == tensor.shape:
            tensor.copy_(theirs[name])
        else:
            fresh.append(name.rpartition(".")[0] or name)
    if state.averaged is not state.vae:
        state.averaged.load_state_dict(state.vae.state_dict())
    return sorted(set(fresh))


def has_layers_of(network: nn.Module, source: nn.Module) -> bool:
    """Whether two networks have the same tensors, by name and shape: one then computes what the other does with the
    other's weights."""
    ours, theirs = network.state_dict(), source.state_dict()
    return ours.keys() == theirs.keys() and all(ours[n].shape == theirs[n].shape for n in ours)


def adam(vae: VAE, spec: TrainSpec) -> Adam:
    """The optimizer of a run, without moments yet."""
    return Adam(vae.parameters(), spec.lr, spec.adam_betas)


def save_state(path: Path, state: TrainState, recipe: Recipe, fingerprint: str) -> None:
    """Write the run's state atomically."""
    write_tensors(path, state_tensors(state), state_header(state, recipe, fingerprint), keep_previous=True)


def state_tensors(state: TrainState) -> dict[str, Tensor]:
    """Every tensor of a state under its name; they share their memory with it."""
    tensors = {f"vae.{n}": t for n, t in state.vae.state_dict().items()}
    if state.averaged is not state.vae:
        tensors |= {f"averaged.{n}": t for n, t in state.averaged.state_dict().items()}
    if (opponent := state.opponent) is not None:
        tensors |= {f"discriminator.{n}": t for n, t in opponent.network.state_dict().items()}
        tensors |= optimizer_tensors(opponent.optimizer, opponent.network, "discriminator_optimizer.")
    return tensors | optimizer_tensors(state.optimizer, state.vae, "optimizer.")


def state_header(state: TrainState, recipe: Recipe, fingerprint: str) -> dict[str, Any]:
    """What a saved state says of itself."""
    return {
        "kind": "training state",
        "step": state.step,
        "seconds": state.seconds,
        "best": state.best,
        "kernels": asdict(state.kernels),
        "recipe": recipe.model_dump(mode="json", exclude_none=True),
        "data": fingerprint,
    }


def load_state(
    path: Path,
    recipe: Recipe,
    fingerprint: str,
    device: torch.device,
    say: Callable[[str], object] = lambda _: None,
) -> TrainState | None:
    """Read a state back, or the one before it where it is damaged, which `say` is told; None where there is none.

    Raises TrainingError when it belongs to another recipe or other data, CheckpointError when none is whole.
    """
    newest = read_newest(path)
    if newest is None:
        return None
    tensors, header, problem = newest
    if problem:
        say(problem)
    check_resumable(path, header, recipe, fingerprint)
    state = fresh_state(recipe, device, KernelChoices.read(header.get("kernels")))
    state.vae.load_state_dict(under(tensors, "vae."))
    if state.averaged is not state.vae:
        state.averaged.load_state_dict(under(tensors, "averaged."))
    restore_optimizer(state.optimizer, state.vae, under(tensors, "optimizer."))
    if (opponent := state.opponent) is not None:
        opponent.network.load_state_dict(under(tensors, "discriminator."))
        restore_optimizer(opponent.optimizer, opponent.network, under(tensors, "discriminator_optimizer."))
    state.step, state.seconds, state.best = header["step"], header["seconds"], header["best"]
    return state


def check_resumable(path: Path, header: dict[str, Any], recipe: Recipe, fingerprint: str) -> None:
    """Raises TrainingError where a run cannot go on from a state with this header."""
    may_change = MAY_CHANGE | LENGTH if _length_is_free(recipe) else MAY_CHANGE
    check_same_run(
        path,
        header,
        recipe,
        fingerprint,
        may_change=lambda k: k in may_change or k.startswith(("sharpen.", "input.frame.")),
    )


def optimizer_tensors(optimizer: Adam, module: nn.Module, prefix: str) -> dict[str, Tensor]:
    """Adam's moments, named after the module's parameters."""
    return {
        f"{prefix}{moment}.{name}": value
        for name, parameter in module.named_parameters()
        for moment, value in optimizer.state.get(parameter, {}).items()
    }


def restore_optimizer(optimizer: Adam, module: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Give Adam back the moments that `optimizer_tensors` named, without its prefix."""
    for name, parameter in module.named_parameters():
        moments = {m: tensors.get(f"{m}.{name}") for m in ("step", "exp_avg", "exp_avg_sq")}
        if moments["exp_avg"] is not None:
            optimizer.state[parameter] = {
                m: _like(parameter, value) if m != "step" else value.to(parameter.device)
                for m, value in moments.items()
                if value is not None
            }


def _like(parameter: Tensor, value: Tensor) -> Tensor:
    """A moment with its parameter's device and memory layout, as the optimizer would have made it."""
    return torch.empty_like(parameter, requires_grad=False).copy_(value)


def check_same_run(
    path: Path,
    header: dict[str, Any],
    recipe: Recipe,
    fingerprint: str,
    may_change: Callable[[str], bool],
) -> None:
    """Raises TrainingError where a state was made of other data, or by a recipe that differs in what matters."""
    if header.get("data") != fingerprint:
        raise TrainingError(
            f"the run in {path.parent} was started on other pictures: give the same, or another folder by `out`"
        )
    if changed := changes(_as_read_today(header.get("recipe", {})), recipe, may_change):
        raise TrainingError(
            f"the run in {path.parent} was started with another recipe: {changed}; give another folder by `out`"
        )


def changes(recipe_before: dict[str, Any], recipe: Recipe, may_change: Callable[[str], bool]) -> str:
    """In what a recipe differs from one before it as JSON has that, for a sentence; empty where nothing matters."""
    before, now = flatten(recipe_before), flatten(recipe.model_dump(mode="json", exclude_none=True))
    keys = sorted(k for k in before.keys() | now.keys() if before.get(k) != now.get(k) and not may_change(k))
    return ", ".join(f"{k} (was {before.get(k)}, is {now.get(k)})" for k in keys[:5])


def _as_read_today(recipe: dict[str, Any]) -> dict[str, Any]:
    """A recipe from a state's header with the keys that came after it was written, at what they then meant."""
    try:
        return parse_recipe(recipe).model_dump(mode="json", exclude_none=True)
    except RecipeError:
        return recipe  # of another version: what differs is then listed key by key


MIXTURE = {"train.mixture_components", "train.mixture_rank"}  # what is fitted after the last step
# What a resumed run may change without becoming another run: how often it reports, what is fitted after the last
# step, when it may end, how its tensors are shared out and its batches computed, where faces stand in the pictures (the
# pictures themselves are compared), and what people turn while they watch: the learning rate and the price of identity.
MAY_CHANGE = {
    "summary",
    *(f"train.{k}_every" for k in ("log", "validate", "preview", "save")),
    "train.preview_count",
    *MIXTURE,
    "train.shard",
    "train.accumulate",
    "train.recompute",
    "train.kernels",
    "train.fused_update",
    "train.minutes",
    "train.patience",
    "train.lr",
    "objective.identity",
}
LENGTH = {"train.epochs", "train.steps"}
# What may differ without a word once a run has ended, since it says how a run goes on and not what it learns.
HARMLESS = MAY_CHANGE - MIXTURE - {"train.lr", "objective.identity"}


def _length_is_free(recipe: Recipe) -> bool:
    """Whether a run may be made longer: where no step depends on how many there are in all."""
    shares = recipe.train.lr_warmup_share or recipe.objective.warmup_share
    return recipe.train.lr_schedule == "constant" and recipe.objective.schedule != "cyclical" and not shares


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """A nested dictionary as one level of dotted keys."""
    if not isinstance(value, dict):
        return {prefix: value}
    return {
        k: v for key, item in value.items() for k, v in flatten(item, f"{prefix}.{key}".lstrip(".")).items()
    }
