"""Files appear whole, leftovers of the dead go away, and a folder has one owner."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from facette.errors import BusyError, UsageError
from facette.files import (
    check_outputs,
    clear_leftovers,
    digest_of,
    digest_of_file,
    owned,
    sealed,
    temporary_beside,
    unsealed,
    write_atomically,
)

HOLDER = """
import sys, time
from pathlib import Path
from facette.files import owned, temporary_beside
with owned(Path(sys.argv[1]), "holding"):
    temporary_beside(Path(sys.argv[1]) / "table").write_text("half")
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that owns tmp_path and has written half a file there; killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_whoever_comes_second_is_told_who_has_the_folder(holder, tmp_path):
    told = rf"in use by holding, process {holder.pid} on \S+ since"
    with pytest.raises(BusyError, match=told), owned(tmp_path, "late"):
        pytest.fail("two owners")


def test_nothing_is_left_of_a_lock(tmp_path):
    (tmp_path / "mine").write_text("mine")
    with owned(tmp_path, "work"):
        assert len(list(tmp_path.iterdir())) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.fixture
def threads_in_small_turns():
    """Threads give way after a microsecond, so that what is asked twice is answered differently more often."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def test_owners_that_come_and_go_never_meet(tmp_path, threads_in_small_turns):
    """Three threads take the folder again and again; it and the lock's file come and go under them."""
    inside, met, had = [], [], []

    def work() -> None:
        while len(had) < 30:
            try:
                with owned(tmp_path / "place", "work"):
                    inside.append(1)
                    met.append(len(inside))
                    inside.pop()
                    had.append(1)
            except BusyError:
                time.sleep(0.001)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(met) == 1


def test_what_a_killed_owner_held_is_free_and_its_half_files_go(holder, tmp_path):
    assert list(tmp_path.glob(".facette-*.tmp"))
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with owned(tmp_path, "next"):
        assert not list(tmp_path.glob(".facette-*.tmp"))


def test_half_files_of_the_living_stay(tmp_path):
    mine = temporary_beside(tmp_path / "table")
    mine.write_text("half")
    assert clear_leftovers(tmp_path) == []
    assert mine.exists()


def test_many_writers_of_one_name_leave_one_whole_file(tmp_path):
    target, size = tmp_path / "value", 200_000
    contents = [bytes([letter]) * size for letter in b"abcdefgh"]
    writers = [
        threading.Thread(target=lambda data=data: [write_atomically(target, data) for _ in range(5)])
        for data in contents
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert target.read_bytes() in contents
    assert [path.name for path in tmp_path.iterdir()] == ["value"]


def test_a_writer_that_fails_leaves_what_was_there(tmp_path):
    target = tmp_path / "value"
    write_atomically(target, "old")

    def parts():
        yield b"new"
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        write_atomically(target, parts())
    assert target.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_link_stays_a_link_and_what_it_leads_to_is_written(tmp_path):
    (tmp_path / "disk").mkdir()
    for name, link in (("there", "old"), ("not there yet", "new")):
        (tmp_path / link).symlink_to(Path("disk") / name)
    (tmp_path / "disk" / "there").write_text("before")
    for link in ("old", "new"):
        check_outputs([tmp_path / link])
        write_atomically(tmp_path / link, "after")
        assert (tmp_path / link).is_symlink()
        assert (tmp_path / link).read_text() == "after"
    assert sorted(path.name for path in tmp_path.rglob("*")) == sorted(
        ["disk", "old", "new", "there", "not there yet"]
    )


def test_links_in_a_circle_are_one_sentence(tmp_path):
    (tmp_path / "a.png").symlink_to("b.png")
    (tmp_path / "b.png").symlink_to("a.png")
    for work in (lambda path: check_outputs([path]), lambda path: write_atomically(path, "new")):
        with pytest.raises(UsageError, match="in a circle"):
            work(tmp_path / "a.png")


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of Unix")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o444])
def test_whoever_might_read_a_file_might_read_the_next(tmp_path, mode):
    path, seen = tmp_path / "mine", []
    path.touch()
    path.chmod(mode)
    if os.getuid() == 0:
        os.chown(path, 12, 34)

    def parts():
        seen.extend(other.stat().st_mode & 0o077 for other in tmp_path.iterdir() if other != path)
        yield b"new"

    before = path.stat()
    write_atomically(path, parts())
    after = path.stat()
    assert path.read_bytes() == b"new"
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert seen == [0]  # nor while it is written


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes among the files of this system")
def test_nothing_replaces_a_pipe_or_a_device(tmp_path):
    """Where root writes to /dev/null, a file that takes its place is the end of the whole system's peace."""
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "link.png").symlink_to("pipe.png")
    (tmp_path / "nowhere").symlink_to(os.devnull)
    for place in (tmp_path / "pipe.png", tmp_path / "link.png", tmp_path / "nowhere"):
        with pytest.raises(UsageError, match="a device or a pipe"):
            check_outputs([place])
        with pytest.raises(UsageError, match="a device or a pipe"):
            write_atomically(place, "new")
    assert (tmp_path / "pipe.png").is_fifo()
    assert Path(os.devnull).is_char_device()
    assert len(list(tmp_path.iterdir())) == 3


def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path):
    (tmp_path / "value").write_bytes(b"123" * 100_000)
    assert digest_of_file(tmp_path / "value") == digest_of(b"123" * 100_000)


def test_files_are_flushed_as_windows_wants_it(tmp_path, monkeypatch):
    """There a folder cannot be opened, a file that is only read cannot be flushed, and `os` lacks what Unix has."""
    fcntl = pytest.importorskip("fcntl")
    import facette
    from facette import files
    from facette.recipe import load_recipe

    opened, flushed = os.open, os.fsync

    def open_file(path, *options, **more):
        if os.path.isdir(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, *options, **more)

    def flush(descriptor):
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        flushed(descriptor)

    monkeypatch.setattr(files, "WINDOWS", True)
    monkeypatch.setattr(os, "open", open_file)
    monkeypatch.setattr(os, "fsync", flush)
    for name in ("preadv", "pread", "getuid", "sched_getaffinity"):
        monkeypatch.delattr(os, name, raising=False)
    files.write_atomically(tmp_path / "a.txt", "whole")
    assert (tmp_path / "a.txt").read_text() == "whole"
    store = facette.open_dataset("synthetic-faces:8", load_recipe("quick").input, tmp_path / "cache")
    assert store.read(np.arange(8)).shape == (8, 32, 32, 3)


def test_every_bit_of_a_sealed_object_counts():
    data = {
        "event": "train",
        "step": 3,
        "loss": -1.5e-7,
        "name": "Zoë",
        "rows": [1, [2, None]],
        "more": {"a": True},
    }
    text = json.dumps(sealed(data)).encode()
    assert unsealed(json.loads(text)) == data
    assert unsealed(data) == data  # of an older version
    for place in range(len(text)):
        for bit in range(8):
            changed = text[:place] + bytes([text[place] ^ 1 << bit]) + text[place + 1 :]
            try:
                read = unsealed(json.loads(changed))
            except ValueError:
                continue
            assert read == data, changed


def test_a_full_disk_names_the_file_that_did_not_fit(tmp_path):
    def parts():
        yield b"some"
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space") as refused:
        write_atomically(tmp_path / "latents.npz", parts())
    assert refused.value.filename == str(tmp_path / "latents.npz")
    assert list(tmp_path.iterdir()) == []


def test_names_that_are_no_text_are_written_as_escapes(tmp_path):
    from facette.checkpoint.locate import read_header
    from facette.errors import CheckpointError
    from facette.files import json_of
    from facette.mapping import place_names
    from facette.plots.page import Page

    name = os.fsdecode(b"caf\xe9.png")
    write_atomically(tmp_path / "card.md", f"made of {name}")
    assert (tmp_path / "card.md").read_text("utf-8") == "made of caf\\udce9.png"
    assert json.loads(json_of({"name": name}).encode("utf-8")) == {"name": name}
    assert json_of({"name": "Zoë"}) == '{"name": "Zoë"}'
    assert "caf\\xe9.png" in Page(f"Diversity of {name}").save(tmp_path / "page.html").read_text("utf-8")
    assert place_names([name]) == ["caf\\xe9.png"]
    folder = tmp_path / os.fsdecode(b"\xfc")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system has no such names")
    (folder / "model.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match="is empty"):
        read_header(folder / "model.safetensors")


def test_an_owner_clears_what_the_dead_left_anywhere_in_the_folder(tmp_path):
    """Deep in the folder too, and at once: a process that has ended and is not waited for yet is dead."""
    place = tmp_path / "job" / "done"
    place.mkdir(parents=True)
    script = (
        "import sys\nfrom pathlib import Path\nfrom facette.files import temporary_beside\n"
        "temporary_beside(Path(sys.argv[1])).touch()"
    )
    child = subprocess.Popen([sys.executable, "-c", script, place / "x.json"])
    deadline = time.monotonic() + 60
    while not list(place.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.01)
    (left,) = place.iterdir()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, and still to be waited for
    mine = temporary_beside(place / "x.json")
    mine.touch()
    with owned(tmp_path / "job", "a test"):
        assert not left.exists()
        assert mine.exists()
    child.wait()
