"""How commands speak: results to stdout, progress and remarks to stderr."""

from __future__ import annotations

import codecs
import io
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer

from facette.progress import Progress

# What stands for our signs where a terminal does not have them.
PLAIN = {
    "−": "-",
    "×": "x",
    "…": "...",
    "→": "->",
    "·": "-",
    "±": "+-",
    "≥": ">=",
    "≤": "<=",
    "σ": "sigma",
    "μ": "mu",
    "ε": "eps",
}
PLAIN |= dict.fromkeys("─━╭╮╰╯│┃┌┐└┘├┤┬┴┼╞╡╶╴╸╺", "-") | {
    "“": '"',
    "”": '"',
    "’": "'",
    "–": "-",
    "β": "beta",
    "■": "#",
    "█": "#",
}

# seconds until progress is first told as a line, and between two lines
FIRST_LINE, LONGEST_SILENCE = 5.0, 60.0

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same result.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a value of the recipe, e.g. train.lr=3e-4."),
]
Pictures = Annotated[
    str, typer.Argument(help="A folder or zip of pictures, a CelebA folder, or synthetic-faces[:COUNT].")
]
FittingRecipe = Annotated[
    str,
    typer.Argument(
        metavar="[RECIPE]",
        help="A shipped recipe's name, or the path of a TOML file; left out, one is made for the pictures.",
    ),
]
Folders = Annotated[
    list[str] | None,
    typer.Argument(
        help="Folders or zips of pictures, CelebA folders, or synthetic-faces[:COUNT]; several are learned from as one."
    ),
]
Cache = Annotated[
    Path | None, typer.Option("--cache", help="Where packed pictures are kept.", file_okay=False)
]
AlignAll = Annotated[
    bool,
    typer.Option(
        "--align/--no-align",
        help="Where the pictures are photos, bring their faces into the model's frame (face models).",
    ),
]
Labels = Annotated[
    Path | None,
    typer.Option(
        "--labels",
        help="A CSV: the picture's name, then yes or no, classes, or numbers; or the word folders: each is a class. "
        "Left out: the CSV beside the pictures, or else their folders.",
    ),
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict", help="Refuse a data set with unreadable pictures, or lists that leave some out."
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check everything, show the plan, train nothing.")]


def speak_everywhere() -> None:
    """Let terminals and pipes of any encoding take what we say, and names that are no text; and let nobody listen."""
    codecs.register_error("facette", in_other_words)
    _open_what_is_closed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="facette")


def _open_what_is_closed() -> None:
    """Put the system's nowhere where standard streams were closed, as services and `>&-` do it: Python has None there,
    and the next file that is opened would get the number to which libraries write their warnings."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - until the process ends


def in_other_words(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    part = error.object[error.start : error.end]
    words = (PLAIN.get(letter) or letter.encode("ascii", "backslashreplace").decode() for letter in part)
    return "".join(words), error.end


def emit(data: dict[str, Any], text: str, as_json: bool) -> None:
    """The result on stdout: one JSON object for machines, or the text for people."""
    from facette.files import json_text

    if as_json:
        text = _STEERING.sub(lambda match: f"\\u{ord(match[0]):04x}", json_text(data).rstrip("\n"))
    sys.stdout.write(printable(text) + "\n")


# Control characters but for line ends and tabs, and what turns the direction of the letters behind it.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """Text without what steers a terminal: names in strangers' files may hold escape sequences.

    Names that are no Unicode, as files may have, are written with escapes.
    """
    return _STEERING.sub("�", text.encode("utf-8", "backslashreplace").decode())


class _Manner:
    """How this command speaks: what `--quiet` says is remembered here, since a remark is made anywhere below it."""

    quiet = False


def set_quiet(quiet: bool) -> None:
    """With `quiet`, neither remarks nor progress are shown from now on."""
    _Manner.quiet = quiet


def remark(sentence: str) -> None:
    """A sentence for people, on stderr."""
    if not _Manner.quiet:
        sys.stderr.write(f"{printable(sentence)}\n")


class Bar(Protocol):
    """How far a piece of work has come, on stderr."""

    def advance(self, count: int = 1) -> None: ...

    def total(self, total: int) -> None: ...

    def begin(self, done: int, total: int) -> None:
        """A new piece of work, of which so much was done before: the rate counts from here."""
        ...

    def say(self, text: str) -> None:
        """Replace the words behind the figures."""
        ...

    def remark(self, sentence: str) -> None:
        """Print a sentence above the bar."""
        ...


class _Lines:
    """What a bar would show, as lines at growing intervals: for pipes and files, where none can be drawn."""

    def __init__(self, total: int | None, label: str, unit: str):
        self._total, self._label, self._unit, self._done, self._note = total, label, unit, 0, ""
        self._before = 0  # done when it began, and no part of the rate
        self._begun = time.monotonic()
        self._next = FIRST_LINE

    def advance(self, count: int = 1) -> None:
        self._done += count
        passed = time.monotonic() - self._begun
        if passed >= self._next:
            self._next = passed + min(passed, LONGEST_SILENCE)
            remark(self._line(passed))

    def total(self, total: int) -> None:
        self._total = total

    def begin(self, done: int, total: int) -> None:
        self._total, self._done, self._before = total, done, done
        self._begun, self._next, self._note = time.monotonic(), FIRST_LINE, ""

    def say(self, text: str) -> None:
        self._note = text

    def remark(self, sentence: str) -> None:
        remark(sentence)

    def _line(self, passed: float) -> str:
        rate = (self._done - self._before) / passed
        of = f" of {self._total:,}" if self._total else ""
        left = f", {_duration((self._total - self._done) / rate)} left" if self._total and rate else ""
        speed = f"{rate:,.1f} {self._unit or 'a second'}{'/s' if self._unit else ''}"
        note = f"  {self._note}" if self._note else ""
        return f"{self._label}: {self._done:,}{of} {self._unit}".rstrip() + f", {speed}{left}{note}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(max(seconds, 0)), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"


class _DrawnBar:
    """A progress bar with rate and time left."""

    def __init__(self, progress: Any, task: Any):
        self._progress, self._task = progress, task

    def advance(self, count: int = 1) -> None:
        self._progress.update(self._task, advance=count)

    def total(self, total: int) -> None:
        self._progress.update(self._task, total=total)

    def begin(self, done: int, total: int) -> None:
        self._progress.reset(self._task, total=total, completed=done, note="")

    def say(self, text: str) -> None:
        self._progress.update(self._task, note=printable(text))

    def remark(self, sentence: str) -> None:
        if _Manner.quiet:
            return
        self._progress.console.print(printable(sentence), highlight=False, markup=False)


@contextmanager
def progress(total: int | None, label: str, unit: str = "") -> Iterator[Bar]:
    """Show a bar while the block runs, or lines where there is no terminal; `unit` names what is counted: "images"."""
    if not sys.stderr.isatty():
        yield _Lines(total, label, unit)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import (
        Progress as Display,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Any) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:,.1f} {unit or 'a second'}{'/s' if unit else ''}")

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Display(
        *columns,
        console=Console(stderr=True),
        speed_estimate_period=60,
        disable=_Manner.quiet,
    ) as bar:
        yield _DrawnBar(bar, bar.add_task(label, total=total, note=""))


@contextmanager
def stages(label: str = "", unit: str = "pictures") -> Iterator[Progress]:
    """What shows a bar for each stage of a piece of work that it is told of, one after the other."""
    with ExitStack() as stack:
        bar, current, seen = None, "", 0

        def show(stage: str, done: int, total: int) -> None:
            nonlocal bar, current, seen
            if bar is None or stage != current or done < seen:  # the same of the next collection
                stack.close()
                bar = stack.enter_context(progress(total, f"{label} {stage}".strip(), unit))
                current, seen = stage, 0
            bar.advance(done - seen)
            seen = done

        yield show
