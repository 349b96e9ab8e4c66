"""Hides a part of a picture from the encoder, so that a model learns to draw what it is not shown.

Enters: the masks of a batch, and numbers drawn by (seed, step). Leaves: masks in which a border
or a box is unknown too. What is hidden stays in the likelihood: it is known, only not shown. (q(z|shown picture) is as
good a posterior for the bound as any; what is drawn for a hidden part is then its mean given the rest.)
"""

from __future__ import annotations

import torch
from torch import Tensor

BORDER = 0.3  # of the side: at most so much is hidden of each of the four borders
BOX = (0.15, 0.6)  # of the side: how wide and how high a box is


NUMBERS = 6  # drawn for each picture


def hidden_parts(seen: Tensor, share: float, drawn: Tensor) -> Tensor:
    """Masks (N, 1, H, W) of 0 and 1 in which of about `share` of the pictures a part is hidden: of half of them the
    borders, as in a tight crop, of the others a box, as behind a hand or a pair of sunglasses.

    `drawn` (NUMBERS, N), uniform in [0, 1), decides all of it.
    """
    chance, kind, *numbers = drawn.to(seen.device)
    down, across = ((torch.arange(side, device=seen.device) + 0.5) / side for side in seen.shape[-2:])
    left, right, top, bottom = (BORDER * u[:, None] for u in numbers)
    columns = (across >= left) & (across < 1 - right)  # (N, W) that a crop leaves
    rows = (down >= top) & (down < 1 - bottom)
    cropped = rows[:, :, None] & columns[:, None, :]
    width, height = (BOX[0] + (BOX[1] - BOX[0]) * u[:, None] for u in numbers[:2])
    x, y = numbers[2][:, None] * (1 - width), numbers[3][:, None] * (1 - height)
    columns, rows = (across >= x) & (across < x + width), (down >= y) & (down < y + height)
    boxed = ~(rows[:, :, None] & columns[:, None, :])
    shown = torch.where((kind < 0.5)[:, None, None], cropped, boxed) | (chance >= share)[:, None, None]
    return seen * shown[:, None].to(seen.dtype)
