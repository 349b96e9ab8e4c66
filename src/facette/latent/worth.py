"""What an edit is worth: how strong it must be to be seen, in how many people, and whether they stay who they are.

Enters: a model whose file holds what `facette.dial.edits` measured. Leaves: a `Worth` for each attribute and way.
Nothing is measured here, and neither torch nor a judge is needed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from facette.errors import UsageError
from facette.latent.directions import RATED, known_directions
from facette.latent.edit import find_shift
from facette.model.interface import DrawingModel

Way = Literal["raise", "lower"]
WAYS: tuple[Way, ...] = get_args(Way)
SIGN: dict[Way, int] = {"raise": 1, "lower": -1}

SEEN = 0.8  # of the people, in whose pictures an edit must be seen
SAME = 0.97  # of the people, who must stay the same person
USUAL = 2.0  # standard deviations, where nothing was measured


@dataclass(frozen=True, slots=True)
class Worth:
    """One attribute raised or lowered, in people who were without it, or had it; with the photo's own details."""

    # the least, in standard deviations, at which it is seen often enough; else the strongest tried
    strength: float
    seen: float  # share of the people, 0…1
    same: float | None  # share who stay the same person; None: nobody judged
    people: int  # how many there were

    @property
    def offered(self) -> bool:
        """Whether the model can do it: it is seen in enough people, and they stay who they are."""
        return self.seen >= SEEN and (self.same is None or self.same >= SAME)


def known_worth(model: DrawingModel) -> dict[str, dict[Way, Worth]]:
    """Attribute → way → worth, as the model's file has it; empty where nothing was measured. A way that too few people
    could go is left out."""
    rows = model.metrics.get(RATED, {}).get("attributes", {})
    return {name: {way: Worth(**ways[way]) for way in WAYS if way in ways} for name, ways in rows.items()}


def figures_of(worth: dict[str, dict[Way, Worth]], data: str) -> dict[str, Any]:
    """The same as plain values for a model file."""
    rows = {name: {way: asdict(figure) for way, figure in ways.items()} for name, ways in worth.items()}
    return {RATED: {"data": data, "attributes": rows}}


def usual_strength(model: DrawingModel, name: str, way: Way) -> float:
    """How far to go where nobody says it, with its sign; 2 where nothing was measured.

    Raises UsageError where the model cannot do it.
    """
    worth = known_worth(model)
    if not worth:
        return SIGN[way] * USUAL
    figure = worth.get(name, {}).get(way)
    if figure is None:
        raise UsageError(
            f"nobody knows how far to {way} {name}: say a strength, such as {name}={SIGN[way] * USUAL:+g}"
        )
    if not figure.offered:
        raise UsageError(
            f"{model.name} cannot {way} {name} for most people ({doubt(figure)}): "
            f"say a strength, such as {name}={SIGN[way] * figure.strength:+g}, to try it all the same"
        )
    return SIGN[way] * figure.strength


def doubt(figure: Worth) -> str:
    """Why an edit is not offered, in words."""
    if figure.seen < SEEN:
        return f"at {figure.strength:g} it is seen in {figure.seen:.0%}"
    return f"at {figure.strength:g} only {figure.same or 0:.1%} stay the same person"


def worth_rows(model: DrawingModel) -> dict[str, Any]:
    """Everything about every attribute, as plain values: `raise` and `lower`, each with its worth, whether it is
    offered, and which other scores it moves. Raises UsageError for a model that knows no attributes."""
    directions, worth = known_directions(model), known_worth(model)
    rows: dict[str, Any] = {}
    for name in directions.names:
        rows[name] = {
            way: asdict(figure)
            | {
                "offered": figure.offered,
                "also": find_shift(directions, {name: SIGN[way] * figure.strength}).notable,
            }
            for way, figure in worth.get(name, {}).items()
        }
    return {"measured": bool(worth), "attributes": rows}


def worth_table(told: dict[str, Any]) -> str:
    """What `worth_rows` gives, to read: first what the model can do, least strength first, then what it cannot."""
    if not told["measured"]:
        names = ", ".join(told["attributes"])
        return f"{names}\nHow far each takes was not measured: facette attributes rate MODEL DATA"
    rows = [(name, way, row) for name, ways in told["attributes"].items() for way, row in ways.items()]
    rows.sort(key=lambda row: (row[2]["strength"], -row[2]["seen"]))
    can, cannot = ([row for row in rows if row[2]["offered"] is offered] for offered in (True, False))
    lines = [f"{'to ask for':<24}{'is':>6}{'seen in':>9}{'same person':>13}  moves too"]
    lines += [_line(*row) for row in can]
    if cannot:
        lines += ["", "not offered: seen too seldom, or in too many no longer the person"]
        lines += [_line(*row) for row in cannot]
    unknown = [name for name, ways in told["attributes"].items() if not ways]
    return "\n".join(lines + (["", f"not measured: {', '.join(unknown)}"] if unknown else []))


def _line(name: str, way: Way, row: dict[str, Any]) -> str:
    asked = name if way == "raise" else f"{name}=-"
    same = "" if row["same"] is None else f"{row['same']:.1%}"
    also = ", ".join(f"{other} {effect:+.1f}" for other, effect in list(row["also"].items())[:3])
    return f"{asked:<24}{SIGN[way] * row['strength']:>+6g}{row['seen']:>9.0%}{same:>13}  {also}".rstrip()
