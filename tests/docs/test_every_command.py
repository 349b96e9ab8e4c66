"""Every command of every page runs, on small data, as it stands there.

A `facette` command is first taken apart by the command line itself, with all its options; then it runs in a copy of
the reader's folder, made shorter where it would train or measure for long. What cannot run here is checked otherwise.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
from pages import PAGES, REPOSITORY, Command, commands, inline_commands, inline_flags, script

from facette.cli import COMMANDS, build_app

# What is added to a command so that it takes seconds: later options win over earlier ones.
STEPS = "--set {0}.steps=2 --set {0}.batch=4 --set {0}.validate_count=4 --set {0}.preview_count=2"
SHORTER = (
    (r"^search ", STEPS.format("train") + " --trials 2"),
    (r"^train ", STEPS.format("train") + " --set train.mixture_components=[]"),
    (r"^train faces(64|128)", STEPS.format("sharpen") + " --set sharpen.prior_share=0"),
    (r"^train celeba150", "--set train.batch=2 --set train.validate_count=2"),
    (r"^sharpen ", STEPS.format("sharpen")),
    (r"^mixture", "--set train.steps=20 --set train.validate_count=50"),
    (r"^evaluate ", "--count 24"),
    (r"^doctor \S+ ", "--count 40"),
    (r"^calibrate ", "--photos 2 --count 2 --references 200"),
    (r"--spread best", "--pool 12"),
    (r"--refine", "--refine 2"),
    (r"^compare ", "--count 2 --levels 2 --steps 4"),
)
SMALLER = {"synthetic-faces": "synthetic-faces:64"}  # the same, and fewer of them
# What runs only with the slow tests, beside the commands whose options others show already.
SLOW = (
    r"^mixture",
    r"^compare ",
    r"^calibrate ",
    r"^sharpen ",
    r"^train .*--from ",
    r"^evaluate-all ",
    r"^export ",
    r"^evaluate .* .+/ |^evaluate .*( --count| --out)",
    r"--full",
    r"--method umap",
    r"^sweep .*--report",
    r"--diversity auto --noise|runs/faces64 --diversity auto",
    r"\.mp4",
    r"^map .* --(color|place)",
    r"celeba150|faces128 faces/$",
)
# What is parsed and no more, and why.
PARSED_ONLY = {
    r"^studio\b": "it serves until it is stopped; tests/studio talk to it",
    r"^mixture.*kind=flow": "to measure a flow's density takes many minutes; the command runs with other priors",
    r"--track": "who wants a tracker installs it; tests/training/test_track.py runs them",
    r"--engine ray": "workers of a cluster; tests/scale start them",
    r"--inception": "the networks of FID and LPIPS are at hand nowhere",
    r"--model classic.* (--report|--diversity auto)": "the stand-in's weights are drawn: it redraws nobody",
}

ALL = [command for page in PAGES for command in commands(page)]
FACETTE = {str(command): command for command in ALL if command.program == "facette"}
OTHERS = {str(command): command for command in ALL if command.program != "facette"}


def words_to_run(command: Command) -> list[str]:
    """The command's words with what makes it short."""
    line = " ".join(command.words[1:])
    added = [extra.split() for pattern, extra in SHORTER if re.search(pattern, line)]
    given = [SMALLER.get(word, word) for word in command.words[1:]]
    return [*given, *(word for words in added for word in words)]


def matches(command: Command, patterns: Any) -> bool:
    return any(re.search(pattern, " ".join(command.words[1:])) for pattern in patterns)


@pytest.fixture(scope="module")
def parsers() -> dict[str, Any]:
    root: Any = typer.main.get_command(build_app())
    return root.commands


def parse(parsers: dict[str, Any], words: tuple[str, ...]) -> None:
    """Raises click's error where a command, an option or a value does not exist."""
    assert words[0] in parsers, f"there is no command {words[0]}"
    parsers[words[0]].make_context(words[0], list(words[1:])).close()


def _running() -> list[Any]:
    """The commands to run. Quick are, but for those slow by their nature, as many as have every command with each of
    its options that the pages show; the others are slow."""
    rest = [command for command in FACETTE.values() if not matches(command, PARSED_ONLY)]
    some, shown = [command for command in rest if not matches(command, SLOW)], set()
    quick = set()
    while some:
        most = max(some, key=lambda command: len(_shown(command) - shown))
        if not _shown(most) - shown:
            break
        some.remove(most)
        quick.add(str(most))
        shown |= _shown(most)
    slow = [[] if str(command) in quick else [pytest.mark.slow] for command in rest]
    return [pytest.param(c, id=str(c), marks=marks) for c, marks in zip(rest, slow, strict=True)]


def _shown(command: Command) -> set[tuple[str, str]]:
    """The command by itself, and with each of its options."""
    options = (word for word in command.words if word.startswith("--"))
    return {(command.words[1], option) for option in ("", *options)}


@pytest.mark.parametrize("command", FACETTE.values(), ids=str)
def test_the_command_line_knows_it(command, parsers):
    parse(parsers, command.words[1:])


@pytest.mark.parametrize("command", _running())
def test_it_runs(command, run, visited, hub, monkeypatch, request):
    monkeypatch.chdir(visited)  # `run` begins in an empty folder
    if command.words[1] == "compare":
        _publish(hub, request.getfixturevalue("diffusion"), visited)
    for made in _made(command):  # what it makes is not there yet
        shutil.rmtree(visited / made, ignore_errors=True)
    ended = run(*words_to_run(command))
    verdicts = (0, 1) if command.words[1] == "doctor" else (0,)  # a model of a few steps has learnt nothing
    assert ended.code in verdicts, f"{command.place}: {command}\n{ended.err}"


def _publish(hub: Any, pipeline: Path, visited: Path) -> None:
    """A tiny pipeline under the names of known ones: on the hub, whole and its autoencoder alone, and on the disk."""
    named = {"stable-diffusion-v1-5/stable-diffusion-v1-5": pipeline, "madebyollin/taesd": pipeline / "vae"}
    for name, folder in named.items():
        files = (path for path in folder.rglob("*") if path.is_file())
        hub.repositories[name] = {str(path.relative_to(folder)): path.read_bytes() for path in files}
    (visited / pipeline.name).symlink_to(pipeline)


def _made(command: Command) -> list[str]:
    """The folders that a command begins anew."""
    words = command.words[1:]
    match words[0]:
        case "train":
            return [words[words.index("--out") + 1] if "--out" in words else f"runs/{words[1].strip('/')}"]
        case "import" | "align":
            return [words[words.index("--out") + 1]]
        case _:
            return []


@pytest.mark.parametrize("command", OTHERS.values(), ids=str)
def test_what_is_not_facette_is_there(command, parsers):
    match command.words:
        case ("make", target, *_):
            assert re.search(rf"^{re.escape(target)}:", (REPOSITORY / "Makefile").read_text(), flags=re.M)
        case ("pip", "install", *packages):
            for extra in re.findall(r"\[([\w,-]+)\]", " ".join(packages)):
                assert set(extra.split(",")) <= _extras()
        case (".", activate):
            assert activate in (
                ".venv/bin/activate",
                ".venv-demo/bin/activate",
            )  # where the Makefile puts them
        case ("python", "-m", module, *_):
            assert importlib.util.find_spec(module)
        case ("python", "scripts/docs/classics.py", *words):
            assert script("scripts/docs/classics.py").parser().parse_args(words)
        case ("python", path, *words):
            assert {word for word in words if word.startswith("--")} <= flags_of(path)
        case ("torchrun", *words) if "facette" in words:
            parse(parsers, tuple(words[words.index("facette") + 1 :]))
        case ("docker", "build", *_) | ("docker", "run", *_):
            assert (REPOSITORY / "Dockerfile").is_file()
        case ("docker", "compose", "up", service):
            assert re.search(rf"^  {service}:$", (REPOSITORY / "compose.yaml").read_text(), flags=re.M)
        case ("hf", "download", *_) | ("git", "clone" | "apply", *_):
            pass  # other people's programs, as their own pages have them
        case _:
            pytest.fail(f"{command.place}: say here how {command} is checked")


def flags_of(path: str) -> set[str]:
    """The options that a script of the repository declares."""
    return set(re.findall(r"[\"'](--[a-z][\w-]*)[\"']", (REPOSITORY / path).read_text("utf-8")))


def _extras() -> set[str]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    return set(project["optional-dependencies"])


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(REPOSITORY)))
def test_commands_and_options_in_running_text_exist(page, parsers):
    known = {name for command in parsers.values() for option in command.params for name in _names(option)}
    scripts = [command.words[1] for command in commands(page) if command.program == "python"]
    foreign = {"--nproc-per-node", "--backend-store-uri"}  # of torchrun and mlflow
    foreign = foreign.union(*(flags_of(path) for path in scripts if path.endswith(".py")))
    root = {name for option in typer.main.get_command(build_app()).params for name in _names(option)}
    assert inline_flags(page) - known - foreign - root - {"--help"} == set()
    for words in inline_commands(page):
        name = words[1]
        if name in ("COMMAND", "…", *root):
            continue
        assert name in COMMANDS, f"{page.name} names the command {name}"
        options = {option for parameter in parsers[name].params for option in _names(parameter)} | {"--help"}
        assert {word.split("=")[0] for word in words if word.startswith("--")} <= options, words


def _names(parameter: Any) -> list[str]:
    return [*parameter.opts, *parameter.secondary_opts]
