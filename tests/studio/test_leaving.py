"""The command as a process: it says where it is, answers there, and leaves nothing when it goes."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest
from studio_page import PATIENCE, until_holds, until_says

WITHOUT_TORCH = """
import sys
for name in ("torch", "scipy", "sklearn", "matplotlib"):
    sys.modules[name] = None
from facette.cli import main
main()
"""
MOST = 600  # MiB
# How it is opened, and how it is ended; what differs does not depend on each other.
WAYS = {
    "its own way, Ctrl-C": (["-m", "facette"], signal.SIGINT),
    "before torch is imported, ended": (["-c", WITHOUT_TORCH], signal.SIGTERM),
}
SLOW = {"its own way, Ctrl-C": pytest.mark.slow}  # the studio of the last test ends so, with a page open


def ours(folder: Path) -> int:
    """How many private folders there are; libraries put things of their own beside them."""
    return len(list(folder.glob("facette-studio-*")))


@pytest.mark.parametrize("way", [pytest.param(way, marks=SLOW.get(way, ())) for way in WAYS])
def test_it_opens_answers_and_leaves_nothing(tmp_path, way):
    program, how = WAYS[way]
    command = [sys.executable, *program, "studio", "--port", "0"]
    place = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=place)
    try:
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        page = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with page.open(address, timeout=60) as answer:
            assert b"Facette studio" in answer.read()
        assert ours(tmp_path) == 1
        if program[1] == WITHOUT_TORCH:
            assert resident(process.pid) < MOST
        base = address.partition("?")[0]
        listening = page.open(f"{base}gradio_api/heartbeat/tab", timeout=60)  # as open pages do
        process.send_signal(how)
        out, err = process.communicate(timeout=60)
        listening.close()
    finally:
        process.kill()
        process.communicate()
    assert out == ""
    assert err.count("\n") <= 2, err  # where it is open, and nothing about its end
    assert process.returncode == 0
    assert ours(tmp_path) == 0


def resident(process: int) -> float:
    """MiB of memory that a process holds; 0 where the system does not tell."""
    status = Path(f"/proc/{process}/status")
    text = status.read_text() if status.is_file() else "VmRSS: 0 kB"
    found = re.search(r"VmRSS:\s+(\d+) kB", text)
    assert found is not None
    return int(found[1]) / 1024


def test_a_run_becomes_the_model_of_the_page_by_one_click(visit, quick_run, tmp_path):
    shutil.copytree(quick_run, tmp_path / "runs" / "mine")
    command = [sys.executable, "-m", "facette", "studio", "--port", "0", "--runs", str(tmp_path / "runs")]
    place = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=place)
    limit = threading.Timer(
        4 * PATIENCE / 1000, process.kill
    )  # a line that never comes is waited for no longer
    limit.start()
    try:
        address = process.stdout.readline().strip()
        page = visit(SimpleNamespace(address=address, base=address.partition("?")[0].rstrip("/")), "Train")
        until_says(page, "#train-use", "Its best model")
        page.get_by_role("button", name="Use this model now").click()
        assert process.stdout.readline().strip() == address, "it opens where it was, for the same tab"
        page.wait_for_function("!document.querySelector('[data-reopen]')", timeout=PATIENCE)
        page.get_by_role("tab", name="Sample").click()
        until_holds(page, "body", f"--model {tmp_path / 'runs' / 'mine'}")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE / 1000)
        assert process.returncode == 0
        assert ours(tmp_path) == 0
    finally:
        limit.cancel()
        process.kill()
        process.communicate()
