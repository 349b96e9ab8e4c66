"""The command as a process: it says where it is, answers there, and leaves nothing when it goes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest


def ours(folder: Path) -> int:
    """How many private folders there are; libraries put things of their own beside them."""
    return len(list(folder.glob("facette-studio-*")))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_opens_answers_and_leaves_nothing(quick_run, tmp_path, how):
    command = [sys.executable, "-m", "facette", "studio", "--port", "0", "--model", str(quick_run)]
    place = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=place)
    try:
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        page = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with page.open(address, timeout=60) as answer:
            assert b"Facette studio" in answer.read()
        assert ours(tmp_path) == 1
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
