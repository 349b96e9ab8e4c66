"""Tables of latents on disk: Parquet, or NumPy's npz where no library but NumPy is wished for.

Enters: columns as arrays. Leaves: files, and the parts of a job joined to one file without holding it in memory.

Parquet: `row` int64, `name` string, `mean` and `scale` lists of fixed length; the bytes of floats are split by
their place before zstd packs them, which takes a fifth off posteriors that nothing else makes smaller.
npz: one array a column.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from facette.data.arrays import DAMAGE, check_expansion, read_arrays
from facette.errors import DataError, import_extra
from facette.files import appearing, json_of, sealed, unsealed, write_atomically

Columns = Mapping[str, NDArray]
ABOUT = "facette"  # the key of the JSON value that travels in either file
DIGESTS = "facette.digests"  # of a Parquet table's columns: its footer has no checksum of its own
PARQUET, NPZ = ".parquet", ".npz"
LONGEST_NAME = 1 << 16  # letters, as in an archive; a path has 4,096


def check_table(suffix: str) -> None:
    """Raises MissingExtraError where the library that writes such a table is not installed."""
    if suffix == PARQUET:
        import_extra("pyarrow", "scale", "A Parquet table (`out='NAME.npz'` does without)")


def write_table(path: Path, columns: Columns, about: dict[str, Any]) -> Path:
    """Write one table atomically; the ending of the path decides the format."""
    buffer = io.BytesIO()
    if path.suffix == PARQUET:
        table = _arrow(columns, about)
        with _writer(buffer, table.schema) as writer:
            writer.write_table(table)
            writer.add_key_value_metadata({DIGESTS: json.dumps(_digests_of(_columns(table)))})
    else:
        np.savez(cast(Any, buffer), **columns, **{ABOUT: np.array(json.dumps(sealed(about)))})  # pyright: ignore[reportArgumentType]
    write_atomically(path, buffer.getvalue())
    return path


def read_table(path: str | Path) -> dict[str, NDArray]:
    """Every column of a table, in memory: names as strings, the others as they were written.

    Raises DataError when the file is not what was written: cut off, or with a bit that has turned.
    """
    path = Path(path)
    try:
        if path.suffix == PARQUET:
            check_table(PARQUET)
            _check_size(path)
            columns = _columns(_read_parquet(path))
            kept = _kept_digests(path)
            if kept is not None and kept != _digests_of(columns):
                raise DataError(f"{str(path)!r} is damaged: it does not hold what its digests say.")
            return columns
        return {name: column for name, column in read_arrays(path).items() if name != ABOUT}
    except DAMAGE as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{str(path)!r} cannot be read: it is no table or damaged ({reason}).") from None


def about_table(path: Path) -> dict[str, Any] | None:
    """The JSON value in a table; None for one that was not written here, or that says something else now."""
    try:
        if path.suffix == PARQUET:
            import pyarrow.parquet as parquet

            text = (parquet.read_schema(path).metadata or {}).get(ABOUT.encode(), b"null").decode()
        else:
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                text = str(file[ABOUT]) if ABOUT in file.files else "null"
        value = json.loads(text)
        return None if value is None else unsealed(value)
    except DAMAGE:
        return None


def join_tables(parts: list[Path], target: Path, about: dict[str, Any]) -> Path:
    """The rows of all parts in one file, one part in memory at a time; the file appears when it is whole.

    It is read back first: what the disk gives again must be what the parts hold. Raises DataError where it is not.
    """
    with appearing(target, target.suffix) as temporary:
        join, again = (
            (_join_parquet, _parquet_digests) if target.suffix == PARQUET else (_join_npz, _npz_digests)
        )
        written = join(parts, temporary, about)
        try:
            whole = again(temporary) == written
        except DAMAGE:
            whole = False
        if not whole:
            raise DataError(
                f"the disk did not keep what was written to {str(target)!r}; its parts are still there: "
                "run the same command again, elsewhere if it happens again."
            )
    return target


class _Digests:
    """A digest of each column, of its values in order, however they come in pieces."""

    def __init__(self) -> None:
        self._columns: dict[str, Any] = {}

    def add(self, columns: Mapping[str, NDArray]) -> None:
        for name, values in columns.items():
            raw = "".join(f"{v}\0" for v in values).encode() if values.dtype.kind in "UO" else values
            self.add_bytes(name, np.ascontiguousarray(raw).data if isinstance(raw, np.ndarray) else raw)

    def add_bytes(self, name: str, raw: bytes | memoryview) -> None:
        self._columns.setdefault(name, blake2b(digest_size=16)).update(raw)

    def told(self) -> dict[str, str]:
        return {name: digest.hexdigest() for name, digest in self._columns.items()}


def _digests_of(columns: Columns) -> dict[str, str]:
    digests = _Digests()
    digests.add(columns)
    return digests.told()


# ── Parquet ──────────────────────────────────────────────────────────────────────────────────────────────


def _arrow(columns: Columns, about: dict[str, Any]) -> Any:
    import pyarrow as pa

    arrays = {}
    for name, values in columns.items():
        if values.ndim == 2:
            flat = pa.array(np.ascontiguousarray(values).reshape(-1))
            arrays[name] = pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
        else:
            arrays[name] = pa.array(values.tolist() if values.dtype.kind in "UO" else values)
    return pa.table(arrays).replace_schema_metadata({ABOUT: json_of(sealed(about))})


def _columns(table: Any) -> dict[str, NDArray]:
    import pyarrow as pa

    read = {}
    for name in table.column_names:
        column = table[name].combine_chunks()
        if pa.types.is_fixed_size_list(column.type):
            values = column.flatten().to_numpy(zero_copy_only=False)
            read[name] = values.reshape(len(column), column.type.list_size)
        elif pa.types.is_string(column.type):
            read[name] = _names(column)
        else:
            read[name] = column.to_numpy(zero_copy_only=False)
    return read


@contextmanager
def _writer(file: Any, schema: Any) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    split: Any = [f"{field.name}.list.element" for field in schema if pa.types.is_fixed_size_list(field.type)]
    with parquet.ParquetWriter(
        file,
        schema,
        compression="zstd",
        use_dictionary=False,
        use_byte_stream_split=split,
        write_page_checksum=True,
    ) as writer:
        yield writer


def _join_parquet(parts: list[Path], target: Path, about: dict[str, Any]) -> dict[str, str]:
    """Write the parts one after another; the digests of the columns as the parts hold them."""
    import pyarrow.parquet as parquet

    metadata = {ABOUT: json_of(sealed(about))}
    digests = _Digests()
    with _writer(target, parquet.read_schema(parts[0]).with_metadata(metadata)) as writer:
        for part in parts:
            table = _read_parquet(part)
            digests.add(_columns(table))
            writer.write_table(table.replace_schema_metadata(metadata))
        writer.add_key_value_metadata({DIGESTS: json.dumps(digests.told())})
    return digests.told()


def _kept_digests(path: Path) -> dict[str, str] | None:
    """What the writer said of its columns; None for a table of another writer."""
    import pyarrow.parquet as parquet

    text = (parquet.read_metadata(path).metadata or {}).get(DIGESTS.encode())
    return None if text is None else json.loads(text)


def _check_size(path: Path) -> None:
    """Raises DataError where the footer promises absurdly more than the file has bytes, as `read_arrays` does."""
    import pyarrow.parquet as parquet

    about = parquet.read_metadata(path)
    check_expansion(
        path, sum(about.row_group(group).total_byte_size for group in range(about.num_row_groups))
    )


def _names(column: Any) -> NDArray[np.str_]:
    """Texts as an array, in which each takes as much room as the longest; ValueError where that is no name."""
    names = column.to_pylist()
    longest = max((len(name or "") for name in names), default=0)
    if longest > LONGEST_NAME:
        raise ValueError(f"a name of {longest:,} letters")
    return np.array(names, dtype=str)


def _read_parquet(path: Path) -> Any:
    import pyarrow.parquet as parquet

    return parquet.read_table(path, page_checksum_verification=True)


def _parquet_digests(path: Path) -> dict[str, str]:
    import pyarrow.parquet as parquet

    digests = _Digests()
    with parquet.ParquetFile(path, page_checksum_verification=True) as file:
        for group in range(file.num_row_groups):
            digests.add(_columns(file.read_row_group(group)))
    return digests.told()


# ── npz ──────────────────────────────────────────────────────────────────────────────────────────────────


def _join_npz(parts: list[Path], target: Path, about: dict[str, Any]) -> dict[str, str]:
    """An npz is a zip of npy files, and an npy file a header and then the rows: they can be written as they come.
    Gives the digests of the columns."""
    digests = _Digests()
    headers: dict[str, tuple[np.dtype, tuple[int, ...]]] = {}
    for part in parts:
        for name, values in read_table(part).items():
            dtype, shape = headers.get(name, (values.dtype, (0, *values.shape[1:])))
            headers[name] = (np.promote_types(dtype, values.dtype), (shape[0] + len(values), *shape[1:]))
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, (dtype, shape) in headers.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                head = {
                    "descr": np.lib.format.dtype_to_descr(dtype),
                    "fortran_order": False,
                    "shape": shape,
                }
                np.lib.format.write_array_header_2_0(cast(Any, member), head)
                for part in parts:
                    with np.load(part, allow_pickle=False) as file:
                        values = np.ascontiguousarray(file[name].astype(dtype)).tobytes()
                    digests.add_bytes(name, values)
                    member.write(values)
        with archive.open(f"{ABOUT}.npy", "w") as member:
            np.lib.format.write_array(cast(Any, member), np.array(json.dumps(sealed(about))))
    return digests.told()


def _npz_digests(path: Path) -> dict[str, str]:
    """Of the rows behind each header; the archive's own checksums are verified on the way."""
    digests = _Digests()
    with zipfile.ZipFile(path) as archive:
        for entry in archive.namelist():
            name = entry.removesuffix(".npy")
            with archive.open(entry) as member:
                if name == ABOUT:
                    continue
                np.lib.format.read_magic(cast(Any, member))
                np.lib.format.read_array_header_2_0(cast(Any, member))
                while piece := member.read(1 << 20):
                    digests.add_bytes(name, piece)
    return digests.told()
