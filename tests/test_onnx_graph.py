"""A graph serves only with its own key and its own weights; whatever else it is given, it is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.resources import files

import numpy as np
import pytest
from extras import needs
from safetensors.numpy import load

from facette.images.faces.frame_regressor import GRAPH, KEY, WEIGHTS
from facette.onnx_graph import Unserved, can_run, open_graph

needs("onnxruntime")
FOLDER = files("facette.images.faces").joinpath("weights")
CONTENT = FOLDER.joinpath(GRAPH).read_bytes()


@pytest.fixture
def weights() -> dict[str, np.ndarray]:
    state = load(FOLDER.joinpath(WEIGHTS).read_bytes())
    return {name: array for name, array in state.items() if array.dtype == np.float32}


def test_its_outputs_come_in_order_for_any_number_of_rows(weights):
    graph = open_graph(CONTENT, weights, KEY)
    rows = np.random.default_rng(0).random((5, 1, 64, 64), dtype=np.float32)
    similarities, logits = graph(rows)
    assert (similarities.shape, logits.shape) == ((5, 4), (5,))
    alone = graph(rows[2:3])
    np.testing.assert_allclose(alone[0][0], similarities[2], atol=1e-5)


def test_running_a_graph_leaves_nothing_in_anybodys_home(tmp_path):
    """onnxruntime's telemetry, which is on unless forbidden, would leave a device's number and a record of events."""
    code = f"""
from pathlib import Path
from safetensors.numpy import load
from facette.onnx_graph import open_graph
folder = Path({str(FOLDER)!r})
state = load((folder / {WEIGHTS!r}).read_bytes())
weights = {{name: array for name, array in state.items() if array.dtype == "float32"}}
open_graph((folder / {GRAPH!r}).read_bytes(), weights, {KEY!r})
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "ORT_"))}
    environment |= {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_another_key_is_refused(weights):
    with pytest.raises(Unserved, match="written under the key"):
        open_graph(CONTENT, weights, KEY + "0")


def test_other_weights_than_it_asks_for_are_refused(weights):
    name = next(name for name, array in weights.items() if len(array) > 1)
    for wrong in (
        {n: w for n, w in weights.items() if n != name},
        weights | {"another": np.zeros(3, np.float32)},
        weights | {name: weights[name][:1]},
        weights | {name: weights[name].astype(np.float16)},
    ):
        with pytest.raises(Unserved, match="refuses"):
            open_graph(CONTENT, wrong, KEY)


@pytest.mark.parametrize("content", [b"", b"no graph", CONTENT[: len(CONTENT) // 2]])
def test_a_damaged_graph_is_refused(weights, content):
    with pytest.raises(Unserved):
        open_graph(content, weights, KEY)


def test_without_onnxruntime_nothing_can_be_served(weights, monkeypatch):
    assert can_run()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert not can_run()
    with pytest.raises(Unserved, match="not installed"):
        open_graph(CONTENT, weights, KEY)
