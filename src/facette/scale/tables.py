"""Tables of latents on disk: Parquet, or NumPy's npz where no library but NumPy is wished for.

Enters: columns as arrays. Leaves: files, and the parts of a job joined to one file without holding it in memory.

Parquet: `row` int64, `name` string, `mean` and `scale` lists of fixed length; the bytes of floats are split by
their place before zstd packs them, which takes a fifth off posteriors that nothing else makes smaller.
npz: one array a column.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from facette.checkpoint.tensors import write_atomically
from facette.errors import UsageError, import_extra

Columns = Mapping[str, NDArray]
ABOUT = "facette"  # the key of the JSON value that travels in either file
PARQUET, NPZ = ".parquet", ".npz"


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
    else:
        np.savez(cast(Any, buffer), **columns, **{ABOUT: np.array(json.dumps(about))})  # pyright: ignore[reportArgumentType]
    write_atomically(path, buffer.getvalue())
    return path


def read_table(path: str | Path) -> dict[str, NDArray]:
    """Every column of a table, in memory: names as strings, the others as they were written."""
    path = Path(path)
    if path.suffix == PARQUET:
        check_table(PARQUET)
        import pyarrow.parquet as parquet

        return _columns(parquet.read_table(path))
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files if name != ABOUT}


def about_table(path: Path) -> dict[str, Any] | None:
    """The JSON value in a table; None for one that was not written here."""
    try:
        if path.suffix == PARQUET:
            import pyarrow.parquet as parquet

            text = (parquet.read_schema(path).metadata or {}).get(ABOUT.encode(), b"null").decode()
        else:
            with np.load(path, allow_pickle=False) as file:
                text = str(file[ABOUT]) if ABOUT in file.files else "null"
        return json.loads(text)
    except (ValueError, OSError, zipfile.BadZipFile):
        return None


def join_tables(parts: list[Path], target: Path, about: dict[str, Any]) -> Path:
    """The rows of all parts in one file, one part in memory at a time; the file appears when it is whole."""
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        if target.suffix == PARQUET:
            _join_parquet(parts, temporary, about)
        else:
            _join_npz(parts, temporary, about)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror or error}; choose another place.") from None
    finally:
        temporary.unlink(missing_ok=True)
    return target


# ── Parquet ──────────────────────────────────────────────────────────────────────────────────────────────


def _arrow(columns: Columns, about: dict[str, Any]) -> Any:
    import pyarrow as pa

    made = {}
    for name, values in columns.items():
        if values.ndim == 2:
            flat = pa.array(np.ascontiguousarray(values).reshape(-1))
            made[name] = pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
        else:
            made[name] = pa.array(values.tolist() if values.dtype.kind in "UO" else values)
    return pa.table(made).replace_schema_metadata({ABOUT: json.dumps(about, ensure_ascii=False)})


def _columns(table: Any) -> dict[str, NDArray]:
    import pyarrow as pa

    read = {}
    for name in table.column_names:
        column = table[name].combine_chunks()
        if pa.types.is_fixed_size_list(column.type):
            values = column.flatten().to_numpy(zero_copy_only=False)
            read[name] = values.reshape(len(column), column.type.list_size)
        elif pa.types.is_string(column.type):
            read[name] = np.array(column.to_pylist(), dtype=str)
        else:
            read[name] = column.to_numpy(zero_copy_only=False)
    return read


@contextmanager
def _writer(file: Any, schema: Any) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    split: Any = [f"{one.name}.list.element" for one in schema if pa.types.is_fixed_size_list(one.type)]
    with parquet.ParquetWriter(
        file, schema, compression="zstd", use_dictionary=False, use_byte_stream_split=split
    ) as writer:
        yield writer


def _join_parquet(parts: list[Path], target: Path, about: dict[str, Any]) -> None:
    import pyarrow.parquet as parquet

    said = {ABOUT: json.dumps(about, ensure_ascii=False)}
    with _writer(target, parquet.read_schema(parts[0]).with_metadata(said)) as writer:
        for part in parts:
            writer.write_table(parquet.read_table(part).replace_schema_metadata(said))


# ── npz ──────────────────────────────────────────────────────────────────────────────────────────────────


def _join_npz(parts: list[Path], target: Path, about: dict[str, Any]) -> None:
    """An npz is a zip of npy files, and an npy file a header and then the rows: they can be written as they come."""
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
                        member.write(np.ascontiguousarray(file[name].astype(dtype)).tobytes())
        with archive.open(f"{ABOUT}.npy", "w") as member:
            np.lib.format.write_array(cast(Any, member), np.array(json.dumps(about)))
