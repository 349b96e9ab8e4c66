"""Where in a foreign object tree the weights lie, and under which names.

Enters: the inert tree of a checkpoint. Leaves: `WeightSet`s: every dictionary of tensors and every pickled
module, each with the names a state dict would have. Knows nothing of particular networks.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from facette.checkpoint.legacy.inert import StandIn, TensorRef
from facette.errors import CheckpointError

# Wrappers that put their own word into every name: torch.compile, FSDP, activation checkpointing.
_WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")
_DEPTH, _LAYERS, _TREE_DEPTH, _NAME = 5, 4000, 40, 500


@dataclass(frozen=True, slots=True)
class Layer:
    """One module of a pickled network: its class and the plain values it was made with."""

    kind: str
    settings: dict[str, object]


@dataclass(frozen=True, slots=True)
class WeightSet:
    """Named tensors that belong together; `place` is the path of keys that leads to them ("" is the top)."""

    place: str
    tensors: dict[str, TensorRef]
    layers: dict[str, Layer] = field(default_factory=dict)  # only of a pickled module, by its name

    @property
    def kind(self) -> str | None:
        """The class of a pickled module."""
        return self.layers[""].kind if self.layers else None


def find_weight_sets(root: object) -> list[WeightSet]:
    """Every pickled module and every dictionary that directly holds tensors, nearest to the top first."""
    found: list[WeightSet] = []
    seen: set[int] = set()
    pending: deque[tuple[str, object, int]] = deque([("", root, 0)])
    while pending:
        place, value, depth = pending.popleft()
        if id(value) in seen or depth > _DEPTH:
            continue
        seen.add(id(value))
        if _is_module(value):
            found.append(_module_weights(place, value))  # type: ignore[arg-type]
            continue
        entries = _entries(value)
        tensors = {k: v for k, v in entries.items() if isinstance(k, str) and isinstance(v, TensorRef)}
        if tensors:
            found.append(WeightSet(place, _unwrapped(tensors)))
        for key, item in entries.items():
            if isinstance(item, (dict, StandIn)):
                pending.append((_path(place, key), item, depth + 1))
    return found


def walk_tensors(root: object) -> Iterator[tuple[str, TensorRef]]:
    """Every tensor of the tree once, also in lists and in what stand-ins remember, with its path."""
    seen: set[int] = set()
    pending: deque[tuple[str, object, int]] = deque([("", root, 0)])
    while pending:
        path, value, depth = pending.popleft()
        if isinstance(value, TensorRef):
            if id(value) not in seen:
                seen.add(id(value))
                yield path, value
            continue
        if id(value) in seen or depth > _TREE_DEPTH or not isinstance(value, (dict, list, tuple, StandIn)):
            continue
        seen.add(id(value))
        pending.extend((_path(path, key), item, depth + 1) for key, item in _inside(value))


def stand_ins(root: object) -> Iterator[StandIn]:
    """Every stand-in of the tree once."""
    seen: set[int] = set()
    pending: deque[object] = deque([root])
    while pending:
        value = pending.popleft()
        if id(value) in seen or not isinstance(value, (dict, list, tuple, StandIn)):
            continue
        seen.add(id(value))
        if isinstance(value, StandIn):
            yield value
        pending.extend(item for _, item in _inside(value))


def _path(path: str, key: object) -> str:
    """Bounded: a hostile tree could otherwise grow names of any length."""
    return ".".join(part for part in (path, str(key)[:120]) if part)[:400]


def _inside(value: object) -> Iterator[tuple[object, object]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, StandIn):
        for part in (value.args, value.items):
            yield from enumerate(part)
        yield from value.pairs.items()
        if isinstance(value.state, dict):
            # a module's own bookkeeping is no part of a tensor's name
            flat = {"_parameters", "_buffers", "_modules"}
            for key, item in value.state.items():
                yield ("" if key in flat else key), item
        else:
            yield "state", value.state
    elif isinstance(value, (list, tuple)):
        yield from enumerate(value)


def _entries(value: object) -> dict:
    if isinstance(value, dict):
        return value
    if isinstance(value, StandIn):
        return value.pairs or (value.state if isinstance(value.state, dict) else {})
    return {}


def _is_module(value: object) -> bool:
    if not isinstance(value, StandIn) or not isinstance(value.state, dict):
        return False
    return all(isinstance(value.state.get(part), dict) for part in ("_parameters", "_modules"))


def _module_weights(place: str, module: StandIn) -> WeightSet:
    """What `state_dict()` of the pickled module would have held."""
    tensors: dict[str, TensorRef] = {}
    layers: dict[str, Layer] = {}
    pending: list[tuple[str, StandIn]] = [("", module)]
    while pending:
        prefix, current = pending.pop()
        state = current.state
        assert isinstance(state, dict)
        if len(layers) > _LAYERS or prefix.count(".") > _TREE_DEPTH or len(prefix) > _NAME:
            raise CheckpointError("it has a network of absurdly many or deeply nested layers")
        layers[prefix.rstrip(".")] = Layer(current.name.dotted, _settings(state))
        hidden = _temporary_buffers(state)
        for group in ("_parameters", "_buffers"):
            for name, value in (state.get(group) or {}).items():
                if isinstance(value, TensorRef) and not (group == "_buffers" and name in hidden):
                    tensors[f"{prefix}{name}"] = value
        pending.extend(
            (f"{prefix}{name}.", child) for name, child in state["_modules"].items() if _is_module(child)
        )
    return WeightSet(place, _unwrapped(tensors), {_unwrap(name): layer for name, layer in layers.items()})


def _settings(state: dict) -> dict[str, object]:
    plain = (int, float, str, bool, tuple)
    return {
        k: v
        for k, v in state.items()
        if isinstance(v, plain) and isinstance(k, str) and not k.startswith("_")
    }


def _temporary_buffers(state: dict) -> set[str]:
    """Buffers that a module keeps out of its state dict."""
    made = state.get("_non_persistent_buffers_set")
    if not isinstance(made, StandIn):
        return set()
    names = made.items or (made.args[0] if made.args and isinstance(made.args[0], list) else [])
    return {name for name in names if isinstance(name, str)}


def _unwrapped(tensors: dict[str, TensorRef]) -> dict[str, TensorRef]:
    if any(len(name) > _NAME for name in tensors):
        raise CheckpointError(f"it has tensors with names of more than {_NAME} letters")
    renamed = {_unwrap(name): ref for name, ref in tensors.items()}
    if len(renamed) != len(tensors):
        raise CheckpointError("it holds two tensors whose names differ only by a wrapper's word")
    return renamed


def _unwrap(name: str) -> str:
    for wrapper in _WRAPPERS:
        name = name.replace(wrapper, "")
    return name
