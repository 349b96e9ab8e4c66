"""What a collection of any size takes: `python scripts/docs/scaling_plan.py [PICTURES]`. Bytes follow from the formats;
hours and money from throughputs and prices that stand below, each with where it comes from. Writes the tables of
docs/scaling.md between their markers; a test keeps them fresh.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "scaling.md"
BEGIN, END = "<!-- begin: python scripts/docs/scaling_plan.py -->", "<!-- end -->"
PICTURES = 100_000_000

LATENTS = 384  # of faces128
NAME = 24  # bytes of a picture's name with its folder
JPEG_BYTES = 5_100  # mean of the 26,250 crops of 128×128 that the rates below were measured on
VARIATION_BYTES = 8_900  # a 128×128 JPEG at quality 95 without chroma subsampling, as `vary-all` writes it
VARIATION_ROW = 875  # its row in the table: latent, name, seed, file
PARQUET_SHARE = {
    4: 0.80,
    2: 0.76,
}  # of the plain bytes of a float32 and a float16, measured on posteriors of faces
SHARD = {"encode": 4096, "vary-all": 512, "evaluate-all": 1024}
PACKED_EXTRA = (
    8 + 1 + 16 + 8
)  # a packed store's row beside its pixels: end of the name, state, digest, row number


@dataclass(frozen=True, slots=True)
class Rate:
    """Pictures a second of one core or card, and how that is known."""

    work: str
    command: str
    per_core: float  # measured
    gflop: float  # of the networks, for one picture


# One core (x86 server with AVX-512, CPU seconds, its neighbours busy), one shard after another, from JPEGs of 128×128;
# GFLOP by torch's counter, of the model and, for evaluate, of the network that looks at photos and reconstructions.
RATES = (
    Rate("encode", "facette encode faces128 faces128/", 830.0, 0.15),
    Rate("ten variations, plain", "facette vary-all faces128 faces128/ --plain", 52.0, 2.1),
    Rate("ten variations, sharp", "facette vary-all faces128 faces128/ --details model", 10.4, 13.7),
    Rate("evaluate, both stages", "facette evaluate-all faces128 faces128/", 33.0, 2.3),
)
CORES = (1, 64, 1024)
DECODED = 1_500.0  # such JPEGs that one core decodes and resizes in a second, measured
CARD_TFLOPS, CARD_SHARE, CARD_CORES = (
    400.0,
    0.10,
    16,
)  # estimates: bf16 peak, what small convolutions reach, its host

PRICES = {"core-hour": 0.04, "card-hour": 3.00, "TB-month": 20.0}  # assumptions, in any currency


def bytes_table(pictures: int) -> str:
    """Where the bytes are."""
    pixels = {side: side * side * 3 + PACKED_EXTRA + NAME for side in (64, 128)}
    latents = {each: 2 * LATENTS * each for each in (4, 2)}  # by the bytes of a number
    rows = [
        ("JPEGs of 128×128", JPEG_BYTES),
        ("packed store, 64×64", pixels[64]),
        ("packed store, 128×128", pixels[128]),
        ("μ and σ, float32, in memory", latents[4]),
        ("`encode`: Parquet", round(latents[4] * PARQUET_SHARE[4]) + NAME + 8),
        ("`encode --half`: Parquet", round(latents[2] * PARQUET_SHARE[2]) + NAME + 8),
        ("`vary-all -n 10`: JPEGs", 10 * VARIATION_BYTES),
        ("`vary-all -n 10`: latents", 10 * VARIATION_ROW),
        ("a listing: names and where they end", NAME + 8),
    ]
    body = [(what, f"{each:,}", size(each * pictures)) for what, each in rows]
    return table(("what", "bytes a picture", f"{pictures:,} pictures"), body)


def hours_table(pictures: int) -> str:
    """How long each job takes, by cores, and what a card might do."""
    body = []
    for rate in RATES:
        cores = [span(pictures / rate.per_core / cores) for cores in CORES]
        body.append(
            (
                rate.work,
                f"`{rate.command}`",
                f"{rate.per_core:g}",
                *cores,
                f"{span(pictures / card_rate(rate))} (estimate)",
            )
        )
    heads = ("job", "command", "pictures/s of a core", *(f"{n:,} core{'s' if n > 1 else ''}" for n in CORES))
    return table((*heads, f"one card and {CARD_CORES} cores"), body)


def card_rate(rate: Rate) -> float:
    """Pictures a second of one card and its host, an estimate: what its arithmetic allows, or what its cores decode."""
    return min(CARD_TFLOPS * 1000 * CARD_SHARE / rate.gflop, CARD_CORES * DECODED)


def cost_table(pictures: int) -> str:
    """Money by the prices above."""
    body = []
    for rate in RATES:
        core_hours = pictures / rate.per_core / 3600
        card_hours = pictures / card_rate(rate) / 3600
        on_cards = card_hours * (PRICES["card-hour"] + CARD_CORES * PRICES["core-hour"])
        body.append(
            (
                rate.work,
                f"{core_hours:,.0f}",
                f"{core_hours * PRICES['core-hour']:,.0f}",
                f"{card_hours:,.1f} (estimate)",
                f"{on_cards:,.0f} (estimate)",
            )
        )
    stored = pictures * JPEG_BYTES / 1e12 * PRICES["TB-month"]
    heads = (
        "job",
        "core-hours",
        f"at {PRICES['core-hour']} each",
        "card-hours",
        f"at {PRICES['card-hour']} each",
    )
    return (
        table(heads, body)
        + f"\n\nKeeping the JPEGs: {stored:,.0f} a month at {PRICES['TB-month']:g} for a TB."
    )


def files_table(pictures: int) -> str:
    """How many files there are."""
    shards = {task: -(-pictures // size) for task, size in SHARD.items()}
    rows = [
        ("the pictures themselves", pictures),
        ("`encode` into a folder: tables and accounts", 2 * shards["encode"]),
        ("`vary-all -n 10`: one file a variation", 10 * pictures + 2 * shards["vary-all"]),
        ("`vary-all -n 10 --zip`", 3 * shards["vary-all"]),
        ("`evaluate-all`: sums and accounts", 2 * shards["evaluate-all"]),
    ]
    return table(("what", "files"), [(what, f"{count:,}") for what, count in rows])


def page(pictures: int = PICTURES) -> str:
    """All tables, as they stand in the page."""
    return "\n\n".join(
        [
            f"### Bytes\n\n{bytes_table(pictures)}",
            f"### Files\n\n{files_table(pictures)}",
            f"### Hours\n\n{hours_table(pictures)}",
            f"### Money\n\n{cost_table(pictures)}",
        ]
    )


def size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            return f"{count:.3g} {unit}"
        count /= 1000
    raise AssertionError


def span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    if seconds < 72 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:,.0f} days"


def table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def refreshed(text: str) -> str:
    """The page with fresh tables."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{page()}\n\n{END}{after}"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(page(int(sys.argv[1].replace("_", ""))))
    else:
        PAGE.write_text(refreshed(PAGE.read_text("utf-8")), encoding="utf-8")
        print(PAGE)
