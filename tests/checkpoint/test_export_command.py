"""`facette export` and `facette push`: files where they were asked for, an upload only when somebody said so."""

from __future__ import annotations

import json

import pytest
from extras import needs
from local_hub import serve, talk_to

needs("huggingface_hub")


@pytest.fixture
def hub(monkeypatch, tmp_path):
    hub, server = serve()
    talk_to(hub, monkeypatch, tmp_path / "cache")
    yield hub
    server.shutdown()
    server.server_close()


def test_export_writes_a_folder_and_says_how_near_it_is(run, quick_run, tmp_path):
    code, out, err = run("export", quick_run, "--to", "torch-export", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["folder"] == "quick-torch-export"
    assert all((tmp_path / path).is_file() for path in told["files"])
    assert told["difference"] <= 1e-4


def test_export_to_diffusers_is_refused_in_one_sentence(run, quick_run, tmp_path):
    code, out, err = run("export", quick_run, "--to", "diffusers")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "is no component of diffusers" in err
    assert not list(tmp_path.iterdir())


def test_a_dry_run_uploads_nothing(run, hub, quick_run):
    code, out, _ = run("push", quick_run, "someone/faces", "--dry-run")
    assert code == 0
    assert out == "would upload model.safetensors, config.json, README.md to someone/faces\n"
    assert hub.asked == []


def test_push_uploads_the_model_and_prints_where_it_is(run, hub, quick_run):
    code, out, err = run("push", quick_run, "someone/faces", "--private")
    assert code == 0, err
    assert out.startswith(f"{hub.address}/someone/faces/commit/")
    assert set(hub.repositories["someone/faces"]) == {"model.safetensors", "config.json", "README.md"}
    assert hub.private["someone/faces"] is True
