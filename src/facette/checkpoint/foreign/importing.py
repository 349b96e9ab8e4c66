"""A foreign checkpoint becomes a model of Facette's own.

Enters: a path and the user's answers to what weights cannot tell. Leaves: a `TrainedModel` in evaluation
mode, whose provenance says what was found, inferred, kept and fixed; and its model folder when one is asked
for. Nothing of the file is executed: tensors are copied out of it number by number, after their shapes were
checked.
"""

import fnmatch
import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from facette.checkpoint.foreign.candidates import Candidate, choose, find_candidates, is_counter
from facette.checkpoint.foreign.container import open_checkpoint
from facette.checkpoint.foreign.families import plan
from facette.checkpoint.foreign.inert import ITEM_BYTES, TensorRef, printable
from facette.checkpoint.foreign.limits import GIB, Limits
from facette.checkpoint.foreign.opened import ForeignCheckpoint
from facette.checkpoint.foreign.plan import Answers, ImportPlan
from facette.checkpoint.foreign.weights import walk_tensors
from facette.checkpoint.native import save_model
from facette.errors import CheckpointError, RecipeError, UsageError
from facette.model.trained import TrainedModel
from facette.model.vae import build_vae, data_shape
from facette.recipe import Recipe, load_recipe, parse_recipe

_LARGEST_SIDE = 2048  # pixels: one picture passes through the network to see whether it draws
_SHOWN = 12  # names listed in one error message


def import_checkpoint(
    path: str | Path,
    out: str | Path | None = None,
    *,
    recipe: str | Path | Recipe | None = None,
    range: Literal["unit", "symmetric"] | None = None,
    image_size: int | None = None,
    output: Literal["sigmoid", "tanh"] | None = None,
    weights: str | None = None,
    drop: Sequence[str] = (),
) -> TrainedModel:
    """Read somebody else's VAE weights, running none of its code, and write them as a model folder at `out`.

    `recipe` names the network the weights must fit; otherwise it is inferred from names and shapes, and
    `range`, `image_size` (pixels) and `output` answer what they leave open. `weights` chooses among several
    sets in one file, by the name that the error lists. `drop` holds patterns of extra tensors to leave out
    knowingly. Raises CheckpointError, in one sentence, for files that are hostile, damaged, unknown,
    ambiguous, or that lack tensors or have more than the network needs.
    """
    wanted = load_recipe(recipe) if isinstance(recipe, (str, Path)) else recipe
    answers = _answers(wanted, Answers(image_size, range, output))
    with open_checkpoint(path) as checkpoint:
        candidate = _recognise(checkpoint, weights)
        design = _plan(candidate, answers, wanted)
        if design.questions:
            raise CheckpointError(
                f"{_inferred(design)}, but its tensors leave open: {'; '.join(design.questions)}"
            )
        final = _fitting(design, wanted)
        dropped = _check_names(candidate, design, drop)
        _check_settings(candidate, design)
        state = _load(checkpoint, candidate, design, final)
        model = _assemble(final, state)
        notes = [*_findings(checkpoint, candidate, design, dropped), *design.notes]
        model.provenance = _provenance(checkpoint, candidate, design, notes)
    if out is not None:
        save_model(model, out)
    return model


def _answers(wanted: Recipe | None, answers: Answers) -> Answers:
    """What the user said, by options or by naming a recipe; raises UsageError when the two contradict."""
    if wanted is None:
        return answers
    if wanted.input.kind != "image" or wanted.model.decoder.kind != "conv":
        raise UsageError(
            f"recipe {wanted.name!r} is no convolutional network for pictures: none can be imported as it"
        )
    drawn = wanted.model.decoder.output
    square = wanted.input.size if isinstance(wanted.input.size, int) else None
    told = Answers(square, wanted.input.range, None if drawn == "identity" else drawn)
    for name in ("image_size", "range", "output"):
        option, recipe = getattr(answers, name), getattr(told, name)
        if option not in (None, recipe):
            raise UsageError(f"`{name}={option}` contradicts recipe {wanted.name!r}, which has {recipe}")
    return told


def _recognise(checkpoint: ForeignCheckpoint, label: str | None) -> Candidate:
    candidates = find_candidates(checkpoint)
    if candidates:
        return choose(candidates, label)
    names = [path for path, _ in walk_tensors(checkpoint.root)]
    if not names:
        raise CheckpointError(f"holds no tensors (it is a {checkpoint.format} file)")
    raise CheckpointError(
        f"holds {len(names)} tensors, but not of a network Facette knows (vae-torch-celeba, VanillaVAE, celeba64, "
        f"pythae's CelebA VAE); its tensors begin with {_listed(names, 4)}"
    )


def _plan(candidate: Candidate, answers: Answers, wanted: Recipe | None) -> ImportPlan:
    try:
        return plan(candidate.family, candidate.shapes, answers, candidate.evidence)
    except CheckpointError as error:
        if wanted is None:
            raise
        raise CheckpointError(f"it does not fit recipe {wanted.name!r}: {error}") from error


def _inferred(design: ImportPlan) -> str:
    """What the tensors told, for a person who is asked for the rest."""
    model = design.recipe["model"]
    channels = "-".join(str(layer["channels"]) for layer in model["encoder"]["layers"])
    return f"it is {design.title} (channels {channels}, latent {model['latent']})"


def _fitting(design: ImportPlan, wanted: Recipe | None) -> Recipe:
    """The recipe to build; raises CheckpointError when the one asked for is of another network."""
    try:
        inferred = parse_recipe(design.recipe)
    except RecipeError as error:
        raise CheckpointError(f"its shapes make no network: {error}") from error
    if inferred.input.kind == "image" and inferred.input.longest > _LARGEST_SIDE:
        raise CheckpointError(
            f"its pictures would be {inferred.input.longest:,} pixels wide, more than the {_LARGEST_SIDE:,} imported "
            "here"
        )
    if wanted is None:
        return inferred
    for part in ("latent", "encoder", "decoder", "posterior"):
        asked, inferred_part = getattr(wanted.model, part), getattr(inferred.model, part)
        if asked != inferred_part:
            told = f" ({inferred_part} in the file, {asked} in the recipe)" if part == "latent" else ""
            raise CheckpointError(
                f"its {part} is not that of recipe {wanted.name!r}{told}: leave `recipe` away to infer it"
            )
    return wanted


def _check_names(candidate: Candidate, design: ImportPlan, drop: Sequence[str]) -> list[str]:
    """Compare the names there are with those needed; returns the extra ones that were left out knowingly."""
    needed = {name for names in design.mapping.values() for name in names}
    missing = sorted(needed - candidate.tensors.keys() - design.optional)
    beside = {**{n: r for n, r in candidate.tensors.items() if n not in needed}, **candidate.others}
    extra = [n for n, ref in beside.items() if not is_counter(n, ref)]
    dropped = [n for n in extra if any(fnmatch.fnmatchcase(n, pattern) for pattern in drop)]
    extra = sorted(set(extra) - set(dropped))
    problems = []
    if missing:
        problems.append(f"it lacks {len(missing)} tensors of {design.title}: {_listed(missing)}")
    if extra:
        problems.append(
            f"it has {len(extra)} tensors that {design.title} does not use: {_listed(extra)} (leave them out "
            "by `drop`)"
        )
    if problems:
        raise CheckpointError("; ".join(problems))
    return dropped


def _check_settings(candidate: Candidate, design: ImportPlan) -> None:
    """A pickled module also tells strides, slopes and the like, which no shape shows."""
    for name, expected in design.settings.items():
        layer = candidate.evidence.layers.get(name)
        if layer is None:
            continue
        for setting, value in expected.items():
            actual = layer.settings.get(setting, value)
            if actual != value and not (isinstance(value, tuple) and (actual,) * len(value) == value):
                raise CheckpointError(
                    f"its layer {name!r} has {setting} {actual!r}, where {design.title} has {value!r}"
                )


def _load(
    checkpoint: ForeignCheckpoint, candidate: Candidate, design: ImportPlan, recipe: Recipe
) -> dict[str, Tensor]:
    """Our tensors, filled from theirs. Every shape is checked before a single number is read."""
    try:
        with torch.device("meta"):  # shapes alone: a hostile file must not make us allocate
            needed = {n: tuple(t.shape) for n, t in build_vae(recipe).state_dict().items()}
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(f"its shapes make no network: {error}") from error
    wrong = []
    for ours, theirs in design.mapping.items():
        shapes = [candidate.tensors[n].shape for n in theirs if n in candidate.tensors]
        if len(shapes) == len(theirs) and _stacked(shapes) != needed.get(ours):
            expected = needed.get(ours)
            wrong.append(f"{' + '.join(theirs)} {_stacked(shapes)} instead of {expected}")
    if wrong:
        raise CheckpointError(
            f"{len(wrong)} of its tensors have other shapes than {design.title}: {_listed(wrong, 4)}"
        )
    size = 4 * sum(math.prod(needed[ours]) for ours in design.mapping)
    if size > Limits().model_bytes:
        raise CheckpointError(f"its network would take {size / GIB:.1f} GiB, more than Facette imports")
    state = {}
    for ours, theirs in design.mapping.items():
        if theirs[0] in candidate.tensors:
            state[ours] = torch.cat([_read(checkpoint, n, candidate.tensors[n]) for n in theirs]).view(
                needed[ours]
            )
    return state


def _stacked(shapes: list[tuple[int, ...]]) -> tuple[int, ...] | None:
    """The shape of tensors joined along their first dimension; None when they cannot be."""
    if len(shapes) == 1:
        return shapes[0]
    if any(not shape or shape[1:] != shapes[0][1:] for shape in shapes):
        return None
    return (sum(shape[0] for shape in shapes), *shapes[0][1:])


def _read(checkpoint: ForeignCheckpoint, name: str, ref: TensorRef) -> Tensor:
    """One tensor, at least one-dimensional: float32, or int64 when it holds whole numbers. Checked to be
    finite.
    """
    raw = bytearray(checkpoint.read(ref))
    if not raw:
        raise CheckpointError(f"its tensor {name!r} is empty")
    if checkpoint.swapped:
        raw = bytearray(
            torch.frombuffer(raw, dtype=torch.uint8).view(-1, ITEM_BYTES[ref.dtype]).flip(1).numpy()
        )
    flat = torch.frombuffer(raw, dtype=getattr(torch, ref.dtype))
    # safe: `tensor_ref` proved that shape and stride stay within the bytes just read
    values = flat.as_strided(ref.shape, ref.stride)
    values = values.to(torch.float32 if values.is_floating_point() else torch.int64, copy=True).contiguous()
    if not torch.isfinite(values).all():
        raise CheckpointError(
            f"its tensor {name!r} holds numbers that are not finite: the training had failed"
        )
    if name.endswith("running_var") and bool((values < 0).any()):
        raise CheckpointError(f"its tensor {name!r} holds a negative variance")
    return values.reshape(-1) if values.ndim == 0 else values


def _assemble(recipe: Recipe, state: dict[str, Tensor]) -> TrainedModel:
    with torch.random.fork_rng(devices=[]):  # an import leaves the caller's random numbers alone
        vae = build_vae(recipe)
    own = vae.state_dict()
    vae.load_state_dict({name: state.get(name, value) for name, value in own.items()})
    model = TrainedModel(vae=vae, recipe=recipe)
    with torch.inference_mode():
        mean = vae.encode(torch.full((1, *data_shape(recipe)), 0.25)).mean
        drawn = vae.decode(mean)
    if not (torch.isfinite(mean).all() and torch.isfinite(drawn).all()):
        raise CheckpointError("its weights do not give finite pictures")
    return model


def _findings(
    checkpoint: ForeignCheckpoint, candidate: Candidate, design: ImportPlan, dropped: list[str]
) -> list[str]:
    """What was in the file, as sentences."""
    kind = candidate.evidence.kind
    what = f"a pickled module of class {kind}" if kind else "a set of tensors"
    notes = [
        f"Imported from {checkpoint.path.name!r} ({checkpoint.format}), {what}, recognised as {design.title}; "
        "none of its code was run."
    ]
    used = {
        id(candidate.tensors[n]) for names in design.mapping.values() for n in names if n in candidate.tensors
    }
    beside = [path for path, ref in walk_tensors(checkpoint.root) if id(ref) not in used]
    if beside:
        notes.append(
            f"The file also holds {len(beside)} tensors that are not part of this network: "
            f"{_listed(beside, 6)}."
        )
    if dropped:
        notes.append(f"Left out by `drop`: {_listed(dropped)}.")
    if absent := sorted(design.optional - candidate.tensors.keys()):
        notes.append(
            f"The file lacks {len(absent)} counters that evaluation does not use: {_listed(absent, 3)}."
        )
    kinds = {ref.dtype for n, ref in candidate.tensors.items() if ref.dtype not in ("float32", "int64")}
    if kinds:
        notes.append(f"Its numbers were stored as {', '.join(sorted(kinds))} and are float32 here.")
    return notes


def _provenance(
    checkpoint: ForeignCheckpoint, candidate: Candidate, design: ImportPlan, notes: list[str]
) -> dict[str, Any]:
    with checkpoint.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    told = {
        "command": f"facette import {checkpoint.path.name}",
        "imported_from": checkpoint.path.name,
        "sha256": digest,
        "file_format": checkpoint.format,
        "network": design.title,
        "weight_set": candidate.label,
        "terms": f"Imported from {checkpoint.path.name}: the terms of whoever trained it apply.",
        "notes": notes,
    }
    return told | ({"pickled_class": candidate.evidence.kind} if candidate.evidence.kind else {})


def _listed(names: Sequence[str], most: int = _SHOWN) -> str:
    shown = printable(", ".join(name[:100] for name in names[:most]))
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
