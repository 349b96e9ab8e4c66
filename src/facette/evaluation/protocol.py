"""Under which conditions a distance between distributions was made; without them the number means nothing.

Enters: the conditions, and figures that carry them. Leaves: the figures, or one sentence why they do not compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from facette.errors import UsageError


@dataclass(frozen=True, slots=True)
class Protocol:
    """Everything that moves a distance between distributions without a change of the model."""

    network: str  # its name and the hash of its weights
    resize: str  # how pictures reach the network's size
    format: str  # what the pictures were when they reached it, e.g. "uint8 RGB"
    split: str  # which part of which data stands for the real
    count: int  # pictures on either side


def require_same(protocols: Sequence[Protocol]) -> Protocol:
    """The one protocol of figures that are to be compared.

    Raises UsageError naming the first condition in which two of them differ.
    """
    if not protocols:
        raise UsageError("there is nothing to compare: give at least one figure with its protocol.")
    first = protocols[0]
    for other in protocols[1:]:
        for field in fields(Protocol):
            ours, theirs = getattr(first, field.name), getattr(other, field.name)
            if ours != theirs:
                raise UsageError(
                    f"these figures do not compare: one was made with {field.name} {ours!r}, another with {theirs!r}; "
                    "measure both under one protocol."
                )
    return first
