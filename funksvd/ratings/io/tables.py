"""Tables that have types already: Parquet, Feather, and pandas, polars and Arrow in memory."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from funksvd.errors import RatingsError, argument
from funksvd.parallel import available_processors, in_order
from funksvd.ratings.io import badrows, checks, names
from funksvd.ratings.io.arrow import as_binary, booleans, first_rounded, numbers, view
from funksvd.ratings.io.builders import MAX_PLAIN_ID, EncodedColumn
from funksvd.ratings.io.chunks import NUMBERS, Chunk, Gather, concatenated
from funksvd.ratings.io.columns import Columns, IdColumn
from funksvd.ratings.io.files import DAMAGE, Source
from funksvd.ratings.io.names import MissingColumnsError, Roles
from funksvd.ratings.io.options import ReadOptions
from funksvd.ratings.io.report import BadRow
from funksvd.ratings.io.sample import shortened

Reader = Callable[..., Columns]
"""Called with roles and options; and with a function that takes the chunks, where that is not
`concatenated`, which does not refuse bad rows then."""
Batches = Callable[[Sequence[int]], Iterator[pa.RecordBatch]]
"""The columns at some positions, in batches of rows; a batch has its columns in that order."""
FLOAT32_MAX = np.finfo(np.float32).max
BATCH_ROWS = 1 << 19
MAX_THREADS = 4
SECONDS_PER_DAY = 86_400
TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
"""Ticks per second of Arrow's units of time."""
CHECK_COLUMNS = f"check the columns ({argument('user_col')} and so on)"
LARGEST_RATIO = 1 << 16
"""Largest ratio of decompressed to compressed bytes; damaged lengths ask for more memory."""


@contextmanager
def _damage_explained(name: str, kind: str, n_bytes: int = sys.maxsize) -> Iterator[None]:
    """Context that turns the errors of a damaged file into a `RatingsError`.

    Parameters
    ----------
    name, kind : str
        Of the file, for messages.
    n_bytes : int
        Its length, where that is known: what is too much memory for it is damage.
    """
    damage = (*DAMAGE, pa.ArrowException)
    try:
        yield
    except MemoryError as error:
        asked = re.search(r"of size (\d+)|capacity too large", str(error))
        if not asked or int(asked[1] or sys.maxsize) <= LARGEST_RATIO * n_bytes:
            raise MemoryError(f"{name}: {error}") from error
        raise RatingsError(_damaged(name, kind, error)) from error
    except UnicodeDecodeError as error:
        raise RatingsError(
            f"{name} is a damaged {kind} file: the name of a column is not UTF-8 text, but "
            f"{error.object!r}. Copy, download or write it again"
        ) from error
    except damage as error:
        if "Failed to launch worker thread" in str(error):
            raise MemoryError(f"{name}: {error}") from error
        raise RatingsError(_damaged(name, kind, error)) from error


def _damaged(name: str, kind: str, error: BaseException) -> str:
    return f"{name} is a damaged or incomplete {kind} file ({error}). Copy or download it again"


class Ids(NamedTuple):
    """A checked column of ids, and which rows are bad (None: none)."""

    column: EncodedColumn
    bad: np.ndarray | None


class Numbers(NamedTuple):
    """A checked column of numbers, which rows are bad (None: none), and a number that changed."""

    values: np.ndarray
    bad: np.ndarray | None
    rounded: str | None = None


class Fault(NamedTuple):
    """A bad row: its text, and the reason why it cannot be used."""

    text: str
    reason: str


class _FloatIdsError(Exception):
    """Ids are floating-point numbers; the message is their role."""


def from_object(source: Any) -> tuple[Reader, str]:
    """A reader for a table in memory, and its name for messages.

    Raises
    ------
    RatingsError
        If it is no table, or Arrow cannot convert it.
    """
    table, name = as_arrow(source)

    def batches(chosen: Sequence[int]) -> Iterator[pa.RecordBatch]:
        try:
            yield from _batches(table, chosen)
        except pa.ArrowInvalid as error:
            raise RatingsError(f"{name} is damaged: {error}") from error

    return partial(_read, table.column_names, batches, name, "table"), name


def as_arrow(source: Any, noun: str = "ratings") -> tuple[pa.Table, str]:
    """A table in memory as Arrow's, and its name for messages; raises as `from_object` does."""
    kind = type(source).__module__.partition(".")[0]
    name = f"the {kind} table" if kind in ("pandas", "polars", "pyarrow") else "the table"
    _refuse_relatives(source, name)
    try:
        return source if isinstance(source, pa.Table) else pa.table(source), name
    except MemoryError:
        raise
    except (pa.ArrowException, OverflowError) as error:
        raise RatingsError(
            f"{name} cannot be read: {error}. Give each column a single type first, "
            "for instance with .astype(str)"
        ) from error
    except (TypeError, ValueError):
        take = (
            "a path, a list of paths, or a pandas, polars or Arrow table. For arrays there is "
            "Ratings.from_arrays, for sparse matrices Ratings.from_scipy"
            if noun == "ratings"
            else "a path, a pandas, polars or Arrow table, or a dict of columns"
        )
        raise RatingsError(
            f"{noun} cannot be read from an object of type {type(source).__name__}; give {take}"
        ) from None


def whole_columns(source: Source | pa.Table) -> dict[str, list[Any]] | None:
    """All columns of a table as Python's values; None for a file that is not Parquet or Feather.

    Of two columns with one name, the first. Nanoseconds are left out of times.

    Raises
    ------
    RatingsError
        If the file is damaged, or there are times that Python has none for.
    """
    if isinstance(source, pa.Table):
        columns, parts = source.column_names, source.to_batches()
        return _values(columns, [_sound(part) for part in parts], "the table")
    if (opened := _opened(source)) is None:
        return None
    columns, batches = opened
    return _values(columns, list(batches(range(len(columns)))), source.name)


def _values(
    columns: Sequence[str], batches: Sequence[pa.RecordBatch], source: str
) -> dict[str, list[Any]]:
    values: dict[str, list[Any]] = {}
    for at, name in enumerate(columns):
        if name not in values:
            parts = (_in_microseconds(_decoded(batch.column(at))) for batch in batches)
            try:
                values[name] = [value for part in parts for value in part.to_pylist()]
            except (OverflowError, ValueError) as error:
                kind = batches[0].schema.field(at).type
                raise RatingsError(
                    f"{source}: column {name!r} holds a {kind} that Python has no value for "
                    f"({error}), such as a date after the year 9999; make it a missing value, or "
                    "leave the column out"
                ) from error
    return values


def _in_microseconds(array: pa.Array) -> pa.Array:
    """Times without nanoseconds, which Python's do not have."""
    if pa.types.is_timestamp(array.type) and array.type.unit == "ns":
        return array.cast(pa.timestamp("us", array.type.tz), safe=False)
    return array


def _refuse_relatives(source: Any, name: str) -> None:
    """Raise an error for what is nearly a table, and say how to make one of it."""
    kind = type(source).__name__
    if kind == "LazyFrame":
        raise RatingsError(
            "a polars LazyFrame is a table that has not been computed; give what its .collect() "
            "returns"
        )
    if kind in ("Series", "ChunkedArray"):
        raise RatingsError(
            f"a {kind} is a single column, not a table. Of a pandas Series whose index holds users "
            'and items, .rename_axis(["user", "item"]).rename("rating").reset_index() makes one'
        )
    columns = list(map(str, source.columns)) if name == "the pandas table" else []
    repeated = next((column for column in columns if columns.count(column) > 1), None)
    if repeated is not None:
        raise RatingsError(
            f"{name}: several columns are called {repeated!r}; rename or drop all but one"
        )


def from_file(source: Source, groups: range | None = None) -> Reader | None:
    """A reader for a Parquet or Feather (Arrow) file, None if it is neither.

    Parameters
    ----------
    source : Source
    groups : range, optional
        Groups of rows that are read; by default all.

    Raises
    ------
    RatingsError
        If the file is damaged.
    """
    if (opened := _opened(source, groups)) is None:
        return None
    return partial(_read, *opened, source.name, _kind(source))


def group_sizes(source: Source) -> list[int] | None:
    """Number of rows of each group of a Parquet file; None for a file of another kind.

    Raises
    ------
    RatingsError
        If the file is damaged.
    """
    import pyarrow.parquet

    if source.head(4) != b"PAR1":
        return None
    with _damage_explained(source.name, "Parquet"):
        found = pyarrow.parquet.ParquetFile(_file(source)).metadata
        return [found.row_group(at).num_rows for at in range(found.num_row_groups)]


def _kind(source: Source) -> str:
    return "Parquet" if source.head(4) == b"PAR1" else "Feather"


def _file(source: Source) -> pa.NativeFile:
    if source.path:
        return pa.OSFile(source.path)
    if source.seekable:
        return pa.PythonFile(source.open(), mode="r")
    return pa.BufferReader(source.open().read())


def _opened(source: Source, groups: range | None = None) -> tuple[list[str], Batches] | None:
    """Names of the columns of a Parquet or Feather file, and the columns; None for another."""
    magic = source.head(4)
    if magic in REFUSED:
        raise RatingsError(f"{source.name} is {REFUSED[magic]}, new)")
    if magic not in OPENERS:
        return None
    kind = _kind(source)
    with _damage_explained(source.name, kind):
        file = _file(source)
        n_bytes = file.size()
    with _damage_explained(source.name, kind, n_bytes):
        columns, batches = OPENERS[magic](file, groups)

    def explained(chosen: Sequence[int]) -> Iterator[pa.RecordBatch]:
        with _damage_explained(source.name, kind, n_bytes):
            yield from batches(chosen)

    return columns, explained


def _parquet(file: pa.NativeFile, groups: range | None) -> tuple[list[str], Batches]:
    import pyarrow.parquet

    parquet = pyarrow.parquet.ParquetFile(file, pre_buffer=False, page_checksum_verification=True)
    columns = parquet.schema_arrow.names

    def batches(chosen: Sequence[int]) -> Iterator[pa.RecordBatch]:
        wanted = [columns[position] for position in chosen]
        for batch in parquet.iter_batches(BATCH_ROWS, row_groups=groups, columns=wanted):
            yield _sound(_in_order(batch, columns, chosen))

    return columns, batches


def _feather(file: pa.NativeFile, groups: range | None) -> tuple[list[str], Batches]:
    columns = pa.ipc.open_file(file).schema.names

    def batches(chosen: Sequence[int]) -> Iterator[pa.RecordBatch]:
        options = pa.ipc.IpcReadOptions(included_fields=list(chosen))
        opened = pa.ipc.open_file(file, options=options)
        for at in groups or range(opened.num_record_batches):
            yield _sound(_in_order(opened.get_batch(at), columns, chosen))

    return columns, batches


def _batches(table: pa.Table, chosen: Sequence[int]) -> Iterator[pa.RecordBatch]:
    for batch in table.select(list(chosen)).to_batches(max_chunksize=BATCH_ROWS):
        yield _sound(batch)


def _in_order(batch: pa.RecordBatch, columns: list[str], chosen: Sequence[int]) -> pa.RecordBatch:
    """A batch of the chosen columns, which are in it as in their file, beside others of a name."""
    there = batch.schema.names
    places = []
    for position in chosen:
        before = columns[:position].count(columns[position])
        alike = [at for at, name in enumerate(there) if name == columns[position]]
        places.append(alike[before if len(alike) > before else 0])
    return batch.select(places)


def _sound(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch, all of whose offsets, indices and texts are in bounds: Arrow trusts them.

    Raises
    ------
    pyarrow.ArrowInvalid
        If one is not.
    """
    batch.validate(full=True)
    return batch


OPENERS = {b"PAR1": _parquet, b"ARRO": _feather}
"""Functions that open a file, by its first four bytes."""
REFUSED = {
    # Arrow reads out of bounds where such a file is damaged.
    b"FEA1": "a file of Feather's first version, which cannot be read safely. Write it anew: "
    "pyarrow.feather.write_feather(pyarrow.feather.read_table(old)",
    b"\xff\xff\xff\xff": "an Arrow stream. Write it as a file: "
    "pyarrow.feather.write_feather(pyarrow.ipc.open_stream(old).read_all()",
}
"""What other tables are called, by their first four bytes, and what makes Feather files of them."""


def _read(
    column_names: list[str],
    batches: Batches,
    name: str,
    kind: str,
    wanted: Roles,
    options: ReadOptions,
    gather: Gather = concatenated,
) -> Columns:
    if not column_names:
        raise RatingsError(f"{name}: there are no columns")
    try:
        positions = names.assign(column_names, len(column_names), wanted, options, name)
    except MissingColumnsError as error:
        error.unclear = tuple(_unclear(column_names, batches))
        raise
    roles = {role: column_names[position] for role, position in positions.items()}
    checked = in_order(
        partial(_checked, roles, name),
        (batch for batch in batches(list(positions.values())) if batch.num_rows),
        min(available_processors(), MAX_THREADS),
    )
    try:
        tally, ids_found, numbers_found = gather(checked, roles, 1)
    except _FloatIdsError as error:
        role = str(error)
        whole = [_decoded(batch.column(0)) for batch in batches([positions[role]])]
        what = f"{name}: column {roles[role]!r}"
        raise RatingsError(_float_ids(pa.chunked_array(whole), what)) from None
    except pa.ArrowException as error:
        if isinstance(error, MemoryError):
            raise
        raise RatingsError(f"{name} cannot be read: {error}") from error
    if tally.n_rows == 0:
        raise RatingsError(f"{name}: there are columns but no rows")
    for role, ids in ids_found.items():
        if ids.values is not None and len(ids.values) == 0:
            raise RatingsError(f"{name}: column {roles[role]!r} holds nothing but missing values")
    bad_rows = [
        BadRow(name, row + 1, text, reason, "row") for row, (text, reason) in tally.first_bad
    ]
    if gather is concatenated:
        refuse_bad_rows(bad_rows, tally.n_bad, tally.n_rows, options, name)
    return Columns(
        {role: _id_column(ids) for role, ids in ids_found.items()},
        numbers_found.get("rating"),
        numbers_found.get("timestamp"),
        tally.n_rows,
        tally.n_bad,
        bad_rows,
        f"{kind}, columns {' '.join(roles.values())}",
        rounded=tally.rounded,
        counts=numbers_found.get("count"),
    )


def refuse_bad_rows(
    bad_rows: Sequence[BadRow], n_bad: int, n_rows: int, options: ReadOptions, name: str
) -> None:
    """Raise a `RatingsError` about bad rows of a table, unless they may be skipped."""
    remedies = [CHECK_COLUMNS] if n_bad == n_rows else []
    badrows.refuse(bad_rows, remedies, n_bad, n_rows, options, name)


def _unclear(column_names: list[str], batches: Batches) -> list[str]:
    """Names of columns of numbers or truths that may be ratings under a name that is not known."""
    at = [at for at, name in enumerate(column_names) if names.may_be_rating(name)]
    first = next(iter(batches(at)), None) if at else None
    if first is None:
        return []
    kinds = [_decoded(column[:1]).type for column in first.columns]
    may_be = [_is_number(kind) or pa.types.is_boolean(kind) for kind in kinds]
    return [column_names[i] for i, fits in zip(at, may_be, strict=True) if fits]


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def _id_column(ids: EncodedColumn) -> IdColumn:
    values = ids.values
    if values is not None and pa.types.is_integer(values.type):
        values = view(values)
    return IdColumn(ids.codes, values, typed=True)


def _checked(roles: dict[str, str], name: str, batch: pa.RecordBatch) -> Chunk[Fault]:
    """A batch's good rows; its columns are those of the roles, in their order."""
    ids: dict[str, Ids] = {}
    checked: dict[str, Numbers] = {}
    for role, raw in zip(roles, batch.columns, strict=True):
        cells, what = _decoded(raw), f"{name}: column {roles[role]!r}"
        if role in NUMBERS:
            checked[role] = CHECKS[role](cells, what)
        elif pa.types.is_floating(cells.type):
            raise _FloatIdsError(role)
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
        row_cells = {role: _cell(raw[row]) for role, raw in zip(roles, batch.columns, strict=True)}
        first_bad.append((row, _fault(row, row_cells, fields)))
    return Chunk(
        batch.num_rows,
        {
            role: EncodedColumn(column.codes[keep], column.values)
            for role, (column, _) in ids.items()
        },
        {role: column.values[keep] for role, column in checked.items()},
        bad_rows,
        first_bad,
        checked["rating"].rounded if "rating" in checked else None,
    )


def _decoded(column: pa.Array) -> pa.Array:
    """A column with its categories replaced by their values, and all text as large strings."""
    if pa.types.is_string_view(column.type) and column.null_count:
        column = column.dictionary_encode()  # a cast would follow the views of missing values
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _decoded(column.dictionary).take(column.indices)
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
    values = checks.stripped(encoded.dictionary.cast(pa.string()))
    empty = numbers([pc.binary_length(values)], np.int32) == 0
    if empty.any():
        bad = empty[codes] if bad is None else bad | empty[codes]
    return Ids(EncodedColumn(codes, values), bad)


def _float_ids(column: pa.ChunkedArray, what: str) -> str:
    """The message about ids that are floating-point numbers, and what makes other ids of them."""
    values = numbers(column.drop_null().chunks, np.float64)
    values = values[np.isfinite(values)]
    message = f"{what} is of type {column.type}; ids must be integers or text. "
    if not (values == np.floor(values)).all():
        return (
            message + "Convert it to text first: .astype(str) in pandas, .cast(pl.String) in polars"
        )
    convert = ".astype('int64') in pandas, .cast(pl.Int64) in polars"
    missing = len(column) - len(values)
    if not missing:
        return f"{message}It holds integers only: convert it to them, {convert}"
    are = "is" if missing == 1 else "are"
    return (
        f"{message}It holds integers that became floating point because {missing:,} {are} missing: "
        f"drop those rows and convert it, {convert}"
    )


def _ratings(column: pa.Array, what: str) -> Numbers:
    return _fractions(column, what, "ratings")


def _counts(column: pa.Array, what: str) -> Numbers:
    values, bad, _ = _fractions(column, what, "counts")
    odd = ~(values > 0)
    odd = odd if bad is None else odd | bad
    return Numbers(values, odd if odd.any() else None)


def _fractions(column: pa.Array, what: str, noun: str) -> Numbers:
    kind = column.type
    if not _is_number(kind):
        raise RatingsError(f"{what} is {kind}; {noun} must be numbers. Convert it first")
    if pa.types.is_decimal(kind):
        column = column.cast(pa.float64())
    values = numbers([column], np.float64)
    bad = ~(np.abs(values) <= FLOAT32_MAX)
    nulls = _nulls(column)
    if nulls is not None:
        bad |= nulls
    with np.errstate(over="ignore", invalid="ignore"):
        narrow = values.astype(np.float32)
    return Numbers(narrow, bad if bad.any() else None, first_rounded(values))


def _timestamps(column: pa.Array, what: str) -> Numbers:
    kind, bad = column.type, _nulls(column)
    if _is_text(kind):
        encoded = column.cast(pa.string()).fill_null("").dictionary_encode()
        codes = view(encoded.indices)
        checked = checks.timestamps(as_binary(encoded.dictionary))
        return Numbers(checked.values[codes], checked.bad[codes] if checked.bad.any() else None)
    if pa.types.is_floating(kind):
        values = np.floor(numbers([column], np.float64))
        odd = ~(np.abs(values) < 2.0**53)
        odd = odd if bad is None else odd | bad
        return Numbers(np.where(odd, 0, values).astype(np.int64), odd if odd.any() else None)
    if pa.types.is_date32(kind):
        return Numbers(view(column.cast(pa.int32())) * np.int64(SECONDS_PER_DAY), bad)
    if pa.types.is_date64(kind) or pa.types.is_timestamp(kind):
        per_second = TICKS[getattr(kind, "unit", "ms")]
        return Numbers(view(column.cast(pa.int64())) // per_second, bad)
    if not pa.types.is_integer(kind):
        raise RatingsError(
            f"{what} is {kind}; timestamps must be integers or dates. "
            f"{checks.NO_TIMES[:1].upper()}{checks.NO_TIMES[1:]}"
        )
    return Numbers(view(column), bad)


CHECKS = {"rating": _ratings, "timestamp": _timestamps, "count": _counts}


def _nulls(column: pa.Array) -> np.ndarray | None:
    return booleans(column.is_null()) if column.null_count else None


def _cell(scalar: pa.Scalar) -> Any:
    """A cell as Python's own value, or as Arrow's where Python has none, as for the year 10000."""
    try:
        return scalar.as_py()
    except (ArithmeticError, LookupError, ValueError):
        return getattr(scalar, "value", "?")


def _fault(row: int, cells: dict[str, Any], fields: Mapping[str, Ids | Numbers]) -> Fault:
    text = ", ".join("" if cell is None else str(cell) for cell in cells.values())
    role = next(role for role, field in fields.items() if field.bad is not None and field.bad[row])
    cell = cells[role]
    missing = cell is None or (isinstance(cell, str) and not cell.strip())
    reason = "is missing" if missing else f"{shortened(repr(cell))} cannot be used"
    return Fault(text, f"{role} {reason}")
