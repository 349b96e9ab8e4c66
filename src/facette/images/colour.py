"""Turns a decoded picture of any colour mode into the one that is asked for: 8-bit sRGB, unless something else is.

In: a loaded PIL image (palette, alpha, CMYK, 16-bit, floating point, grey, with or without a colour profile).
Out: mode RGB, L, RGBA, or F for grey of 16 bits, and notes of what was done. Knows nothing of files.
"""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facette.errors import ImageError
from facette.form import Mode
from facette.images.depth import FULL, WHITES, to_levels, white_alone

REDUCED, FLATTENED, CONVERTED = (
    "reduced to 8 bits a channel",
    "transparent parts laid on ",
    "colours converted from ",
)
NARROW = "its 16 bits hold values of fewer"  # as a note begins that tells what is taken for white
OVERSHOOT = 0.5  # how far beyond 0 to 1 values may lie that were meant to lie there: resampling and highlights do that
_DEEP_MODES = ("I", "I;16", "I;16L", "I;16B", "I;16N", "F")


def to_mode(
    image: Image.Image,
    name: str,
    mode: Mode,
    background: tuple[int, int, int] = (255, 255, 255),
    white: int | None = None,
) -> tuple[Image.Image, list[str]]:
    """Copy of a decoded `image` in the mode, and notes; `name` is for messages.

    L and F are grey; F holds values from 0 to 65,535, of deeper pictures their own. RGBA keeps what is transparent,
    whose colour, where nothing of it is seen, becomes black. `white`: the value that is white in a picture of 16 bits,
    where somebody knows; else it is looked at.
    """
    if mode == "F" and image.mode in _DEEP_MODES:
        levels, scale = _levels(image, name, FULL, white)
        return Image.fromarray(levels.astype(np.float32)), [deep_note(scale)] if scale < FULL else []
    if mode == "RGBA" and image.has_transparency_data:
        alpha = image.convert("RGBA").getchannel("A")
        coloured, notes = to_rgb(image, name, None, white)
        coloured.putalpha(alpha)
        return _cleared(coloured), notes
    image, notes = to_rgb(image, name, background, white)
    return in_mode(image, mode), notes


def in_mode(image: Image.Image, mode: Mode) -> Image.Image:
    """A picture that is in one of the modes in another."""
    if image.mode == mode:
        return image
    if image.mode == "F":
        image = Image.fromarray(np.rint(np.asarray(image) / 257).clip(0, 255).astype(np.uint8))
    if image.mode == "RGBA" and mode != "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, (255, 255, 255, 255)), image)
    if mode == "F":
        return Image.fromarray(np.asarray(image.convert("L"), np.float32) * 257)
    return image.convert(mode)


def _cleared(image: Image.Image) -> Image.Image:
    """RGBA whose invisible pixels are black: what nobody sees costs a model nothing to learn."""
    pixels = np.array(image)
    pixels[pixels[..., 3] == 0] = 0
    return Image.fromarray(pixels)


def to_rgb(
    image: Image.Image,
    name: str,
    background: tuple[int, int, int] | None = (255, 255, 255),
    white: int | None = None,
) -> tuple[Image.Image, list[str]]:
    """RGB copy of `image`, and notes; transparent parts are laid on `background`, or their colours are kept where it
    is None. `name` is for messages, `white` as in `to_mode`."""
    if image.mode == "RGB" and not image.info.get("icc_profile") and "transparency" not in image.info:
        return image, []
    notes: list[str] = []
    profile = image.info.get("icc_profile")
    if image.mode in _DEEP_MODES:
        levels, scale = _levels(image, name, 255, white)
        image = Image.fromarray(levels)
        notes.append(deep_note(scale))
    alpha = None
    if image.has_transparency_data:
        image = image.convert("LA" if image.mode in ("La", "LA") else "RGBA")
        alpha = image.getchannel("A")
        image = image.convert("L" if image.mode == "LA" else "RGB")
    if image.mode == "P":
        image = image.convert("RGB")
    if image.mode == "CMYK":
        notes.append("converted from CMYK")
    if profile:
        image, described = _to_srgb(image, profile)
        notes = described + notes
    image = image.convert("RGB")
    if alpha is not None and background is not None and np.asarray(alpha).min() < 255:
        image = _flatten(image, alpha, background)
        notes.append(FLATTENED + _colour_name(background))
    return image, notes


def _flatten(image: Image.Image, alpha: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    image = image.copy()
    image.putalpha(alpha)
    # A picture whose alpha is full everywhere comes out unchanged, to the bit.
    return Image.alpha_composite(Image.new("RGBA", image.size, (*background, 255)), image).convert("RGB")


def deep_note(white: int) -> str:
    """What was done to a picture of more than 8 bits with this white."""
    if white in WHITES[:-1]:
        return f"{NARROW}: white is {white:,} of {FULL:,}"
    return REDUCED


def _levels(image: Image.Image, name: str, most: int, white: int | None) -> tuple[NDArray[Any], int]:
    """Values of a deep picture, rounded to levels from 0 to `most`, uint8 for 255, else uint16; and what was white.

    The full scale is what the values call for: 1 (floating point only, a little beyond is cut off), 255, 4095 or 65535,
    or the `white` that is known of pictures of 16 bits. Nothing else is stretched: a dark picture stays dark.
    """
    values = np.asarray(image)
    low, high = float(values.min()), float(values.max())
    if not np.isfinite(low) or not np.isfinite(high):  # NaN is both the least and the greatest
        raise ImageError(f"{name} holds values that are not numbers (NaN or infinite).")
    if image.mode == "F" and low >= -OVERSHOOT and high <= 1 + OVERSHOOT:
        return to_levels(values, 1, most), FULL
    if low < 0 or high > FULL:
        raise ImageError(f"{name} holds values from {low:g} to {high:g}; 0 to 65535 can be read.")
    if image.mode.startswith("I;16"):
        scale = white_alone(int(high)) if white is None else white
        return to_levels(values, scale, most), scale
    return to_levels(values, 255 if high <= 255 else FULL, most), FULL


def _to_srgb(image: Image.Image, profile: bytes) -> tuple[Image.Image, list[str]]:
    """Applies the embedded colour profile. A damaged profile is left out: the picture is worth more."""
    from PIL import ImageCms

    try:
        source: Any = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        description = ImageCms.getProfileDescription(source)
        described = " ".join((description or "an unnamed colour profile").split())[:60]
        if described.isprintable() and "srgb" in described.lower():
            return image.convert("RGB"), []
        space = source.profile.xcolor_space.strip()
        suited = {"GRAY": ("1", "L"), "RGB": ("1", "L", "RGB"), "CMYK": ("CMYK",)}.get(space, ())
        if image.mode not in suited:
            return image, [f"its colour profile is for {space} pictures and was left out"]
        image = image.convert({"GRAY": "L"}.get(space, space))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image, ["its colour profile is damaged and was left out"]
    assert converted is not None  # None only where the caller asks to convert in place
    return converted, [f"colours converted from {described!r} to sRGB"]


def _colour_name(colour: tuple[int, int, int]) -> str:
    return {(255, 255, 255): "white", (0, 0, 0): "black"}.get(colour, f"RGB {colour}")
