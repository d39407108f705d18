"""Tables that have types already: Parquet, Feather, and pandas, polars and Arrow in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from funksvd.errors import RatingsError
from funksvd.ratings import badrows, checks, names
from funksvd.ratings.coded import Coded, as_binary, booleans, numbers
from funksvd.ratings.columns import Columns, IdColumn
from funksvd.ratings.files import DAMAGE, Source
from funksvd.ratings.options import ReadOptions
from funksvd.ratings.report import BadRow

Reader = Callable[[Sequence[str], ReadOptions], Columns]
FLOAT32_MAX = np.finfo(np.float32).max


class Field(NamedTuple):
    """A checked column: its values or codes, and which rows are bad (None: none)."""

    values: Any
    bad: np.ndarray | None
    codes: np.ndarray | None = None


def from_object(source: Any) -> tuple[Reader, str]:
    """A reader for a table in memory, and its name for messages.

    Raises
    ------
    RatingsError
        If it is no table, or Arrow cannot convert it.
    """
    kind = type(source).__module__.partition(".")[0]
    name = f"the {kind} table" if kind in ("pandas", "polars", "pyarrow") else "the table"
    try:
        table = source if isinstance(source, pa.Table) else pa.table(source)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise RatingsError(
            f"{name} cannot be read: {error}. Give each column a single type first, "
            "for instance with .astype(str)"
        ) from error
    except (TypeError, ValueError):
        raise RatingsError(
            f"ratings cannot be read from a {type(source).__name__}; give a path, a list of "
            "paths, or a pandas, polars or Arrow table. For arrays there is "
            "Ratings.from_arrays, for sparse matrices Ratings.from_scipy"
        ) from None
    return partial(_read, table.column_names, table.select, name, "table"), name


def from_file(source: Source) -> Reader | None:
    """A reader for a Parquet or Feather (Arrow) file, None if it is neither.

    Raises
    ------
    RatingsError
        If the file is damaged.
    """
    head = source.head(8)
    kinds = {b"PAR1": "Parquet", b"ARROW1": "Feather", b"FEA1": "Feather"}
    kind = next((kind for magic, kind in kinds.items() if head.startswith(magic)), None)
    if kind is None:
        return None
    damage = (*DAMAGE, pa.ArrowException)
    try:
        file = pa.memory_map(source.path) if source.path else pa.BufferReader(source.open().read())
        if kind == "Parquet":
            import pyarrow.parquet

            parquet = pyarrow.parquet.ParquetFile(file)
            columns, select = parquet.schema_arrow.names, parquet.read
        else:
            import pyarrow.feather

            whole = pyarrow.feather.read_table(file)
            columns, select = whole.column_names, whole.select
    except damage as error:
        raise RatingsError(_damaged(source.name, kind, error)) from error

    def selected(chosen: list[str]) -> pa.Table:
        try:
            return select(chosen)
        except damage as error:
            raise RatingsError(_damaged(source.name, kind, error)) from error

    return partial(_read, columns, selected, source.name, kind)


def _damaged(name: str, kind: str, error: BaseException) -> str:
    return f"{name} is a damaged or incomplete {kind} file ({error}). Copy or download it again"


def _read(
    column_names: list[str],
    select: Callable[[list[str]], pa.Table],
    name: str,
    kind: str,
    required: Sequence[str],
    options: ReadOptions,
) -> Columns:
    columns = names.assign(column_names, len(column_names), required, options, name)
    chosen = [column_names[position] for position in columns.values()]
    repeated = next((each for each in chosen if column_names.count(each) > 1), None)
    if repeated is not None:
        raise RatingsError(f"{name}: several columns are called {repeated!r}; rename one")
    table = select(chosen)
    if table.num_rows == 0:
        raise RatingsError(f"{name}: there are columns but no rows")
    fields = {
        role: FIELDS[role](_decoded(table[column]), f"{name}: column {column!r}")
        for role, column in zip(columns, chosen, strict=True)
    }
    bad = np.zeros(table.num_rows, bool)
    for field in fields.values():
        if field.bad is not None:
            bad |= field.bad
    n_bad = int(bad.sum())
    found: list[BadRow] = []
    if n_bad:
        found = [
            _bad_row(int(row), table, fields, name) for row in np.flatnonzero(bad)[: badrows.N_KEPT]
        ]
        badrows.refuse(found, [], n_bad, table.num_rows, options, name)
    keep = ~bad if n_bad else slice(None)
    return Columns(
        {
            role: IdColumn(fields[role].codes[keep], fields[role].values, typed=True)
            for role in ("user", "item")
            if role in fields
        },
        fields["rating"].values[keep] if "rating" in fields else None,
        fields["timestamp"].values[keep] if "timestamp" in fields else None,
        table.num_rows,
        n_bad,
        found,
        f"{kind}, columns {' '.join(chosen)}",
    )


def _decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Dictionary (categorical) columns as what they stand for; all text as large strings."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        plain = _text_type(kind.value_type)
        chunks = [chunk.dictionary.cast(plain).take(chunk.indices) for chunk in column.chunks]
        return pa.chunked_array(chunks, plain)
    return column if _text_type(kind) == kind else column.cast(_text_type(kind))


def _text_type(kind: pa.DataType) -> pa.DataType:
    return pa.large_string() if _is_text(kind) else kind


def _is_text(kind: pa.DataType) -> bool:
    return (
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _ids(column: pa.ChunkedArray, what: str) -> Field:
    kind = column.type
    if pa.types.is_floating(kind):
        raise RatingsError(_float_ids(column, what))
    if not pa.types.is_integer(kind) and not _is_text(kind):
        raise RatingsError(f"{what} is {kind}; ids must be integers or text. Convert it first")
    if pa.types.is_integer(kind):
        try:
            column = column.cast(pa.int64())
        except pa.ArrowInvalid:
            raise RatingsError(
                f"{what} holds integers that do not fit 64 bits with a sign; "
                "convert it to text first"
            ) from None
    bad = _nulls(column)
    encoded = column.dictionary_encode().unify_dictionaries()
    distinct = encoded.chunk(0).dictionary
    chunks = [chunk.indices for chunk in encoded.chunks]
    codes = numbers(chunks, np.int32)
    if bad is not None:
        codes[bad] = 0
    if pa.types.is_integer(kind):
        values = numbers([distinct], np.int64)
    else:
        values = distinct.cast(pa.string())
        empty = numbers([pc.binary_length(values)], np.int32) == 0
        if empty.any():
            bad = empty[codes] if bad is None else bad | empty[codes]
    if len(values) == 0:
        raise RatingsError(f"{what} holds nothing but missing values")
    return Field(values, bad, codes)


def _float_ids(column: pa.ChunkedArray, what: str) -> str:
    values = numbers(column.drop_null().chunks, np.float64)
    values = values[np.isfinite(values)]
    message = f"{what} is {column.type}; ids must be integers or text"
    if (values == np.floor(values)).all():
        missing = len(column) - len(values)
        if missing:
            message += (
                f". It holds integers that became floating point because {missing:,} are "
                "missing: drop those rows"
            )
        return message + ", then convert it, for instance with .astype('int64')"
    return message + ". Convert it to text first, for instance with .astype(str)"


def _ratings(column: pa.ChunkedArray, what: str) -> Field:
    kind = column.type
    if pa.types.is_decimal(kind):
        column = column.cast(pa.float64())
    elif not pa.types.is_integer(kind) and not pa.types.is_floating(kind):
        raise RatingsError(f"{what} is {kind}; ratings must be numbers. Convert it first")
    values = numbers(column.chunks, np.float64)
    bad = ~(np.abs(values) <= FLOAT32_MAX)
    nulls = _nulls(column)
    if nulls is not None:
        bad |= nulls
    with np.errstate(over="ignore"):
        return Field(values.astype(np.float32), bad if bad.any() else None)


def _timestamps(column: pa.ChunkedArray, what: str) -> Field:
    kind, bad = column.type, _nulls(column)
    if _is_text(kind):
        encoded = column.cast(pa.string()).fill_null("").dictionary_encode().unify_dictionaries()
        codes = numbers([chunk.indices for chunk in encoded.chunks], np.int32)
        checked = checks.timestamps(Coded(codes, as_binary(encoded.chunk(0).dictionary)))
        return Field(checked.values[codes], checked.bad[codes] if checked.bad.any() else None)
    if pa.types.is_floating(kind):
        values = numbers(column.chunks, np.float64)
        odd = ~((np.abs(values) < 2.0**53) & (values == np.floor(values)))
        odd = odd if bad is None else odd | bad
        return Field(np.where(odd, 0, values).astype(np.int64), odd if odd.any() else None)
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("s", getattr(kind, "tz", None)), safe=False)
        column = column.cast(pa.int64())
    elif not pa.types.is_integer(kind):
        raise RatingsError(
            f"{what} is {kind}; timestamps must be integers or dates. "
            f"{checks.NO_TIMES[:1].upper()}{checks.NO_TIMES[1:]}"
        )
    return Field(numbers(column.chunks, np.int64), bad)


FIELDS = {"user": _ids, "item": _ids, "rating": _ratings, "timestamp": _timestamps}


def _nulls(column: pa.ChunkedArray) -> np.ndarray | None:
    if column.null_count == 0:
        return None
    return np.concatenate([booleans(chunk.is_null()) for chunk in column.chunks])


def _bad_row(row: int, table: pa.Table, fields: dict[str, Field], name: str) -> BadRow:
    cells = [column[row].as_py() for column in table.columns]
    reason = ""
    for (role, field), cell in zip(fields.items(), cells, strict=True):
        if field.bad is not None and field.bad[row]:
            missing = cell is None or cell == ""
            wrong = "is missing" if missing else f"{cell!r} cannot be used"
            reason = f"{role} {wrong}"
            break
    text = ", ".join("" if cell is None else str(cell) for cell in cells)
    return BadRow(name, row + 1, text, reason, "row")
