"""Results that are a sequence: as a sheet, or as a moving picture when the file's name asks for one.

Enters: a result whose pictures follow each other. Leaves: a sheet, a GIF or an MP4. How an animation is written is
decided in `facette.images.sheets.film`.
"""

from pathlib import Path

import numpy as np

from facette.latent.inputs import Picture
from facette.latent.sheets import Result


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
