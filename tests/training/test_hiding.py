"""Hidden parts: never more is shown than is known, and only the recipe's share of pictures loses something."""

from __future__ import annotations

import torch

from facette.training.hiding import NUMBERS, hidden_parts


def drawn(count: int) -> torch.Tensor:
    return torch.rand(NUMBERS, count, generator=torch.Generator().manual_seed(3))


def test_nothing_unknown_is_ever_shown():
    seen = torch.ones(64, 1, 32, 32)
    seen[:, :, :, :5] = 0
    shown = hidden_parts(seen, 1.0, drawn(64))
    assert not (shown > seen).any()
    assert set(shown.unique().tolist()) <= {0.0, 1.0}


def test_the_share_says_of_how_many_pictures_a_part_is_hidden():
    seen = torch.ones(400, 1, 32, 32)
    assert hidden_parts(seen, 0.0, drawn(400)).eq(1).all()
    hidden = (hidden_parts(seen, 0.3, drawn(400)) == 0).flatten(1).any(1)
    assert 0.2 < hidden.float().mean() < 0.4
    everywhere = hidden_parts(seen, 1.0, drawn(400)).flatten(1).mean(1)
    assert (everywhere > 0.1).all()  # something is always left to see


def test_both_a_tight_crop_and_a_covering_box_occur():
    shown = hidden_parts(torch.ones(200, 1, 32, 32), 1.0, drawn(200))[:, 0]
    middle = shown[:, 14:18, 14:18].flatten(1).amin(1)
    corner = shown[:, 0, 0]
    assert ((middle == 1) & (corner == 0)).any()  # a crop keeps the middle
    assert ((middle == 0) & (corner == 1)).any()  # a box may cover it
