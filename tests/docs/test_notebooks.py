"""The notebooks run from top to bottom, on generated pictures, and can be read with what they print."""

from __future__ import annotations

import re
import shutil

import pytest
from pages import REPOSITORY

NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
# As written, and as run here: smaller, and on the processor.
SMALLER = {
    "first_steps": {"count=10": "count=2", "pool=30": "pool=8"},
    "compare_objectives": {
        "synthetic-faces:1200": "synthetic-faces:160",
        "train.steps=300": "train.steps=20",
    },
    "train_your_own": {"synthetic-faces:2000": "synthetic-faces:160", "train.steps=400": "train.steps=20"},
}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_can_be_read_with_its_outputs_and_installs_what_it_needs(path):
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert path.stat().st_size < 1_500_000
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert re.search(r'^# %pip install .*"facette\[[\w,]+\]"$', code[0].source, flags=re.M)
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1)), (
        "run: scripts/docs/notebooks.py"
    )
    outputs = [output for cell in code for output in cell.outputs]
    assert any("image/jpeg" in output.get("data", {}) for output in outputs)
    assert {output.output_type for output in outputs} <= {"stream", "display_data", "execute_result"}
    assert not [output for output in outputs if output.get("name") == "stderr"]


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("default::DeprecationWarning")  # the kernel's client
def test_it_runs_from_top_to_bottom(path, tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    shutil.copy(path, tmp_path)
    notebook = nbformat.read(path, as_version=4)
    changes = SMALLER[path.stem]
    written = "\n".join(cell.source for cell in notebook.cells)
    for before, after in changes.items():
        assert before in written, f"{path.name} no longer says {before}"
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.source = cell.source.replace(before, after)
    resources = {"metadata": {"path": str(tmp_path)}}
    done = client.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute()
    shown = [output for cell in done.cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in shown)
    assert not [output for output in shown if output.output_type == "error"]
