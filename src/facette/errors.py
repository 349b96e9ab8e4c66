"""What a user can do wrong: one family of exceptions.

The command line prints such an error as a single sentence and exits with code 2; the studio shows the
sentence in the page. A message says what is wrong, the offending value, and what to do about it; a parameter that
helps stands in backticks as Python has it, `name` or `name='value'`, and the command line turns it into its option.
Anything that is *not* a FacetteError is a fault of ours and keeps its traceback.
"""

from importlib import import_module
from numbers import Integral
from typing import Any


class FacetteError(Exception):
    """Something the user can put right."""


class UsageError(FacetteError):
    """An argument or option has a value that cannot be used."""


class RecipeError(FacetteError):
    """A recipe has an unknown key, a wrong type, or values that contradict each other."""


class ImageError(FacetteError):
    """A picture cannot be opened, is hostile, or holds no face where one was asked for."""


class NoFaceError(ImageError):
    """No face was found where one was looked for; whoever asked for the photo knows what else can be done."""


class DataError(FacetteError):
    """A data set is missing, empty, damaged, or does not fit the recipe."""


class CheckpointError(FacetteError):
    """A model file or a foreign checkpoint cannot be read, trusted, or understood."""


class TrainingError(FacetteError):
    """A run cannot start, cannot go on, or has become non-finite."""


class BusyError(FacetteError):
    """Another process works in the same place."""


class MissingExtraError(FacetteError):
    """An optional library is not installed; the message carries the command that installs it."""


def import_extra(module: str, extra: str, need: str) -> Any:
    """An optional library, imported; `need` begins the sentence, e.g. "comparing with diffusion models".

    Raises MissingExtraError with the command that installs it where it is not there.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        library = module.partition(".")[0]
        if (error.name or "").partition(".")[0] != library:
            raise
        raise MissingExtraError(
            f'{need} needs {library}, which is not installed: pip install "facette[{extra}]"'
        ) from None


def check_count(count: int, least: int = 1, what: str = "count") -> int:
    """The number back, when it is one that pictures can be made of."""
    if not isinstance(count, Integral) or count < least:
        raise UsageError(f"{what} must be a whole number of at least {least}, got {count!r}.")
    return int(count)
