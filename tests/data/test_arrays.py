"""An npz of a stranger gives its arrays or one sentence, and never more than its bytes can mean."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from facette.data import arrays
from facette.data.arrays import read_arrays
from facette.errors import DataError
from facette.latent.project import Projection
from facette.scale.tables import read_table, write_table

HONEST = {
    "numbers": np.arange(12.0).reshape(3, 4),
    "columns first": np.asfortranarray(np.arange(12).reshape(3, 4)),
    "names": np.array(["Ada", "Grace", ""]),
    "a text": np.array("{}"),
    "nothing": np.zeros((0, 3), np.float32),
    "yes and no": np.array([True, False]),
}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_was_written_is_read(tmp_path, save):
    save(tmp_path / "a.npz", **HONEST)
    read = read_arrays(tmp_path / "a.npz")
    assert read.keys() == HONEST.keys()
    for name, values in HONEST.items():
        assert read[name].dtype == values.dtype
        np.testing.assert_array_equal(read[name], values)


def header(shape: tuple, dtype: str) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": dtype, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


HOSTILE = {
    "names of 1.8 GB": header((100,), "<U4500000") + bytes(1_800_000_000 // 100),
    "more than was written": header((1 << 40,), "<f8"),
    "less than nothing": header((-4,), "<f8"),
    "objects": header((1,), "|O") + bytes(8),
    "no header": b"names",
    "another version": b"\x93NUMPY\x09\x00" + bytes(100),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_what_lies_is_refused_in_a_sentence(tmp_path, content):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("names.npy", content)
    for read in (read_arrays, read_table, Projection.load):
        with pytest.raises(DataError) as caught:
            read(path)
        assert "\n" not in str(caught.value)


def test_what_would_become_absurdly_much_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "ROOM", 1 << 20)
    np.savez_compressed(tmp_path / "a.npz", names=np.zeros(4_000_000, np.uint8))
    for read in (read_arrays, Projection.load):
        with pytest.raises(DataError, match=r"would become 4,000,1\d\d in memory"):
            read(tmp_path / "a.npz")


def test_a_parquet_of_endless_names_is_refused(tmp_path, monkeypatch):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table({"name": ["a", "b" * 70_000]}), path)
    with pytest.raises(DataError, match="a name of 70,000 letters"):
        read_table(path)
    monkeypatch.setattr(arrays, "ROOM", 1 << 20)
    write_table(path, {"mean": np.zeros((200_000, 4), np.float32)}, {})
    with pytest.raises(DataError, match="in memory"):
        read_table(path)
