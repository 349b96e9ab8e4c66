"""What stands in the pages: blocks of code, the commands in them, links, headings.

Enters: a Markdown file. Leaves: blocks with their language, and the logical lines of shell blocks, as a shell would
take them apart. A block is fenced, or indented by four spaces below an empty line. Runs nothing.
"""

from __future__ import annotations

import importlib.util
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

REPOSITORY = Path(__file__).parents[2]
CARDS = sorted((REPOSITORY / "src").glob("**/*.md"))
_WRITTEN = sorted((REPOSITORY / "docs").glob("**/*.md"))
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *_WRITTEN, *CARDS]
# What a line of a shell block may begin with. A page that needs another program says here that it does.
PROGRAMS = (
    "facette",
    "make",
    "pip",
    "python",
    "torchrun",
    "git",
    "hf",
    "curl",
    "docker",
    "ssh",
    "patch",
    ".",
)
PYTHON = ("import ", "from ", ">>> ")


@dataclass(frozen=True, slots=True)
class Block:
    page: Path
    line: int  # of its first line of code, from 1
    language: str  # "shell", "python", "toml", "diff", "text", or what stands behind the fence
    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """One line that a reader would type."""

    page: Path
    line: int
    words: tuple[str, ...]  # without leading NAME=value settings, comments and what follows a pipe

    @property
    def program(self) -> str:
        return self.words[0]

    def __str__(self) -> str:
        return shlex.join(self.words).replace("'", "")

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(REPOSITORY)}:{self.line}"


def script(path: str) -> ModuleType:
    """A Python file of the repository that is in no package, imported by its path."""
    file = REPOSITORY / path
    if file.stem in sys.modules:
        return sys.modules[file.stem]
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module


def blocks(page: Path) -> list[Block]:
    """Every block of code of a page, fenced or indented."""
    lines = page.read_text("utf-8").splitlines()
    found: list[Block] = []
    number = 0
    while number < len(lines):
        fence = re.match(r"^(\s*)```(\S*)\s*$", lines[number])
        begins = lines[number].startswith("    ") and lines[number].strip()
        if fence:
            end = next(i for i in range(number + 1, len(lines)) if lines[i].strip() == "```")
            text = "\n".join(line.removeprefix(fence[1]) for line in lines[number + 1 : end])
            found.append(Block(page, number + 2, fence[2] or language_of(text), text))
            number = end + 1
        elif begins and (number == 0 or not lines[number - 1].strip()):
            end = number
            while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
                end += 1
            text = "\n".join(line[4:] for line in lines[number:end]).rstrip()
            found.append(Block(page, number + 1, language_of(text), text))
            number = end
        else:
            number += 1
    return found


def language_of(text: str) -> str:
    """The language of a block that does not say: by how its first line begins."""
    first = text.lstrip().split("\n")[0]
    if _program(first):
        return "shell"
    if first.startswith(PYTHON):
        return "python"
    return "toml" if re.match(r"^\[[\w.]+\]", first) else "text"


def commands(page: Path) -> list[Command]:
    """The logical lines of the shell blocks of a page; a backslash at its end joins a line to the next."""
    found = []
    for block in blocks(page):
        if block.language not in ("shell", "sh", "bash", "console"):
            continue
        pending = ""
        for offset, line in enumerate(block.text.splitlines()):
            pending += line.removesuffix("\\")
            if line.endswith("\\") or not pending.strip():
                continue
            words, pending = words_of(pending), ""
            if words:
                found.append(Command(page, block.line + offset, words))
    return found


def words_of(line: str) -> tuple[str, ...]:
    """A line taken apart as a shell would, up to its comment, a pipe or `&`; settings before the program left out."""
    words = shlex.split(line, comments=True)
    end = next((i for i, word in enumerate(words) if word in ("|", "&", "&&", ";", ">")), len(words))
    words = words[:end]
    while words and re.match(r"^[A-Z_]+=", words[0]):
        words.pop(0)
    return tuple(words)


def inline_commands(page: Path) -> list[tuple[str, ...]]:
    """`facette …` as it stands in running text, where a word follows."""
    text = "\n".join(_prose(page))
    found = re.findall(r"(?<!`)`(facette [^`]+)`(?!`)", text)
    return [words_of(" ".join(one.split()).replace("…", "")) for one in found]


def inline_flags(page: Path) -> set[str]:
    """`--option` as it stands in running text."""
    return set(re.findall(r"`(--[a-z][\w-]*)", "\n".join(_prose(page))))


def anchors(page: Path) -> set[str]:
    """What a link to a heading of this page may say behind `#`, as repository pages make it."""
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} (.+)$", "\n".join(_prose(page)), flags=re.M):
        plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found


def links(page: Path) -> list[str]:
    """The targets of links and pictures."""
    return re.findall(r"\]\(([^)\s]+)\)", "\n".join(_prose(page)))


def _prose(page: Path) -> list[str]:
    """The lines of a page that are in no block of code."""
    lines: list[str] = page.read_text("utf-8").splitlines()
    for block in blocks(page):
        for offset in range(len(block.text.splitlines())):
            lines[block.line - 1 + offset] = ""
    return [line for line in lines if not line.strip().startswith("```")]


def _program(line: str) -> bool:
    words = re.sub(r"^(?:[A-Z_]+=\S+ )+", "", line).split()
    return bool(words) and words[0] in PROGRAMS
