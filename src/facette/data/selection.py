"""What a model is measured on: any data brought into one form, and the part of it that is chosen.

In: a data store, an array, or a source; the wished split and count. Out: a `Selection`. Knows nothing of measures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from facette.data.aligned import ALIGNED, Align
from facette.data.people import find_groups, find_people, read_groups, read_people
from facette.errors import UsageError, check_count

if TYPE_CHECKING:
    from facette.data.attributes import FactorTable
    from facette.recipe import ImageInput, Recipe

Split = Literal["auto", "train", "valid", "test", "all"]
NOBODY = "none"  # in place of a list of people: do not ask who they are


class Trained(Protocol):
    """What is asked of a model here: what it takes, and what it says it was trained on."""

    @property
    def recipe(self) -> Recipe: ...

    @property
    def provenance(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Selection:
    """The data to measure on: a reader and the chosen indices; `store` is None for a plain array."""

    read: Callable[[NDArray], NDArray]
    indices: NDArray[np.integer]
    label: str
    split: str
    store: Any = None
    read_masked: Callable[[NDArray], NDArray] | None = None  # with masks behind them
    source: str | None = None  # the path that the store was made from
    people: NDArray[np.int64] | None = None  # (n,) of the chosen pictures, −1 where nobody knows
    groups: dict[str, NDArray[np.bool_]] = field(default_factory=dict)  # by age and origin, (n,) each

    def batches(self, size: int) -> Iterator[tuple[int, NDArray]]:
        """Each batch with the place of its first datum."""
        return self._batches(self.read, size)

    def encoded_batches(self, size: int) -> Iterator[tuple[int, NDArray]]:
        """The same as `read_encoded` gives them."""
        return self._batches(self.read_encoded, size)

    def read_encoded(self, indices: NDArray) -> NDArray:
        """What the model encodes: pictures with their masks behind them, where there are such."""
        return (self.read_masked or self.read)(indices)

    def _batches(self, read: Callable[[NDArray], NDArray], size: int) -> Iterator[tuple[int, NDArray]]:
        for start in range(0, len(self.indices), size):
            yield start, read(self.indices[start : start + size])

    def training_part(self, most: int, seed: int) -> Selection | None:
        """At most so many of the store's training pictures, drawn by the seed; None where what is measured may be
        among them."""
        if self.store is None or self.split not in ("valid", "test"):
            return None
        indices = np.asarray(self.store.indices("train"))
        if not len(indices):
            return None
        return replace(self, indices=_pick(indices, most, seed), split="train", people=None, groups={})

    def factors(self) -> FactorTable | None:
        """What the measured pictures were drawn from, where that is known: factors of the chosen pictures only."""
        table = getattr(self.store, "factors", None)
        return None if table is None else replace(table, values=table.values[self.indices])

    def at_side(self, spec: ImageInput, side: int) -> Selection:
        """The same pictures at another size, read from their own files, so that nothing of them is lost on the way;
        as they are where the files are not at hand."""
        if self.source is None or self.store is None:
            return self
        from facette.data.open import find_pictures

        files, names = find_pictures(self.source, spec, _alignment(self.store)), self.store.names
        place = {name: row for row, name in enumerate(files.names)}
        larger = spec.model_copy(update={"size": side})

        def read(indices: NDArray) -> NDArray:
            rows = [place[names[int(index)]] for index in indices]
            pixels = np.concatenate([files.block(row, row + 1, larger).pixels for row in rows])
            return pixels[..., : spec.channels]  # as the store gives them: no mask behind them

        return replace(self, read=read, read_masked=None)


def _alignment(store: Any) -> Align:
    """How the store's pictures were taken, so that they are taken again in the same way."""
    return "always" if ALIGNED in getattr(store, "kind", "") else "never"


def choose_data(
    model: Trained,
    data: Any,
    split: Split = "auto",
    count: int | None = None,
    seed: int = 0,
    label: str | None = None,
    *,
    source: str | Path | None = None,
    people: str | Path | None = None,
) -> Selection:
    """Open the data where need be and pick what is measured, as `evaluate` describes; a Selection passes through.

    `label` is what the report calls the data. `source`: the path that an open store was made from. `people`: a list
    of whose pictures they are; without one, that beside the source is taken, and "none" asks for none.
    """
    if isinstance(data, Selection):
        return data
    if split not in get_args(Split):
        raise UsageError(f"unknown split {split!r}: use one of {', '.join(get_args(Split))}.")
    if count is not None:
        check_count(count, least=2)
    if isinstance(data, np.ndarray) or hasattr(data, "__array__"):  # a tensor among others
        array = np.asarray(data)
        return Selection(
            array.__getitem__, _pick(np.arange(len(array)), count, seed), label or "an array", "all"
        )
    named = Path(data).name if isinstance(data, str | Path) else getattr(data, "source", "a data store")
    if isinstance(data, str | Path):
        from facette.data.open import open_dataset

        source, data = data, open_dataset(data, model.recipe.input)
    if split == "auto":
        split = "valid" if is_training_set(model, data) else "all"
    indices = np.asarray(data.indices(split))
    if not len(indices):
        raise UsageError(f"the split {split!r} of {label or named!r} is empty: use `split='all'`.")
    spec = model.recipe.input
    masked = data.read_masked if spec.kind == "image" and spec.masked else None
    chosen = Selection(data.read, _pick(indices, count, seed), label or named, split, data, masked)
    return _with_people(chosen, source, people) if _is_files(source) else chosen


def is_training_set(model: Trained, store: Any) -> bool:
    """Whether the store holds exactly the pictures the model says it was trained on."""
    return store.fingerprint == model.provenance.get("data_fingerprint")


def common_split(measured: Sequence[tuple[Any, Any]], split: Split) -> Split:
    """One split for several models, each with its store: `auto` is valid as soon as one was trained on its store."""
    if split != "auto" or len(measured) == 1:
        return split
    return "valid" if any(is_training_set(model, store) for model, store in measured) else "all"


def _is_files(source: str | Path | None) -> bool:
    return source is not None and Path(source).expanduser().exists()


def _with_people(chosen: Selection, source: str | Path | None, people: str | Path | None) -> Selection:
    """The selection with its source, and with the people and groups that lists beside it name."""
    assert source is not None
    path = Path(source).expanduser()
    chosen = replace(chosen, source=str(path))
    if people == NOBODY:
        return chosen
    listed = find_people(path) if people is None else Path(people).expanduser()
    grouped = find_groups(path)
    if listed is None and grouped is None:
        return chosen
    names = [chosen.store.names[int(index)] for index in chosen.indices]
    return replace(
        chosen,
        people=None if listed is None else read_people(listed, names),
        groups={} if grouped is None else read_groups(grouped, names),
    )


def _pick(indices: NDArray, count: int | None, seed: int) -> NDArray:
    if count is None or count >= len(indices):
        return indices
    return np.sort(np.random.default_rng(seed).choice(indices, count, replace=False))
