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

    found = inspect_checkpoint(file)
    text = with_options(_describe(found, None if every else _LINES), "import")
    emit(asdict(found), text, as_json)


def _describe(found: Inspection, most: int | None) -> str:
    from facette.checkpoint.foreign.inert import printable

    count, total = len(found.tensors), sum(tensor.bytes for tensor in found.tensors)
    name = printable(found.file)
    lines = [
        f"{name}: {found.format}, {found.bytes:,} bytes, {count} tensors of {total:,} bytes",
        "",
        printable(found.verdict),
    ]
    if found.suspicious:
        lines += ["", "suspicious", *(f"  {printable(what)}" for what in found.suspicious)]
    for network in found.networks:
        told = network.problem or "; ".join(network.questions) or "ready to import"
        latent = f", latent {network.latent}" if network.latent else ""
        lines += [
            "",
            f"network {printable(network.weights)}: {network.network}{latent}",
            f"  {printable(told)}",
        ]
    if found.values:
        lines += [
            "",
            "values",
            *(f"  {printable(name)} = {printable(value)}" for name, value in found.values.items()),
        ]
    if found.classes:
        lines += ["", "classes of its objects", *(f"  {printable(name)}" for name in found.classes)]
    if found.opcodes:
        counts = ", ".join(f"{name} {count:,}" for name, count in sorted(found.opcodes.items()))
        lines += ["", "instructions that name or build things (none was carried out)", f"  {counts}"]
    if found.tensors:
        lines += ["", "tensors", *_tensors(found, most)]
    return "\n".join(lines)


def _tensors(found: Inspection, most: int | None) -> list[str]:
    from facette.checkpoint.foreign.inert import printable

    shown = found.tensors[:most]
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
    rest = len(found.tensors) - len(shown)
    return [*lines, f"  and {rest:,} more (--all lists them)"] if rest else lines
