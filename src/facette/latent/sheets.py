"""What every result of this room can do: be drawn as a sheet, be saved, be played, show itself in a notebook.

Enters: a result with pictures. Leaves: sheets and files. How a sheet looks is decided in `facette.images.sheets.grid`;
which pictures go where is decided by each result.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facette.errors import UsageError
from facette.latent.inputs import Picture

if TYPE_CHECKING:
    from facette.images.sheets.grid import Sheet
    from facette.latent.drawing import Drawing


class Result:
    """A result with pictures, a sheet, and the settings that make it again."""

    __slots__ = ()
    pictures: Picture

    def sheet(self) -> "Sheet":
        """The contact sheet."""
        raise NotImplementedError

    def settings(self) -> dict[str, Any]:
        """What makes this result again, as plain values; it travels inside the saved sheet."""
        raise NotImplementedError

    def settings_of(self, number: int) -> dict[str, Any]:
        """The same for one of the pictures alone; it travels inside the saved picture."""
        return {**self.settings(), "picture": number + 1}

    def save(self, path: str | Path) -> Path:
        """Write the sheet in the format of the path's ending; returns the path. The same result, the same bytes."""
        from facette.images.sheets.grid import save_sheet

        return save_sheet(self.sheet(), path, self.settings())

    def save_each(self, directory: str | Path) -> list[Path]:
        """Write every picture by itself as `01.png`, `02.png` …; returns the paths."""
        return save_pictures(self.pictures, directory, self.settings_of)

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        from io import BytesIO

        buffer = BytesIO()
        self.sheet().image.save(buffer, format="PNG")
        return buffer.getvalue()


class Film(Result):
    """A result that can also be played."""

    __slots__ = ()

    def save(self, path: str | Path, seconds: float | None = None, side: int | None = None) -> Path:
        """Write a sheet, or for .gif and .mp4 a film there and back; returns the path.

        `seconds`: how long the way there lasts. `side`: of the film's pictures in pixels.
        """
        from facette.images.sheets.film import is_animation, save_animation

        if not is_animation(path):
            return Result.save(self, path)
        return save_animation(self.frames(), path, seconds=seconds, side=side, metadata=self.settings())

    def frames(self) -> Picture:
        """There and back, so that the film can repeat without a jump: (2T − 2, S, S, 3)."""
        return np.concatenate([self.pictures, self.pictures[-2:0:-1]])


def signed(strength: float) -> str:
    """ "+2", "−0.67", "0": as it stands on sheets."""
    return f"{round(strength, 2):+g}".replace("-", "−") if round(strength, 2) else "0"


def even_columns(count: int) -> int:
    """Columns for a wall of so many pictures: near a page's shape, and with as full a last row as can be."""
    wished = (1.6 * count) ** 0.5
    near = range(max(1, round(0.7 * wished)), round(1.4 * wished) + 1)
    return min(near, key=lambda columns: (-count % columns, abs(columns - wished)))


def footer(drawing: "Drawing", remark: str) -> str:
    """The line under a sheet: whose details the pictures have, and what was done to the photos."""
    return " · ".join(filter(None, (drawing.words, remark)))


def save_pictures(
    pictures: Picture, directory: str | Path, settings_of: Callable[[int], dict[str, Any]] | None = None
) -> list[Path]:
    """Write every picture by itself as `01.png`, `02.png` …, with its settings inside; returns the paths.

    Single pictures of an earlier result are replaced, all of them; raises UsageError where other pictures have such
    names.
    """
    from facette.images.convert import picture_image
    from facette.images.sheets.file import write_set

    return write_set([picture_image(picture) for picture in pictures], Path(directory), settings_of)


def save_points(points: np.ndarray, path: str | Path) -> Path:
    """Write points (N, D) as CSV with a heading x1, x2 …, exact to the last bit of a float32."""
    from facette.images.sheets.file import write_whole

    path = Path(path)
    if path.suffix.lower() != ".csv":
        raise UsageError(f"points are written as CSV, not as {path.name!r}: end the name in .csv")
    heading = ",".join(f"x{place}" for place in range(1, points.shape[1] + 1))
    return write_whole(
        path, lambda file: np.savetxt(file, points, fmt="%.9g", delimiter=",", header=heading, comments="")
    )
