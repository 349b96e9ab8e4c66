"""Every block of Python in the pages runs, in the reader's folder, block after block of a page in one namespace."""

from __future__ import annotations

import sys

import pytest
from pages import PAGES, REPOSITORY, blocks

PICTURES = "from PIL import Image; import numpy as np\npictures = np.stack([Image.open('me.jpg')])"
# What a block takes for granted, and what it cannot have here: (before, {as written: as run}).
GIVEN: dict[str, tuple[str, dict[str, str]]] = {
    "README.md": (PICTURES, {}),
    "docs/compare.md": (
        "import numpy as np\nfrom PIL import Image\n"
        "small = np.asarray(Image.open('me.jpg'))\nlarge = np.asarray(Image.open('me.jpg').resize((128, 128)))",
        {
            'torch.device("cuda")': 'torch.device("cpu")',
            '"./sd"': '"stable-diffusion-v1-5"',
            'prompt="a photograph of a face"': 'prompt="a photograph of a face", steps=4, size=32',
            "match=True": "match=True, count=2, levels=2",
        },
    ),
    "docs/own-code.md": ("import shutil\nshutil.rmtree('runs/own')", {}),
    "docs/guide/own-network.md": ("import shutil\nshutil.rmtree('runs/mynets')", {}),
    "docs/editing.md": ("", {"celeba/": "celeba"}),
    "docs/guide/compare-objectives.md": ("", {'("vae", "beta", "btc")': '("btc",)'}),
    "docs/export.md": (
        "import facette\nfrom facette.checkpoint.export import export_model\n"
        "export_model(facette.load('faces128').plain(), 'faces128-onnx', to='onnx')",
        {},
    ),
}
# The libraries of these take long to import, or their work long to do.
SLOW = {"docs/compare.md", "docs/export.md", "docs/maps.md", "docs/paths.md"}


def _pages():
    for page in PAGES:
        if any(block.language == "python" for block in blocks(page)):
            name = str(page.relative_to(REPOSITORY))
            yield pytest.param(name, id=name, marks=[pytest.mark.slow] if name in SLOW else [])


@pytest.mark.parametrize("name", list(_pages()))
def test_python_runs_as_it_stands(name, visited, hub, request, monkeypatch):
    monkeypatch.syspath_prepend(visited)
    before, changes = GIVEN.get(name, ("", {}))
    if name == "docs/compare.md":
        (visited / "stable-diffusion-v1-5").symlink_to(request.getfixturevalue("diffusion"))
    code = [block.text for block in blocks(REPOSITORY / name) if block.language == "python"]
    text = "\n\n".join(code)
    for written, run in changes.items():
        assert written in text, f"{name} no longer says {written}: say it here no longer"
        text = text.replace(written, run)
    for module in ("nets", "mynets"):  # another page's, or another folder's
        sys.modules.pop(module, None)
    space: dict[str, object] = {}
    exec(compile(before, f"before {name}", "exec"), space)
    exec(compile(text, name, "exec"), space)
