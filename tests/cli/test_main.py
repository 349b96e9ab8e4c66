"""The command line as a whole: help, versions, and mistakes in one sentence."""

from __future__ import annotations

import subprocess
import sys

import facette
from facette.cli import COMMANDS


def test_help_lists_every_command(run):
    ended = run("--help")
    assert ended.code == 0
    assert all(f" {name} " in ended.out for name in COMMANDS)


def test_every_command_explains_itself(run):
    for name in COMMANDS:
        ended = run(name, "--help")
        assert ended.code == 0
        assert "--help" in ended.out


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


def test_the_module_is_the_command():
    ended = subprocess.run(
        [sys.executable, "-m", "facette", "--version"], capture_output=True, text=True, check=True
    )
    assert facette.__version__ in ended.stdout
