"""What a recognised network is turned into, and small parts that describe its layers.

Enters: shapes of foreign tensors, by name. Leaves: `ImportPlan`, `Answers`, `Evidence` and the tables that say
which foreign tensor becomes which of ours. Each family of networks has a file of its own beside this one.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from facette.checkpoint.foreign.weights import Layer
from facette.errors import CheckpointError

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Answers:
    """What the user says about things that a file of weights cannot tell."""

    image_size: int | None = None
    range: Literal["unit", "symmetric"] | None = None
    output: Literal["sigmoid", "tanh"] | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the file tells beyond tensors: the layers of a pickled module, and who wrote the file."""

    layers: dict[str, Layer] = field(default_factory=dict)  # names without the prefix
    kind: str | None = None  # class of a pickled module
    lightning: str | None = None  # version of Lightning that wrote the file


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """How one set of foreign weights becomes a model of ours."""

    title: str
    recipe: dict[str, Any]
    mapping: dict[str, tuple[str, ...]]  # our tensor: the foreign ones, joined along their first dimension
    settings: dict[str, dict[str, object]]  # foreign layer: the values it must have been made with
    questions: tuple[str, ...]  # what must be answered before the recipe is complete
    notes: tuple[str, ...]  # sentences for a person
    optional: frozenset[str] = frozenset()  # foreign tensors that may be missing


BATCH_NORM: dict[str, object] = {"eps": 1e-5, "affine": True, "track_running_stats": True}


def batch_norm_note() -> str:
    return (
        "BatchNorm uses the statistics stored in the file (evaluation mode) for every picture alone. The "
        "classic "
        "generating script leaves the network in training mode, so its pictures depend on their neighbours: "
        "fixed here."
    )


def only(what: str, answers: Answers, *, size: int, range_: str, output: str) -> None:
    """These networks leave no choice: an answer that differs is a mistake worth naming."""
    for parameter, answer, fixed in (
        ("image_size", answers.image_size, size),
        ("range", answers.range, range_),
        ("output", answers.output, output),
    ):
        if answer not in (None, fixed):
            raise CheckpointError(f"it is the {what}, which has {fixed}: `{parameter}={answer}` cannot be")


def count(shapes: Shapes, pattern: str) -> int:
    count = 0
    while pattern.format(count) in shapes:
        count += 1
    return count


def shape_of(shapes: Shapes, name: str, dimensions: int) -> tuple[int, ...]:
    if name not in shapes:
        raise CheckpointError(f"it lacks the tensor {name!r}, which its network cannot do without")
    if len(shapes[name]) != dimensions or 0 in shapes[name]:
        raise CheckpointError(
            f"its tensor {name!r} has the shape {shapes[name]}, not one of {dimensions} dimensions"
        )
    return shapes[name]


def same(ours: str, theirs: str) -> dict[str, tuple[str, ...]]:
    return {f"{ours}.{part}": (f"{theirs}.{part}",) for part in ("weight", "bias")}


def joined(ours: str, *theirs: str) -> dict[str, tuple[str, ...]]:
    return {f"{ours}.{part}": tuple(f"{name}.{part}" for name in theirs) for part in ("weight", "bias")}


def batch_norm(ours: str, theirs: str) -> dict[str, tuple[str, ...]]:
    parts = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    return {f"{ours}.{part}": (f"{theirs}.{part}",) for part in parts}


def convolutions(names: list[str], stride: int, padding: int) -> dict[str, dict[str, object]]:
    settings = {"stride": (stride, stride), "padding": (padding, padding), "dilation": (1, 1), "groups": 1}
    return {name: dict(settings) for name in names}
