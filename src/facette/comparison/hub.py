"""What a hub's cache on this disk holds, and fetching the rest when somebody has said so.

Enters: a hub name and patterns of files. Leaves: the folder of its newest fetched commit. Knows nothing of what the
files are.
"""

from __future__ import annotations

from pathlib import Path

from facette.errors import CheckpointError, import_extra

NEED = "Comparing with a diffusion model"


def cached_folder(name: str, marks: tuple[str, ...]) -> Path | None:
    """The folder of a hub checkpoint as far as it was ever fetched; None where not one of `marks` is in it."""
    hub = import_extra("huggingface_hub", "compare", NEED)
    for mark in marks:
        cached = hub.try_to_load_from_cache(name, mark)
        if isinstance(cached, str):  # else it is not there, or known not to exist
            return Path(cached).parent
    return None


def download(name: str, patterns: list[str]) -> Path:
    """Fetch the files that fit the patterns; returns their folder. What is there already is not fetched again.

    Raises CheckpointError where HF_HUB_OFFLINE is set, and with the library's reason where the hub does not give them.
    """
    hub = import_extra("huggingface_hub", "compare", NEED)
    constants = import_extra("huggingface_hub.constants", "compare", NEED)
    if constants.HF_HUB_OFFLINE:
        raise CheckpointError(
            f"{name!r} is not whole on this machine and HF_HUB_OFFLINE is set, so nothing is downloaded: unset it."
        )
    try:
        return Path(hub.snapshot_download(name, allow_patterns=patterns))
    except KeyboardInterrupt:
        raise CheckpointError(
            f"the download of {name!r} was stopped: the same command goes on where it was."
        ) from None
    except Exception as error:
        raise CheckpointError(
            f"{name!r} could not be downloaded: {first_line(error)}; the same command goes on where it stopped."
        ) from None


def first_line(error: Exception) -> str:
    """The first line of what a library has to say."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
