"""The browser that pages are drawn by: Debian's, with windows or without."""

import shutil

from playwright.sync_api import Browser, Playwright


def launch_chromium(started: Playwright) -> Browser:
    """The first Chromium on the path; nothing is downloaded."""
    program = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if program is None:
        raise SystemExit("drawing pages takes Chromium on the path, and there is none.")
    return started.chromium.launch(executable_path=program, args=["--no-sandbox"])
