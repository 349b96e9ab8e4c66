"""A model to a hub and back, by the conventions of the hub's own library.

Enters: a TrainedModel or its name, and a repository such as `someone/my-faces`. Leaves: the address of the commit, or
a loaded model. A repository holds exactly what a model folder holds: `model.safetensors`, `config.json`, and the card
as README.md. So whatever fetches a repository fetches a model that every command opens.

Nothing here runs by itself: a model goes out when `push_to_hub` is called, and comes in when `from_pretrained` is.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from facette.checkpoint.native import WEIGHTS, load_model, save_model
from facette.errors import CheckpointError, UsageError, import_extra
from facette.model.trained import TrainedModel

FILES = (WEIGHTS, "config.json", "README.md")
NEED = "Using a hub"


def push_to_hub(
    model: TrainedModel | str | Path,
    repository: str,
    *,
    private: bool | None = None,
    token: str | None = None,
    revision: str | None = None,
    message: str | None = None,
) -> str:
    """Upload a model folder, making the repository where there is none; returns the address of the commit.

    `private` None leaves it to the account. `token` None uses the one that `hf auth login` has stored. Raises
    UsageError for what is no repository name, CheckpointError with the hub's reason where it refuses.
    """
    hub = _hub()
    _check_name(hub, repository)
    loaded = model if isinstance(model, TrainedModel) else load_model(model)
    api = hub.HfApi(token=token, library_name="facette")
    with tempfile.TemporaryDirectory() as folder:
        save_model(loaded, folder)
        try:
            created = api.create_repo(repository, private=private, exist_ok=True)
            commit = api.upload_folder(
                repo_id=created.repo_id,
                folder_path=folder,
                allow_patterns=list(FILES),
                revision=revision,
                commit_message=message or f"{loaded.name}, a Facette model",
            )
        except Exception as error:  # the library lets the errors of its transport through, whichever that is
            raise CheckpointError(f"{repository!r} did not take the model: {_reason(error)}") from None
    return str(getattr(commit, "commit_url", commit))


def from_pretrained(
    name: str | Path,
    *,
    device: str = "cpu",
    revision: str | None = None,
    token: str | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
) -> TrainedModel:
    """A model from a hub, from its cache on this disk, or from a model folder.

    With `local_files_only`, or HF_HUB_OFFLINE set, nothing is fetched. Raises CheckpointError when it is not there
    or is no Facette model, UsageError for what is neither folder nor repository name.
    """
    if Path(name).exists():
        return load_model(name, device=device)
    hub = _hub()
    _check_name(hub, str(name))
    try:
        folder = hub.snapshot_download(
            str(name),
            revision=revision,
            token=token,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
            allow_patterns=list(FILES),
            library_name="facette",
        )
    except Exception as error:  # as above
        raise CheckpointError(f"there is no model {str(name)!r} to be had: {_reason(error)}") from None
    return load_model(folder, device=device)


def _hub() -> Any:
    for part in ("errors", "utils"):
        import_extra(f"huggingface_hub.{part}", "export", NEED)
    return import_extra("huggingface_hub", "export", NEED)


def _check_name(hub: Any, repository: str) -> None:
    try:
        hub.utils.validate_repo_id(repository)
    except hub.errors.HFValidationError as error:
        raise UsageError(f"{repository!r} names no repository: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """The library's first line, as the end of a sentence."""
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return first.rstrip(".") + "."
