"""The model that a caller of the latent room names.

Enters: a model, its name or its path. Leaves: a loaded model that draws. Photos come in through `photo`. Knows
nothing of what is done with either.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from numpy.typing import NDArray

from facette.errors import UsageError, import_extra
from facette.model.interface import DrawingModel

if TYPE_CHECKING:
    from facette.model.trained import TrainedModel

Picture: TypeAlias = NDArray[Any]  # (H, W, C), uint8 or uint16: grey, RGB, or RGB and alpha
Model = TypeVar("Model", bound=DrawingModel)


def resolve_model(model: Model | str | Path) -> Model:
    """A loaded model as it is; a name or path loaded by torch."""
    if isinstance(model, str | Path):
        from facette.checkpoint.native import load_model

        return cast(Any, load_model(model))
    return model


def resolve_drawer(model: DrawingModel | str | Path) -> DrawingModel:
    """A loaded model as it is; a name or path as the commands open it: by the graphs that need no torch where there are
    such, so that both draw the same bytes."""
    if not isinstance(model, str | Path):
        return model
    from facette.checkpoint.drawing import open_to_draw

    return open_to_draw(model)


def gradient_model(model: DrawingModel | str | Path, need: str) -> "TrainedModel":
    """A model that can be differentiated, which takes torch; `need` says what for, e.g. "a geodesic".

    Raises MissingExtraError where torch is not installed, and UsageError for a model that was opened without it.
    """
    import_extra("torch", "train", need)
    from facette.model.trained import TrainedModel

    resolved: Any = resolve_model(model)
    if not isinstance(resolved, TrainedModel):
        raise UsageError(
            f"{need} needs gradients, and {resolved.name!r} was opened to draw: load it by torch."
        )
    return resolved


def check_pictured(model: DrawingModel) -> None:
    """Raises UsageError for a model of vectors, which has no pictures."""
    if model.input.kind != "image":
        raise UsageError(f"{model.name!r} is a model of {model.input.kind}s: this needs one of pictures.")


def image_size(model: DrawingModel) -> int:
    """The longer side of the model's pictures in pixels; UsageError for a model of vectors, which has none."""
    check_pictured(model)
    return model.input.longest
