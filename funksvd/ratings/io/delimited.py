"""Text files into columns, with Arrow's CSV reader, several parts of the text at a time."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from funksvd.errors import RatingsError
from funksvd.parallel import available_processors, in_order
from funksvd.ratings.io import checks, lines, plain
from funksvd.ratings.io.arrow import as_binary, text_array, text_bytes, view
from funksvd.ratings.io.badrows import N_KEPT
from funksvd.ratings.io.builders import MAX_PLAIN_ID, EncodedColumn
from funksvd.ratings.io.checks import BadField
from funksvd.ratings.io.chunks import NUMBERS, Chunk, Gather, Gathered
from funksvd.ratings.io.files import Source
from funksvd.ratings.io.layout import Layout
from funksvd.ratings.io.options import ROLES
from funksvd.ratings.io.records import careful_stream
from funksvd.ratings.io.segments import SEGMENT_BYTES, segments

MAX_THREADS = 8
"""Number of parsing threads that the one thread that reads the file can keep busy."""
KEPT_BYTES = 31 << 20
"""Size of a block that is allocated and freed once before parsing.

From then on glibc keeps smaller freed blocks for the next segments, instead of giving them back to
the system and asking for others, which takes a tenth of the whole time.
"""
PARSER_BYTES = 3
"""Bytes that Arrow's parser takes at once, for each byte of the text; about."""
TEXT = pa.dictionary(pa.int32(), pa.string())
INTEGERS = {"user": pa.int32(), "item": pa.int32(), "timestamp": pa.int64()}
_COLUMN = re.compile(r"column #(\d+)")


class _NotPlainError(Exception):
    """Ids cannot be read as integers: they are text, negative, large, or written oddly."""


def parse(
    sources: Sequence[Source], layout: Layout, encoding: str, gather: Gather
) -> tuple[Gathered[BadField], int]:
    """Parse text files of the same layout; several only in the Netflix layout.

    Parameters
    ----------
    sources : sequence of Source
    layout : Layout
    encoding : str
    gather : callable
        Takes the chunks. It is called again, with all chunks from the first one on, where a field
        far down shows that the text must be read otherwise.

    Returns
    -------
    gathered : Gathered
        The rows that do not have wrong columns; what is wrong with others is a `BadField`.
    n_wrong : int
        Number of rows that have wrong columns.

    Raises
    ------
    RatingsError
        If a file is damaged.
    """
    sources = list(sources)
    integers = set(layout.integers)
    roles = {*layout.columns, "item"} if layout.netflix else {*layout.columns}
    # A single column makes a line of blanks look like a row, which only `records` knows better.
    careful = layout.n_columns == 1
    while True:
        try:
            chunks = _Chunks(sources, layout, encoding, frozenset(integers), careful)
            return gather(chunks, roles, chunks.n_about), chunks.notes.n_wrong
        except _NotPlainError:
            integers -= {"user", "item"}
        except pa.ArrowInvalid as error:
            if integers and "conversion error" in str(error):
                integers -= _roles_of(error, layout) or integers
            elif not careful:
                careful = True
            else:
                raise RatingsError(f"{sources[0].name} cannot be parsed: {error}") from error


def _roles_of(error: pa.ArrowInvalid, layout: Layout) -> set[str]:
    """Role of the column in which Arrow found a field that is no integer."""
    named = _COLUMN.search(str(error))
    return {role for role, at in layout.columns.items() if named and at == int(named[1])}


class _Chunks:
    """The rows of text files in chunks, in their order.

    Parameters
    ----------
    sources : list of Source
    layout : Layout
    encoding : str
    integers : frozenset of str
        Roles whose fields are read as integers.
    careful : bool
        Whether rows with wrong columns are looked for and left out.

    Attributes
    ----------
    n_about : float
        About how many chunks there are, as far as that is known.
    notes : Notes
        Complete once all chunks have been asked for.
    """

    def __init__(
        self,
        sources: list[Source],
        layout: Layout,
        encoding: str,
        integers: frozenset[str],
        careful: bool,
    ) -> None:
        self._sources, self._layout, self._encoding = sources, layout, encoding
        self._integers, self._careful = integers, careful
        self._n_bytes = sum(os.path.getsize(source.path) for source in sources if source.path)
        self.n_about = self._n_bytes / SEGMENT_BYTES
        self.notes = lines.Notes()

    def __iter__(self) -> Iterator[Chunk[BadField]]:
        layout, careful = self._layout, self._careful
        stream = careful_stream if careful else lines.arrow_stream
        blocks = stream(self._sources, layout, self._encoding, self.notes)
        text = segments(blocks, 0 if careful else layout.skip_lines)
        bytes(KEPT_BYTES)
        parser = _Parser(layout, self._integers, self._n_bytes, cleaned=careful)
        chunks = in_order(parser, text, min(available_processors(), MAX_THREADS))
        yield from self._with_movies(chunks) if layout.netflix else chunks

    def _with_movies(self, chunks: Iterable[Chunk[BadField]]) -> Iterator[Chunk[BadField]]:
        """Chunks of Netflix files, with the movies of the lines above their rows as items."""
        movies, counts = self.notes.movies, self.notes.counts
        movie = n_used = n_rows = 0  # the movie of the next row, and how many rows it has had
        for chunk in chunks:
            first, missing, shares = movie, chunk.n_rows, []
            while missing and movie < len(counts):
                share = min(missing, counts[movie] - n_used)
                shares.append(share)
                missing, n_used = missing - share, n_used + share
                if missing:
                    movie, n_used = movie + 1, 0
            if missing:
                break
            codes = np.repeat(np.arange(len(shares), dtype=np.int32), shares)
            if len(chunk.bad_rows):
                codes = np.delete(codes, chunk.bad_rows)
            named = text_array(movies[first : first + len(shares)], pa.string())
            chunk.ids["item"] = EncodedColumn(codes, named)
            n_rows += chunk.n_rows
            yield chunk
        if sum(counts) != n_rows:  # what counts as a blank line is not settled
            raise pa.ArrowInvalid("the movies' rows do not add up")


class _Parser:
    """Parser of whole lines, called by several threads.

    Ids that are written as integers are parsed as such, many times faster than as text. Arrow
    reads `007` and ` 7` as 7 too, but every such way to write an integer is longer than its own:
    if the integers as they should be written fill the text, that is how all of them are written.

    Parameters
    ----------
    layout : Layout
    integers : frozenset of str
        Roles whose fields are read as integers.
    n_bytes : int
        Length of the whole text, as far as it is known.
    cleaned : bool
        Whether columns are separated by `layout.delimiter` already.
    """

    def __init__(
        self, layout: Layout, integers: frozenset[str], n_bytes: int, *, cleaned: bool
    ) -> None:
        rows = plain.PlainRows(layout, integers)
        self._plain = rows if rows.is_possible and not cleaned else None
        self._n_bytes, self._n_seen = n_bytes, 0
        self._separators = layout.separator.encode(), layout.delimiter.encode()
        self._columns = layout.columns
        self._integers = integers & set(layout.columns)
        self._n_columns = layout.n_columns
        self._checks: dict[str, Callable[[pa.Array], checks.Checked]] = {
            "user": checks.ids,
            "item": checks.ids,
            "rating": partial(checks.ratings, decimal=layout.decimal),
            "timestamp": checks.timestamps,
            "count": partial(checks.counts, decimal=layout.decimal),
        }
        self._quoting = layout.quoting and not cleaned
        kinds = {
            str(at): INTEGERS[role] if role in integers else TEXT
            for role, at in layout.columns.items()
        }
        self._proving = not self._integers.isdisjoint(("user", "item"))
        if self._proving:  # then the lengths of all columns count
            names = map(str, range(layout.n_columns))
            kinds = {name: kinds.get(name, pa.binary()) for name in names}
        self._names = [str(at) for at in range(layout.n_columns)]
        self._parsing = pacsv.ParseOptions(
            delimiter=layout.delimiter, quote_char='"' if layout.quoting else False
        )
        self._conversion = pacsv.ConvertOptions(
            check_utf8=False,
            null_values=[],
            strings_can_be_null=False,
            column_types=kinds,
            include_columns=list(kinds),
        )

    def __call__(self, text: bytes) -> Chunk[BadField]:
        self._n_seen += len(text)
        text = lines.without_marks(text)
        if self._plain and max(self._n_bytes, self._n_seen) >= plain.KERNEL_BYTES:
            chunk = self._plain.parse(text)
            if chunk is not None:
                return chunk
        if len(self._separators[0]) > 1:
            text = text.replace(*self._separators)
        table = self._table(text)
        if self._quoting and b'"' in text:
            _require_a_line_a_row(text, table.num_rows)
        chunks = {role: _only_chunk(table[str(at)]) for role, at in self._columns.items()}
        if self._proving and table.num_rows:
            self._prove(text, table, chunks)
        checked = {
            role: self._checks[role](as_binary(chunk.dictionary))
            for role, chunk in chunks.items()
            if role not in self._integers
        }
        codes = {
            role: view(chunk if role in self._integers else chunk.indices)
            for role, chunk in chunks.items()
        }
        bad = np.zeros(table.num_rows, bool)
        for role, texts in checked.items():
            if texts.bad.any():
                bad |= texts.bad[codes[role]]
        bad_rows = np.flatnonzero(bad)
        first_bad = [
            (int(row), self._bad_field(row, codes, chunks, checked)) for row in bad_rows[:N_KEPT]
        ]
        ids, numbers = {}, {}
        for role, column in codes.items():
            good = column[~bad] if len(bad_rows) else column
            if role not in NUMBERS:
                ids[role] = EncodedColumn(good, checked[role].values if role in checked else None)
            else:
                numbers[role] = checked[role].values[good] if role in checked else good
        rounded = checked["rating"].rounded if "rating" in checked else None
        return Chunk(table.num_rows, ids, numbers, bad_rows, first_bad, rounded)

    def _table(self, text: bytes) -> pa.Table:
        try:
            _require_memory(PARSER_BYTES * len(text))
            return pacsv.read_csv(
                pa.BufferReader(text),
                read_options=pacsv.ReadOptions(
                    column_names=self._names, block_size=len(text) + 1, use_threads=False
                ),
                parse_options=self._parsing,
                convert_options=self._conversion,
            )
        except pa.ArrowInvalid as error:
            if "Empty CSV file" not in str(error):  # there may be nothing but blank lines
                raise
            return pa.schema(self._conversion.column_types).empty_table()

    def _prove(self, text: bytes, table: pa.Table, chunks: dict[str, pa.Array]) -> None:
        """Raise `_NotPlainError` unless all ids are small, not negative, and as they should be."""
        for role in self._integers & {"user", "item"}:
            if view(chunks[role]).max() > MAX_PLAIN_ID:
                raise _NotPlainError
        n_in_fields = sum(_n_characters(_only_chunk(column)) for column in table.columns)
        n_others = len(text) - n_in_fields - table.num_rows * (self._n_columns - 1)
        # Each row ends in one newline; they are counted only if other characters remain.
        if n_others != table.num_rows and n_others != text.count(b"\n") + text.count(b"\r"):
            raise _NotPlainError
        if b'"' in text:
            raise _NotPlainError

    def _bad_field(
        self,
        row: int,
        codes: dict[str, np.ndarray],
        chunks: dict[str, pa.Array],
        checked: dict[str, checks.Checked],
    ) -> BadField:
        for role in ROLES:
            if role in checked and checked[role].bad[codes[role][row]]:
                texts = as_binary(chunks[role].dictionary)
                return BadField(role, texts[int(codes[role][row])].as_py())
        raise AssertionError(f"row {row} is not bad")


def _require_memory(n_bytes: int) -> None:
    """Raise `MemoryError` unless there is memory for a parser: Arrow would end the process."""
    try:
        pacsv.read_csv(pa.BufferReader(b"0\n"))  # starts a thread, which takes memory too
    except pa.ArrowException as error:
        raise MemoryError(str(error)) from error
    pa.allocate_buffer(n_bytes)


def _require_a_line_a_row(text: bytes, n_rows: int) -> None:
    """Raise `ArrowInvalid` if a quoted field goes on over lines: `records` knows stray quotes."""
    characters = np.frombuffer(text, np.uint8)  # counted several times as fast as by `bytes`
    n_lines = int(np.count_nonzero(characters == ord("\n")))
    if n_lines != n_rows or b"\r" in text:
        n_lines = sum(map(bool, text.splitlines()))
    if n_lines != n_rows or np.count_nonzero(characters == ord('"')) % 2:
        raise pa.ArrowInvalid("a quoted field goes on over lines, or a quote is stray")


def _only_chunk(column: pa.ChunkedArray) -> pa.Array:
    """The only chunk of a column: Arrow has read the text as a single block."""
    return column.chunk(0) if column.num_chunks else column.combine_chunks()


def _n_characters(column: pa.Array) -> int:
    """Number of characters of a column; integers count as they would be written plainly.

    0 for columns with negative integers, for which nothing can be proved so.
    """
    if pa.types.is_binary(column.type):
        return len(text_bytes(column))
    if pa.types.is_dictionary(column.type):
        texts = as_binary(column.dictionary)
        ends = np.frombuffer(texts.buffers()[1], np.int32, len(texts) + 1, 4 * texts.offset)
        lengths = np.diff(ends)
        if lengths.min() == lengths.max():
            return len(column) * int(lengths[0])
        return int(lengths[view(column.indices)].sum())
    values = view(column)
    low, high = int(values.min()), int(values.max())
    if low < 0:
        return 0
    longer = (np.count_nonzero(values >= 10**n) for n in range(len(str(low)), len(str(high))))
    return len(values) * len(str(low)) + int(sum(longer))
