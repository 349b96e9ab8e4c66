"""`facette vary` where torch draws: the same command as if onnxruntime were not installed."""

from __future__ import annotations

import sys

sys.modules["onnxruntime"] = None  # type: ignore[assignment]

from facette.cli import main  # noqa: E402

main(["vary", *sys.argv[1:]])
