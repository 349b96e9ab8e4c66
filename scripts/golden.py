"""What the commands write, byte for byte: the same from two trees, or which files differ.

    python scripts/golden.py TREE > before.txt     and later, to be compared by diff:
    python scripts/golden.py TREE > after.txt      or both at once:
    python scripts/golden.py TREE OTHER

Enters: checkouts of Facette. Every kind of command of docs/commands.md runs in an empty folder, one thread, fixed
seeds, once with the source of each tree; a digest of every file that was written, and of what a command says where it
writes none, is printed, or, of two trees, what is not the same in both (exit code 1). Times, dates and process numbers
are left out of texts and of model files' headers. Commands that wait for somebody (studio, push) or need what is at
hand nowhere (compare) do not run; with FACETTE_SHARED a foreign checkpoint is inspected and imported too. Minutes for
each tree.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
TINY = "--device cpu --set train.steps=12 --set train.save_every=6 --set train.validate_every=6"
SECOND = (
    "--set sharpen.steps=4 --set sharpen.batch=4 --set sharpen.widths=[8,8,16] --set sharpen.critic_width=8"
)
COMMANDS = f"""
demo
sample --count 24 --each drawn/
sample --count 4 --temperature 0.7 --seed 3 --plain --out plain-sample.png
vary me.jpg --each relatives/
vary me.jpg --diversity bold --details model --out bold.png
vary me.jpg --noise people --diversity 0.7 --out people.png
vary me.jpg --likeness 0.5 --spread best --pool 12 --out best.png
vary me.jpg --refine 2 --plain --out refined.png
vary drawn/01.png --no-align --paste --out pasted.png
sweep me.jpg
sweep me.jpg --count 3 --rows 3 --report --out report.png
reconstruct me.jpg you.jpg
interpolate me.jpg you.jpg --steps 5
interpolate me.jpg you.jpg --steps 4 --path slerp --equal-steps --out walk.gif
edit me.jpg Smiling=+2 --keep Male,Young
edit me.jpg Smiling=-3..3 --out strip.png
blend me.jpg you.jpg drawn/03.png --weights 1,1,2
traverse faces128 --photo me.jpg
align . --out aligned/
prepare drawn/ --recipe quick --cache packed/
recipes faces64 --json
train quick synthetic-faces:64 --out runs/quick {TINY}
sharpen runs/quick synthetic-faces:64 --device cpu {SECOND}
train quick synthetic-faces:64 --out runs/tc {TINY} --set objective.total_correlation.weight=5
attributes fit runs/quick synthetic-faces:64 --out runs/directions
attributes show runs/directions --json
traverse runs/directions --along axes --out axes.png
calibrate faces128 drawn/ --photos 2 --count 2 --references 200 --out calibrated
evaluate faces128 drawn/ --split all --count 24 --out card
evaluate runs/quick synthetic-faces:64 --split all --count 24 --out other-card
doctor runs/quick synthetic-faces:512 --json
map runs/quick synthetic-faces:64 --method pca -n 64
info runs/quick --json
mixture --set train.steps=20 --set train.validate_count=50
encode runs/quick drawn/ --out latents.npz --shard 64
vary-all runs/quick drawn/ --out many/ -n 2 --shard 64
evaluate-all runs/quick drawn/ --out measured/ --shard 64
export runs/quick --to onnx
inspect {{shared}}/checkpoints/celeba64_z50_200epochs.pth --json
import {{shared}}/checkpoints/celeba64_z50_200epochs.pth --out imported
"""
_TIMES = b"(?:facette\\.)?digest|seconds|images_per_second|created|started|date|time|pid|took|rate_now|host|commit|when"
VARYING = re.compile(rb'("(?:' + _TIMES + rb')": )("[^"]*"|[\d.e+-]+)')
SPOKEN = re.compile(rb"\b[\d.,]+ (?:s|ms|seconds|images/s|pictures/s|MB|MiB)\b|\d{4}-\d\d-\d\d[T ][\d:.]+\S*")
TEXTS = {".json", ".jsonl", ".html", ".md", ".csv", ".txt", ".toml", ".svg"}


def main() -> int:
    if sys.argv[1] == "--inside":
        print(json.dumps(run_all(Path(sys.argv[2]))))
        return 0
    first, *other = [digests(Path(tree).resolve()) for tree in sys.argv[1:]]
    if not other:
        print("\n".join(f"{digest}  {name}" for name, digest in sorted(first.items())))
        return 0
    names = sorted(first.keys() | other[0].keys())
    differing = [name for name in names if first.get(name) != other[0].get(name)]
    print(f"{len(names)} files and answers, {len(differing)} differ", *differing, sep="\n  ")
    return bool(differing)


def digests(tree: Path) -> dict[str, str]:
    """Of everything that the commands of a tree leave: name → digest; in the same folder, for paths are written too."""
    folder = Path(tempfile.gettempdir()) / "facette-golden"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    places = {
        "PYTHONPATH": str(tree / "src"),
        "FACETTE_CACHE": str(folder / ".cache"),
        "HOME": str(folder / ".home"),
    }
    ended = subprocess.run(
        [sys.executable, __file__, "--inside", folder],
        env=os.environ | threads | places | {"PYTHONHASHSEED": "0", "SOURCE_DATE_EPOCH": "0"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    shutil.rmtree(folder)
    return json.loads(ended.stdout.splitlines()[-1])


def run_all(folder: Path) -> dict[str, str]:
    """Run the commands one after another in the folder, each in a process forked from one."""
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    from forked_commands import Commands

    from facette.images.example import example_photo

    said = folder / ".said"
    said.mkdir()
    shutil.copy(example_photo(), folder / "me.jpg")
    turned(folder / "me.jpg", folder / "you.jpg")
    commands = Commands(folder)
    answers: dict[str, str] = {}
    for line in COMMANDS.strip().splitlines():
        shared = os.environ.get("FACETTE_SHARED")
        if "{shared}" in line and shared is None:
            continue
        before = contents(folder)
        command = commands.start(*shlex.split(line.replace("{shared}", shared or "")))
        code = command.wait(1200)
        text = command.said.read_bytes()
        command.said.unlink()
        after = contents(folder)
        written = {name: digest for name, digest in after.items() if before.get(name) != digest}
        answers |= {f"{line[:40]} → {name}": digest for name, digest in written.items()}
        spoken = SPOKEN.sub(b"#", VARYING.sub(rb"\1#", text))
        answers[f"{line[:40]} ({code})"] = "" if written else digest_of(spoken)
        print(f"{code} {len(written)} {line}", file=sys.stderr)
        if code:
            print(text.decode("utf-8", "replace"), file=sys.stderr)
    commands.close()
    return answers


def turned(photo: Path, target: Path) -> None:
    """The same person in another light, looking the other way."""
    from PIL import Image, ImageEnhance, ImageOps

    with Image.open(photo) as image:
        other = ImageEnhance.Brightness(ImageOps.mirror(image.convert("RGB"))).enhance(0.8)
        other.save(target, quality=92)


def contents(folder: Path) -> dict[str, str]:
    """Name → digest of every file that a command wrote, hidden ones apart."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    names = {path: path.relative_to(folder) for path in files}
    return {
        str(name): digest_of(settled(path))
        for path, name in names.items()
        if not any(part.startswith(".") for part in name.parts)
    }


def settled(path: Path) -> bytes:
    """A file's content without what differs between any two runs."""
    data = path.read_bytes()
    if path.suffix == ".safetensors":
        length = int.from_bytes(data[:8], "little")
        header = data[8 : 8 + length].replace(b'\\"', b'"')
        return VARYING.sub(rb"\1#", header).strip() + data[8 + length :]
    return SPOKEN.sub(b"#", VARYING.sub(rb"\1#", data)) if path.suffix in TEXTS else data


def digest_of(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
