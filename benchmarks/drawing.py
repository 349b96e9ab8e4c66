"""Every command that draws, from the shell to the file, beside what importing torch and matplotlib alone takes.

    python benchmarks/drawing.py [--rounds 5] [--python PROGRAM] [--out FOLDER]

Whole processes with the bundled model and the photo that comes with the package, in turns with
`python -c "import torch, matplotlib"`; ratios are taken round by round, so that a busy machine disturbs both sides,
of seconds on the clock and of seconds that the processor was busy. A round before the first compiles modules.
Writes drawing.json and drawing.md. `--python` draws with another environment, such as one without torch.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from pathlib import Path
from statistics import median

from inference import _cpu, _process
from turns import interleaved, middle, ratios

from facette.images.example import example_photo

HERE = Path(__file__).parent
IMPORTS = "import torch, matplotlib"
PHOTO = "PHOTO"
COMMANDS = {
    "vary": ["vary", PHOTO],
    "vary --likeness": ["vary", PHOTO, "--likeness", "0.5"],
    "sweep, 3 × 4": ["sweep", PHOTO, "--rows", "3", "-n", "4"],
    "reconstruct": ["reconstruct", PHOTO],
    "edit": ["edit", PHOTO, "Smiling=+2"],
    "edit, a strip of 7": ["edit", PHOTO, "Smiling=-3..3"],
    "edit, a film of 24": ["edit", PHOTO, "Smiling=-3..3", "--out", "film.gif"],
    "interpolate": ["interpolate", PHOTO, PHOTO],
    "blend": ["blend", PHOTO, PHOTO],
    "traverse, 8 × 7": ["traverse", "faces128", "--photo", PHOTO],
    "sample, 20": ["sample"],
    "demo": ["demo"],
    "info": ["info"],
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="what the commands run in")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="where the results are written")
    asked = parser.parse_args()
    photo = str(example_photo())
    with tempfile.TemporaryDirectory() as folder:
        sides = {IMPORTS: _process(["-c", IMPORTS], Path(folder))}
        for name, words in COMMANDS.items():
            command = ["-m", "facette", *(photo if word == PHOTO else word for word in words)]
            sides[name] = _process(command, Path(folder), asked.python.absolute())
        turns = {name: taken[1:] for name, taken in interleaved(sides, asked.rounds + 1).items()}
    figures = {
        name: {
            "seconds": round(middle(taken, "seconds"), 2),
            "ratio": round(median(ratios(taken, turns[IMPORTS], "seconds")), 2),
            "busy": round(middle(taken, "busy"), 2),
            "busy_ratio": round(median(ratios(taken, turns[IMPORTS], "busy")), 2),
        }
        for name, taken in turns.items()
    }
    machine = {"cpu": _cpu(), "cores": len(os.sched_getaffinity(0)), "python": platform.python_version()}
    found = {
        "machine": machine,
        "load": round(os.getloadavg()[0], 1),
        "rounds": asked.rounds,
        "drawn": figures,
    }
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "drawing.json").write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    (asked.out / "drawing.md").write_text(table(found), "utf-8")
    print(table(found))


def table(found: dict) -> str:
    """The figures for people."""
    machine = found["machine"]
    lines = [
        f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}; load {found['load']:g} at the end, "
        f"medians of {found['rounds']} rounds.\n",
        f"| command | seconds | × `{IMPORTS}` | seconds of processor | × |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {name} | {row['seconds']:.2f} | {row['ratio']:.2f} | {row['busy']:.2f} | {row['busy_ratio']:.2f} |"
            for name, row in found["drawn"].items()
        ),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
