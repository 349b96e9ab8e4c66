"""What the system refuses is one sentence and code 2; what a signal stops ends with the shell's code for it."""

from __future__ import annotations

import errno
import io
import os
import shlex
import signal
import subprocess
import sys
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facette.cli.failures import (
    NO_MEMORY,
    keep_going_without_stderr,
    leave_if_interrupted,
    sentence_of,
    with_sentences,
)
from facette.cli.output import emit, printable, remark
from facette.recipe import load_recipe
from facette.training.watch import until_signalled


def test_a_name_that_no_file_system_takes_is_one_sentence(run):
    ended = run("info", "x" * 300)
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert "too long" in ended.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("words", [["recipes"], ["info", "--json"]])
def test_a_full_disk_behind_stdout_is_one_sentence(words):
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "facette", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ended.returncode == 2
    assert ended.stderr == "facette: there is no room left on the disk\n"


@pytest.mark.skipif(os.name != "posix", reason="streams as a shell closes them")
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_end_nothing_and_no_file_takes_their_place(tmp_path, closed):
    command = f"exec {shlex.quote(sys.executable)} -m facette sample --count 2 --out s.png {closed}"
    ended = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == ("s.png\n" if closed == "2>&-" else "")
    with Image.open(tmp_path / "s.png") as sheet:
        assert sheet.format == "PNG"
        sheet.load()
    assert [path.name for path in tmp_path.iterdir()] == ["s.png"]


def test_memory_that_runs_out_below_python_is_one_sentence(capsys):
    cv2, torch = pytest.importorskip("cv2"), pytest.importorskip("torch")
    dot = np.zeros((1, 1), np.uint8)

    def of_a_picture() -> None:
        cv2.copyMakeBorder(dot, 0, 2**30, 0, 2**30, cv2.BORDER_CONSTANT)

    for command in (lambda: np.ones(1 << 50), lambda: torch.empty(1 << 50), of_a_picture):
        with pytest.raises(SystemExit) as ended:
            with_sentences(command)()
        assert ended.value.code == 2
        assert capsys.readouterr().err == f"facette: {NO_MEMORY}\n"
    with pytest.raises(RuntimeError, match="size of tensor"):  # a fault of ours keeps its traceback
        with_sentences(lambda: torch.ones(2) + torch.ones(3))()


def test_a_library_that_cannot_be_loaded_is_one_sentence(capsys, tmp_path, monkeypatch):
    (tmp_path / f"torn_library{EXTENSION_SUFFIXES[0]}").write_bytes(b"torn")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SystemExit) as ended:
        with_sentences(lambda: import_module("torn_library"))()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("facette: a library that this needs is installed, but cannot be loaded: ")
    assert "torn_library" in said
    (tmp_path / "misses.py").write_text("from facette.files import nothing_of_this_name\n")
    with pytest.raises(ImportError, match="nothing_of_this_name"):
        with_sentences(lambda: import_module("misses"))()


def test_ctrl_c_ends_with_130_and_a_word():
    def command() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as ended:
        with_sentences(command)()
    assert ended.value.code == 130


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_work_that_a_signal_stopped_ends_with_the_signals_code(number, code):
    with until_signalled() as stopping:
        os.kill(os.getpid(), number)
        assert stopping.wait(10)
    with pytest.raises(SystemExit) as ended:
        leave_if_interrupted(True, stopping.number)
    assert ended.value.code == code
    leave_if_interrupted(False, 0)


def test_every_refusal_of_the_system_names_the_place_and_the_reason():
    for number in (errno.ENOSPC, errno.EACCES, errno.ENAMETOOLONG, errno.EROFS, errno.EIO):
        told = sentence_of(OSError(number, os.strerror(number), "/somewhere/file"))
        assert told.startswith("'/somewhere/file': ")
        assert "Errno" not in told


def test_a_stderr_that_takes_nothing_ends_nothing(monkeypatch):
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "no space")

    closed = io.StringIO()
    closed.close()
    for stream in (Full(), closed, None):
        monkeypatch.setattr(sys, "stderr", stream)
        keep_going_without_stderr()
        remark("nobody reads this")
        sys.stderr.flush()


def test_nothing_that_is_said_steers_the_terminal(capsys):
    nasty = "a\x1b[2J\x9b31m\u202eb\x07\n\tc"
    remark(nasty)
    emit({"name": nasty}, nasty, as_json=False)
    emit({"name": nasty}, nasty, as_json=True)
    told = capsys.readouterr()
    assert not set(told.out + told.err) & set("\x1b\x9b\u202e\x07")
    assert "\\u009b31m" in told.out  # machines get what was there, escaped
    assert printable("Zoë\n\tİ 顔") == "Zoë\n\tİ 顔"


def test_names_that_are_no_unicode_can_be_said(capsys):
    emit({"name": os.fsdecode(b"caf\xe9.png")}, os.fsdecode(b"caf\xe9.png"), as_json=True)
    assert "caf\\udce9.png" in capsys.readouterr().out


def test_a_recipe_nested_without_end_is_one_sentence(run, tmp_path):
    (tmp_path / "deep.toml").write_text("a = " + "[" * 50_000)
    ended = run("train", tmp_path / "deep.toml", "synthetic-faces:64", "--dry-run")
    assert ended.code == 2
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("name", ["../elsewhere", "/tmp/x", "a/b", ".hidden", "a\x1bb", "x" * 101, "a:b"])
def test_a_recipes_name_is_a_name(name):
    from facette.errors import RecipeError

    with pytest.raises(RecipeError, match="name"):
        load_recipe("quick", [f"name={name}"])
    assert load_recipe("quick", ["name=Zoë's faces-2"]).name == "Zoë's faces-2"
