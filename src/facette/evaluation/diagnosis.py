"""What the doctor says: findings, each with its weight, its remedy, and what was measured.

In: nothing, these are results. Out: sentences for people, values for machines.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Kind = Literal[
    "nothing learnt", "unused units", "posterior collapse", "σ at its limit", "KL weight", "wrong range",
    "channel order", "blurred", "over-fitting", "memorised",
]  # fmt: skip
Weight = Literal["fatal", "fault", "advice"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, in words; the remedy, a line of a recipe or a command; what was measured.

    `weight`: "fatal", the model is of no use; "fault", something is wrong with it; "advice", it is as such models are,
    and could be better."""

    kind: Kind
    sentence: str
    remedy: str
    measured: dict[str, float]
    weight: Weight = "fault"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything found, and what could not be looked at for want of pictures or a journal."""

    model: str
    findings: tuple[Finding, ...]
    not_looked_at: tuple[str, ...]

    @property
    def healthy(self) -> bool:
        """Nothing is wrong; there may be advice."""
        return all(finding.weight == "advice" for finding in self.findings)

    @property
    def fails(self) -> bool:
        """The model is of no use."""
        return any(finding.weight == "fatal" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"healthy": self.healthy, "fails": self.fails}

    def lines(self) -> list[str]:
        """The diagnosis for people."""
        lines = [f"{self.model}: nothing wrong was found"] if self.healthy else [f"{self.model}:"]
        for finding in self.findings:
            kind = f"advice, {finding.kind}" if finding.weight == "advice" else finding.kind
            lines += [f"  {kind}: {finding.sentence}", f"      → {finding.remedy}"]
        return lines + [f"  not looked at: {what}" for what in self.not_looked_at]
