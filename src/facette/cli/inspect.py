"""`facette inspect`: what is in a checkpoint, told without loading it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facette.cli.output import Json, emit

if TYPE_CHECKING:
    from facette.checkpoint.foreign import Inspection

_LINES = 200  # tensors listed before the rest is only counted


def inspect(
    file: Annotated[Path, typer.Argument(help="A .pth, .pt, .ckpt or .safetensors file.")],
    every: Annotated[bool, typer.Option("--all", help="List every tensor, however many there are.")] = False,
    as_json: Json = False,
) -> None:
    """Tell what a checkpoint holds and whether it is safe, without loading it or running any of it."""
    from dataclasses import asdict

    from facette.checkpoint.foreign import inspect_checkpoint
    from facette.cli import with_options

    inspection = inspect_checkpoint(file)
    text = with_options(_describe(inspection, None if every else _LINES), "import")
    emit(asdict(inspection), text, as_json)


def _describe(inspection: Inspection, most: int | None) -> str:
    from facette.checkpoint.foreign.inert import printable

    count, total = len(inspection.tensors), sum(tensor.bytes for tensor in inspection.tensors)
    name = printable(inspection.file)
    lines = [
        f"{name}: {inspection.format}, {inspection.bytes:,} bytes, {count} tensors of {total:,} bytes",
        "",
        printable(inspection.verdict),
    ]
    if inspection.suspicious:
        lines += ["", "suspicious", *(f"  {printable(what)}" for what in inspection.suspicious)]
    for network in inspection.networks:
        told = network.problem or "; ".join(network.questions) or "ready to import"
        latent = f", latent {network.latent}" if network.latent else ""
        lines += [
            "",
            f"network {printable(network.weights)}: {network.network}{latent}",
            f"  {printable(told)}",
        ]
    if inspection.values:
        lines += [
            "",
            "values",
            *(f"  {printable(name)} = {printable(value)}" for name, value in inspection.values.items()),
        ]
    if inspection.classes:
        lines += ["", "classes of its objects", *(f"  {printable(name)}" for name in inspection.classes)]
    if inspection.opcodes:
        counts = ", ".join(f"{name} {count:,}" for name, count in sorted(inspection.opcodes.items()))
        lines += ["", "instructions that name or build things (none was carried out)", f"  {counts}"]
    if inspection.tensors:
        lines += ["", "tensors", *_tensors(inspection, most)]
    return "\n".join(lines)


def _tensors(inspection: Inspection, most: int | None) -> list[str]:
    from facette.checkpoint.foreign.inert import printable

    shown = inspection.tensors[:most]
    rows = [
        (
            printable(t.name),
            "×".join(map(str, t.shape)) or "scalar",
            t.dtype,
            f"{t.bytes:,}",
            printable(t.location),
        )
        for t in shown
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = [
        f"  {name:<{widths[0]}}  {shape:<{widths[1]}}  {dtype:<{widths[2]}}  {size:>{widths[3]}}  {place}"
        for name, shape, dtype, size, place in rows
    ]
    rest = len(inspection.tensors) - len(shown)
    return [*lines, f"  and {rest:,} more (--all lists them)"] if rest else lines
