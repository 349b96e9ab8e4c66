"""Laws of true factors as attributes."""

import numpy as np

from facette.data.factor_labels import factor_labels
from facette.data.generated import FacesSource
from facette.data.portrait import FACTORS


def test_each_factor_says_what_the_face_was_drawn_with():
    factors = FacesSource(400).labels()[1]
    table = factor_labels(factors)
    columns = dict(zip(table.names, table.values.T, strict=True))
    values = dict(zip(factors.names, factors.values.T, strict=True))
    assert set(np.unique(table.values)) == {-1, 1}
    assert ((columns["smile"] > 0) == (values["smile"] > 0)).all()
    assert ((columns["skin_tone"] > 0) == (values["skin_tone"] > 0.5)).all()
    turn = 2 * np.pi * values["background_hue"]
    assert ((columns["background_hue:sine"] > 0) == (np.sin(turn) > 0)).all()
    assert ((columns["background_hue:cosine"] > 0) == (np.cos(turn) > 0)).all()
    glasses = np.stack([columns[name] for name in table.names if name.startswith("glasses:")])
    assert ((glasses > 0).sum(0) == 1).all()  # exactly one category holds
    assert ((columns["glasses:none"] > 0) == (values["glasses"] == 0)).all()


def test_every_factor_is_there():
    names = factor_labels(FacesSource(2).labels()[1]).names
    assert {name.partition(":")[0] for name in names} == {factor.name for factor in FACTORS}
    assert len(set(names)) == len(names)
