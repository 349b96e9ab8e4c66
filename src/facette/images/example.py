"""The photo that comes with the package, so that there is a face to begin with on every machine.

Enters: nothing. Leaves: the path of a JPEG of 512 pixels: Eileen Collins, photographed for NASA in 1993, which as a
work of the United States government is in the public domain.
"""

from importlib.resources import files
from pathlib import Path

CREDIT = "Eileen Collins, photographed for NASA in 1993, public domain"


def example_photo() -> Path:
    """The file."""
    return Path(str(files("facette"))) / "photos" / "astronaut.jpg"
