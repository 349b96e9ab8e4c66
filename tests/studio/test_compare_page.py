"""Compare, all the way: a tiny diffusion checkpoint beside the model, and the page that comes of it."""

from __future__ import annotations

import io
import multiprocessing
import re
import shlex

import pytest
from PIL import Image

from facette.errors import FacetteError, UsageError
from facette.studio.app import Studio
from facette.studio.events import StoppedError
from facette.studio.pages import compare
from facette.studio.pages.compare import CompareSettings, _compared


@pytest.fixture(scope="module")
def studio(quick_model, quick_run) -> Studio:
    return Studio(quick_model, str(quick_run))


@pytest.fixture(scope="module")
def token(studio) -> str:
    from facette.data.synthetic import draw_faces

    buffer = io.BytesIO()
    side = studio.model.recipe.input.size  # of the model's own size: taken as aligned
    Image.fromarray(draw_faces(1, side, seed=3).pictures[0]).save(buffer, "PNG")
    return studio.photos.put(buffer.getvalue(), "anna.png")


def test_the_page_is_that_of_the_command(studio, token, tiny_diffusion, run, tmp_path):
    said = []
    wish = CompareSettings(str(tiny_diffusion), "a face, smiling", 0.5, 2, 4, 7, False)
    shown = _compared(studio, "tab", lambda words, share=None: said.append((words, share)), token, wish)
    address = shown.split('src="')[1].split('"')[0]
    page = studio.downloads.find(address.rpartition("/")[2]).content.decode()
    assert page.startswith("<!DOCTYPE html>")
    assert "a face, smiling" in page
    assert "tiny-diffusion" in page
    steps = [share for words, share in said if share]
    assert steps == sorted(steps)
    assert len(steps) >= 4
    command = shlex.split(shown.split("<code")[1].split(">", 1)[1].split("</code>")[0].replace("&#x27;", "'"))
    assert command[:3] == ["facette", "compare", "anna.png"]
    assert command[command.index("--steps") + 1] == "4"
    assert command[command.index("--seed") + 1] == "7"
    (tmp_path / "anna.png").write_bytes(studio.photos.file(token)[1])
    ended = run(*command[1:])
    assert ended.code == 0, ended.err
    theirs = (tmp_path / "anna-compared.html").read_text("utf-8")
    shown, written = (re.findall(r'src="(data:[^"]+)"', text) for text in (page, theirs))
    assert shown == written  # the rest has seconds in it
    assert len(shown) >= 4


def test_it_stops_when_it_is_told_to(studio, token, tiny_diffusion):
    def tell(words: str, share: float | None = None) -> None:
        if "Loading" in words:
            raise StoppedError

    with pytest.raises(StoppedError):
        _compared(
            studio, "tab", tell, token, CompareSettings(str(tiny_diffusion), "a face", 0.5, 2, 4, 0, False)
        )
    assert multiprocessing.active_children() == []


def test_what_is_missing_is_a_sentence(studio, token, tmp_path, monkeypatch):
    monkeypatch.setattr(compare, "work_apart", lambda function, order, tell: function(order, tell))
    with pytest.raises(FacetteError, match=r"model_index\.json"):
        _compared(
            studio,
            "tab",
            lambda *_: None,
            token,
            CompareSettings(str(tmp_path), "a face", 0.5, 2, 4, 0, False),
        )


def test_a_shared_studio_reads_no_folders(quick_model):
    shared = Studio(quick_model, "quick", shared=True)
    with pytest.raises(UsageError, match="shared on the network"):
        shared.readable("/etc")
    assert shared.readable(" synthetic-faces:40 ") == "synthetic-faces:40"
