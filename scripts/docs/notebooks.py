"""Runs the notebooks from top to bottom and keeps what they print: `python scripts/docs/notebooks.py [NAME …]`.

Enters: notebooks/*.ipynb, with or without outputs. Leaves: the same, each cell with its output, pictures as JPEG so
that a notebook stays small enough to be read on a web page. A cell that fails stops it; the file stays as it was.
"""

from __future__ import annotations

import argparse
import base64
import io
import shutil
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from PIL import Image

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
QUALITY, WIDEST = 85, 1000  # of a JPEG; pixels


def run(path: Path, seconds: int = 1200) -> Any:
    """The notebook with its outputs; it works in an empty folder of its own."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(path, folder)
        resources = {"metadata": {"path": folder}}
        NotebookClient(notebook, timeout=seconds, kernel_name="python3", resources=resources).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times differ from run to run
        if cell.cell_type == "code":  # what libraries say of this machine is nobody else's matter
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
            for output in cell.outputs:
                shrink(output.get("data", {}))
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


def shrink(data: dict[str, Any]) -> None:
    """A picture among the forms of an output, as a JPEG of at most WIDEST pixels; other forms stay."""
    if "image/png" not in data:
        return
    with Image.open(io.BytesIO(base64.b64decode(data.pop("image/png")))) as opened:
        picture = opened.convert("RGB")
    if picture.width > WIDEST:
        picture = picture.resize((WIDEST, round(picture.height * WIDEST / picture.width)))
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=QUALITY, optimize=True)
    data.pop("text/plain", None)  # the picture says it
    data["image/jpeg"] = base64.b64encode(written.getvalue()).decode("ascii")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="which; all of them when none is named")
    wishes = parser.parse_args()
    for path in sorted(FOLDER.glob("*.ipynb")):
        if not wishes.names or path.stem in wishes.names:
            nbformat.write(run(path), path)
            print(path)


if __name__ == "__main__":
    main()
