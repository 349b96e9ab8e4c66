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
from studio_page import PATIENCE, give, nothing_amiss, until_count, until_holds, until_says

from facette.studio.events import REST

WITHOUT_TORCH = """
import sys
for name in ("torch", "scipy", "sklearn", "matplotlib"):
    sys.modules[name] = None
from facette.cli import main
main()
"""
# Others look into `sys.modules` and stumble over what is None there.
WITHOUT_LARGE_ONES = """
import sys
from importlib.abc import MetaPathFinder

class Without(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name in ("torch", "scipy", "sklearn"):
            raise ModuleNotFoundError(f"{name} is missing here", name=name)

sys.meta_path.insert(0, Without())
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


@pytest.mark.slow
def test_it_stays_small_after_use_and_loads_nothing_large_itself(visit, hopper, photograph, tmp_path):
    """What measures, maps, puts photos on maps and follows gradients does so in processes of their own, which find
    torch and scikit-learn: they are missing in this one alone."""
    command = [
        sys.executable,
        "-c",
        WITHOUT_LARGE_ONES,
        "studio",
        "--port",
        "0",
        "--runs",
        str(tmp_path / "runs"),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        address = process.stdout.readline().strip()
        page = visit(SimpleNamespace(address=address, base=address.partition("?")[0].rstrip("/")))
        give(page, "vary-photo", hopper)
        page.locator("#vary-offers .offers").wait_for(timeout=PATIENCE)
        page.get_by_role("tab", name="Edit", exact=True).click()
        page.locator("#edit-picture img").wait_for(timeout=PATIENCE)
        page.get_by_role("tab", name="Blend", exact=True).click()
        give(page, "blend-photo-2", photograph)
        until_count(page, "#blend-steps-shown", 10)
        page.locator("#blend-more button").first.click()
        page.get_by_label("Shortest to the eye").check()
        page.get_by_role("button", name="Find the shortest way").click()
        page.locator("#blend-steps-shown img").first.wait_for(timeout=4 * PATIENCE)
        page.get_by_role("tab", name="Map", exact=True).click()
        page.wait_for_selector(".latent-map[data-ready]", timeout=4 * PATIENCE)
        give(page, "map-photo", hopper)
        page.wait_for_selector('.latent-map[data-placed*="grace_hopper"]', timeout=PATIENCE)
        page.get_by_role("tab", name="Evaluate", exact=True).click()
        page.locator("#evaluate-data textarea, #evaluate-data input").first.fill("synthetic-faces:40")
        page.get_by_label("How many pictures").fill("24")
        page.click("#evaluate-start")
        page.locator("#evaluate-report iframe").wait_for(timeout=4 * PATIENCE)
        page.get_by_role("tab", name="Train", exact=True).click()
        page.locator("#train-data textarea").fill("synthetic-faces:64")
        page.get_by_role("button", name="Show the plan").click()
        page.locator("#train-planned p").wait_for(timeout=PATIENCE)
        nothing_amiss(page)
        page.wait_for_timeout(2000 * REST)
        assert resident(process.pid) < MOST
    finally:
        process.kill()
        process.communicate()


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
