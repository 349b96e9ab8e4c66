"""Laws of the way to a hub and back: the real client library, against a hub on this machine's loopback."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from local_hub import serve, talk_to

from facette.checkpoint.hub import from_pretrained, push_to_hub
from facette.checkpoint.native import save_model
from facette.data.synthetic import draw_faces
from facette.errors import CheckpointError, UsageError

huggingface_hub = pytest.importorskip("huggingface_hub")
constants = pytest.importorskip("huggingface_hub.constants")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path):
    """The address that the client library talks to is that of a server of ours; nothing else is changed."""
    hub, server = serve()
    talk_to(hub, monkeypatch, tmp_path / "cache")
    yield hub
    server.shutdown()
    server.server_close()


def test_a_model_that_was_pushed_comes_back_the_same(hub, quick_model):
    address = push_to_hub(quick_model, "someone/faces", private=True, token="hf_secret")

    assert address.startswith(f"{hub.address}/someone/faces/commit/")
    assert set(hub.repositories["someone/faces"]) == {"model.safetensors", "config.json", "README.md"}
    assert hub.private["someone/faces"] is True
    assert "Bearer hf_secret" in hub.tokens
    assert hub.messages == ["quick, a Facette model"]

    back = from_pretrained("someone/faces")
    assert back.recipe == quick_model.recipe
    mine, theirs = quick_model.vae.state_dict(), back.vae.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    picture = draw_faces(1, quick_model.input.size, seed=4).pictures
    assert torch.equal(back.encode(picture).mean, quick_model.encode(picture).mean)


def test_the_card_that_travels_is_the_model_card_with_what_hubs_read(hub, quick_model, tmp_path):
    push_to_hub(quick_model, "someone/faces")
    card = hub.repositories["someone/faces"]["README.md"].decode()
    save_model(quick_model, tmp_path / "folder")
    assert card == (tmp_path / "folder" / "README.md").read_text("utf-8")
    read = huggingface_hub.ModelCard(card)
    assert read.data.library_name == "facette"
    assert "variational-autoencoder" in read.data.tags


def test_what_was_fetched_once_needs_no_hub_again(hub, quick_model):
    push_to_hub(quick_model, "someone/faces")
    from_pretrained("someone/faces")
    before = len(hub.asked)
    assert from_pretrained("someone/faces", local_files_only=True).name == quick_model.name
    assert len(hub.asked) == before


def test_a_folder_is_a_repository_too(quick_model, tmp_path):
    save_model(quick_model, tmp_path / "mine")
    picture = draw_faces(1, quick_model.input.size, seed=1).pictures
    back = from_pretrained(tmp_path / "mine")
    assert np.array_equal(
        back.decode(back.encode(picture).mean), quick_model.decode(quick_model.encode(picture).mean)
    )


def test_only_the_files_of_a_model_are_fetched(hub, quick_model, tmp_path):
    push_to_hub(quick_model, "someone/faces")
    hub.repositories["someone/faces"]["training_data.zip"] = b"x" * 1000
    from_pretrained("someone/faces")
    assert not any("training_data" in asked for asked in hub.asked)


@pytest.mark.parametrize("offline", [False, True])
def test_what_is_not_there_is_one_sentence(hub, monkeypatch, offline):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    with pytest.raises(CheckpointError, match=r"^there is no model 'someone/nothing' to be had: [^\n]+\.$"):
        from_pretrained("someone/nothing")
    assert bool(hub.asked) is not offline, "offline nobody is asked"


@pytest.mark.parametrize("name", ["", "a/b/c", "some one/faces", "-faces"])
def test_what_names_no_repository_is_refused_before_anything_is_asked(hub, quick_model, name):
    with pytest.raises(UsageError, match="names no repository"):
        push_to_hub(quick_model, name)
    assert hub.asked == []


def test_a_hub_that_refuses_gives_its_reason(quick_model, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(CheckpointError, match="'someone/faces' did not take the model: "):
        push_to_hub(quick_model, "someone/faces")


def test_a_repository_of_something_else_is_no_model(hub):
    hub.repositories["someone/else"] = {"config.json": b"{}", "pytorch_model.bin": b"x"}
    with pytest.raises(CheckpointError, match="there is no model"):
        from_pretrained("someone/else")
