"""What is in a checkpoint, told without loading a tensor or running a line of it.

Enters: a path. Leaves: an `Inspection`: tensors, classes, names and instructions, the networks recognised,
and a verdict in plain language. Names that could run code do not stop it: they are what it looks for.
"""

from dataclasses import dataclass
from pathlib import Path

from facette.checkpoint.foreign.candidates import Candidate, find_candidates
from facette.checkpoint.foreign.container import open_checkpoint
from facette.checkpoint.foreign.families import plan
from facette.checkpoint.foreign.inert import ITEM_BYTES
from facette.checkpoint.foreign.names import CREATE, UNREAD
from facette.checkpoint.foreign.opened import ForeignCheckpoint
from facette.checkpoint.foreign.plan import Answers
from facette.checkpoint.foreign.weights import key_text, stand_ins, walk_tensors
from facette.errors import CheckpointError

_CLASSES = 2000  # told at most


@dataclass(frozen=True, slots=True)
class TensorLine:
    name: str
    shape: tuple[int, ...]
    dtype: str
    location: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Network:
    """A recognised network and what must be answered to import it."""

    weights: str
    network: str
    latent: int | None
    questions: tuple[str, ...]
    problem: str | None


@dataclass(frozen=True, slots=True)
class Inspection:
    file: str
    format: str
    bytes: int
    tensors: tuple[TensorLine, ...]
    classes: tuple[str, ...]  # of objects the file wants built
    names: dict[str, int]  # every name it asks for, and how often
    opcodes: dict[str, int]  # the instructions that ask for names or call them
    suspicious: tuple[str, ...]
    values: dict[str, str]  # plain values at the top, e.g. an epoch
    networks: tuple[Network, ...]
    verdict: str


def inspect_checkpoint(path: str | Path) -> Inspection:
    """Describe a checkpoint. Raises CheckpointError when it is too damaged to be read to its end."""
    with open_checkpoint(path, strict=False) as checkpoint:
        tensors = tuple(
            TensorLine(name, ref.shape, ref.dtype, ref.storage.location, ref.count * ITEM_BYTES[ref.dtype])
            for name, ref in walk_tensors(checkpoint.root)
        )
        suspicious = [f"asks for {what}, {reason}" for what, reason in checkpoint.ledger.refused.items()]
        if checkpoint.trailing:
            suspicious.append(f"has {checkpoint.trailing:,} bytes after its end")
        networks = tuple(_network(candidate) for candidate in find_candidates(checkpoint))
        classes = sorted({stand_in.name.dotted for stand_in in stand_ins(checkpoint.root)})[:_CLASSES]
        return Inspection(
            file=checkpoint.path.name,
            format=checkpoint.format,
            bytes=checkpoint.size,
            tensors=tensors,
            classes=tuple(classes),
            names=checkpoint.ledger.names,
            opcodes=checkpoint.ledger.opcodes,
            suspicious=tuple(suspicious),
            values=_values(checkpoint.root),
            networks=networks,
            verdict=_verdict(checkpoint, len(tensors), classes, networks),
        )


def _network(candidate: Candidate) -> Network:
    try:
        design = plan(candidate.family, candidate.shapes, Answers(), candidate.evidence)
    except CheckpointError as error:
        return Network(candidate.label, candidate.family, None, (), str(error))
    return Network(candidate.label, design.title, design.recipe["model"]["latent"], design.questions, None)


def _values(root: object) -> dict[str, str]:
    if not isinstance(root, dict):
        return {}
    plain = (str, int, float, bool)
    return {key_text(k): str(v)[:80] for k, v in list(root.items())[:200] if isinstance(v, plain)}


def _verdict(
    checkpoint: ForeignCheckpoint, tensors: int, classes: list[str], networks: tuple[Network, ...]
) -> str:
    dangers = [item for item in checkpoint.ledger.refused.items() if item[1] != UNREAD]
    if dangers:
        what, reason = dangers[0]
        return (
            f"Dangerous: it asks for {what}, {reason}. Facette ran nothing of it and will not import it; do not "
            "open it with torch.load or pickle."
        )
    if checkpoint.ledger.refused:
        what, reason = next(iter(checkpoint.ledger.refused.items()))
        return f"Not to be imported: it asks for {what}, {reason}. Nothing in it is known to be dangerous."
    foreign = checkpoint.ledger.foreign
    called = [name for name, instruction in foreign.items() if instruction not in ("", CREATE)]
    if checkpoint.format == "safetensors":
        kind = "Harmless by its format: tensors and nothing else."
    elif called:
        kind = (
            f"Dangerous: it has {called[0][:120]!r} called, which is no name known to be harmless; torch.load or "
            "pickle would run whatever that is. Facette ran nothing of it and takes tensors alone."
        )
    elif foreign:
        wanted = next((name for name, instruction in foreign.items() if instruction), next(iter(foreign)))
        kind = (
            f"It wants code that is not in the file (class {wanted[:120]}). torch.load would have to run that code, "
            "whatever it is; Facette takes the tensors and leaves it alone."
        )
    elif any(name.startswith("torch.nn.") for name in classes):
        kind = "A pickled module of torch's own layers. Facette takes the tensors and runs nothing."
    else:
        kind = "Plain weights: tensors and plain values, no foreign code."
    if checkpoint.format == "bare pickle":
        return f"{kind} It is a bare pickle, which torch.save does not write, so it cannot be imported."
    if not tensors:
        return f"{kind} It holds no tensors."
    if not networks:
        return f"{kind} Its network is none that Facette knows, so it cannot be imported."
    return f"{kind} {_importable(networks)}"


def _importable(networks: tuple[Network, ...]) -> str:
    first = networks[0]
    if len(networks) > 1:
        names = ", ".join(network.weights for network in networks)
        return f"It holds {len(networks)} sets of weights to import: choose by `weights` among {names}."
    if first.problem:
        return f"It looks like a network Facette knows, but {first.problem}."
    known = f"Recognised as {first.network}, latent {first.latent}."
    if first.questions:
        return f"{known} To import it, say {'; and say '.join(first.questions)}."
    return f"{known} `facette import` reads it as it is."
