"""Writing tables in batches: CSV, Parquet, JSON or LIBMF text, to a file or a stream."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np

from funksvd.atomic import naming, replacing
from funksvd.errors import RatingsError

FORMATS = ("csv", "parquet", "json", "libmf")
Batch = Mapping[str, np.ndarray]

_SPECIALS = (b",", b'"', b"\r", b"\n")


class _Writer(Protocol):
    def write(self, batch: Batch) -> None: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...


def write_table(
    batches: Iterable[Batch], target: str | os.PathLike[str] | Any, format: str = "csv"
) -> int:
    """Write a table batch by batch; it need not fit in memory.

    Parameters
    ----------
    batches : iterable of mappings of str to ndarray
        Columns by name, integers, floats or text, of the same length. All batches have the
        same columns. For Parquet, a column may have two dimensions: a list in each row.
    target : str, os.PathLike or file
        A file is written under another name beside it and then renamed, so that it is either
        complete or not there. Streams may be binary or text (not for Parquet).
    format : {"csv", "parquet", "json", "libmf"}
        JSON is an array with one object a row. Numbers that are not finite are empty in CSV
        and null in JSON. LIBMF text is user, item and rating, or weight where there are no
        ratings, or else 1, separated by blanks; other columns are left out.

    Returns
    -------
    int
        Number of rows written.

    Raises
    ------
    RatingsError
        If the format is unknown; for LIBMF, if ids are not integers from 0 to 2147483647.
    WriteError
        If the file cannot be written; one that was there before is then untouched.
    """
    if format not in FORMATS:
        raise RatingsError(f"the format must be one of {', '.join(FORMATS)}, not {format!r}")
    n_rows = 0
    with _opened(target) as file:
        writer = WRITERS[format](file)
        try:
            for batch in batches:
                writer.write(batch)
                n_rows += len(next(iter(batch.values())))
        except BaseException:
            writer.abort()
            raise
        writer.close()
    return n_rows


@contextmanager
def _opened(target: Any) -> Iterator[BinaryIO]:
    if hasattr(target, "write"):
        stream = _binary(target)
        if isinstance(stream, io.RawIOBase):  # it may write a part only, and say so in passing
            stream = io.BufferedWriter(stream)
            yield stream
            stream.detach()  # flushes; the caller's stream stays open
        else:
            yield stream
        return
    path = Path(os.path.expanduser(os.fspath(target)))
    if path.exists() and not path.is_file() and not path.is_dir():  # /dev/stdout, a named pipe
        with naming(path, path), open(path, "wb") as file:
            yield file
    else:
        with replacing(path) as temporary, open(temporary, "wb") as file:
            yield file


def _binary(stream: Any) -> Any:
    if isinstance(stream, io.TextIOBase):
        stream.flush()
        return getattr(stream, "buffer", None) or _TextAsBinary(stream)
    return stream


class _TextAsBinary:
    """A text stream without a binary one below it, such as io.StringIO."""

    def __init__(self, stream: io.TextIOBase) -> None:
        self._stream = stream

    def write(self, data: bytes) -> int:
        self._stream.write(bytes(data).decode())
        return len(data)


class _Csv:
    """Text is quoted where it has to be, numbers are as short as they can be."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._started = False

    def write(self, batch: Batch) -> None:
        import pyarrow.csv as pacsv

        table = _arrow(batch)
        if not self._started:
            self._file.write((",".join(map(_quoted, table.column_names)) + "\n").encode())
            self._started = True
        buffer = io.BytesIO()
        options = pacsv.WriteOptions(
            include_header=False, quoting_style="needed" if _has_specials(table) else "none"
        )
        pacsv.write_csv(table, buffer, options)
        self._file.write(buffer.getvalue())

    def close(self) -> None:
        pass

    abort = close


class _Libmf:
    """Text for LIBMF's `mf-train`: user, item and rating, separated by blanks."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, batch: Batch) -> None:
        import pyarrow.csv as pacsv

        for name in ("user", "item"):
            ids = np.asarray(batch[name])
            if ids.dtype.kind not in "iu" or (ids.size and not 0 <= ids.min() <= ids.max() < 2**31):
                raise RatingsError(
                    f"{name} ids have to be integers from 0 to 2147483647 in LIBMF text; "
                    "number them anew first"
                )
        values = batch.get("rating", batch.get("weight"))
        if values is None:
            values = np.ones(len(batch["user"]), np.float32)
        table = _arrow({"user": batch["user"], "item": batch["item"], "rating": values})
        buffer = io.BytesIO()
        options = pacsv.WriteOptions(include_header=False, delimiter=" ", quoting_style="none")
        pacsv.write_csv(table, buffer, options)
        self._file.write(buffer.getvalue())

    def close(self) -> None:
        pass

    abort = close


class _Parquet:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._writer: Any = None

    def write(self, batch: Batch) -> None:
        table = _arrow(batch)
        if self._writer is None:
            import pyarrow.parquet

            self._writer = pyarrow.parquet.ParquetWriter(
                self._file, table.schema, compression="zstd"
            )
        self._writer.write_table(table)

    def close(self) -> None:
        if self._writer is None:
            raise RatingsError("there is no row to write, so Parquet has no columns either")
        self._writer.close()

    def abort(self) -> None:
        # Arrow would close the writer later, when the file below it is closed already.
        if self._writer is not None:
            with suppress(OSError, ValueError):
                self._writer.close()


class _Json:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._separator = "[\n"

    def write(self, batch: Batch) -> None:
        columns = [_plain(column) for column in batch.values()]
        rows = [
            json.dumps(dict(zip(batch, row, strict=True)), ensure_ascii=False)
            for row in zip(*columns, strict=True)
        ]
        if rows:
            self._file.write((self._separator + ",\n".join(rows)).encode())
            self._separator = ",\n"

    def close(self) -> None:
        self._file.write(b"[]\n" if self._separator == "[\n" else b"\n]\n")

    def abort(self) -> None:
        pass


WRITERS: dict[str, Callable[[BinaryIO], _Writer]] = {
    "csv": _Csv,
    "parquet": _Parquet,
    "json": _Json,
    "libmf": _Libmf,
}


def _arrow(batch: Batch) -> Any:
    """An Arrow table, made from buffers: `pa.array` would import pandas."""
    import pyarrow as pa

    from funksvd.ratings.io.arrow import text_array

    arrays = []
    for column in map(np.asarray, batch.values()):
        if column.dtype.kind in "OUT":
            texts = [str(text).encode() for text in column.tolist()]
            arrays.append(text_array(texts, pa.string()))
            continue
        column = np.ascontiguousarray(column)
        if column.ndim == 2:
            values = pa.array(column.ravel(), from_pandas=False)
            arrays.append(pa.FixedSizeListArray.from_arrays(values, column.shape[1]))
            continue
        valid = None
        if column.dtype.kind == "f" and not np.isfinite(column).all():
            valid = pa.py_buffer(np.packbits(np.isfinite(column), bitorder="little"))
        kind = pa.from_numpy_dtype(column.dtype)
        buffers = [valid, pa.py_buffer(column)]
        arrays.append(pa.Array.from_buffers(kind, len(column), buffers))
    return pa.table(arrays, names=list(batch))


def _plain(column: np.ndarray) -> list[Any]:
    """Values for JSON; a float32 as short as it reads, so 3.6 and not 3.5999999046."""
    column = np.asarray(column)
    if column.dtype == np.float32:
        return [float(str(value)) if np.isfinite(value) else None for value in column]
    if column.dtype.kind == "f":
        return [value if np.isfinite(value) else None for value in column.tolist()]
    return list(column.tolist())


def _has_specials(table: Any) -> bool:
    """True if some text has to be quoted in CSV."""
    from funksvd.ratings.io.arrow import text_bytes

    texts = (column.chunk(0) for column in table.columns if column.type == "string")
    return any(special in text_bytes(text).tobytes() for text in texts for special in _SPECIALS)


def _quoted(name: str) -> str:
    if any(special in name.encode() for special in _SPECIALS):
        return '"' + name.replace('"', '""') + '"'
    return name
