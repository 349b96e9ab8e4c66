"""Tables of labels as spreadsheets, pandas and people save them: joined and counted, or refused in one sentence."""

from __future__ import annotations

import pytest

from facette.data import open_dataset
from facette.errors import FacetteError
from facette.recipe import load_recipe

# How many of the 24 pictures each table labels, and with which attributes; or what the sentence says.
JOINED = {
    **dict.fromkeys(
        ("allzero", "blankrows", "bom", "excel_trailing2", "namecol_last", "pandas_index", "paths_abs"),
        (24, ("Smiling",)),
    ),
    **dict.fromkeys(
        ("paths_win", "quoted", "trailing", "trailing_rows", "upper", "utf16"), (24, ("Smiling",))
    ),
    **dict.fromkeys(("semi_spaces", "spaces"), (24, ("Smiling", "Old"))),
    "mixed01m1": (24, ("Smiling", "Glasses")),
    "fairface": (24, ("age:20-29", "gender:Female", "gender:Male", "race:White")),
    "half": (3, ("Smiling",)),
}
REFUSED = {
    "comment": "line 2: 0 values",
    "cp1252": "save it again as UTF-8",
    "dups": "says two things of 'p00.jpg'",
    "empty": "has no attribute columns",
    "header_only": "names none of the pictures.*it has no rows",
    "pandas_index2": "names none of the pictures.*it begins with '0'",
}


@pytest.fixture(scope="module")
def tables(shared):
    folder = shared / "cases" / "csv"
    if not folder.is_dir():
        pytest.skip(f"there are no tables in {folder}")
    return folder


@pytest.fixture(scope="module")
def spec():
    return load_recipe("quick").input


def test_every_table_is_known(tables):
    assert {path.stem for path in tables.glob("*.csv")} == JOINED.keys() | REFUSED.keys()


@pytest.mark.parametrize("name", JOINED)
def test_it_is_joined_and_counted(name, tables, spec, tmp_path):
    count, attributes = JOINED[name]
    store = open_dataset(tables / "pics", spec, tmp_path, attributes=tables / f"{name}.csv")
    assert store.attributes is not None
    assert store.attributes.names == attributes
    assert int((store.attributes.values != 0).any(axis=1).sum()) == count
    if name == "mixed01m1":  # 0 and 1 in one column, −1 and 1 in the other: neither loses its "no"
        assert (store.attributes.values != 0).all()


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_in_one_sentence(name, tables, spec, tmp_path):
    with pytest.raises(FacetteError, match=REFUSED[name]) as refused:
        open_dataset(tables / "pics", spec, tmp_path, attributes=tables / f"{name}.csv")
    assert "\n" not in str(refused.value)
