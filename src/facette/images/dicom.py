"""Pictures of DICOM files, as hospitals keep them: their values and nothing else of what they say.

Enters: bytes. Leaves: a Pillow image, grey of 16 bits (I;16) or 8 (L), or RGB, and notes of what was done. Who was
pictured, when and by whom is read by nobody here and leaves this room in no form. Runs in the reader's process; needs
the extra `dicom` (pydicom).

Values are those of the modality, slope · stored + intercept, where these are whole numbers from 0 to 65,535; Hounsfield
units (CT) are moved by 1,024, so that air is 0 and all scanners agree; others keep their stored values, counted from
the least that the file can hold. MONOCHROME1, whose 0 is white, is inverted. The window that a viewer would show is not
applied: it throws away what lies outside.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facette.errors import ImageError

SUFFIXES = (".dcm", ".dicom")
AIR = 1_024  # Hounsfield units below water, where CT begins
FIRST = "first of several pictures in the file"
_MARK, _PLACE = b"DICM", 128
MARKED = _PLACE + len(_MARK)  # bytes by which a file is known


def is_dicom(data: bytes) -> bool:
    """Whether these are the first bytes of a DICOM file."""
    return data[_PLACE:MARKED] == _MARK


def dicom_image(
    data: bytes, name: str, check_size: Callable[[tuple[int, int]], object]
) -> tuple[Image.Image, list[str]]:
    """The picture of a DICOM file, the first where it holds several. `check_size((width, height))` is called before
    anything is decoded. Raises ImageError, also where the extra is not installed."""
    if importlib.util.find_spec("pydicom") is None:
        raise ImageError(f'{name} is a DICOM picture; reading it needs: pip install "facette[dicom]"')
    from pydicom import dcmread
    from pydicom.pixels.processing import apply_color_lut, convert_color_space
    from pydicom.pixels.utils import pixel_array

    file = dcmread(io.BytesIO(data))
    if "PixelData" not in file:
        raise ImageError(f"{name} is a DICOM file without a picture.")
    check_size((int(file.Columns), int(file.Rows)))
    notes = [FIRST] if int(file.get("NumberOfFrames") or 1) > 1 else []
    try:
        values: NDArray[Any] = pixel_array(file, index=0, raw=True)
    except (NotImplementedError, RuntimeError):  # of a compression whose decoder is not there
        kind = file.file_meta.TransferSyntaxUID.name
        raise ImageError(
            f"{name} is compressed as {kind}, which is not read here: save it uncompressed."
        ) from None
    kind = str(file.PhotometricInterpretation)
    if kind.startswith("MONOCHROME"):
        return Image.fromarray(_grey(values, file, kind == "MONOCHROME1")), notes
    if kind == "PALETTE COLOR":
        values = apply_color_lut(values, file)
        values = values >> 8 if values.dtype == np.uint16 else values
    elif kind.startswith("YBR"):
        values = convert_color_space(values, kind, "RGB", per_frame=False)
    if values.dtype != np.uint8 or values.shape[2:] != (3,):
        raise ImageError(
            f"{name} is a DICOM picture of a kind that is not read here ({kind} of {values.dtype})."
        )
    return Image.fromarray(values), notes


def _grey(stored: NDArray[Any], file: Any, white_is_zero: bool) -> NDArray[Any]:
    """Levels (H, W) from 0, uint8 where the file has no more than 8 bits, else uint16."""
    bits = min(int(file.BitsStored), 16)
    slope, intercept = float(file.get("RescaleSlope") or 1), float(file.get("RescaleIntercept") or 0)
    values = stored.astype(np.float64) * slope + intercept
    if file.get("RescaleType") == "HU" or file.get("Modality") == "CT":
        values, bits = values + AIR, max(bits, 12)
    elif values.min() < 0 or values.max() > 65_535 or (values % 1).any():
        values = stored.astype(np.float64) + (2 ** (bits - 1) if int(file.PixelRepresentation) else 0)
        values = values if slope > 0 else 2**bits - 1 - values
    top = 2**bits - 1 if values.max() < 2**bits else 65_535
    values = values.clip(0, top).round()
    levels = top - values if white_is_zero else values
    return levels.astype(np.uint8 if top == 255 else np.uint16)
