"""Networks that run without torch: graphs of operations in the ONNX format, computed by onnxruntime on the CPU.

Enters: a graph that holds no weights, the key it was written under, and weights by name. Leaves: a `Graph`, a function
from arrays to arrays. Knows nothing of models, pictures or where files lie, and nothing of how a graph is traced
(facette.checkpoint.trace). Importing torch takes longer than making ten variations; importing this takes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

KEY = "facette"  # what a graph's own record of its key is called in its metadata


class Unserved(Exception):  # noqa: N818 - no error: the network is computed by torch instead
    """onnxruntime is not installed, or it refuses this graph with these weights."""


class Graph:
    """A network ready to run: `graph(first, second)` gives its outputs in order, float32 arrays."""

    def __init__(self, session: InferenceSession):
        self._session = session
        self._entering = [entry.name for entry in session.get_inputs()]

    def __call__(self, *arrays: np.ndarray) -> list[np.ndarray]:
        return self._session.run(None, dict(zip(self._entering, arrays, strict=True)))  # type: ignore[return-value]


def can_run() -> bool:
    """Whether onnxruntime is installed; it is not imported for that."""
    return find_spec("onnxruntime") is not None


def forbid_telemetry() -> None:
    """Call it before onnxruntime is imported: from 1.29 on that writes a number for this device and a record of events
    into the user's cache folder and looks up a host of its maker's, unless the environment forbids it."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"


def open_graph(content: bytes, weights: Mapping[str, np.ndarray], key: str) -> Graph:
    """The network of a graph with these weights, float32, which must be exactly those it asks for, in name and shape.

    Raises Unserved where it cannot be had: onnxruntime is missing, the graph is damaged, asks for other weights, or was
    written under another key than `key`.
    """
    forbid_telemetry()
    try:
        import onnxruntime
    except ImportError as error:
        raise Unserved("onnxruntime is not installed") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it would complain of is raised as well
    # Left open, this would bind threads to cores that may not be this process's.
    options.intra_op_num_threads = _cores()
    # Threads that wait by turning in circles take the cores from whoever else has work.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # What a run takes is given back after it, instead of being kept, in doubling pieces, for one as large again.
    options.enable_cpu_mem_arena = False
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in weights.values()]
    try:
        options.add_external_initializers(list(weights), values)
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    # Its exceptions share no base, and all of them mean one thing here: this graph does not serve.
    except Exception as error:
        raise Unserved(f"onnxruntime refuses the graph: {error}") from error
    written = session.get_modelmeta().custom_metadata_map.get(KEY)
    if written != key:
        raise Unserved(f"the graph was written under the key {written!r}, not {key!r}")
    return Graph(session)


def _cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
