"""Where a diffusion checkpoint lies, and whether all of it is there.

Enters: what the user named, a folder, a .safetensors file or a name on a hub. Leaves: a `DiffusionCheckpoint` here.
Looks at files only. The libraries that load such checkpoints fill whatever is missing with random numbers and a
line in a log, or fail far from the cause; so every file is asked for here first, by name.

Nothing is downloaded unless `allow_download` says so, and never a pickle.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError, safe_open

from facette.comparison.hub import NEED, cached_folder, download, first_line
from facette.errors import CheckpointError, UsageError, import_extra

INDEX, CONFIG = "model_index.json", "config.json"
STEMS = ("diffusion_pytorch_model", "model")  # how diffusers and transformers name weights
VARIANTS = ("", ".fp16")  # plain weights first; a half-precision set is taken where it is the only one

Kind = Literal["pipeline", "autoencoder"]
_HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w.-]+")
_TOKENIZER_FILES = ("tokenizer.json", "vocab.json", "spiece.model", "tokenizer.model")


@dataclass(frozen=True, slots=True)
class DiffusionCheckpoint:
    """A whole checkpoint on this disk."""

    named: str  # as the user wrote it
    folder: Path  # with the configuration, and with the weights where `file` is None
    file: Path | None  # all weights in one file
    kind: Kind
    class_name: str  # of the pipeline or the autoencoder, as its configuration says
    variant: str | None  # "fp16" where only half-precision weights are there
    revision: str | None  # the commit on the hub, where it came from one

    @property
    def autoencoder_folder(self) -> Path:
        """Where the autoencoder's configuration is."""
        return self.folder / "vae" if self.kind == "pipeline" else self.folder


def find_checkpoint(
    named: str,
    *,
    autoencoder_only: bool = False,
    safety_checker: bool = True,
    config: str | None = None,
    allow_download: bool = False,
) -> DiffusionCheckpoint:
    """The checkpoint behind a folder, a .safetensors file or a hub name such as `someone/model`.

    `autoencoder_only` asks for its autoencoder alone, which may also be named by itself. A single file carries no
    configuration: `config` names a folder or hub name that does; by default the one its weights were trained in.
    Raises CheckpointError when it is not there, not whole, or not of such a kind; UsageError for a name that is
    neither path nor hub name.
    """
    path = Path(named).expanduser()
    if path.is_file():
        return _from_file(named, path, config, autoencoder_only, allow_download)
    if config is not None:
        raise UsageError(f"`config` is for single .safetensors files, and {named!r} is none: leave it out.")
    if path.is_dir():
        return _from_folder(named, path, autoencoder_only, safety_checker)
    if not _HUB_NAME.fullmatch(named):
        raise UsageError(
            f"there is no checkpoint {named!r}: give a folder, a .safetensors file, or a hub name such as "
            "stable-diffusion-v1-5/stable-diffusion-v1-5."
        )
    folder = _from_hub(named, autoencoder_only, safety_checker, allow_download)
    return _from_folder(named, folder, autoencoder_only, safety_checker)


def weight_files(folder: Path) -> tuple[list[Path], str]:
    """The .safetensors files of one network that are or should be there, and their variant.

    The list may name files that are missing, where an index asks for them; it is empty when there are none.
    """
    for variant in VARIANTS:
        for stem in STEMS:
            index = folder / f"{stem}.safetensors.index{variant}.json"
            if index.is_file():
                return sorted(
                    {folder / name for name in _json(index).get("weight_map", {}).values()}
                ), variant
            single = folder / f"{stem}{variant}.safetensors"
            if single.is_file():
                return [single], variant
    return [], ""


def count_numbers(files: list[Path]) -> int:
    """How many numbers the files hold; only their headers are read. CheckpointError for a damaged file."""
    total = 0
    for path in files:
        try:
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118
                    if not name.endswith(
                        "position_ids"
                    ):  # counted, not learned; newer networks make their own
                        size = 1
                        for side in file.get_slice(name).get_shape():
                            size *= side
                        total += size
        except (SafetensorError, OSError) as error:
            raise CheckpointError(
                f"{path} is cut short or damaged, as by an interrupted download: get it again ({error})."
            ) from None
    return total


def missing_parts(folder: Path, *, autoencoder_only: bool, safety_checker: bool = True) -> list[str]:
    """What a checkpoint folder lacks, as paths inside it; empty when it is whole."""
    if not (folder / INDEX).is_file():
        return _missing_of_network(folder, "") if (folder / CONFIG).is_file() else [INDEX]
    parts = _parts(_json(folder / INDEX))
    if autoencoder_only:
        return _missing_of_network(folder / "vae", "vae/")
    if not safety_checker:
        parts.pop("safety_checker", None)
    return [path for name, part in parts.items() for path in _missing_of(folder / name, name, part)]


# ── where it comes from ──────────────────────────────────────────────────────────────────────────────────


def _from_folder(
    named: str, folder: Path, autoencoder_only: bool, safety_checker: bool
) -> DiffusionCheckpoint:
    missing = missing_parts(folder, autoencoder_only=autoencoder_only, safety_checker=safety_checker)
    if missing == [INDEX]:
        raise CheckpointError(
            f"{folder} holds no {INDEX}: it is no diffusion checkpoint, or only a part of one, as an interrupted "
            "download leaves it."
        )
    if missing:
        raise CheckpointError(
            f"the checkpoint in {folder} is only half there, as an interrupted download leaves it: "
            f"{_listed(missing)} missing; get it again."
        )
    whole = (folder / INDEX).is_file()
    if not whole and not autoencoder_only:
        raise CheckpointError(
            f"{folder} holds no pipeline but one network ({_class_in(folder / CONFIG)}): an autoencoder is "
            "compared with `vae_only=True`."
        )
    part = folder / "vae" if whole and autoencoder_only else folder
    networks = (
        [folder / name for name in _parts(_json(folder / INDEX))] if part == folder and whole else [part]
    )
    variants = [weight_files(network)[1] for network in networks if (network / CONFIG).is_file()]
    for network in networks:
        count_numbers(weight_files(network)[0])
    return DiffusionCheckpoint(
        named=named,
        folder=folder,
        file=None,
        kind="pipeline" if whole else "autoencoder",
        class_name=_class_in(part / CONFIG) if autoencoder_only else _class_in(folder / INDEX),
        variant=next((variant.removeprefix(".") for variant in variants if variant), None),
        revision=folder.name if folder.parent.name == "snapshots" else None,
    )


def _from_file(
    named: str, path: Path, config: str | None, autoencoder_only: bool, allow_download: bool
) -> DiffusionCheckpoint:
    if path.suffix != ".safetensors":
        raise CheckpointError(
            f"{path.name} is no .safetensors file: pickles such as .ckpt and .bin can run code and are not read."
        )
    count_numbers([path])
    folder = _configuration(path, config, autoencoder_only, allow_download)
    whole = (folder / INDEX).is_file()
    described = (
        folder / INDEX if whole and not autoencoder_only else folder / ("vae" if whole else "") / CONFIG
    )
    missing = [] if described.is_file() else [described.name]
    if whole and not autoencoder_only:
        lacking = [
            file
            for n, part in _parts(_json(folder / INDEX)).items()
            for file in _missing_of(folder / n, n, part)
        ]
        # the file has all the weights
        missing += [file for file in lacking if not file.endswith(".safetensors")]
    if missing:
        raise CheckpointError(
            f"the configuration in {folder} is only half there: {_listed(missing)} missing."
        )
    return DiffusionCheckpoint(
        named=named,
        folder=folder,
        file=path,
        kind="pipeline" if whole else "autoencoder",
        class_name=_class_in(described),
        variant=None,
        revision=None,
    )


def _configuration(path: Path, config: str | None, autoencoder_only: bool, allow_download: bool) -> Path:
    """The folder that describes the networks in a single file."""
    if config is not None and Path(config).expanduser().is_dir():
        return Path(config).expanduser()
    hub_name = config or _trained_in(path)
    if not _HUB_NAME.fullmatch(hub_name):
        raise UsageError(f"`config` names a folder or a hub name, and {hub_name!r} is neither.")
    folder = cached_folder(hub_name, (INDEX,))
    if folder is not None:
        return folder
    if not allow_download:
        raise CheckpointError(
            f"{path.name} holds weights alone, and the configuration they belong to, {hub_name!r}, is not on this "
            "machine: name a folder that has it by `config`, or add `allow_download=True` to fetch it "
            "(a few small files)."
        )
    return download(hub_name, [INDEX, *(f"*/*{ending}" for ending in (".json", ".txt", ".model"))])


def _trained_in(path: Path) -> str:
    """The hub name of the checkpoint whose networks a single file fits, judged by its tensors' names and shapes."""
    import_extra("diffusers", "compare", NEED)
    from diffusers.loaders.single_file_utils import fetch_diffusers_config
    from safetensors.torch import load_file

    return fetch_diffusers_config(load_file(path))["pretrained_model_name_or_path"]


# ── the hub ──────────────────────────────────────────────────────────────────────────────────────────────


def _from_hub(name: str, autoencoder_only: bool, safety_checker: bool, allow_download: bool) -> Path:
    folder = cached_folder(name, (INDEX, CONFIG))
    asked: dict[str, Any] = {"autoencoder_only": autoencoder_only, "safety_checker": safety_checker}
    missing = [INDEX] if folder is None else missing_parts(folder, **asked)
    if folder is not None and not missing:
        return folder
    if not allow_download:
        state = (
            "is not on this machine"
            if folder is None
            else f"is only half on this machine ({_listed(missing)} missing)"
        )
        files = "'vae/*'" if autoencoder_only else "'*/*'"
        raise CheckpointError(
            f"{name!r} {state}, and nothing is downloaded unless you say so: add `allow_download=True`, or run "
            f"`hf download {name} --include '*.json' --include {files} --exclude '*.bin' --exclude '*.fp16.*' "
            "--exclude '*.msgpack'` first (some gigabytes, once)."
        )
    first = download(name, [INDEX, CONFIG])
    index = _json(first / INDEX) if (first / INDEX).is_file() else None
    return download(name, [INDEX, CONFIG, *_wanted_files(index, autoencoder_only, safety_checker)])


def _wanted_files(index: dict[str, Any] | None, autoencoder_only: bool, safety_checker: bool) -> list[str]:
    """Patterns of exactly the files that `missing_parts` asks for, so that no other precision comes along."""
    if index is None:
        places = [""]
    elif autoencoder_only:
        places = ["vae/"]
    else:
        places = [f"{name}/" for name in _parts(index) if safety_checker or name != "safety_checker"]
    endings = ("*.json", "*.txt", "*.model", *(f"{s}.safetensors" for s in STEMS))
    shards = tuple(f"{stem}-*-of-*.safetensors" for stem in STEMS)
    return [place + ending for place in places for ending in (*endings, *shards)]


# ── the files of a checkpoint ────────────────────────────────────────────────────────────────────────────


def _parts(index: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Names of the parts of a pipeline, each with its library and class; parts it does without are left out."""
    return {
        name: (str(entry[0]), str(entry[1]))
        for name, entry in index.items()
        if not name.startswith("_") and isinstance(entry, list) and len(entry) == 2 and entry[1]
    }


def _missing_of(folder: Path, name: str, part: tuple[str, str]) -> list[str]:
    """What one part of a pipeline lacks."""
    library, kind = part
    if "Scheduler" in kind:
        return [] if (folder / "scheduler_config.json").is_file() else [f"{name}/scheduler_config.json"]
    if "Tokenizer" in kind:
        there = any((folder / file).is_file() for file in _TOKENIZER_FILES)
        return [] if there else [f"{name}/{_TOKENIZER_FILES[0]}"]
    if "Processor" in kind or "FeatureExtractor" in kind:
        return [] if (folder / "preprocessor_config.json").is_file() else [f"{name}/preprocessor_config.json"]
    return _missing_of_network(folder, f"{name}/", STEMS[0] if library == "diffusers" else STEMS[1])


def _missing_of_network(folder: Path, prefix: str, stem: str = STEMS[0]) -> list[str]:
    missing = [] if (folder / CONFIG).is_file() else [prefix + CONFIG]
    files, _ = weight_files(folder)
    if not files:
        return [*missing, f"{prefix}{stem}.safetensors"]
    return missing + [prefix + file.name for file in files if not file.is_file()]


def _class_in(path: Path) -> str:
    content = _json(path).get("_class_name")
    if not isinstance(content, str):
        raise CheckpointError(f"{path} names no class of diffusers, but {content!r}: it cannot be compared.")
    return content


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON: {first_line(error)}; get it again.") from None
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds no JSON object: get it again.")
    return content


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"{shown} {'is' if len(names) == 1 else 'are'}"
