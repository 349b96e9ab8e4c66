"""The command line as a whole: help, versions, and mistakes in one sentence."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
import typer

import facette
import facette.cli.info
from facette.cli import COMMANDS, FIRST_STEPS, GROUPS, LEARNING, build_app
from facette.cli.panels import PANELS, panel_of


def test_help_lists_every_command(run):
    ended = run("--help")
    assert ended.code == 0
    assert all(f" {name} " in ended.out for name in COMMANDS)


def test_help_stands_in_panels(run):
    out = run("--help").out
    places = [out.index(f"─ {group} ─") for group in GROUPS]
    assert places == sorted(places)


def test_facette_alone_shows_the_commands_that_matter(run):
    ended = run()
    assert ended.code == 0
    named = re.findall(r"^  facette (\S+)", ended.out, flags=re.M)
    assert len(named) == 5
    assert set(named) <= set(COMMANDS)
    assert ended.out.strip() == FIRST_STEPS


@pytest.mark.parametrize(
    ("wrong", "right"), [("varry", "vary"), ("reconstuct", "reconstruct"), ("trian", "train")]
)
def test_an_unknown_command_suggests_the_nearest(run, wrong, right):
    ended = run(wrong, "photo.jpg")
    assert ended.code == 2
    assert f"'{right}'" in ended.err


def test_an_unknown_option_suggests_the_nearest(run):
    ended = run("vary", "photo.jpg", "--diversty", 3)
    assert ended.code == 2
    assert "--diversity" in ended.err


def test_an_option_stands_in_one_panel_and_every_panel_is_used():
    listed = [option for options in PANELS.values() for option in options]
    assert len(listed) == len(set(listed))
    root = typer.main.get_command(build_app())
    used = {panel_of(parameter.opts) for command in root.commands.values() for parameter in command.params}
    assert set(PANELS) <= used


def test_no_panel_is_too_long_to_read():
    root = typer.main.get_command(build_app())
    for name, command in root.commands.items():
        own = [p for p in command.params if p.param_type_name == "option" and panel_of(p.opts) is None]
        assert len(own) <= 9, f"{name}: give {[p.opts[0] for p in own]} their panels"


@pytest.mark.parametrize(
    "words", [("--quiet", "prepare", "synthetic-faces:32"), ("prepare", "synthetic-faces:32", "-q")]
)
def test_quiet_says_nothing_but_the_result(run, tmp_path, words):
    ended = run(*words, "--recipe", "quick", "--cache", tmp_path / "cache")
    assert ended.code == 0
    assert ended.err == ""
    assert "32 pictures" in ended.out
    loud = run("demo")
    assert loud.err != "", "quiet is over when the command is"


def test_a_mistake_is_said_in_quiet_too(run):
    ended = run("--quiet", "info", "no-such-model")
    assert ended.code == 2
    assert "no-such-model" in ended.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete(shell):
    """What the shell asks for when somebody types `facette va` and the tabulator."""
    environment = os.environ | {"_FACETTE_COMPLETE": f"complete_{shell}"}
    if shell == "bash":
        environment |= {"COMP_WORDS": "facette va", "COMP_CWORD": "1"}
    else:
        environment |= {"_TYPER_COMPLETE_ARGS": "facette va", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    ended = subprocess.run(
        [sys.executable, "-c", "from facette.cli import main; main()"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert "vary" in ended.stdout
    assert "vary-all" in ended.stdout
    assert "blend" not in ended.stdout


def test_every_command_explains_itself(run):
    for name in COMMANDS:
        ended = run(name, "--help")
        assert ended.code == 0
        assert "--help" in ended.out


def test_help_says_what_happens_where_nothing_is_said(run, monkeypatch):
    """Defaults stand in brackets, which the framework takes for styles and swallows unless they are escaped."""
    monkeypatch.setenv("COLUMNS", "4000")
    for command, default in (
        ("vary", "[default: auto]"),
        ("sample", "[default: samples.png, .csv]"),
        ("blend", "[default: all alike]"),
        ("studio", "[default: the first free from 7860]"),
    ):
        assert default in run(command, "--help").out


def test_the_version_is_the_packages(run):
    assert run("--version").out.strip() == f"facette {facette.__version__}"


def test_a_users_mistake_is_one_sentence_and_code_two(run):
    for arguments in (
        ("info", "no-such-model"),
        ("train", "no-such-recipe", "synthetic-faces"),
        ("train", "quick", "no-such-folder"),
        ("train", "quick"),
        ("recipes", "quick", "--set", "train.lr=fast"),
    ):
        ended = run(*arguments)
        assert ended.code == 2, arguments
        assert ended.out == ""
        lines = [line for line in ended.err.splitlines() if line.strip() and "reading pictures" not in line]
        assert len(lines) == 1, ended.err
        assert lines[0].startswith("facette: ")


@pytest.mark.parametrize("library", sorted(LEARNING))
def test_what_learning_needs_is_asked_for_in_one_sentence(library, run, monkeypatch):
    """As in an environment without it, whatever the command that takes it."""

    def needy():
        importlib.import_module(library)

    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setattr(facette.cli.info, "info", needy)
    ended = run("info")
    assert ended.code == 2
    assert (
        ended.err == f'facette: this needs {library}, which is not installed: pip install "facette[train]"\n'
    )


def test_a_library_that_is_nobodys_extra_keeps_its_traceback(run, monkeypatch):
    def broken():
        importlib.import_module("no_such_library")

    monkeypatch.setattr(facette.cli.info, "info", broken)
    with pytest.raises(ModuleNotFoundError):
        run("info")


def test_the_module_is_the_command():
    ended = subprocess.run(
        [sys.executable, "-m", "facette", "--version"], capture_output=True, text=True, check=True
    )
    assert facette.__version__ in ended.stdout


COLOURS = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-7]|9[0-7]|38;[\d;]+)m")


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is a thing of Unix")
def test_colours_are_off_without_a_terminal_and_by_no_color():
    command = [sys.executable, "-m", "facette", "--help"]
    plain = os.environ.copy()
    for name in ("NO_COLOR", "FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS"):
        plain.pop(name, None)
    plain |= {"TERM": "xterm-256color"}
    piped = subprocess.run(command, capture_output=True, text=True, env=plain, check=True).stdout
    assert "\x1b" not in piped
    assert COLOURS.search(_in_a_terminal(command, plain)), "in a terminal there are colours"
    assert not COLOURS.search(_in_a_terminal(command, plain | {"NO_COLOR": "1"}))


def _in_a_terminal(command: list[str], environment: dict[str, str]) -> str:
    """What a command writes to a terminal."""
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdout=theirs, stderr=theirs, stdin=theirs, env=environment)
    os.close(theirs)
    written = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # Linux ends a terminal so
            break
        if not part:
            break
        written += part
    os.close(ours)
    assert process.wait() == 0
    return written.decode("utf-8", "replace")


@pytest.mark.parametrize(
    ("sentence", "command", "spoken"),
    [
        ("use `prior='normal'`.", "sample", "use --prior normal."),
        ("take its centre: `align=False`", "vary", "take its centre: --no-align"),
        ("give another `out`", "train", "give another --out"),
        ("give `image_size=N`, or `range='unit'`", "import", "give --image-size N, or --range unit"),
        ("leave `nothing_known=3` out", "vary", "leave nothing_known=3 out"),
        ("use `prior='normal'`", "", "use prior='normal'"),
        (
            "run `hf download NAME --include 'x'` first",
            "compare",
            "run `hf download NAME --include 'x'` first",
        ),
    ],
)
def test_parameters_in_a_sentence_become_the_options_of_the_command(sentence, command, spoken):
    from facette.cli import with_options

    assert with_options(sentence, command) == spoken


def test_without_a_terminal_progress_is_told_in_lines(capsys, monkeypatch):
    from facette.cli import output

    clock = iter([0.0, 1.0, 6.0, 7.0, 13.0])
    # A clock of this module's own: that of the process belongs to other threads too, such as a studio's.
    monkeypatch.setattr(output, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    with output.progress(40, "refining", "steps") as bar:
        for _ in range(4):
            bar.advance(4)
    told = capsys.readouterr().err.splitlines()
    assert told == [
        "refining: 8 of 40 steps, 1.3 steps/s, 0:24 left",
        "refining: 16 of 40 steps, 1.2 steps/s, 0:20 left",
    ]


def test_each_stage_of_a_training_has_a_bar_of_its_own(capsys, monkeypatch):
    """One that was stopped goes on from where it was, at the rate of this sitting."""
    from facette.cli import output
    from facette.cli.train import TrainingView

    now = [0.0]
    monkeypatch.setattr(output, "time", SimpleNamespace(monotonic=lambda: now[0]))
    with output.progress(None, "training", "images") as bar:
        view = TrainingView(bar)
        for first, steps, images in ((97, 100, 32), (2, 50, 16)):  # a stage that goes on, and the next
            view.started(first, steps)
            for step in range(first, first + 3):
                now[0] += 10
                view.stepped(step + 1, images)
    assert capsys.readouterr().err.splitlines() == [
        "training: 3,168 of 3,200 images, 3.2 images/s, 0:10 left",
        "training: 3,200 of 3,200 images, 3.2 images/s, 0:00 left",
        "training: 64 of 800 images, 1.6 images/s, 7:40 left",
        "training: 80 of 800 images, 1.6 images/s, 7:30 left",
    ]
