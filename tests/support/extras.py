"""Tests that need a library which may be absent."""

from __future__ import annotations

from importlib.util import find_spec

import pytest


def needs(library: str, reason: str = "") -> None:
    """Skip the module that asks where there is no such library.

    It is looked for and not imported, as `pytest.importorskip` would: every process that tests collects every module,
    and most run few of them.
    """
    if find_spec(library) is None:
        pytest.skip(reason or f"{library} is not installed", allow_module_level=True)
