"""Where in a foreign object tree the weights lie, and under which names.

Enters: the inert tree of a checkpoint. Leaves: `WeightSet`s: every dictionary of tensors and every pickled
module, each with the names a state dict would have. Knows nothing of particular networks.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeGuard

from facette.checkpoint.foreign.inert import StandIn, TensorRef
from facette.errors import CheckpointError

# Wrappers that put their own word into every name: torch.compile, FSDP, activation checkpointing.
_WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")
# Bounds on what a tree can make of itself by sharing: parts may be reached by exponentially many paths.
_DEPTH, _LAYERS, _TREE_DEPTH, _NAME, _NAMED = 5, 4000, 40, 500, 100_000
# What a module tells that no tensor shows.
_SETTINGS = ("kernel_size", "stride", "padding", "output_padding", "dilation", "groups", "padding_mode")
_SETTINGS += ("eps", "affine", "track_running_stats", "negative_slope")


_PARTS = (TensorRef, StandIn, dict, list, tuple)


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
    sets: list[WeightSet] = []
    names = 0
    seen: set[int] = set()
    pending: deque[tuple[str, object, int]] = deque([("", root, 0)])
    while pending:
        place, value, depth = pending.popleft()
        if id(value) in seen or depth > _DEPTH:
            continue
        seen.add(id(value))
        weights = _weights_at(place, value)
        if weights is not None:
            sets.append(weights)
            names += len(weights.tensors) + len(weights.layers)
        if names > _NAMED:
            raise CheckpointError(f"it gives its tensors more than {_NAMED:,} names")
        if not _is_module(value):
            inner = [
                (key, item) for key, item in _entries(value).items() if isinstance(item, (dict, StandIn))
            ]
            pending.extend((_path(place, key), item, depth + 1) for key, item in inner)
    return sets


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
        parts = [(key, part) for key, part in _inside(value) if isinstance(part, _PARTS)]
        pending.extend((_path(path, key), part, depth + 1) for key, part in parts)


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
        pending.extend(part for _, part in _inside(value) if isinstance(part, _PARTS))


def key_text(key: object) -> str:
    """A dictionary key in at most 120 letters, at no cost however large it is."""
    if isinstance(key, str):
        return key[:120]
    return str(key) if isinstance(key, (int, float, bool, type(None))) else type(key).__name__


def _path(path: str, key: object) -> str:
    """Bounded: a hostile tree could otherwise grow names of any length."""
    return ".".join(part for part in (path, key_text(key)) if part)[:400]


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


def _weights_at(place: str, value: object) -> WeightSet | None:
    """The pickled module that `value` is, or the tensors it holds directly."""
    if _is_module(value):
        return _module_weights(place, value)
    tensors = {k: v for k, v in _entries(value).items() if isinstance(k, str) and isinstance(v, TensorRef)}
    return WeightSet(place, _unwrapped(tensors)) if tensors else None


def _entries(value: object) -> dict:
    if isinstance(value, dict):
        return value
    if isinstance(value, StandIn):
        return value.pairs or (value.state if isinstance(value.state, dict) else {})
    return {}


def _is_module(value: object) -> TypeGuard[StandIn]:
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
        if len(layers) + len(pending) > _LAYERS or prefix.count(".") > _TREE_DEPTH:
            raise CheckpointError("it has a network of absurdly many or deeply nested layers")
        layers[prefix.rstrip(".")] = Layer(current.name.dotted, _settings(state))
        for name, value in (_named(state, "_parameters") | _lasting_buffers(state)).items():
            if isinstance(value, TensorRef):
                tensors[f"{prefix}{name}"] = value
        if len(tensors) > _NAMED:
            raise CheckpointError(f"it gives its tensors more than {_NAMED:,} names")
        children = _named(state, "_modules").items()
        pending.extend((f"{prefix}{name}.", child) for name, child in children if _is_module(child))
    return WeightSet(place, _unwrapped(tensors), {_unwrap(name): layer for name, layer in layers.items()})


def _named(state: dict, group: str) -> dict[str, object]:
    """One of a module's three dictionaries; empty where the file has something else in its place."""
    values = state.get(group)
    if not isinstance(values, dict):
        return {}
    if any(not isinstance(name, str) or len(name) > _NAME for name in values):
        raise CheckpointError(
            f"it has a module whose parts have no names, or names of more than {_NAME} letters"
        )
    return values


def _settings(state: dict) -> dict[str, object]:
    told = {name: state[name] for name in _SETTINGS if name in state}
    return {k: v if _is_plain(v) else f"not a plain value but a {type(v).__name__}" for k, v in told.items()}


def _is_plain(value: object) -> bool:
    """Not a tuple of tuples, which could be of exponential size."""
    if isinstance(value, tuple):
        return len(value) < 8 and all(isinstance(item, (int, float)) for item in value)
    return isinstance(value, (int, float)) or (isinstance(value, str) and len(value) < 80)


def _lasting_buffers(state: dict) -> dict[str, object]:
    """A module's buffers without those that it keeps out of its state dict."""
    passing, buffers = state.get("_non_persistent_buffers_set"), _named(state, "_buffers")
    if not isinstance(passing, StandIn):
        return buffers
    listed = passing.items or (passing.args[0] if passing.args and isinstance(passing.args[0], list) else [])
    hidden = {name for name in listed[:_LAYERS] if isinstance(name, str)}
    return {name: value for name, value in buffers.items() if name not in hidden}


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
