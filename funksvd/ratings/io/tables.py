"""Tables that have types already: Parquet, Feather, and pandas, polars and Arrow in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from funksvd.errors import RatingsError
from funksvd.parallel import available_processors, in_order
from funksvd.ratings.io import badrows, checks, names
from funksvd.ratings.io.arrow import as_binary, booleans, numbers, view
from funksvd.ratings.io.builders import MAX_PLAIN_ID, EncodedColumn
from funksvd.ratings.io.chunks import NUMBERS, Chunk, concatenated
from funksvd.ratings.io.columns import Columns, IdColumn
from funksvd.ratings.io.files import DAMAGE, Source
from funksvd.ratings.io.options import ReadOptions
from funksvd.ratings.io.report import BadRow

Reader = Callable[[Sequence[str], ReadOptions], Columns]
Batches = Callable[[list[str]], Iterator[pa.RecordBatch]]
FLOAT32_MAX = np.finfo(np.float32).max
BATCH_ROWS = 1 << 19
MAX_THREADS = 4


class Ids(NamedTuple):
    """A checked column of ids, and which rows are bad (None: none)."""

    column: EncodedColumn
    bad: np.ndarray | None


class Numbers(NamedTuple):
    """A checked column of numbers, and which rows are bad (None: none)."""

    values: np.ndarray
    bad: np.ndarray | None


class Fault(NamedTuple):
    """A bad row: its text, and the reason why it cannot be used."""

    text: str
    reason: str


class _FloatIdsError(Exception):
    """Ids are floating-point numbers; the message is the name of their column."""


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
    return partial(_read, table.column_names, partial(_batches, table), name, "table"), name


def from_file(source: Source) -> Reader | None:
    """A reader for a Parquet or Feather (Arrow) file, None if it is neither.

    Raises
    ------
    RatingsError
        If the file is damaged.
    """
    head = source.head(8)
    if head[:4] not in OPENERS:
        return None
    kind = "Parquet" if head.startswith(b"PAR1") else "Feather"
    damage = (*DAMAGE, pa.ArrowException)
    try:
        file = pa.OSFile(source.path) if source.path else pa.BufferReader(source.open().read())
        columns, batches = OPENERS[head[:4]](file)
    except damage as error:
        raise RatingsError(_damaged(source.name, kind, error)) from error

    def explained(chosen: list[str]) -> Iterator[pa.RecordBatch]:
        try:
            yield from batches(chosen)
        except damage as error:
            raise RatingsError(_damaged(source.name, kind, error)) from error

    return partial(_read, columns, explained, source.name, kind)


def _parquet(file: pa.NativeFile) -> tuple[list[str], Batches]:
    import pyarrow.parquet

    parquet = pyarrow.parquet.ParquetFile(file, pre_buffer=False)
    return parquet.schema_arrow.names, partial(parquet.iter_batches, BATCH_ROWS, None)


def _feather(file: pa.NativeFile) -> tuple[list[str], Batches]:
    columns = pa.ipc.open_file(file).schema.names

    def batches(chosen: list[str]) -> Iterator[pa.RecordBatch]:
        options = pa.ipc.IpcReadOptions(included_fields=[columns.index(name) for name in chosen])
        opened = pa.ipc.open_file(file, options=options)
        for at in range(opened.num_record_batches):
            yield opened.get_batch(at)

    return columns, batches


def _old_feather(file: pa.NativeFile) -> tuple[list[str], Batches]:
    import pyarrow.feather

    table = pyarrow.feather.read_table(file)
    return table.column_names, partial(_batches, table)


def _batches(table: pa.Table, chosen: list[str]) -> Iterator[pa.RecordBatch]:
    return iter(table.select(chosen).to_batches(max_chunksize=BATCH_ROWS))


OPENERS = {b"PAR1": _parquet, b"ARRO": _feather, b"FEA1": _old_feather}
"""Functions that open a file, by its first four bytes."""


def _damaged(name: str, kind: str, error: BaseException) -> str:
    return f"{name} is a damaged or incomplete {kind} file ({error}). Copy or download it again"


def _read(
    column_names: list[str],
    batches: Batches,
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
    roles = dict(zip(columns, chosen, strict=True))
    checked = in_order(
        partial(_checked, roles, name),
        (batch for batch in batches(chosen) if batch.num_rows),
        min(available_processors(), MAX_THREADS),
    )
    try:
        found = concatenated(checked, roles)
    except _FloatIdsError as error:
        column = str(error)
        whole = pa.chunked_array([_decoded(batch.column(column)) for batch in batches([column])])
        raise RatingsError(_float_ids(whole, f"{name}: column {column!r}")) from None
    if found.n_rows == 0:
        raise RatingsError(f"{name}: there are columns but no rows")
    for role, ids in found.ids.items():
        if ids.values is not None and len(ids.values) == 0:
            raise RatingsError(f"{name}: column {roles[role]!r} holds nothing but missing values")
    bad_rows = [
        BadRow(name, row + 1, text, reason, "row") for row, (text, reason) in found.first_bad
    ]
    n_bad = len(found.bad_rows)
    badrows.refuse(bad_rows, [], n_bad, found.n_rows, options, name)
    return Columns(
        {role: _id_column(ids) for role, ids in found.ids.items()},
        found.numbers.get("rating"),
        found.numbers.get("timestamp"),
        found.n_rows,
        n_bad,
        bad_rows,
        f"{kind}, columns {' '.join(chosen)}",
    )


def _id_column(ids: EncodedColumn) -> IdColumn:
    values = ids.values
    if values is not None and pa.types.is_integer(values.type):
        values = view(values)
    return IdColumn(ids.codes, values, typed=True)


def _checked(roles: dict[str, str], name: str, batch: pa.RecordBatch) -> Chunk[Fault]:
    """A batch's good rows."""
    ids: dict[str, Ids] = {}
    checked: dict[str, Numbers] = {}
    for role, column in roles.items():
        cells, what = _decoded(batch.column(column)), f"{name}: column {column!r}"
        if role in NUMBERS:
            checked[role] = CHECKS[role](cells, what)
        elif pa.types.is_floating(cells.type):
            raise _FloatIdsError(column)
        else:
            ids[role] = _ids(cells, what)
    fields = {role: ids.get(role) or checked[role] for role in roles}
    bad = np.zeros(batch.num_rows, bool)
    for field in fields.values():
        if field.bad is not None:
            bad |= field.bad
    bad_rows, keep = np.flatnonzero(bad), ~bad if bad.any() else slice(None)
    first_bad = []
    for row in map(int, bad_rows[: badrows.N_KEPT]):
        cells = {role: batch.column(column)[row].as_py() for role, column in roles.items()}
        first_bad.append((row, _fault(row, cells, fields)))
    return Chunk(
        batch.num_rows,
        {
            role: EncodedColumn(column.codes[keep], column.values)
            for role, (column, _) in ids.items()
        },
        {role: values[keep] for role, (values, _) in checked.items()},
        bad_rows,
        first_bad,
    )


def _decoded(column: pa.Array) -> pa.Array:
    """A column with its categories replaced by their values, and all text as large strings."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return column.dictionary.cast(_text_type(kind.value_type)).take(column.indices)
    return column if _text_type(kind) == kind else column.cast(_text_type(kind))


def _text_type(kind: pa.DataType) -> pa.DataType:
    return pa.large_string() if _is_text(kind) else kind


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _ids(column: pa.Array, what: str) -> Ids:
    kind = column.type
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
        ids = view(column)
        if column.null_count == 0 and ids.min() >= 0 and ids.max() <= MAX_PLAIN_ID:
            return Ids(EncodedColumn(ids), None)
    bad = _nulls(column)
    encoded = column.dictionary_encode()
    codes = numbers([encoded.indices], np.int32)
    if bad is not None:
        codes[bad] = 0
    if pa.types.is_integer(kind):
        return Ids(EncodedColumn(codes, encoded.dictionary), bad)
    values = encoded.dictionary.cast(pa.string())
    empty = numbers([pc.binary_length(values)], np.int32) == 0
    if empty.any():
        bad = empty[codes] if bad is None else bad | empty[codes]
    return Ids(EncodedColumn(codes, values), bad)


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


def _ratings(column: pa.Array, what: str) -> Numbers:
    kind = column.type
    if pa.types.is_decimal(kind):
        column = column.cast(pa.float64())
    elif not pa.types.is_integer(kind) and not pa.types.is_floating(kind):
        raise RatingsError(f"{what} is {kind}; ratings must be numbers. Convert it first")
    values = numbers([column], np.float64)
    bad = ~(np.abs(values) <= FLOAT32_MAX)
    nulls = _nulls(column)
    if nulls is not None:
        bad |= nulls
    with np.errstate(over="ignore"):
        return Numbers(values.astype(np.float32), bad if bad.any() else None)


def _timestamps(column: pa.Array, what: str) -> Numbers:
    kind, bad = column.type, _nulls(column)
    if _is_text(kind):
        encoded = column.cast(pa.string()).fill_null("").dictionary_encode()
        codes = view(encoded.indices)
        checked = checks.timestamps(as_binary(encoded.dictionary))
        return Numbers(checked.values[codes], checked.bad[codes] if checked.bad.any() else None)
    if pa.types.is_floating(kind):
        values = numbers([column], np.float64)
        odd = ~((np.abs(values) < 2.0**53) & (values == np.floor(values)))
        odd = odd if bad is None else odd | bad
        return Numbers(np.where(odd, 0, values).astype(np.int64), odd if odd.any() else None)
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("s", getattr(kind, "tz", None)), safe=False)
        column = column.cast(pa.int64())
    elif not pa.types.is_integer(kind):
        raise RatingsError(
            f"{what} is {kind}; timestamps must be integers or dates. "
            f"{checks.NO_TIMES[:1].upper()}{checks.NO_TIMES[1:]}"
        )
    return Numbers(view(column), bad)


CHECKS = {"rating": _ratings, "timestamp": _timestamps}


def _nulls(column: pa.Array) -> np.ndarray | None:
    return booleans(column.is_null()) if column.null_count else None


def _fault(row: int, cells: dict[str, Any], fields: Mapping[str, Ids | Numbers]) -> Fault:
    text = ", ".join("" if cell is None else str(cell) for cell in cells.values())
    role = next(role for role, field in fields.items() if field.bad is not None and field.bad[row])
    missing = cells[role] is None or cells[role] == ""
    reason = "is missing" if missing else f"{cells[role]!r} cannot be used"
    return Fault(text, f"{role} {reason}")
