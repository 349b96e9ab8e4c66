"""The figures as one page of Markdown tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from statistics import median
from typing import Any

Figures = dict[str, Any]


def page(results: Figures) -> str:
    """All sections that were measured, in the order of the benchmark, on each machine; ratios side by side first."""
    lines = [
        "# Speed",
        "",
        "Written by `python benchmarks/speed.py`; what the figures mean: docs/speed.md.",
        "",
        *_side_by_side(results),
    ]
    for name, section in SECTIONS.items():
        if name in results:
            lines += [f"## {name}", ""]
            for machine, figures in results[name].items():
                lines += [f"*{machine}, {figures['date']}*", "", *section(figures), ""]
    return "\n".join(lines)


def _side_by_side(results: Figures) -> list[str]:
    """What each machine says, in ratios."""
    machines = list(dict.fromkeys(machine for found in results.values() for machine in found))

    def cell(section: str, machine: str, read: Callable[[Figures], str]) -> str:
        found = results.get(section, {}).get(machine)
        return "" if found is None else read(found)

    def faster(found: Figures) -> str:
        return f"{median(found['times_as_fast']['steady']):.2f} ×"

    def share(stage: str) -> Callable[[Figures], str]:
        return lambda found: f"{found[stage]['share_of_convolution_peak']:.0%}"

    columns: dict[str, tuple[str, Callable[[Figures], str]]] = {
        "classic network ÷ textbook": ("classic150", faster),
        "VanillaVAE ÷ textbook": ("vanilla64", faster),
        "pythae's network ÷ pythae": ("pythae", lambda found: f"{median(found['times_as_fast']):.2f} ×"),
        "memory, spared ÷ pythae": (
            "pythae",
            lambda found: f"{found.get('spared_memory_share', found['memory_share']):.2f}",
        ),
        "faces128, of the peak": ("stages", share("core")),
        "its second stage": ("stages", share("second stage")),
    }
    body = [[m, *(cell(section, m, read) for section, read in columns.values())] for m in machines]
    return [*rows(["", *columns], body), ""]


def rows(head: Iterable[str], body: Iterable[Iterable[Any]]) -> list[str]:
    head = list(head)
    cells = [[str(cell) for cell in row] for row in body]
    return [
        "| " + " | ".join(head) + " |",
        "| " + " | ".join("---" for _ in head) + " |",
        *("| " + " | ".join(row) + " |" for row in cells),
    ]


def _textbook(found: Figures) -> list[str]:
    sides = [found["textbook"], found["facette"]]
    faster = {key: f"{median(values):.2f} ×" for key, values in found["times_as_fast"].items()}

    def row(label: str, key: str, ratio: str = "") -> list[Any]:
        return [label, *(side.get(key, "") for side in sides), faster.get(ratio, "")]

    curves = found["curves"]
    table = rows(
        ["", "textbook", "Facette", "times as fast"],
        [
            row("images/s, after the first epoch", "steady_images_per_second", "steady"),
            row("first epoch, packing included, s", "first_epoch_s", "first_epoch"),
            row(f"whole run of {found['epochs']} epochs, packing included, s", "whole_run_s", "whole_run"),
            row("the same from the start of the process, s", "process_s", "whole_run_with_imports"),
            row("of which packing, s", "packing_s"),
            row("to the end of the first step, imports included, s", "first_step_s"),
            row("peak memory, anonymous, MB", "peak_anonymous_mb"),
        ],
    )
    mine, theirs = curves["squared_error"]
    words = (
        f"{found['pictures']} pictures. Squared error per value over the second half of the steps: Facette {mine}, "
        f"textbook {theirs}; step by step {curves['squared_error_apart']:.1%} apart, two textbook runs with different "
        f"noise {curves['squared_error_apart_by_noise_alone']:.1%}. "
        f"Rate: {curves['rate'][0]} and {curves['rate'][1]} nats."
    )
    return [*table, "", words]


def _pythae(found: Figures) -> list[str]:
    sides = [found["pythae"], found["facette"]]
    table = rows(
        ["", "pythae", "Facette", "ratio"],
        [
            [
                "images/s, same network",
                *(s["images_per_second"] for s in sides),
                f"{median(found['times_as_fast']):.2f}",
            ],
            [
                f"peak memory on {found['memory_pictures']:,} pictures, anonymous, MB",
                *found["memory_mb"].values(),
                f"{found['memory_share']:.2f}",
            ],
            ["of which came with the pictures, MB", *found["memory_grown_mb"].values(), ""],
            *_spared(found),
        ],
    )
    return [*table, "", f"Batches of {found['batch']}; one picture's training step needs 16.9 GFLOP."]


def _spared(found: Figures) -> list[list[Any]]:
    """The row of a run that spares memory; older figures have none."""
    if "spared_memory_mb" not in found:
        return []
    theirs, ours, share = (
        found["memory_mb"]["pythae"],
        found["spared_memory_mb"],
        found["spared_memory_share"],
    )
    return [["the same with train.recompute and train.fused_update, MB", theirs, ours, f"{share:.2f}"]]


def _faces64(found: Figures) -> list[str]:
    theirs, ours = found["pythae"], found["facette"]
    share = (
        "not reached" if found["share_of_time"] is None else f"1/{1 / found['share_of_time']:.1f} of the time"
    )
    return [
        f"pythae's network after {theirs['seconds']} s and {theirs['pictures_seen']} pictures: mean squared error "
        f"{theirs['validation_mse']} on held-out pictures, unexplained variance {theirs['unexplained_variance']}. "
        f"faces64 is there after {ours['seconds']} s, of which {ours['of_which_imports_and_packing']} s are imports "
        f"and packing: {share}."
    ]


def _parts(found: Figures) -> list[str]:
    networks = {k: v for k, v in found.items() if isinstance(v, dict)}
    lines: list[list[Any]] = [
        [f"{part}, ms", *(f["milliseconds"][part] for f in networks.values())]
        for part in ("data", "forward", "backward", "optimizer")
    ]
    totals = (
        ("batch", "batch"),
        ("images/s", "images_per_second"),
        ("GFLOP of one picture", "gflop_per_picture"),
        ("GFLOP/s of the step", "gflops"),
        ("convolution peak, GFLOP/s", "convolution_peak_gflops"),
        ("matrix product peak, GFLOP/s", "matrix_peak_gflops"),
    )
    lines += [[label, *(f[key] for f in networks.values())] for label, key in totals]
    lines.append(
        [
            "**share of the convolution peak**",
            *(f"{f['share_of_convolution_peak']:.0%}" for f in networks.values()),
        ]
    )
    return rows(["", *networks], lines)


def _stages(found: Figures) -> list[str]:
    stages = {name: figures for name, figures in found.items() if isinstance(figures, dict)}
    lines = [
        [
            name,
            *(figures[key] for key in ("batch", "images_per_second", "gflop_per_picture", "gflops")),
            figures["convolution_peak_gflops"],
            f"{figures['share_of_convolution_peak']:.0%}",
        ]
        for name, figures in stages.items()
    ]
    peak = "convolution peak, GFLOP/s"
    return rows(["faces128", "batch", "images/s", "GFLOP of one picture", "GFLOP/s", peak, "share"], lines)


def _memory(found: Figures) -> list[str]:
    pairs = zip(found["pictures"], found["peak_anonymous_mb"], strict=True)
    table = rows(["packed pictures", "peak memory, anonymous, MB"], [[f"{n:,}", mb] for n, mb in pairs])
    return [*table, "", f"{found['grown']:+.1%} from the first row to the last."]


def _sparing(found: Figures) -> list[str]:
    networks = {name: ways for name, ways in found.items() if isinstance(ways, dict)}
    lines = [
        [
            f"{name}, {way}",
            figures["images_per_second"],
            f"{figures['images_per_second'] / ways['neither']['images_per_second']:.2f}",
            figures["peak_anonymous_mb"],
            f"{figures['peak_anonymous_mb'] / ways['neither']['peak_anonymous_mb']:.2f}",
        ]
        for name, ways in networks.items()
        for way, figures in ways.items()
    ]
    return rows(["", "images/s", "ratio", "peak memory, anonymous, MB", "ratio"], lines)


def _scaling(found: Figures) -> list[str]:
    lines = [
        [key, value, figures["images_per_second"], figures["peak_anonymous_mb"]]
        for key, axis in found.items()
        if isinstance(axis, dict)
        for value, figures in axis.items()
    ]
    return rows(["faces64 with", "", "images/s", "peak memory, MB"], lines)


SECTIONS: dict[str, Callable[[Figures], list[str]]] = {
    "classic150": _textbook,
    "vanilla64": _textbook,
    "pythae": _pythae,
    "faces64": _faces64,
    "parts": _parts,
    "stages": _stages,
    "memory": _memory,
    "sparing": _sparing,
    "scaling": _scaling,
}
