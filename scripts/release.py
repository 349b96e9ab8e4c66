"""Builds a release and tries it as a stranger would: `build`, `check`, then `try` for each Python at hand.

    python scripts/release.py build                     # dist/: wheel and sdist, checked
    python scripts/release.py try --python python3.12   # an empty environment: install the wheel, draw ten pictures

Enters: this repository. Leaves: dist/, and an exit code other than 0 with a sentence for whatever is not as a release
must be. Whatever the tried wheel writes besides the sheet that it was asked for is a failure.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
DIST = REPOSITORY / "dist"
# What everybody gets with the package, besides its code.
PAPERS = ("LICENSE", "NOTICE", "LICENSES/LicenseRef-CelebA-Non-Commercial.txt")
SOURCES = ("README.md", "CHANGELOG.md", "pyproject.toml", "hatch_build.py", *PAPERS)


def build(out: Path) -> list[Path]:
    """The sdist, and the wheel that is built from it: so the sdist is whole."""
    shutil.rmtree(out, ignore_errors=True)
    _run(sys.executable, "-m", "build", "--outdir", out, REPOSITORY)
    return sorted(out.iterdir())


def check(files: list[Path]) -> None:
    """Metadata that an index takes, contents that belong there, the terms of code and weights."""
    _run(sys.executable, "-m", "twine", "check", "--strict", *files)
    for file in files:
        if file.suffix == ".whl":
            _run(sys.executable, "-m", "check_wheel_contents", file)
            _check_wheel(file)
        else:
            _check_sdist(file)


def try_out(wheel: Path, python: str, extras: str = "") -> float:
    """Install the wheel into an empty environment and draw ten pictures; returns the environment's megabytes."""
    with tempfile.TemporaryDirectory(prefix="facette-try-") as folder:
        root = Path(folder)
        home, work, environment = root / "home", root / "work", root / "environment"
        home.mkdir()
        work.mkdir()
        _run(python, "-m", "venv", environment)
        programs = environment / ("Scripts" if os.name == "nt" else "bin")
        _run(
            programs / "python",
            "-m",
            "pip",
            "install",
            "--quiet",
            f"{wheel}{f'[{extras}]' if extras else ''}",
        )
        settings = _settings(home)
        before = _listing(root)
        _run(programs / "facette", "--version", cwd=work, env=settings)
        _run(programs / "facette", "doctor", "--system", cwd=work, env=settings)
        _run(programs / "facette", "demo", "--out", "sheet.png", cwd=work, env=settings)
        written = {path for path in _listing(root) - before if "__pycache__" not in path}
        if written != {"work/sheet.png"}:
            sys.exit(f"a tried command wrote {sorted(written)}; only work/sheet.png was asked for")
        return sum(path.stat().st_size for path in environment.rglob("*") if path.is_file()) / 1e6


def _check_wheel(file: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        metadata = archive.read(next(n for n in names if n.endswith(".dist-info/METADATA"))).decode("utf-8")
    for line in ("License-Expression: Apache-2.0 AND LicenseRef-CelebA-Non-Commercial",):
        if line not in metadata.splitlines():
            sys.exit(f"{file.name}: its metadata does not say {line!r}")
    for paper in PAPERS:
        if not any(name.endswith(f".dist-info/licenses/{paper}") for name in names):
            sys.exit(f"{file.name} carries no {paper}")
    if strangers := [name for name in names if not name.startswith(("facette/", "facette-"))]:
        sys.exit(f"{file.name} holds what is not ours: {strangers[:3]}")


def _check_sdist(file: Path) -> None:
    with tarfile.open(file) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    if missing := set(SOURCES) - names:
        sys.exit(f"{file.name} carries no {sorted(missing)}")


def _settings(home: Path) -> dict[str, str]:
    """The environment of a stranger: a home of their own, nothing of ours."""
    ours = ("PYTHONPATH", "FACETTE_CACHE", "FACETTE_SHARED", "VIRTUAL_ENV", "XDG_CACHE_HOME")
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return kept | {"HOME": str(home), "USERPROFILE": str(home), "PYTHONDONTWRITEBYTECODE": "1"}


def _listing(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def _run(*words: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    ended = subprocess.run([str(word) for word in words], cwd=cwd, env=env, check=False)
    if ended.returncode:
        sys.exit(f"{Path(str(words[0])).name} {' '.join(map(str, words[1:]))} ended with {ended.returncode}")


def parser() -> argparse.ArgumentParser:
    """What may stand behind the script's name."""
    result = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    result.add_argument("action", choices=("build", "check", "try"))
    result.add_argument("--dist", type=Path, default=DIST, help="where wheel and sdist are")
    result.add_argument("--python", default=sys.executable, help="the interpreter to try with")
    result.add_argument("--extras", default="", help="extras to install while trying, such as studio,map")
    return result


def main() -> None:
    wishes = parser().parse_args()
    if wishes.action == "build":
        check(build(wishes.dist))
    files = sorted(wishes.dist.glob("facette-*"))
    wheels = [file for file in files if file.suffix == ".whl"]
    if len(wheels) != 1:
        sys.exit(f"there must be one wheel in {wishes.dist}, there are {len(wheels)}: build first")
    if wishes.action == "check":
        check(files)
    elif wishes.action == "try":
        size = try_out(wheels[0].resolve(), wishes.python, wishes.extras)
        print(f"{wishes.python}: {wheels[0].name} installed in {size:,.0f} MB, ten pictures drawn")


if __name__ == "__main__":
    main()
