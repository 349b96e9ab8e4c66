"""The recognised networks inside one open checkpoint.

Enters: an open `ForeignCheckpoint`. Leaves: `Candidate`s, each one set of weights of one known network with the
names its own code uses. A file may hold several: the trained weights and their running average, for
instance.
"""

from dataclasses import dataclass

from facette.checkpoint.foreign.families import FamilyName, families_in
from facette.checkpoint.foreign.inert import TensorRef, printable
from facette.checkpoint.foreign.opened import ForeignCheckpoint
from facette.checkpoint.foreign.plan import Evidence, Shapes
from facette.checkpoint.foreign.weights import WeightSet, find_weight_sets
from facette.errors import CheckpointError

# Single numbers that averaging wrappers keep among the tensors: SWA, ema-pytorch, LitEma.
_COUNTERS = {"n_averaged", "initted", "step", "decay", "num_updates"}
_FLAT_EMA = "model_ema."
_MOST = 16  # recognised networks in one file


@dataclass(frozen=True, slots=True)
class Candidate:
    """One recognised network: `label` is what a person calls it by, `others` what lies beside it."""

    label: str
    family: FamilyName
    tensors: dict[str, TensorRef]  # by the names the network's own code uses
    others: dict[str, TensorRef]  # of the same state dict, outside the network
    evidence: Evidence

    @property
    def shapes(self) -> Shapes:
        return {name: ref.shape for name, ref in self.tensors.items()}


def find_candidates(checkpoint: ForeignCheckpoint) -> list[Candidate]:
    """Every recognised network, those that are the same tensors over again left out."""
    lightning = _lightning_version(checkpoint.root)
    candidates: list[Candidate] = []
    for weights in find_weight_sets(checkpoint.root):
        for candidate in _in_one_set(weights, lightning):
            if not any(_same_tensors(candidate, earlier) for earlier in candidates):
                candidates.append(candidate)
        if len(candidates) > _MOST:
            raise CheckpointError(f"it holds more than {_MOST} sets of weights")
    return candidates


def choose(candidates: list[Candidate], label: str | None) -> Candidate:
    """The one to import; raises CheckpointError when there is none, or when several need a choice."""
    if not candidates:
        raise CheckpointError("no network that Facette knows")
    names = ", ".join(candidate.label for candidate in candidates)
    if label is None and len(candidates) > 1:
        raise CheckpointError(
            f"it holds {len(candidates)} sets of weights: choose one of {names} by `weights`"
        )
    for candidate in candidates:
        if label in (None, candidate.label):
            return candidate
    raise CheckpointError(f"it holds no weights called {label!r}, only {names}")


def is_counter(name: str, ref: TensorRef) -> bool:
    """Whether a tensor beside a network is bookkeeping of a known wrapper and can be left."""
    return name.rpartition(".")[2] in _COUNTERS and ref.count == 1


def _in_one_set(weights: WeightSet, lightning: str | None) -> list[Candidate]:
    keys = families_in(weights.tensors)
    if len(keys) > _MOST:
        raise CheckpointError(f"it holds more than {_MOST} sets of weights")
    shadow = {n: r for n, r in weights.tensors.items() if n.startswith(_FLAT_EMA)}
    if any(prefix.startswith(_FLAT_EMA) for _, prefix in keys):
        shadow = {}  # an average under its proper names is a network like any other
    networks: list[tuple[str, FamilyName, dict[str, TensorRef], Evidence]] = []
    claimed: set[str] = set()
    for family, prefix in keys:
        deeper = [p for _, p in keys if p != prefix and p.startswith(prefix)]
        inside = [
            name
            for name in weights.tensors
            if name.startswith(prefix) and name not in shadow and not name.startswith(tuple(deeper))
        ]
        claimed.update(inside)
        tensors = {name[len(prefix) :]: weights.tensors[name] for name in inside}
        evidence = _evidence(weights, prefix, lightning)
        average = _flat_average(tensors, shadow)
        several = len(keys) > 1 or bool(average)
        networks.append((_label(weights.place, prefix if several else ""), family, tensors, evidence))
        if average:
            claimed |= shadow.keys()
            networks.append((_label(weights.place, _FLAT_EMA), family, average, evidence))
    others = {n: r for n, r in weights.tensors.items() if n not in claimed}
    return [
        Candidate(label, family, tensors, others, evidence) for label, family, tensors, evidence in networks
    ]


def _flat_average(tensors: dict[str, TensorRef], shadow: dict[str, TensorRef]) -> dict[str, TensorRef]:
    """The running average that LitEma keeps beside a network, its names written without their dots.

    It averages parameters only; buffers are the network's own. Empty when there is none.
    """
    averages = {name: shadow.get(_FLAT_EMA + name.replace(".", "")) for name in tensors}
    if not any(averages.values()):
        return {}
    return {name: averages[name] or ref for name, ref in tensors.items()}


def _evidence(weights: WeightSet, prefix: str, lightning: str | None) -> Evidence:
    inside = {n[len(prefix) :]: layer for n, layer in weights.layers.items() if f"{n}.".startswith(prefix)}
    own = weights.layers.get(prefix.rstrip("."))
    return Evidence(inside, own.kind if own else None, lightning)


def _label(place: str, prefix: str) -> str:
    return printable("/".join(part for part in (place, prefix.rstrip(".")) if part)) or "weights"


def _lightning_version(root: object) -> str | None:
    version = root.get("pytorch-lightning_version") if isinstance(root, dict) else None
    return printable(version[:20]) if isinstance(version, str) else None


def _same_tensors(first: Candidate, second: Candidate) -> bool:
    def places(candidate: Candidate) -> dict[str, tuple]:
        return {
            n: (r.storage.key, r.storage.start, r.offset, r.shape, r.stride)
            for n, r in candidate.tensors.items()
        }

    return first.family == second.family and places(first) == places(second)
