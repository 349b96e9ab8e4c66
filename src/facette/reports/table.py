"""Figures as rows of text: each measure's name, its value with interval and unit, and a sentence on what it means.

In: one or more `Evaluation`s. Out: rows, those of several models side by side. The words are those of the measures'
declarations; nothing is measured here, and nothing is judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from facette.evaluation.bound import ACTIVE_ABOVE
from facette.evaluation.identity import IdentityFigures
from facette.evaluation.protocol import require_same
from facette.evaluation.result import Evaluation, LatentFigures
from facette.measures import declarations
from facette.measures.intervals import Interval
from facette.measures.measure import Measure
from facette.measures.memory import CHANCE

AT_CEILING = 0.05  # nats below log N within which the data are all told apart
PRIORS = {"fitted": "the mixture fitted to the latents", "normal": "the prior trained with"}


@dataclass(frozen=True, slots=True)
class Line:
    """One figure for a table."""

    group: str
    label: str
    figure: str  # with its interval and unit
    sentence: str  # what it means


@dataclass(frozen=True, slots=True)
class Row:
    """One measure of several models."""

    group: str
    label: str
    figures: tuple[str, ...]  # one for each model; empty where it has none
    sentence: str


def title(evaluation: Evaluation) -> str:
    """What was measured on what."""
    unit = "pictures" if evaluation.kind == "image" else "points"
    return (
        f"{evaluation.model} on {evaluation.count:,} {unit} of {evaluation.data} "
        f"(split {evaluation.split}, seed {evaluation.seed})"
    )


def frames_sentence(evaluations: Sequence[Evaluation]) -> str:
    """A warning where the models do not see the same cut of the photos in the same size; empty where they do."""
    if len({evaluation.frame for evaluation in evaluations}) < 2:
        return ""
    frames = "; ".join(f"{evaluation.model} {evaluation.frame}" for evaluation in evaluations)
    return (
        f"The models see the same photos differently ({frames}). Every measure is taken against what the model was "
        "given: compare distributions with each model's own floor, and pixel measures with care."
    )


def side_by_side(evaluations: Sequence[Evaluation]) -> tuple[Row, ...]:
    """The lines of several models, those of one measure in one row, in the order in which they first appear.

    Raises UsageError where their FIDs were made under different protocols.
    """
    protocols = [
        evaluation.standard.protocol
        for evaluation in evaluations
        if evaluation.standard and evaluation.standard.protocol
    ]
    if protocols:
        require_same(protocols)
    by_model = [{(line.group, line.label): line for line in lines(evaluation)} for evaluation in evaluations]
    known = {key: line for model in reversed(by_model) for key, line in model.items()}
    groups = list(dict.fromkeys(group for model in by_model for group, _ in model))
    order = sorted(
        dict.fromkeys(key for model in by_model for key in model), key=lambda key: groups.index(key[0])
    )
    return tuple(
        Row(*key, tuple(model[key].figure if key in model else "" for model in by_model), known[key].sentence)
        for key in order
    )


def distribution_rows(evaluations: Sequence[Evaluation]) -> tuple[tuple[str, ...], ...]:
    """A row for every cloud of every model: its name and its figures, in the order of the declarations.

    Raises UsageError where the models were not measured under one protocol.
    """
    measured = [(each, each.distributions) for each in evaluations if each.distributions is not None]
    if measured:
        require_same([distributions.protocol for _, distributions in measured])
    several = len(evaluations) > 1
    return tuple(
        (_named(evaluation, row.of, several), *_cells(declarations.DISTRIBUTION, row))
        for evaluation, distributions in measured
        for row in (distributions.floor, *distributions.made)
    )


def identity_rows(evaluations: Sequence[Evaluation]) -> tuple[tuple[str, ...], ...]:
    """A row for every kind of drawings of every model, over all photos and then by group: its name, how many photos,
    the threshold of strangers, and its figures in the order of the declarations."""
    several = len(evaluations) > 1
    return tuple(
        (
            _named(evaluation, of, several),
            f"{pictures:,}",
            f"{threshold:.3f}",
            *_cells(declarations.IDENTITY, row),
        )
        for evaluation in evaluations
        if evaluation.identity is not None
        for of, pictures, threshold, row in _identity_rows(evaluation.identity)
    )


def identity_sentence(evaluations: Sequence[Evaluation]) -> str:
    """How it was judged who somebody is; empty where nobody was asked."""
    figures = next((each.identity for each in evaluations if each.identity is not None), None)
    if figures is None:
        return ""
    strangers = "different people" if figures.people_known else "photos, each counted as another person's"
    return (
        f"By {figures.network}, which no training uses. The threshold is the distance that 1 % of all pairs of "
        f"{strangers} are under, measured on these photos, and within a group on the group's own. Variations are "
        f"drawn by {figures.varied}."
    )


def _named(evaluation: Evaluation, of: str, several: bool) -> str:
    return f"{evaluation.model}: {of}" if several else of


def _identity_rows(figures: IdentityFigures) -> Iterator[tuple[str, int, float, Any]]:
    yield from ((row.of, row.pictures, figures.threshold, row) for row in figures.rows)
    for group in figures.groups:
        yield from ((f"{row.of}, {group.name}", row.pictures, group.threshold, row) for row in group.rows)


def _cells(measures: Iterable[Measure], row: Any) -> tuple[str, ...]:
    return tuple(str(getattr(row, measure.field)) for measure in measures)


# ── one model ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def lines(evaluation: Evaluation) -> tuple[Line, ...]:
    """Every figure that applies, in groups; distributions and identity have tables of their own."""
    scale = "pixel values from 0 to 1" if evaluation.kind == "image" else "the data's own units, squared"
    bound, sharpened = evaluation.bound, evaluation.sharpened
    return (
        *declared(
            "Reconstructions", declarations.RECONSTRUCTION, evaluation.reconstruction, {"scale": scale}
        ),
        *declared(
            "Sharpened reconstructions", declarations.RECONSTRUCTION, sharpened or {}, {"scale": scale}
        ),
        *declared("Likelihood", declarations.LIKELIHOOD, _fields(bound), _fields(bound)),
        *declared("Latents", declarations.LATENTS, {}, _latents(evaluation.latents, evaluation.count)),
        *_sample_lines(evaluation),
        *_standard_lines(evaluation),
        *declared("Factors", declarations.FACTORS, _fields(evaluation.disentanglement), {}),
    )


def declared(
    group: str, measures: Iterable[Measure], figures: Mapping[str, Any], context: Mapping[str, Any]
) -> Iterator[Line]:
    """A line for each measure that has a figure, or that the context has the words for."""
    for measure in measures:
        figure = figures.get(measure.field)
        if measure.shown and context:
            text = measure.shown.format_map(context)
        elif figure is not None:
            text = str(figure) if isinstance(figure, Interval) else f"{figure:.3g}"
        else:
            continue
        yield Line(
            group,
            measure.label.format_map(context),
            f"{text} {measure.unit}".strip(),
            measure.sentence.format_map(context),
        )


def _fields(figures: Any) -> dict[str, Any]:
    """A result's fields by name, without taking them apart further."""
    return {} if figures is None else {name: getattr(figures, name) for name in figures.__dataclass_fields__}


def _latents(figures: LatentFigures, count: int) -> dict[str, Any]:
    parts = figures.parts
    reached = ", reached: all are told apart" if parts.ceiling - parts.mutual_information < AT_CEILING else ""
    return (
        _fields(figures)
        | asdict(parts)
        | {
            "marginal_kl": parts.marginal_kl,
            "idlest": min(figures.rate_per_unit),
            "busiest": max(figures.rate_per_unit),
            "active_above": ACTIVE_ABOVE,
            "count": count,
            "reached": reached,
        }
    )


def _sample_lines(evaluation: Evaluation) -> Iterator[Line]:
    group, memory = "Samples", evaluation.memorisation
    for samples in evaluation.samples:
        context = _fields(samples) | {"of_prior": PRIORS[samples.prior]}
        yield from declared(group, declarations.SAMPLES, {}, context)
    if memory is not None:
        chance = {"chance": CHANCE, "others": 1 - CHANCE, "training_pictures": evaluation.training_pictures}
        yield from declared(group, declarations.MEMORY, {}, _fields(memory) | chance)
    for spread in evaluation.spreads:
        yield from declared(group, declarations.SPREAD, {}, _fields(spread))


def _standard_lines(evaluation: Evaluation) -> Iterator[Line]:
    group, figures = "Standard networks", evaluation.standard
    if figures is None:
        return
    perceived, *distances = declarations.STANDARD
    yield from declared(group, [perceived], _fields(figures), {"lpips_network": figures.lpips_network})
    for row in figures.rows:
        how = figures.protocol
        assert how is not None, "rows have a protocol"
        words = (
            f"{how.network}, {how.resize}, {how.format}, {how.split}, {how.count:,} pictures on either side."
        )
        yield from declared(group, distances, _fields(row), _fields(row) | {"protocol": words})
