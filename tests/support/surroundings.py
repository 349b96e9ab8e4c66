"""Run as a program: every command in other people's surroundings, as a table.

    python tests/support/surroundings.py docs/surroundings.md

Surroundings are what a machine brings: no home, a place where nothing can be written, a full disk, names and terminals
that are no UTF-8. In each a command works or says in one sentence why not, asks nothing of the network, and leaves
nothing but what is declared; `run` tells, command by command.
With `--inside SURROUNDING` the program is the process in which the commands run, named on stdin as JSON.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import traceback
from dataclasses import dataclass, replace
from pathlib import Path

from watch import heard, undeclared

HERE = Path(__file__)
LIMIT = 4096  # bytes that a file may have on the full disk
DROP, OVERRIDE = 24, 1  # Linux: prctl's PR_CAPBSET_DROP, and the capability CAP_DAC_OVERRIDE
ENCODING = "cp1252"

# What is typed; `me` and `photos` are the names of a photo and of a folder of four, `other` goes before outputs.
COMMANDS = {
    "demo": "demo",
    "vary": "vary me --count 2 --each other-each --paste",
    "sweep": "sweep me --rows 2 --count 2 --report",
    "reconstruct": "reconstruct me me --out other-r.png",
    "interpolate": "interpolate me me --steps 2",
    "edit": "edit me Smiling=1",
    "blend": "blend me me",
    "sample": "sample --count 2",
    "compare": "compare me --with nowhere",
    "align": "align photos --out other-faces --size 64",
    "prepare": "prepare photos",
    "recipes": "recipes",
    "train": "train quick photos --out other-run --set train.steps=2 --set train.batch=2"
    " --set train.mixture_components=[1]",
    "search": "search quick photos --over objective.beta=1,2 --trials 2 --out other-search --set train.steps=2"
    " --set train.batch=2",
    "sharpen": "sharpen faces128 photos --out other-sharp --dry-run",
    "calibrate": "calibrate faces128 photos --out other-model --photos 2 --count 1 --references 2",
    "attributes": "attributes fit faces128 photos --out other-fitted",
    "mixture": "mixture --set train.steps=2 --set train.validate_count=50 --out other-mixture.png",
    "evaluate": "evaluate faces128 photos --out other-card",
    "doctor": "doctor --system",
    "map": "map faces128 photos --method pca --place me",
    "traverse": "traverse faces128 photos --rows 2 --steps 2 --photo me",
    "info": "info faces128",
    "encode": "encode faces128 photos --out other.npz",
    "vary-all": "vary-all faces128 photos --out other-all --count 1",
    "evaluate-all": "evaluate-all faces128 photos --out other-measured",
    "inspect": "inspect me",
    "import": "import me --out other-imported",
    "export": "export faces128 --out other-onnx",
    "cache": "cache",
}
SURROUNDINGS = {
    "no home": "HOME leads nowhere",
    "read-only": "the folder can only be read",
    "full disk": "no file can hold more than 4 KB",
    "names": "names that are no UTF-8",
    "terminal": f"a terminal in {ENCODING}",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """What came of one command."""

    command: str
    code: int
    said: str  # on stderr
    trace: str = ""  # of what was not caught
    network: tuple[str, ...] = ()  # what it asked of it
    left: tuple[str, ...] = ()  # files beside the folder that it ran in, and that are not declared

    @property
    def fault(self) -> str:
        """What is wrong with that; empty where it worked, or was refused in one sentence, and kept to itself."""
        if self.network or self.left:
            return f"asked the network {self.network}, left {self.left}"
        if self.trace or "Traceback" in self.said:
            return self.trace or self.said
        sentences = [line for line in self.said.splitlines() if line.startswith("facette: ")]
        if self.code == 2 and len(sentences) == 1 and sentences[0] == self.said.rstrip().splitlines()[-1]:
            return ""
        return "" if self.code == 0 else f"code {self.code}: {self.said[-500:]}"

    @property
    def sentence(self) -> str:
        return "" if self.code == 0 else self.said.rstrip().splitlines()[-1].removeprefix("facette: ")


def run(surrounding: str, folder: Path, commands: tuple[str, ...] = tuple(COMMANDS)) -> list[Cell]:
    """The commands in one of the surroundings, within an empty folder."""
    place = folder / "place"
    place.mkdir(parents=True)
    odd = surrounding == "names"
    names = {
        "me": os.fsdecode(b"caf\xe9.png") if odd else "me.png",
        "photos": os.fsdecode(b"ph\xf6tos") if odd else "photos",
        "other": os.fsdecode(b"\xfc-") if odd else "",
    }
    _put_photos(place, names)
    lines = [[_named(word, names) for word in COMMANDS[command].split()] for command in commands]
    inside = {name: value for name, value in os.environ.items() if not name.startswith(("FACETTE_", "XDG_"))}
    inside |= {"HOME": str(folder / "home"), "TMPDIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    if surrounding == "no home":
        inside["HOME"] = os.devnull
    else:
        (folder / "home").mkdir()
    if surrounding == "read-only":
        place.chmod(0o555)
    ended = subprocess.run(
        [sys.executable, str(HERE), "--inside", surrounding],
        cwd=place,
        env=inside,
        input=json.dumps(lines),
        capture_output=True,
        text=True,
        preexec_fn=_obey_permissions if surrounding == "read-only" and os.getuid() == 0 else None,
    )
    place.chmod(0o755)
    if ended.returncode:
        raise RuntimeError(ended.stderr[-3000:])
    answers = json.loads(ended.stdout.splitlines()[-1].replace(str(folder), ""))
    cells = [Cell(command, **answer) for command, answer in zip(commands, answers, strict=True)]
    if left := _undeclared(folder):
        cells[-1] = replace(cells[-1], left=tuple(left))
    return cells


def _undeclared(folder: Path) -> list[str]:
    """Files that the commands left beside the place in which they ran: in the home, or as temporary ones."""
    own = {"place", "home", f"facette-{os.getuid()}"}  # the last one is the cache of those without a home
    others = [str(path) for path in folder.iterdir() if path.name not in own]
    return undeclared(folder / "home") + others


def _obey_permissions() -> None:
    """Make root's next program mind who may write where, as everybody's does."""
    ctypes.CDLL(None).prctl(DROP, OVERRIDE, 0, 0, 0)


def _named(word: str, names: dict[str, str]) -> str:
    if word in ("me", "photos"):
        return names[word]
    return word.replace("other", names["other"] + "other")


def _put_photos(place: Path, names: dict[str, str]) -> None:
    from PIL import Image

    from facette.images.example import example_photo

    photo = Image.open(example_photo()).convert("RGB").crop((60, 0, 380, 300))
    (place / names["photos"]).mkdir()
    photo.save(place / names["me"])
    for number in range(4):
        photo.crop((4 * number, 0, *photo.size)).save(
            place / names["photos"] / f"{names['other']}{number}.png"
        )


def _inside(surrounding: str) -> None:
    """Bring the surrounding about in this process, run the commands, and tell of each."""
    answer, lines = sys.stdout, json.load(sys.stdin)
    if surrounding == "full disk":
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))  # Python ignores the signal: writing fails
    encoding = ENCODING if surrounding == "terminal" else "utf-8"
    events = heard()
    answer.write("\n" + json.dumps([_one(words, encoding, events) for words in lines]))


def _one(words: list[str], encoding: str, events: list[str]) -> dict[str, object]:
    from facette.cli import main

    said = io.BytesIO()
    out, err = (io.TextIOWrapper(stream, encoding, write_through=True) for stream in (io.BytesIO(), said))
    code, trace = 0, ""
    events.clear()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(words)
        except SystemExit as ended:
            code = int(ended.code or 0)
        except BaseException:
            code, trace = 1, traceback.format_exc()[-2000:]
    told = said.getvalue().decode(encoding, "replace")[-3000:]
    return {"code": code, "said": told, "trace": trace, "network": tuple(events)}


NAMED = re.compile(r"'[^' ]*'|(?<=cannot write )\S+(?=:)")  # a file, in a sentence


def page(cells: dict[str, list[Cell]]) -> str:
    """The table, and below it each sentence with which a command refused."""
    lines = [
        "# Other people's surroundings",
        "",
        "Written by `python tests/support/surroundings.py docs/surroundings.md`, which runs every command where",
        "something is missing, and watches that it asks nothing of the network and leaves nothing but what is",
        "declared. ✓ says that it worked; a number stands for the one sentence with which it ended, with exit code 2;",
        "the dots in it are a file that it names. `compare` asks for a checkpoint that is not there, and `inspect` and",
        "`import` for one in a photo.",
        "",
        "| command | " + " | ".join(SURROUNDINGS.values()) + " |",
        "| --- |" + " :-: |" * len(SURROUNDINGS),
    ]
    sentences: dict[str, int] = {}
    for row, command in enumerate(COMMANDS):
        told = [NAMED.sub("…", cells[surrounding][row].sentence) for surrounding in SURROUNDINGS]
        marks = [str(sentences.setdefault(text, len(sentences) + 1)) if text else "✓" for text in told]
        lines.append(f"| `{command}` | " + " | ".join(marks) + " |")
    lines += ["", *(f"{number}. {text}" for text, number in sentences.items())]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if sys.argv[1] == "--inside":
        _inside(sys.argv[2])
    else:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)
            table = {name: run(name, Path(folder) / name.replace(" ", "-")) for name in SURROUNDINGS}
        for surrounding, row in table.items():
            for cell in row:
                if cell.fault:
                    print(f"{surrounding}: {cell.command}: {cell.fault}", file=sys.stderr)
        Path(sys.argv[1]).write_text(page(table), "utf-8")
