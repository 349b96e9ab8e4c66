"""Laws of finding a checkpoint: all of it or one clear sentence, and nothing fetched that nobody asked for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from local_hub import serve, talk_to
from original_names import save_single_file
from safetensors.torch import load_file, save_file

from facette.comparison.checkpoint import DiffusionCheckpoint, find_checkpoint, missing_parts
from facette.comparison.diffusion import DiffusionSettings
from facette.comparison.loading import load_autoencoder, load_diffusion
from facette.errors import CheckpointError, UsageError

CPU = torch.device("cpu")
SETTINGS = DiffusionSettings(prompt="a face", steps=4)
NEEDED = [
    "model_index.json",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "tokenizer/tokenizer.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
]
WEIGHTS = [name for name in NEEDED if name.endswith(".safetensors")]


@pytest.fixture
def broken(tiny, tmp_path) -> Path:
    """A copy to break."""
    return shutil.copytree(tiny, tmp_path / "broken")


@pytest.fixture
def hub(monkeypatch, tmp_path):
    pytest.importorskip("huggingface_hub")
    hub, server = serve()
    talk_to(hub, monkeypatch, tmp_path / "cache")
    yield hub
    server.shutdown()
    server.server_close()


@pytest.fixture
def published(hub, tiny):
    """The tiny pipeline on that hub, with what such repositories also carry."""
    files = {str(p.relative_to(tiny)): p.read_bytes() for p in tiny.rglob("*") if p.is_file()}
    extra = {"unet/diffusion_pytorch_model.bin": b"a pickle", "v1-5-pruned.ckpt": b"a pickle of gigabytes"}
    half = {"unet/diffusion_pytorch_model.fp16.safetensors": b"half"}
    hub.repositories["someone/tiny"] = {**files, **extra, **half}
    return hub


def test_a_whole_folder_is_found(tiny):
    found = find_checkpoint(str(tiny))
    assert found == DiffusionCheckpoint(
        named=str(tiny),
        folder=tiny,
        file=None,
        kind="pipeline",
        class_name="StableDiffusionPipeline",
        variant=None,
        revision=None,
    )
    assert missing_parts(tiny, autoencoder_only=False) == []


@pytest.mark.parametrize("name", NEEDED)
def test_a_folder_without_any_one_of_its_files_is_refused_by_that_name(broken, name):
    (broken / name).unlink()
    with pytest.raises(CheckpointError) as error:
        find_checkpoint(str(broken))
    assert name in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_that_were_cut_short_are_refused(broken, name):
    whole = (broken / name).read_bytes()
    (broken / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="is cut short or damaged"):
        find_checkpoint(str(broken))


@pytest.mark.parametrize("name", WEIGHTS)
def test_a_tensor_that_is_missing_is_never_made_up(broken, name):
    tensors = load_file(broken / name)
    tensors.pop(max(tensors, key=lambda one: tensors[one].numel()))
    save_file(tensors, broken / name, metadata={"format": "pt"})
    with pytest.raises(
        CheckpointError, match=r"is not whole: .* holds [\d,]+ numbers of the [\d,]+ that its"
    ):
        load_diffusion(find_checkpoint(str(broken)), SETTINGS, CPU)


def test_an_index_that_is_no_json_is_refused(broken):
    (broken / "model_index.json").write_text('{"_class_name": "Stable')
    with pytest.raises(CheckpointError, match="cannot be read as JSON"):
        find_checkpoint(str(broken))


def test_weights_in_several_files_are_all_asked_for(broken, tiny):
    single = broken / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = sorted(load_file(single).items())
    parts = {"1": dict(tensors[::2]), "2": dict(tensors[1::2])}
    names = {part: f"diffusion_pytorch_model-0000{part}-of-00002.safetensors" for part in parts}
    for part, held in parts.items():
        save_file(held, broken / "unet" / names[part], metadata={"format": "pt"})
    single.unlink()
    places = {name: names[part] for part, held in parts.items() for name in held}
    index = {"metadata": {"total_size": 0}, "weight_map": places}
    (broken / "unet" / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    ours, theirs = (load_diffusion(find_checkpoint(str(one)), SETTINGS, CPU) for one in (broken, tiny))
    mine, plain = (one.pipeline.unet.state_dict() for one in (ours, theirs))
    assert all(torch.equal(mine[name], plain[name]) for name in plain)
    (broken / "unet" / names["2"]).unlink()
    with pytest.raises(CheckpointError, match=r"-00002-of-00002\.safetensors is missing"):
        find_checkpoint(str(broken))


def test_half_precision_weights_are_taken_where_they_are_the_only_ones(broken):
    for name in WEIGHTS:
        path = broken / name
        half = {key: tensor.half() for key, tensor in load_file(path).items()}
        save_file(half, path.with_suffix(".fp16.safetensors"), metadata={"format": "pt"})
        path.unlink()
    found = find_checkpoint(str(broken))
    assert found.variant == "fp16"
    assert next(load_diffusion(found, SETTINGS, CPU).pipeline.unet.parameters()).dtype == torch.float32


def test_code_inside_a_checkpoint_is_never_run(broken, monkeypatch):
    index = json.loads((broken / "model_index.json").read_text())
    index["unet"] = ["theirs", "Theirs"]
    (broken / "model_index.json").write_text(json.dumps(index))
    (broken / "unet" / "theirs.py").write_text(
        "import pathlib\npathlib.Path('ran').touch()\nclass Theirs: ...\n"
    )
    monkeypatch.chdir(broken)
    with pytest.raises(CheckpointError, match="diffusers cannot load"):
        load_diffusion(find_checkpoint(str(broken)), SETTINGS, CPU)
    assert not (broken / "ran").exists()


def test_a_pickle_is_not_opened(tmp_path):
    (tmp_path / "model.ckpt").write_bytes(b"anything")
    with pytest.raises(CheckpointError, match=r"pickles .* are not read"):
        find_checkpoint(str(tmp_path / "model.ckpt"))


def test_what_is_neither_path_nor_hub_name_is_refused():
    with pytest.raises(UsageError, match="there is no checkpoint 'nowhere'"):
        find_checkpoint("nowhere")


def test_an_autoencoder_alone_is_no_pipeline_but_will_do_for_one(tiny, tmp_path):
    alone = shutil.copytree(tiny / "vae", tmp_path / "alone")
    with pytest.raises(
        CheckpointError, match=r"no pipeline but one network \(AutoencoderKL\).*`vae_only=True`"
    ):
        find_checkpoint(str(alone))
    found = find_checkpoint(str(alone), autoencoder_only=True)
    assert (found.kind, found.class_name) == ("autoencoder", "AutoencoderKL")
    inside = find_checkpoint(str(tiny), autoencoder_only=True)
    mine, theirs = (load_autoencoder(one, CPU).network.state_dict() for one in (found, inside))
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


def test_a_single_file_needs_a_configuration_and_brings_the_same_weights(tiny, tmp_path):
    file = shutil.copy(tiny / "vae" / "diffusion_pytorch_model.safetensors", tmp_path / "mine.safetensors")
    found = find_checkpoint(str(file), autoencoder_only=True, config=str(tiny))
    assert found.file == file
    mine = load_autoencoder(found, CPU).network.state_dict()
    theirs = load_autoencoder(find_checkpoint(str(tiny), autoencoder_only=True), CPU).network.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    with pytest.raises(UsageError, match="`config` is for single"):
        find_checkpoint(str(tiny), config=str(tiny))


def test_a_whole_pipeline_in_one_file_is_the_same_pipeline(tiny, tmp_path):
    plain = load_diffusion(find_checkpoint(str(tiny)), SETTINGS, CPU)
    file = save_single_file(plain.pipeline, tmp_path / "original.safetensors")
    single = load_diffusion(find_checkpoint(str(file), config=str(tiny)), SETTINGS, CPU)
    for name, network in plain.networks.items():
        theirs = network.state_dict()
        mine = single.networks[name].state_dict()
        assert all(torch.equal(mine[key], theirs[key]) for key in theirs), name
    assert (single.size, single.scheduler, single.name) == (plain.size, plain.scheduler, "original")


def test_a_single_file_that_lacks_a_tensor_is_refused(tiny, tmp_path):
    plain = load_diffusion(find_checkpoint(str(tiny)), SETTINGS, CPU)
    file = save_single_file(plain.pipeline, tmp_path / "original.safetensors")
    tensors = load_file(file)
    tensors.pop("model.diffusion_model.middle_block.1.proj_in.weight")
    save_file(tensors, file)
    with pytest.raises(CheckpointError):
        load_diffusion(find_checkpoint(str(file), config=str(tiny)), SETTINGS, CPU)


def test_a_single_file_with_half_a_configuration_is_refused(broken, tmp_path):
    file = shutil.copy(broken / WEIGHTS[0], tmp_path / "mine.safetensors")
    (broken / "tokenizer" / "tokenizer.json").unlink()
    with pytest.raises(
        CheckpointError, match=r"configuration in .* is only half there: tokenizer/tokenizer\.json is"
    ):
        find_checkpoint(str(file), config=str(broken))


# ── the hub ──────────────────────────────────────────────────────────────────────────────────────────────


def test_without_leave_nothing_is_fetched_and_the_sentence_says_how(published):
    with pytest.raises(CheckpointError) as error:
        find_checkpoint("someone/tiny")
    assert "add `allow_download=True`" in str(error.value)
    assert "`hf download someone/tiny" in str(error.value)
    assert published.asked == []


def test_with_leave_exactly_what_is_needed_is_fetched_once(published, tiny):
    found = find_checkpoint("someone/tiny", allow_download=True)
    fetched = {str(p.relative_to(found.folder)) for p in found.folder.rglob("*") if p.is_file()}
    assert fetched >= set(NEEDED)
    assert not [name for name in fetched if name.endswith((".bin", ".ckpt", ".fp16.safetensors"))]
    assert found.revision == published.commit
    before = len(published.asked)
    assert find_checkpoint("someone/tiny").folder == found.folder
    assert load_diffusion(found, SETTINGS, CPU).size == 32
    assert len(published.asked) == before, "what is there needs no hub"


def test_only_the_autoencoder_is_fetched_for_the_autoencoder(published):
    found = find_checkpoint("someone/tiny", autoencoder_only=True, allow_download=True)
    weights = [str(p.relative_to(found.folder)) for p in found.folder.rglob("*.safetensors")]
    assert weights == ["vae/diffusion_pytorch_model.safetensors"]


def test_a_download_that_breaks_off_is_said_and_gone_on_with(published):
    published.broken_after = 50_000
    with pytest.raises(CheckpointError, match=r"could not be downloaded: .*goes on where it stopped"):
        find_checkpoint("someone/tiny", allow_download=True)
    with pytest.raises(CheckpointError, match=r"is only half on this machine \(.* missing\)"):
        find_checkpoint("someone/tiny")
    published.broken_after = None
    assert (
        missing_parts(find_checkpoint("someone/tiny", allow_download=True).folder, autoencoder_only=False)
        == []
    )


def test_offline_means_offline_whatever_else_was_said(published, monkeypatch):
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match="HF_HUB_OFFLINE is set, so nothing is downloaded"):
        find_checkpoint("someone/tiny", allow_download=True)
    assert published.asked == []
