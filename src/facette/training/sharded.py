"""A run whose tensors are shared out among its processes, for models whose training outgrows one card (`train.shard`).

Enters: a training state, the same on every process. Leaves: the same state with weights, their average and Adam's
moments split along their first dimension, one part a process (FSDP2; Zhao et al., arXiv 2304.11277), and its
checkpoints: a folder with a part from each process, which any number of processes reads back, one among them.

    state/step-000000500/shard-….safetensors    the parts, with the place of each in their headers; no pickle
    state/latest.json                           which of them is whole and the one before it, what is said of a state,
                                                and the digest of every part; written last

The weights alone must fit a card: they are gathered on the leading process to be validated, shown and published.
Everything here is collective: all processes of a run call it together.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed
from torch import Tensor, nn

from facette.checkpoint.tensors import read_header, write_atomically
from facette.errors import CheckpointError, TrainingError
from facette.files import digest_of_file, json_of, sealed, unsealed
from facette.model.blocks import ResidualBlock
from facette.model.kernels.choices import KernelChoices
from facette.model.vae import VAE, build_vae
from facette.recipe import Recipe
from facette.runtime import Rank
from facette.training.state import (
    STATE,
    TrainState,
    adam,
    check_resumable,
    fresh_state,
    load_state,
    optimizer_tensors,
    save_state,
    state_header,
    state_tensors,
)

PARTS, LATEST = "state", "latest.json"
BEFORE, DIGESTS = "before", "digests"  # entries of the latter


def save_any(folder: Path, state: TrainState, recipe: Recipe, fingerprint: str, rank: Rank) -> None:
    """Save the run's state: in parts where the recipe shards, else as one file by the leading process."""
    if recipe.train.shard:
        _save_parts(folder / PARTS, state, state_header(state, recipe, fingerprint), rank)
        if rank.leads:
            (folder / STATE).unlink(missing_ok=True)
    elif rank.leads:
        save_state(folder / STATE, state, recipe, fingerprint)
        shutil.rmtree(folder / PARTS, ignore_errors=True)


def load_any(
    folder: Path,
    recipe: Recipe,
    fingerprint: str,
    rank: Rank,
    device: torch.device,
    say: Callable[[str], object] = lambda _: None,
) -> TrainState | None:
    """The newest state of a run, whichever way it was saved, shared out where the recipe shards; None for none.

    `say` is told when a damaged state is passed over. Raises TrainingError when it belongs to another recipe or data,
    CheckpointError when none is whole.
    """
    saved = _latest(folder / PARTS)
    whole = folder / STATE
    if saved is None or (whole.is_file() and read_header(whole)["step"] >= saved["step"]):
        state = load_state(whole, recipe, fingerprint, device, say)
        return state and share_out(state, recipe, rank, device)
    header = _newest_whole(folder / PARTS, saved, rank, say)
    check_resumable(folder / PARTS, header, recipe, fingerprint)
    fresh = fresh_state(recipe, device, KernelChoices.read(header.get("kernels")))
    state = share_out(fresh, recipe, rank, device)
    _load_parts(folder / PARTS / header["parts"], state)
    state.step, state.seconds, state.best = header["step"], header["seconds"], header["best"]
    return state


def share_out(state: TrainState, recipe: Recipe, rank: Rank, device: torch.device) -> TrainState:
    """The state with its tensors split among the processes; as it is where the recipe does not shard, or for one.

    Raises TrainingError for a model with a parameter that is a single number, which cannot be split.
    """
    if not recipe.train.shard or rank.world == 1:
        return state
    single = [name for name, parameter in state.vae.named_parameters() if parameter.ndim == 0]
    if single:
        raise TrainingError(
            f"train.shard cannot split {', '.join(single)}, a single number: use likelihood sigma 'optimal'"
        )
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import distribute_tensor

    # Nothing of ours writes into what a network returned, which is what FSDP warns of.
    warnings.filterwarnings("ignore", message="FSDP2-wrapped module")
    mesh = init_device_mesh(device.type, (rank.world,))
    moments = optimizer_tensors(state.optimizer, state.vae, "")
    averages = state.averaged is not state.vae
    vae = shard_network(state.vae, mesh, device)
    averaged = shard_network(state.averaged, mesh, device) if averages else vae
    optimizer = adam(vae, recipe.train)
    for name, parameter in vae.named_parameters():
        if f"exp_avg.{name}" not in moments:
            continue
        optimizer.state[parameter] = {"step": moments[f"step.{name}"].to(device)} | {
            kind: distribute_tensor(moments[f"{kind}.{name}"].contiguous(), mesh, _placements(parameter))
            for kind in ("exp_avg", "exp_avg_sq")
        }
    return TrainState(vae, averaged, optimizer, state.step, state.seconds, state.best, kernels=state.kernels)


def gathered(network: VAE, recipe: Recipe, rank: Rank, device: torch.device) -> VAE | None:
    """The whole network on the leading process, None on the others; a network that is not shared out as it is."""
    if not recipe.train.shard or rank.world == 1:
        return network if rank.leads else None
    copy = build_vae(recipe).to(device) if rank.leads else None
    tensors = {}
    for name, part in network.state_dict().items():
        tensor = whole(part)
        if copy is not None:
            tensors[name] = tensor
    if copy is not None:
        copy.load_state_dict(tensors)
        copy.requires_grad_(False).eval()
    return copy


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor of which every process has a part; any other tensor as it is."""
    gather = getattr(tensor, "full_tensor", None)
    return tensor if gather is None else gather()


# ── sharing out ──────────────────────────────────────────────────────────────────────────────────────────


def shard_network(network: VAE, mesh: Any, device: torch.device) -> VAE:
    """Encoder, decoder and each residual block gather their weights when they are used, and drop them after."""
    from torch.distributed.fsdp import fully_shard

    network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # FSDP splits no other
    if device.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(network)
    blocks = [module for module in network.modules() if isinstance(module, ResidualBlock)]
    for part in (*blocks, network.encoder, network.decoder, network):
        fully_shard(part, mesh=mesh)
    return network


def _placements(parameter: Tensor) -> Any:
    placed: Any = parameter
    return placed.placements


# ── checkpoints in parts ─────────────────────────────────────────────────────────────────────────────────


def _save_parts(folder: Path, state: TrainState, header: dict[str, Any], rank: Rank) -> None:
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageWriter
    from torch.distributed.checkpoint.state_dict_saver import save

    name = f"step-{state.step:09d}"
    before = _latest(folder)
    if before is not None and before["parts"] == name:
        before = before.get(BEFORE)  # this very step is saved again
    if rank.leads:
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
    _wait(rank)
    writer = HuggingFaceStorageWriter(str(folder / name), save_distributed=True)
    with _alone_is_fine():
        save(_packed(state_tensors(state)), storage_writer=writer)
    _wait(rank)
    digests = _digests_of_parts(folder / name, rank)
    if rank.leads:
        latest = header | {"parts": name, DIGESTS: digests}
        if before is not None:
            latest[BEFORE] = {key: value for key, value in before.items() if key != BEFORE}
        write_atomically(folder / LATEST, json_of(sealed(latest)) + "\n")
        kept = {name} if before is None else {name, before["parts"]}
        for older in folder.glob("step-*"):
            if older.name not in kept:
                shutil.rmtree(older, ignore_errors=True)


def _digests_of_parts(folder: Path, rank: Rank) -> dict[str, str]:
    """The digest of every part by the name of its file; each process reads some, and all know all."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    mine = {path.name: digest_of_file(path) for path in files[rank.index :: rank.world]}
    if rank.world == 1:
        return mine
    theirs: list[Any] = [None] * rank.world
    torch.distributed.all_gather_object(theirs, mine)
    return {name: digest for part in theirs for name, digest in part.items()}


def _newest_whole(
    folder: Path, saved: dict[str, Any], rank: Rank, say: Callable[[str], object]
) -> dict[str, Any]:
    """The header of the newest state whose parts are what was written. Raises CheckpointError where none is."""
    problem = ""
    for header in (saved, saved.get(BEFORE)):
        if header is None:
            continue
        place = folder / header["parts"]
        written = header.get(DIGESTS)  # an older version wrote none
        if written is None or (place.is_dir() and _digests_of_parts(place, rank) == written):
            if problem:
                say(f"{problem}; the one before it is whole")
            return header
        problem = problem or f"{place} is damaged: it does not hold what was written"
    raise CheckpointError(f"{problem}, and there is no whole one before it")


@torch.no_grad()
def _load_parts(folder: Path, state: TrainState) -> None:
    """Fill the tensors of a state from the parts, however many there are and however the state is split."""
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader
    from torch.distributed.checkpoint.state_dict_loader import load

    for parameter in state.vae.parameters():
        state.optimizer.state[parameter] = {
            "step": torch.zeros((), device=parameter.device),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }
    mine = state_tensors(state)
    read = _packed(mine)
    with _alone_is_fine():
        load(read, storage_reader=HuggingFaceStorageReader(str(folder)))
    for name, tensor in mine.items():
        if tensor is not read[name]:
            tensor.copy_(read[name])


def _packed(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Contiguous, as safetensors wants them; those that are already share their memory."""
    return {name: tensor.detach().contiguous() for name, tensor in tensors.items()}


def _latest(folder: Path) -> dict[str, Any] | None:
    """What the file says that names the newest state; None for none. Raises CheckpointError where it is damaged."""
    path = folder / LATEST
    if not path.is_file():
        return None
    try:
        return unsealed(json.loads(path.read_bytes()))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from None


def _wait(rank: Rank) -> None:
    if rank.world > 1:
        torch.distributed.barrier()


@contextmanager
def _alone_is_fine() -> Iterator[None]:
    """Without the warning that a single process saves or loads."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        yield
