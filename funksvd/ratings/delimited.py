"""Text files into columns, with Arrow's CSV reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from funksvd.errors import RatingsError
from funksvd.ratings import coded, lines
from funksvd.ratings.coded import Coded
from funksvd.ratings.files import Source, damage_explained
from funksvd.ratings.layout import Layout
from funksvd.ratings.records import careful_stream

ARROW_BLOCK = 8 << 20
TEXT = pa.dictionary(pa.int32(), pa.string())


@dataclass(frozen=True)
class RawColumns:
    """A text file's columns, unchecked, without the rows that have wrong columns.

    Parameters
    ----------
    columns : dict of str to Coded
        By role.
    times : ndarray of shape (n_rows,), int64, optional
        Timestamps, where all of them are integers (otherwise they are in `columns`).
    n_rows : int
        Without those that have wrong columns.
    n_wrong : int
        Number of rows that have wrong columns.
    """

    columns: dict[str, Coded]
    times: np.ndarray | None
    n_rows: int
    n_wrong: int


def parse(sources: Sequence[Source], layout: Layout, encoding: str) -> RawColumns:
    """Parse text files of the same layout; several only in the Netflix layout.

    Raises
    ------
    RatingsError
        If a file is damaged.
    """
    sources = list(sources)
    integer_times = layout.integer_times
    # A single column makes a line of blanks look like a row, which only `records` knows better.
    careful = layout.n_columns == 1
    while True:
        try:
            return _parse(sources, layout, encoding, integer_times, careful)
        except pa.ArrowInvalid as error:
            if integer_times and "conversion error" in str(error):
                integer_times = False
            elif not careful:
                careful = True
            else:
                raise RatingsError(f"{sources[0].name} cannot be parsed: {error}") from error


def _parse(
    sources: list[Source], layout: Layout, encoding: str, integer_times: bool, careful: bool
) -> RawColumns:
    notes = lines.Notes()
    by_position = {position: role for role, position in layout.columns.items()}
    column_types = dict.fromkeys(map(str, by_position), TEXT)
    if integer_times:
        column_types[str(layout.columns["timestamp"])] = pa.int64()
    with damage_explained(sources[0].name):
        try:
            table = pacsv.read_csv(
                _opened(sources, layout, encoding, careful, notes),
                read_options=pacsv.ReadOptions(
                    column_names=[str(position) for position in range(layout.n_columns)],
                    skip_rows=0 if careful else layout.skip_lines,
                    block_size=ARROW_BLOCK,
                ),
                parse_options=pacsv.ParseOptions(
                    delimiter=layout.delimiter, quote_char='"' if layout.quoting else False
                ),
                convert_options=pacsv.ConvertOptions(
                    check_utf8=False,
                    null_values=[],
                    strings_can_be_null=False,
                    column_types=column_types,
                    include_columns=list(column_types),
                ),
            )
        except pa.ArrowInvalid as error:
            if "Empty CSV file" not in str(error) and "Could not skip" not in str(error):
                raise
            table = pa.schema(column_types).empty_table()
    columns, times, n_rows = {}, None, table.num_rows
    for role, position in layout.columns.items():
        column = table[str(position)]
        table = table.drop_columns(str(position))  # its memory is soon needed for the codes
        if role == "timestamp" and integer_times:
            times = coded.numbers(column.chunks, np.int64)
        else:
            columns[role] = coded.from_dictionary(column)
    if layout.netflix:
        if sum(notes.counts) != n_rows:  # what counts as a blank line is not settled
            raise pa.ArrowInvalid("the movies' rows do not add up")
        codes = np.repeat(np.arange(len(notes.movies), dtype=np.int32), notes.counts)
        columns["item"] = Coded(codes, coded.text_array(notes.movies, pa.binary()))
    return RawColumns(columns, times, n_rows, notes.n_wrong)


def _opened(
    sources: list[Source], layout: Layout, encoding: str, careful: bool, notes: lines.Notes
) -> pa.NativeFile:
    plain = len(layout.separator) == 1 and layout.separator != " " and not layout.netflix
    if sources[0].path and plain and not careful and lines.is_utf8(encoding):
        return pa.OSFile(sources[0].path)
    stream = careful_stream if careful else lines.arrow_stream
    return pa.PythonFile(lines.BlockStream(stream(sources, layout, encoding, notes)), mode="r")
