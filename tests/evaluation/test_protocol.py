"""Figures of different protocols are not compared."""

import dataclasses

import pytest

from facette.errors import UsageError
from facette.evaluation.protocol import Protocol, require_same

USUAL = Protocol("attribute network 1a2b", "bicubic to 64 px", "uint8 RGB", "valid of faces", 500)


def test_figures_of_one_protocol_compare():
    assert require_same([USUAL, dataclasses.replace(USUAL)]) == USUAL


@pytest.mark.parametrize(
    ("field", "value"),
    [("network", "Inception"), ("resize", "none"), ("format", "JPEG"), ("split", "train"), ("count", 50)],
)
def test_any_other_condition_is_named(field, value):
    with pytest.raises(UsageError, match=f"made with {field} .*under one protocol"):
        require_same([USUAL, USUAL, dataclasses.replace(USUAL, **{field: value})])


def test_nothing_has_no_protocol():
    with pytest.raises(UsageError, match="nothing to compare"):
        require_same([])
