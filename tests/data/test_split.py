"""Laws of the split: a name alone decides, nobody changes sides, no side is empty."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facette.data import open_dataset
from facette.data.names import NameTable
from facette.data.split import VALID, split_by_folder, split_by_name
from facette.errors import UsageError

MANY = [f"{i:06d}.jpg" for i in range(4000)]
VALID_OF_THE_FIRST_HUNDRED = ["000013.jpg", "000033.jpg", "000049.jpg", "000094.jpg"]


def sides(names: list[str]) -> dict[str, int]:
    return dict(zip(names, split_by_name(NameTable.of(names)).tolist(), strict=True))


def test_about_a_twentieth_is_valid():
    share = (split_by_name(NameTable.of(MANY)) == VALID).mean()
    assert 0.035 < share < 0.065  # ± 4 standard errors
    assert abs((split_by_name(NameTable.of(MANY), 0.3) == VALID).mean() - 0.3) < 0.03


def test_nobody_changes_sides_when_others_come_or_go():
    few, many = sides(MANY[::3]), sides(MANY)
    assert all(many[name] == side for name, side in few.items())


def test_order_does_not_matter():
    assert sides(MANY[:500][::-1]) == sides(MANY[:500])


def test_sides_are_the_same_on_every_machine_and_day():
    valid = [name for name, side in sides(MANY[:100]).items() if side == VALID]
    assert valid == VALID_OF_THE_FIRST_HUNDRED


def test_validation_is_spread_over_the_order():
    valid = np.flatnonzero(split_by_name(NameTable.of(MANY)) == VALID)
    assert all(((valid >= start) & (valid < start + 1000)).any() for start in range(0, 4000, 1000))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=5), min_size=2, max_size=8, unique=True))
def test_no_side_is_empty(names):
    assert set(sides(names).values()) == {0, 1}


@pytest.mark.parametrize("count", [2, 3, 4, 18, 60])
def test_few_pictures_have_two_to_validate_on_where_they_can(count):
    """Of one picture nobody can say how pictures differ: unexplained variance is its error over nothing."""
    for first in range(0, 400, 20):
        valid = list(sides(MANY[first : first + count]).values()).count(VALID)
        assert valid >= (2 if count >= 4 else 1)
        assert valid < count


def test_one_picture_trains():
    assert sides(["only.jpg"]) == {"only.jpg": 0}
    assert split_by_name(NameTable.of([])).shape == (0,)


@pytest.mark.parametrize("share", [0, 1, -0.1, float("nan")])
def test_shares_that_make_no_sense_are_refused(share):
    with pytest.raises(UsageError):
        split_by_name(NameTable.of(MANY), share)


def test_folders_may_say_it():
    names = NameTable.of(["Train/a.jpg", "train/x/b.jpg", "val/c.jpg", "test/d.jpg"])
    assert split_by_folder(names).tolist() == [0, 0, 1, 2]
    assert split_by_folder(NameTable.of(["train/a.jpg", "b.jpg"])) is None
    assert split_by_folder(NameTable.of(["train/a.jpg", "train/b.jpg"])) is None
    assert split_by_folder(NameTable.of(["train", "valid"])) is None


def test_a_folder_keeps_its_split_when_files_are_added(picture_folder, spec, tmp_path):
    before = open_dataset(picture_folder(120), spec, tmp_path / "cache")
    after = open_dataset(picture_folder(180), spec, tmp_path / "cache")
    assert len(after) == 180
    later = dict(zip(after.names, after.partition.tolist(), strict=True))
    assert all(
        later[name] == side for name, side in zip(before.names, before.partition.tolist(), strict=True)
    )
    assert set(before.partition.tolist()) == {0, 1}


def test_partitions_cover_everything_once(picture_folder, spec, tmp_path):
    store = open_dataset(picture_folder(40), spec, tmp_path / "cache")
    parts = [store.indices(part) for part in ("train", "valid", "test")]
    assert sorted(np.concatenate(parts).tolist()) == store.indices("all").tolist() == list(range(40))
    with pytest.raises(UsageError, match="no partition 'dev'"):
        store.indices("dev")
